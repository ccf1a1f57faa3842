"""A million registered clients, of which 2,000 wait for their plans and 1,000 are selected.

It registers them over HTTP, starts a server again, lets a round open for which all of them are candidates, and then one
for which only those are that still call; these send their updates, and the round is published. It measures memory,
processor time and how soon a round is open.
"""

import asyncio
import json
import os
import pathlib
import resource
import shutil
import tempfile
import time

from bench_cluster import RANK, as_server, database, federation, small_update
from bench_crowd import FEDERATION, Failure, register
from cluster_parts import ClusterServer, MemoryStore, install
from processes import Server

MIB = 1 << 20
PAGE = resource.getpagesize()


def memory(server):
    """The resident memory of a server's process, MiB."""
    return int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * PAGE / MIB


def peak(server):
    """The highest resident memory that a server's process has had, MiB."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def seconds(server):
    """The processor time of a server's process."""
    words = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Poller:
    """A client that waits for its plan, and sends its update when it is selected."""

    def __init__(self, server, name, token, body):
        self.server, self.name, self.token, self.body = server, name, token, body
        self.revision = 0
        self.sent = []

    async def run(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            while True:
                status, plan = await self.ask(
                    reader, writer, "GET", f"plan?after={self.revision}&wait=20")
                if status == 204:
                    continue
                if status != 200:
                    raise Failure(f"{self.name} asked for its plan and was answered {status}: {plan}")
                self.revision = plan["revision"]
                if plan["state"] == "finished":
                    return
                if plan["phase"] == "collecting" and plan["selected"] and not plan["answered"]:
                    path = f"rounds/{plan['round']}/update?samples=10"
                    status, answer = await self.ask(reader, writer, "PUT", path, self.body)
                    if status != 201:
                        raise Failure(f"{self.name} sent its update and was answered {status}: {answer}")
                    self.sent.append(plan["round"])
        finally:
            writer.close()

    async def ask(self, reader, writer, method, path, body=b""):
        writer.write((f"{method} /v1/federations/{FEDERATION}/{path} HTTP/1.1\r\nHost: b\r\n"
                      f"Authorization: Bearer {self.token}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        text = await reader.readexactly(length)
        return int(head.split()[1]), json.loads(text) if text else None


async def opened(server, number):
    """Waits until a round is open at this server."""
    while True:
        state = await server.call("GET", f"/v1/federations/{FEDERATION}")
        if state["round"] >= number:
            return
        await asyncio.sleep(0.02)


async def ended(server, number):
    """Waits until a round has ended, and returns it."""
    while True:
        found = await server.call("GET", f"/v1/federations/{FEDERATION}/rounds/{number}")
        if found["phase"] in ("published", "failed"):
            return found
        await asyncio.sleep(0.1)


def settings(options):
    made = federation(options.clients)
    made["round"] |= {
        "total": 2, "min_clients": 1, "min_updates": options.selected, "on_missed_quorum": "abandon", "deadline_seconds": 8,
        "selection": {"fraction": options.selected / options.clients}}
    return made


async def measure(servers, options, folder):
    first = servers[0]
    created = await first.call("POST", "/v1/federations", settings(options))
    await first.call("PATCH", f"/v1/federations/{FEDERATION}", {"state": "paused"})
    print(f"  {memory(first):.0f} MiB at first", flush=True)
    tokens, part = {}, options.clients // 10
    for index in range(10):
        busy, started = sum(map(seconds, servers)), time.monotonic()
        server = servers[index % len(servers)]
        tokens |= await asyncio.to_thread(
            register, server.port, created["enrolment_token"], part, f"edge-{index}-")
        busy, took = sum(map(seconds, servers)) - busy, time.monotonic() - started
        if index in (0, 9):
            print(f"  registrations {index * part + 1} to {(index + 1) * part}: {part / took:.0f}/s, "
                  f"{busy / part * 1000:.2f} ms of processor time each, of all servers; "
                  f"memory {', '.join(f'{memory(server):.0f}' for server in servers)} MiB", flush=True)
    await first.stop()
    await as_server(first)
    print(f"  a server starts with them in {first.start_times[-1]:.1f} s; {memory(first):.0f} MiB, "
          f"{peak(first):.0f} MiB at most", flush=True)
    small_update(folder / "update.safetensors")
    body = (folder / "update.safetensors").read_bytes()
    names = list(tokens)
    step = max(1, len(names) // options.pollers)
    pollers = [
        Poller(servers[index % len(servers)], name, tokens[name], body)
        for index, name in enumerate(names[::step][:options.pollers])]
    tasks = [asyncio.ensure_future(poller.run()) for poller in pollers]
    await asyncio.sleep(3)
    busy, started = sum(map(seconds, servers)), time.monotonic()
    await first.call("PATCH", f"/v1/federations/{FEDERATION}", {"state": "running"})
    answered = time.monotonic() - started
    for server in servers:
        await opened(server, 1)
    print(f"  a round of {options.selected} of {options.clients} candidates is open after {answered:.2f} s, at all servers "
          f"after {time.monotonic() - started:.2f} s; {sum(map(seconds, servers)) - busy:.1f} s of processor time; "
          f"memory {', '.join(f'{memory(server):.0f}' for server in servers)} MiB", flush=True)
    await first.call("PATCH", f"/v1/federations/{FEDERATION}", {"state": "paused"})
    await ended(first, 1)
    # From here on only those count as seen that still call.
    await first.call("PATCH", f"/v1/federations/{FEDERATION}", {"round": {
        "seen_seconds": 40, "deadline_seconds": 600, "selection": {"fraction": options.selected / options.pollers}}})
    await asyncio.sleep(45)
    started = time.monotonic()
    await first.call("PATCH", f"/v1/federations/{FEDERATION}", {"state": "running"})
    for server in servers:
        await opened(server, 2)
    took = time.monotonic() - started
    found = await ended(first, 2)
    print(f"  a round of the {found['selected']} of {options.pollers} that still call is open after {took:.2f} s, "
          f"{found['phase']} with {found['received']} updates after {time.monotonic() - started:.1f} s", flush=True)
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
    print(f"  memory at most {', '.join(f'{peak(server):.0f}' for server in servers)} MiB", flush=True)
    if found["phase"] != "published" or found["received"] != options.selected:
        raise Failure(f"round 2 ended as {found['phase']} with {found['received']} updates: {found.get('reason')}")


async def on_sqlite(folder, options):
    folder.mkdir()
    server = await as_server(Server(options.binary, folder))
    try:
        print(f"load {os.getloadavg()[0]:.1f}; {options.clients} clients, one server on SQLite", flush=True)
        await measure([server], options, folder)
    finally:
        if server.process.returncode is None:
            await server.kill()


async def on_postgres(folder, options):
    install("postgresql-15")
    folder.mkdir(mode=0o755)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="rankwise-bench-", dir="/dev/shm"))
    stops, servers = [lambda: shutil.rmtree(scratch)], []
    try:
        base = database(folder / "postgres")
        stops.append(base.kill)
        store = MemoryStore(options.lab, folder)
        stops.append(store.stop)
        for index in range(options.servers):
            servers.append(await as_server(ClusterServer(
                options.binary, folder / f"server-{index}", base.url, store, role="both",
                settings="postgres: {durability: lone}\n" + Server.SETTINGS, scratch=scratch / str(index))))
        print(f"load {os.getloadavg()[0]:.1f}; {options.clients} clients, {options.servers} servers on PostgreSQL", flush=True)
        await measure(servers, options, folder)
    finally:
        for server in servers:
            if server.process and server.process.returncode is None:
                await server.kill()
        for stop in reversed(stops):
            stop()


def million(folder, options):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = pathlib.Path(folder)
    folder.chmod(0o755)
    asyncio.run(on_sqlite(folder / "single", options))
    asyncio.run(on_postgres(folder / "several", options))
