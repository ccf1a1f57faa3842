"""A round of large updates: its time from the first byte to the publication, and from its close."""
import datetime
import os
import statistics
import subprocess
import sys
import threading
import time

from bench_servers import SERVER, Server, adapter

MODULES, RANK, CLIENTS = 16, 128, 8


class Memory:
    """The highest RssAnon and VmRSS of a server's process while it is open, in MiB."""

    def __init__(self, process):
        self.path = f"/proc/{process.pid}/status"
        self.anonymous = self.resident = 0

    def __enter__(self):
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()
        return self

    def sample(self):
        while not self.done.wait(0.02):
            with open(self.path) as file:
                lines = dict(line.split(":", 1) for line in file if ":" in line)
            self.anonymous = max(self.anonymous, int(lines["RssAnon"].split()[0]) // 1024)
            self.resident = max(self.resident, int(lines["VmRSS"].split()[0]) // 1024)

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def once(server, name, files):
    """The seconds of a round, and those from its close to its publication."""
    _, tokens = server.federation(name, MODULES, RANK, CLIENTS)
    began = time.monotonic()
    sending = [
        subprocess.Popen(
            ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-T", file, "-H", f"Authorization: Bearer {token}",
             f"{server.url}/v1/federations/{name}/rounds/1/update?samples=100"], stdout=subprocess.PIPE, text=True)
        for file, token in zip(files, tokens)]
    for process in sending:
        status, _ = process.communicate()
        if status != "201":
            sys.exit(f"bench: an update was answered with {status}")
    while server.call("GET", f"/v1/federations/{name}/rounds/1")["phase"] != "published":
        time.sleep(0.005)
    took = time.monotonic() - began
    at = {event["kind"]: moment(event["at"]) for event in server.call(
        "GET", f"/v1/federations/{name}/events?limit=1000")["events"] if event["kind"].startswith("round.")}
    return took, at["round.published"] - at["round.closed"]


def round_of_updates(folder, options):
    servers = [one.split("=", 1) for one in options.server or [f"this={SERVER}"]]
    files = []
    for index in range(CLIENTS):
        files.append(os.path.join(folder, f"update-{index}.safetensors"))
        adapter(files[-1], MODULES, RANK, seed=index + 1)
    running = []
    for label, binary in servers:
        os.makedirs(os.path.join(folder, label))
        running.append((label, Server(os.path.join(folder, label), binary=binary)))
    results = {label: [] for label, _ in running}
    memory = {}
    for run in range(options.runs):
        for label, server in running:
            with Memory(server.process) as watch:
                results[label].append(once(server, f"round-{run}", files))
            memory[label] = watch
    for label, _ in running:
        whole, closing = zip(*results[label])
        print(f"{label}: a round of {CLIENTS} × {os.path.getsize(files[0]) / 2**20:.0f} MiB {statistics.median(whole):.2f} s "
              f"({min(whole):.2f} to {max(whole):.2f}); from closed to published {statistics.median(closing):.2f} s "
              f"({min(closing):.2f} to {max(closing):.2f}); anonymous {memory[label].anonymous} MiB, resident "
              f"{memory[label].resident} MiB", flush=True)
    for _, server in running:
        server.process.terminate()
        server.process.wait()
