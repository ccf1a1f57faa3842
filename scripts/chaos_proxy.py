"""A proxy for HTTP/1.1 that cuts connections and records which updates the server acknowledged."""

import asyncio
import json
import re
from collections import Counter, deque

UPDATE = re.compile(r"^/v1/federations/[^/]+/rounds/(\d+)/update(?:\?|$)")
HEAD_LIMIT = 64 * 1024


class CutOff(Exception):
    """The proxy's own fault: the connection ends here, in the middle of a message."""


class Proxy:
    """Stands between one client and the server, as a bad network does.

    An acknowledgement counts from the moment the server has said it, whether or not the client ever hears of it.
    """

    def __init__(self, server_port, random, cut_probability, on_update_sent, on_acknowledged):
        self.server_port = server_port
        self.random = random
        self.cut_probability = cut_probability
        self.on_update_sent = on_update_sent
        self.on_acknowledged = on_acknowledged
        # Seconds that a block of 16 KiB of a request takes on its way.
        self.delay = 0
        self.cuts = 0
        self.update_answers = Counter()
        self.port = None

    async def start(self):
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_LIMIT)
        self.port = self.listener.sockets[0].getsockname()[1]

    def close(self):
        self.listener.close()

    async def _serve(self, client_reader, client_writer):
        writers = [client_writer]
        try:
            server_reader, server_writer = await asyncio.open_connection(
                "127.0.0.1", self.server_port, limit=HEAD_LIMIT)
            writers.append(server_writer)
            connection = Connection(self)
            await asyncio.gather(
                connection.carry_requests(client_reader, server_writer),
                connection.carry_answers(server_reader, client_writer))
        except CutOff:
            self.cuts += 1
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            for writer in writers:
                writer.transport.abort()


class Connection:
    """One connection with the requests on it that are not answered yet."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.open_requests = deque()
        random = proxy.random
        self.budget = random.randrange(1, 48 * 1024) if random.random() < proxy.cut_probability else None

    def spend(self, count):
        if self.budget is not None:
            self.budget -= count
            if self.budget <= 0:
                raise CutOff

    async def carry_requests(self, reader, writer):
        while True:
            head, start, fields = await read_head(reader)
            method, path = start.split(" ")[:2]
            self.open_requests.append((method, path))
            self.spend(len(head))
            writer.write(head)
            await self.carry_body(reader, writer, int(fields.get("content-length", "0")), self.proxy.delay)
            if method == "PUT" and UPDATE.match(path):
                self.proxy.on_update_sent()

    async def carry_answers(self, reader, writer):
        while True:
            head, start, fields = await read_head(reader)
            status = int(start.split(" ")[1])
            if 100 <= status < 200:
                writer.write(head)
                continue
            method, path = self.open_requests.popleft()
            update = UPDATE.match(path) if method == "PUT" else None
            receipt = None
            if update:
                self.proxy.update_answers[status] += 1
            if update and status in (200, 201):
                receipt = {"round": int(update.group(1)), "digest": None}
                self.proxy.on_acknowledged(receipt)
            self.spend(len(head))
            writer.write(head)
            has_body = method != "HEAD" and status not in (204, 304)
            length = int(fields.get("content-length", "0")) if has_body else 0
            if receipt:
                body = await reader.readexactly(length)
                receipt["digest"] = json.loads(body)["digest"]
                self.spend(length)
                writer.write(body)
            else:
                await self.carry_body(reader, writer, length)
            await writer.drain()

    async def carry_body(self, reader, writer, length, delay=0):
        while length > 0:
            block = await reader.read(min(length, 16 * 1024))
            if not block:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(block)
            if self.budget is not None and len(block) >= self.budget:
                writer.write(block[: self.budget])
                await writer.drain()
            self.spend(len(block))
            await asyncio.sleep(delay)
            writer.write(block)
            await writer.drain()


async def read_head(reader):
    """The bytes of a message's head, its start line and its fields."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return head, lines[0], fields
