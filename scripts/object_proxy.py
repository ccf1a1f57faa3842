"""A proxy between servers and the object store that answers 503, stalls, and cuts answers off."""

import asyncio

from chaos_proxy import read_head

KINDS = ("503", "stall", "cut")


class ObjectProxy:
    """Disturbs a share of the requests. A server must not notice more than a delay."""

    def __init__(self, store_port, random, share=0.0):
        self.store_port = store_port
        self.random = random
        self.share = share
        # All requests wait until this is set: the store does not answer.
        self.answers = asyncio.Event()
        self.answers.set()
        self.faults = dict.fromkeys(KINDS, 0)
        # asyncio itself keeps no reference to the task of a connection.
        self.serving = set()

    async def start(self):
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.listener.close()

    async def _serve(self, reader, writer):
        upstream = None
        self.serving.add(asyncio.current_task())
        try:
            while True:
                head, _, fields = await read_head(reader)
                await self.answers.wait()
                fault = self.random.choice(KINDS) if self.random.random() < self.share else None
                if fault:
                    self.faults[fault] += 1
                if fault == "503":
                    writer.write(
                        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 1\r\n\r\n")
                    await writer.drain()
                    return
                if fault == "stall":
                    await asyncio.sleep(self.random.uniform(0.5, 4))
                if upstream is None:
                    upstream = await asyncio.open_connection("127.0.0.1", self.store_port)
                await self._exchange(head, fields, reader, writer, upstream, cuts=fault == "cut")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            self.serving.discard(asyncio.current_task())
            writer.transport.abort()
            if upstream:
                upstream[1].transport.abort()

    async def _exchange(self, head, fields, reader, writer, upstream, cuts):
        from_store, to_store = upstream
        to_store.write(head)
        await to_store.drain()
        left = int(fields.get("content-length", "0"))
        sends = asyncio.ensure_future(self._carry(reader, to_store, left))
        try:
            while True:
                answer, start, answer_fields = await read_head(from_store)
                status = int(start.split(" ")[1])
                if cuts and status >= 200:
                    # The store has done it; its answer does not arrive.
                    writer.write(answer[: self.random.randrange(len(answer))])
                    await writer.drain()
                    raise OSError("cut")
                writer.write(answer)
                await writer.drain()
                if status >= 200:
                    break
            has_body = not head.startswith(b"HEAD ") and status not in (204, 304)
            if "chunked" in answer_fields.get("transfer-encoding", ""):
                while True:
                    size = await from_store.readuntil(b"\r\n")
                    writer.write(size)
                    count = int(size.split(b";")[0], 16)
                    writer.write(await from_store.readexactly(count + 2))
                    await writer.drain()
                    if count == 0:
                        break
            elif has_body:
                await self._carry(from_store, writer, int(answer_fields.get("content-length", "0")))
            await sends
        finally:
            sends.cancel()

    @staticmethod
    async def _carry(reader, writer, left):
        while left > 0:
            block = await reader.read(min(left, 64 << 10))
            if not block:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(block)
            writer.write(block)
            await writer.drain()
