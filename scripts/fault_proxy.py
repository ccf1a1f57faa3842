#!/usr/bin/env python3
"""A TCP proxy on loopback that acts as a bad link: slow, delayed, lossy, and cut again and again.

It prints its port, then counts the bytes that cross it into a JSON file until it is ended. Bytes count as sent once
they are on the link, even if a cut loses them.
"""

import argparse
import collections
import json
import os
import random
import signal
import socket
import struct
import threading
import time


class Link:
    """The shared part of all connections: the rates, the cuts and the counts."""

    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.lock = threading.Lock()
        self.connections = set()
        self.is_up = True
        self.next_free = {"up": 0.0, "down": 0.0}
        self.counts = collections.Counter()
        self.begun = time.monotonic()

    def pace(self, direction, count):
        """Sleeps as long as the link needs for `count` bytes."""
        rate = self.options.up_bits if direction == "up" else self.options.down_bits
        if not rate:
            return
        with self.lock:
            begin = max(self.next_free[direction], time.monotonic())
            self.next_free[direction] = begin + count * 8 / rate
            wait = self.next_free[direction] - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    def lateness(self):
        """Seconds until a piece arrives; a lost one comes again after a while."""
        late = self.options.delay_ms / 1000
        with self.lock:
            if self.random.random() < self.options.loss:
                self.counts["lost"] += 1
                late += self.random.uniform(0.2, 0.8)
        return late

    def run(self):
        """Drops the link for a moment, every few seconds."""
        low, high = self.options.up_seconds
        while high > 0:
            with self.lock:
                span, gap = self.random.uniform(low, high), self.random.uniform(*self.options.gap_seconds)
                resets = self.random.random() < 0.5
            time.sleep(span)
            with self.lock:
                self.is_up = False
                victims = list(self.connections)
                self.counts["cuts"] += 1
                self.counts["connections_cut"] += len(victims)
            for connection in victims:
                connection.cut(resets)
            time.sleep(gap)
            with self.lock:
                self.is_up = True

    def report(self):
        with self.lock:
            counts = {key: self.counts[key] for key in ("up", "down", "cuts", "connections", "connections_cut", "lost")}
        counts["seconds"] = round(time.monotonic() - self.begun, 1)
        beside = self.options.report + ".new"
        with open(beside, "w") as file:
            json.dump(counts, file)
        os.replace(beside, self.options.report)


class Pipe:
    """The bytes on the link in one direction: at most a sender's window, as in TCP."""

    WINDOW = 64 << 10

    def __init__(self):
        self.pieces = collections.deque()
        self.bytes = 0
        self.changed = threading.Condition()

    def has_room(self, is_cut):
        """Waits for room; false once the connection is cut."""
        with self.changed:
            while self.bytes >= self.WINDOW and not is_cut.is_set():
                self.changed.wait(0.1)
        return not is_cut.is_set()

    def put(self, due, piece):
        with self.changed:
            self.pieces.append((due, piece))
            self.bytes += len(piece or b"")
            self.changed.notify_all()

    def first(self, is_cut):
        """Waits for a piece; nothing once the connection is cut."""
        with self.changed:
            while not self.pieces and not is_cut.is_set():
                self.changed.wait(0.1)
            return self.pieces.popleft() if self.pieces else (0, None)

    def drop(self, count):
        with self.changed:
            self.bytes -= count
            self.changed.notify_all()


class Connection:
    """A client's connection and its other half to the server."""

    def __init__(self, link, client, server):
        self.link = link
        self.client = client
        self.server = server
        self.is_cut = threading.Event()

    def start(self):
        for direction, source, sink in (("up", self.client, self.server), ("down", self.server, self.client)):
            pipe = Pipe()
            threading.Thread(target=self.take, args=(direction, source, pipe), daemon=True).start()
            threading.Thread(target=self.deliver, args=(sink, pipe), daemon=True).start()

    def take(self, direction, source, pipe):
        """From an end onto the link."""
        due = 0.0
        while not self.is_cut.is_set():
            if not pipe.has_room(self.is_cut):
                return
            try:
                piece = source.recv(4096)
            except OSError:
                piece = None
            if piece:
                with self.link.lock:
                    self.link.counts[direction] += len(piece)
                self.link.pace(direction, len(piece))
                due = max(due, time.monotonic() + self.link.lateness())
            pipe.put(due, piece)
            if not piece:
                return

    def deliver(self, sink, pipe):
        """From the link to the other end."""
        while True:
            due, piece = pipe.first(self.is_cut)
            if self.is_cut.wait(max(0, due - time.monotonic())):
                return
            try:
                if piece:
                    sink.sendall(piece)
                    pipe.drop(len(piece))
                    continue
                if piece is None:
                    self.cut(True)
                else:
                    sink.shutdown(socket.SHUT_WR)
            except OSError:
                self.cut(True)
            return

    def cut(self, resets):
        self.is_cut.set()
        with self.link.lock:
            self.link.connections.discard(self)
        for end in (self.client, self.server):
            try:
                if resets:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # A socket that a thread reads from is not closed before that thread lets go.
                end.shutdown(socket.SHUT_RD if resets else socket.SHUT_RDWR)
                end.close()
            except OSError:
                pass


def accept(link, listener, target):
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with link.lock:
            is_up = link.is_up
        server = None
        if is_up:
            try:
                server = socket.create_connection(target, timeout=5)
                server.settimeout(None)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                server = None
        if server is None:
            client.close()
            continue
        connection = Connection(link, client, server)
        with link.lock:
            link.connections.add(connection)
            link.counts["connections"] += 1
        connection.start()


def span(text):
    low, high = (float(part) for part in text.split("-"))
    if not 0 <= low <= high:
        raise ValueError(text)
    return low, high


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--report", required=True, metavar="FILE", help="where the counts go, every half second")
    parser.add_argument("--up-bits", type=float, default=0, metavar="N", help="bits a second to the server; 0: as many as go")
    parser.add_argument("--down-bits", type=float, default=0, metavar="N", help="likewise to the client")
    parser.add_argument("--delay-ms", type=float, default=0, metavar="N", help="how late bytes arrive")
    parser.add_argument("--loss", type=float, default=0, metavar="P", help="the share of pieces that have to be sent again")
    parser.add_argument("--up-seconds", type=span, default=(0, 0), metavar="A-B", help="how long the link holds; 0-0: always")
    parser.add_argument("--gap-seconds", type=span, default=(0.2, 1), metavar="A-B", help="how long it stays away then")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")

    listener = socket.socket()
    # What a sender has handed to its own kernel is not on the link yet: little fits in between.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    link = Link(options)
    for target, arguments in ((link.run, ()), (accept, (link, listener, (host, int(port))))):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    print(listener.getsockname()[1], flush=True)

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(0.5):
        link.report()
    link.report()


if __name__ == "__main__":
    main()
