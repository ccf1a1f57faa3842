"""A crowd of clients in one federation: all wait for their plans at once, and some send an update each round.

Every client is one connection of a single-threaded epoll loop and asks for its plan (`?after=&wait=60`) again and
again. A selected client downloads the adapter and sends its update. Meanwhile another process asks for the round's
status on its own connections and measures the times. Any unexpected answer ends the bench.
"""
import array
import collections
import json
import os
import random
import re
import resource
import secrets
import select
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from bench_servers import Server

FEDERATION = "crowd"
# Eight modules of 1024 × 1024 at rank 16: 1 MiB of factors.
MODULES, WIDTH, RANK = 8, 1024, 16


class Failure(Exception):
    pass


def update():
    """A valid update: header and numbers; each client changes the first number."""
    header, offset, size = {}, 0, RANK * WIDTH * 4
    for index in range(MODULES):
        for factor, shape in (("A", [RANK, WIDTH]), ("B", [WIDTH, RANK])):
            header[f"base_model.model.m{index}.lora_{factor}.weight"] = {
                "dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    numbers = array.array("f", (random.Random(1).uniform(-0.01, 0.01) for _ in range(offset // 4)))
    return len(text).to_bytes(8, "little") + text, numbers.tobytes()


class Client:
    """One client's connection: its requests, its waits and the answers."""

    __slots__ = ("name", "token", "socket", "out", "inbox", "expected", "doing", "revision", "round", "sent_at")

    def __init__(self, name, token):
        self.name, self.token = name, token
        self.socket = None
        self.out = collections.deque()
        self.inbox = bytearray()
        # Bytes of an answer's body that are still to come; None while its head is read.
        self.expected = None
        self.doing = None
        self.revision = 0
        self.round = 0
        self.sent_at = 0.0


class Crowd:
    """All the clients, and the loop that drives them until the federation is finished."""

    def __init__(self, port, tokens, total, spread):
        self.port = port
        self.address = f"/v1/federations/{FEDERATION}"
        self.total = total
        self.spread = spread
        self.poll = select.epoll()
        self.by_descriptor = {}
        self.finished = set()
        self.statuses = collections.Counter()
        self.acknowledged = collections.Counter()
        self.updates_took = []
        self.random = random.Random(7)
        # Who sends when: a heap would do, but the times ascend once they are sorted.
        self.later = []
        self.update_head, self.numbers = update()
        self.numbers = memoryview(self.numbers)
        self.length = len(self.update_head) + len(self.numbers)
        self.clients = [Client(name, token) for name, token in tokens.items()]

    def connect(self):
        for index, client in enumerate(self.clients):
            client.socket = socket.socket()
            # Several addresses, so that no address runs out of ports.
            client.socket.bind((f"127.0.0.{2 + index // 10000}", 0))
            client.socket.connect(("127.0.0.1", self.port))
            client.socket.setblocking(False)
            self.by_descriptor[client.socket.fileno()] = client
            self.poll.register(client.socket.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            self.ask_plan(client)
            if index % 256 == 0:
                self.turn(0)

    def settle(self):
        """Waits until every client was answered once and asks again."""
        while any(client.revision == 0 for client in self.clients):
            self.turn(1)

    def run(self, until):
        while len(self.finished) < len(self.clients):
            if time.monotonic() > until:
                raise Failure(f"{len(self.finished)} of {len(self.clients)} clients were told of the end in time")
            now = time.monotonic()
            while self.later and self.later[-1][0] <= now:
                self.fetch(self.later.pop()[1])
            self.turn(min(1, max(0, self.later[-1][0] - now)) if self.later else 1)

    def turn(self, timeout):
        for descriptor, events in self.poll.poll(timeout, 512):
            client = self.by_descriptor[descriptor]
            if events & select.EPOLLIN:
                self.receive(client)
            if events & (select.EPOLLHUP | select.EPOLLERR) and client.doing:
                raise Failure(f"{client.name} was cut off while it waited for its {client.doing}")
            if client.out:
                self.send(client)

    # Requests

    def request(self, client, doing, method, path, *body, length=0):
        client.doing = doing
        head = (f"{method} {self.address}{path} HTTP/1.1\r\nHost: crowd\r\nAuthorization: Bearer {client.token}\r\n"
                + (f"Content-Length: {length}\r\n" if length else "") + "\r\n").encode()
        client.out.extend((head, *body))
        self.send(client)

    def ask_plan(self, client):
        self.request(client, "plan", "GET", f"/plan?after={client.revision}&wait=60")

    def fetch(self, client):
        self.request(client, "adapter", "GET", f"/rounds/{client.round - 1}/adapter?rank={RANK}")

    def push(self, client):
        client.sent_at = time.monotonic()
        own = array.array("f", [self.random.uniform(-0.01, 0.01) for _ in range(4)]).tobytes()
        self.request(client, "update", "PUT", f"/rounds/{client.round}/update?samples=10&loss=0.5",
                     self.update_head + own, self.numbers[len(own):], length=self.length)

    # Bytes

    def send(self, client):
        while client.out:
            try:
                sent = client.socket.send(client.out[0])
            except BlockingIOError:
                return
            if sent == len(client.out[0]):
                client.out.popleft()
            else:
                client.out[0] = memoryview(client.out[0])[sent:]

    def receive(self, client):
        while True:
            try:
                data = client.socket.recv(1 << 18)
            except BlockingIOError:
                return
            if not data:
                raise Failure(f"{client.name} was cut off while it waited for its {client.doing}")
            self.take(client, data)

    def take(self, client, data):
        if client.doing == "adapter" and client.expected:
            # Nobody reads the adapter here.
            client.expected -= len(data)
            if client.expected == 0:
                self.finish(client, 200, b"")
            return
        client.inbox += data
        end = client.inbox.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(client.inbox[:end])
        status = int(head[9:12])
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        length = int(length.group(1)) if length else 0
        here = len(client.inbox) - end - 4
        if client.doing == "adapter" and status == 200:
            client.inbox.clear()
            client.expected = length - here
            if client.expected == 0:
                self.finish(client, 200, b"")
        elif here >= length:
            body = bytes(client.inbox[end + 4:end + 4 + length])
            client.inbox.clear()
            self.finish(client, status, body)

    # What answers mean

    def finish(self, client, status, body):
        client.expected = None
        doing, client.doing = client.doing, None
        self.statuses[doing, status] += 1
        if doing == "plan" and status == 200:
            self.follow(client, json.loads(body))
        elif doing == "plan" and status == 204:
            self.ask_plan(client)
        elif doing == "adapter" and status == 200:
            self.push(client)
        elif doing == "update" and status == 201:
            self.updates_took.append(time.monotonic() - client.sent_at)
            self.acknowledged[client.round] += 1
            self.ask_plan(client)
        else:
            raise Failure(f"{client.name} asked for its {doing} and was answered {status}: {body[:300]}")

    def follow(self, client, plan):
        client.revision = plan["revision"]
        if plan["state"] == "finished":
            self.finished.add(client.name)
        elif plan["phase"] == "collecting" and plan["selected"] and not plan["answered"]:
            client.round = plan["round"]
            if self.spread:
                self.later.append((time.monotonic() + self.random.uniform(0, self.spread), client))
                self.later.sort(key=lambda entry: -entry[0])
            else:
                self.fetch(client)
        else:
            self.ask_plan(client)


def register(port, enrolment, count, prefix="edge-"):
    """Registers the clients over 64 connections at once; their tokens by name."""
    tokens = {f"{prefix}{index:05}": secrets.token_hex(32) for index in range(count)}
    waiting = list(tokens)
    poll, lanes = select.epoll(), {}

    def next_one(lane):
        if not waiting:
            lane.close()
            return False
        name = waiting.pop()
        body = json.dumps({"rank": RANK, "token": tokens[name]}).encode()
        lane.sendall(f"PUT /v1/federations/{FEDERATION}/clients/{name} HTTP/1.1\r\nHost: crowd\r\nAuthorization: Bearer "
                     f"{enrolment}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    for _ in range(64):
        lane = socket.create_connection(("127.0.0.1", port))
        lanes[lane.fileno()] = lane
        poll.register(lane.fileno(), select.EPOLLIN)
        next_one(lane)
    while lanes:
        for descriptor, _ in poll.poll():
            answer = lanes[descriptor].recv(65536)
            if not answer.startswith(b"HTTP/1.1 201"):
                raise Failure(f"a registration was answered {answer[:300]}")
            if not next_one(lanes[descriptor]):
                del lanes[descriptor]
    return tokens


def probe(port, reader, every):
    """Asks for the status again and again until its input ends; then prints (when, seconds) of each."""
    ask = (f"GET /v1/federations/{FEDERATION}/rounds/current HTTP/1.1\r\nHost: crowd\r\n"
           f"Authorization: Bearer {reader}\r\n\r\n").encode()
    # More than one, so that every shard of the server is asked.
    lanes = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    times, turn = [], 0
    while not select.select([sys.stdin], [], [], every)[0]:
        lane = lanes[turn % len(lanes)]
        turn += 1
        started = time.monotonic()
        lane.sendall(ask)
        answer = lane.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"bench: status was answered {answer[:300]}")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
        while len(body) < length:
            body += lane.recv(1 << 18)
        found = json.loads(body)
        times.append((time.monotonic() - started, found["round"], found["phase"], found["received"]))
    json.dump(times, sys.stdout)


class Sampler:
    """The server's memory every 50 ms, and the processor time that it took."""

    def __init__(self, server):
        self.server = server
        self.highest = server.memory()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()

    def sample(self):
        while not self.done.wait(0.05):
            for key, value in self.server.memory().items():
                self.highest[key] = max(self.highest[key], value)

    def stop(self):
        self.done.set()
        self.thread.join()

    def seconds(self):
        with open(f"/proc/{self.server.process.pid}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def crowd(folder, options):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < options.clients + 500:
        sys.exit(f"bench: {options.clients} clients need as many descriptors; ulimit -Hn is {hard}")
    binary = options.server[0].split("=", 1)[-1] if options.server else None
    server = Server(folder, **({"binary": binary} if binary else {}))
    try:
        measure(server, options)
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    finally:
        server.stop()


def measure(server, options):
    print(f"load {os.getloadavg()[0]:.1f}; {options.clients} clients, {options.selected} updates of 1 MiB in each of "
          f"{options.rounds} rounds, sent within {options.spread:g} s", flush=True)
    created = server.call("POST", "/v1/federations", {
        "id": FEDERATION, "base_model": {"name": "bench"},
        "adapter": {"max_rank": RANK, "modules": {f"m{i}": {"in": WIDTH, "out": WIDTH} for i in range(MODULES)}},
        "round": {"total": options.rounds, "min_clients": options.clients, "min_updates": options.selected,
                  "deadline_seconds": 86400, "seen_seconds": 86400,
                  "selection": {"fraction": options.selected / options.clients}}})
    # The first round opens once all wait for it.
    server.call("PATCH", f"/v1/federations/{FEDERATION}", {"state": "paused"})
    started = time.monotonic()
    tokens = register(server.port, created["enrolment_token"], options.clients)
    print(f"registered in {time.monotonic() - started:.1f} s", flush=True)
    before = server.memory()
    sampler = Sampler(server)
    asking = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(server.port), created["reader_token"], "0.005"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    load = Crowd(server.port, tokens, options.rounds, options.spread)
    load.connect()
    load.settle()
    waiting = server.memory()
    started, busy = time.monotonic(), sampler.seconds()
    server.call("PATCH", f"/v1/federations/{FEDERATION}", {"state": "running"})
    load.run(started + options.patience)
    took, busy = time.monotonic() - started, sampler.seconds() - busy
    times = json.loads(asking.communicate("\n")[0])
    sampler.stop()
    for number in range(1, options.rounds + 1):
        if load.acknowledged[number] != options.selected:
            raise Failure(f"round {number} acknowledged {load.acknowledged[number]} updates")
    rounds = server.call("GET", f"/v1/federations/{FEDERATION}/rounds?limit=100")["rounds"]
    for entry in rounds:
        accepted = entry["received"]
        if entry["phase"] != "published" or accepted != options.selected or entry["refused"]:
            raise Failure(f"round {entry['round']} is {entry['phase']} with {accepted} updates, {entry['refused']} refused")
    if len(rounds) != options.rounds:
        raise Failure(f"{len(rounds)} rounds were run")
    answers = ", ".join(f"{count} × {status} to {doing}" for (doing, status), count in sorted(load.statuses.items()))
    print(f"answered: {answers}; no other")
    print(f"{options.rounds} rounds in {took:.1f} s; the server's processor time {busy:.1f} s")
    print(f"an update took {1000 * statistics.median(load.updates_took):.0f} ms in the median, "
          f"{1000 * percentile(load.updates_took, 0.99):.0f} ms at p99")
    arriving = [entry[0] for entry in times if entry[2] == "collecting" and 0 < entry[3] < options.selected]
    for what, values in (("while updates arrive", arriving), ("all the time", [entry[0] for entry in times])):
        if values:
            print(f"status {what}: p50 {1000 * statistics.median(values):.1f} ms, p99 {1000 * percentile(values, 0.99):.1f} "
                  f"ms, at most {1000 * max(values):.1f} ms of {len(values)}")
    print("server memory at most: " + ", ".join(
        f"{key} {value:.0f} MiB ({before[key]:.0f} before, {waiting[key]:.0f} when all wait)" for key, value in sampler.highest.items()))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    probe(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
