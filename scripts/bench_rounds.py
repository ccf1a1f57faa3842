"""A federation of many clients over many rounds: the size of its log, and the time of a list of its rounds.

Each round selects half of the clients; a hundred of them answer, which closes it. The script reads the selected clients
from the audit log, as an auditor does.
"""
import concurrent.futures
import hashlib
import http.client
import json
import os
import sqlite3
import statistics
import struct
import sys
import threading
import time

from bench_servers import Server

PATH = "/v1/federations/many"
ANSWERS, WIDTH, RANK = 100, 8, 2


class Callers:
    """Kept connections, one a thread."""

    def __init__(self, port):
        self.port, self.local = port, threading.local()

    def call(self, method, path, body=None, token=None):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.local.connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
        answer = self.local.connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            sys.exit(f"bench: {method} {path} was answered with {answer.status}: {content.decode()}")
        return content


def token(index):
    return f"{index + 1:064x}"


def update():
    size = RANK * WIDTH * 4
    header = {f"base_model.model.m.lora_{factor}.weight": {
        "dtype": "F32", "shape": shape, "data_offsets": [start, start + size]}
        for factor, shape, start in (("A", [RANK, WIDTH], 0), ("B", [WIDTH, RANK], size))}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack(f"<{2 * RANK * WIDTH}f", *[0.01] * (2 * RANK * WIDTH))


def selected(callers, server, after, number):
    """The names of the round's selected clients, and the number of the last event that was read."""
    while True:
        events = json.loads(callers.call("GET", f"{PATH}/events?after={after}&limit=1000", token=server.admin))["events"]
        for event in events:
            after = event["id"]
            if event["kind"] == "round.selected" and event["round"] == number:
                digest = event["detail"].rsplit(" ", 1)[-1]
                text = callers.call("GET", f"{PATH}/lists/{digest}", token=server.admin)
                if "sha256:" + hashlib.sha256(text).hexdigest() != digest:
                    sys.exit(f"bench: the list {digest} is another one")
                return text.decode().split(), after
        if not events:
            time.sleep(0.01)


def rounds(folder, options):
    server = Server(folder)
    try:
        measure(server, options)
    finally:
        server.stop()


def measure(server, options):
    clients = options.clients
    callers = Callers(server.port)
    server.call("POST", "/v1/federations", {
        "id": "many", "base_model": {"name": "bench"},
        "adapter": {"max_rank": RANK, "modules": {"m": {"in": WIDTH, "out": WIDTH}}},
        "limits": {"max_clients": clients},
        "round": {"total": options.rounds, "min_clients": clients, "min_updates": 1, "target_updates": ANSWERS,
                  "deadline_seconds": 86400, "seen_seconds": 86400, "selection": {"fraction": 0.5}}})
    body, after = update(), 0
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        def register(index):
            callers.call("PUT", f"{PATH}/clients/edge-{index:06}", json.dumps({"rank": RANK, "token": token(index)}).encode(),
                         server.admin)

        list(threads.map(register, range(clients)))
        began = time.monotonic()
        for number in range(1, options.rounds + 1):
            names, after = selected(callers, server, after, number)
            list(threads.map(lambda name: callers.call(
                "PUT", f"{PATH}/rounds/{number}/update?samples=1", body, token(int(name[5:]))), names[:ANSWERS]))
        while server.call("GET", PATH)["state"] != "finished":
            time.sleep(0.05)
        took = time.monotonic() - began
    times = []
    for _ in range(21):
        started = time.monotonic()
        answer = json.loads(callers.call("GET", f"{PATH}/rounds?limit=100", token=server.admin))
        times.append(1000 * (time.monotonic() - started))
    if len(answer["rounds"]) != min(100, options.rounds) or answer["rounds"][0]["selected"] != clients // 2:
        sys.exit(f"bench: {len(answer['rounds'])} rounds are listed, of {answer['rounds'][0]['selected']} clients")
    database = sqlite3.connect(f"file:{os.path.join(server.data, 'rankwise.sqlite')}?mode=ro", uri=True)
    log, = database.execute("SELECT SUM(length(detail)) FROM events WHERE kind IN ('round.candidates', 'round.selected')").fetchone()
    lists, = database.execute("SELECT SUM(length(runs) + coalesce(length(client_values), 0)) FROM client_lists").fetchone()
    print(f"{clients} clients, {options.rounds} rounds in {took:.1f} s: candidates and selected take {log / options.rounds / 1024:.2f} "
          f"KiB of log and {lists / options.rounds / 1024:.2f} KiB of lists a round")
    print(f"rounds?limit=100: {statistics.median(times):.1f} ms, at most {max(times):.1f} ms of {len(times)}")
