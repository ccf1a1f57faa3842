"""Small updates to four servers on one database and bucket, and how soon a change wakes the polls of other servers."""

import asyncio
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench_crowd import FEDERATION, register
from cluster_parts import ClusterServer, Database, MemoryStore, ObjectStore, as_postgres, install, POSTGRES
from processes import ADMIN, Server

WIDTH, RANK = 8, 4
SCRIPT = pathlib.Path(__file__).with_name("bench_cluster.lua")


def small_update(path):
    """One module of 8 × 8 at rank 4."""
    header, offset = {}, 0
    for factor, shape in (("A", [RANK, WIDTH]), ("B", [WIDTH, RANK])):
        size = RANK * WIDTH * 4
        header[f"base_model.model.m0.lora_{factor}.weight"] = {
            "dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(offset))


def federation(clients):
    return {
        "id": FEDERATION, "base_model": {"name": "mlp", "seed": 1},
        "adapter": {"max_rank": RANK, "modules": {"m0": {"in": WIDTH, "out": WIDTH}}},
        "round": {"total": 1, "min_clients": clients, "min_updates": clients, "deadline_seconds": 86400,
                  "seen_seconds": 86400},
        "limits": {"max_clients": clients}, "training": {"epochs": 1}, "seed": 1,
    }


def processor_time():
    """Seconds of processor time by program, of this user's live processes."""
    times = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name, rest = (folder / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        words = rest.split()
        times[name] = times.get(name, 0) + (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return times


async def as_server(server):
    """The server, once it serves."""
    await server.start()
    await asyncio.wait_for(server.serving(), 60)
    return server


def database(folder):
    """A new PostgreSQL without a standby, running."""
    made = Database(folder)
    as_postgres(POSTGRES / "initdb", "-D", made.data, "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8", "-k")
    with open(made.data / "postgresql.auto.conf", "a") as file:
        file.write(f"port={made.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{made.folder}'\n"
                   "max_connections=200\n")
    made.start()
    made.url = f"postgresql://postgres@127.0.0.1:{made.port}/postgres"
    return made


def own_rate(store, options):
    """How many objects of an update's length the store itself takes in a second, with nothing else to do."""
    found = subprocess.run(
        [options.lab, "bench", "object-puts", f"s3://{store.bucket}/own-rate", "--endpoint", store.endpoint, "--seconds", "8"],
        env={**os.environ, "AWS_ACCESS_KEY_ID": store.key, "AWS_SECRET_ACCESS_KEY": store.secret},
        stdout=subprocess.PIPE, check=True)
    return json.loads(found.stdout)["per_second"]


async def updates(servers, options, folder):
    """Registers clients, has each send one update, and returns a line of figures."""
    created = await servers[0].call("POST", "/v1/federations", federation(options.clients))
    started = time.monotonic()
    tokens = list(register(servers[0].port, created["enrolment_token"], options.clients).values())
    print(f"  {options.clients} registrations in {time.monotonic() - started:.1f} s", flush=True)
    # How long a large round takes to open is `scripts/bench million`'s question.
    started = time.monotonic()
    for server in servers:
        while (opened := await server.call("GET", f"/v1/federations/{FEDERATION}"))["round"] != 1:
            await asyncio.sleep(0.2)
    print(f"  the round was open at every server {time.monotonic() - started:.1f} s after the last registration")
    body = folder / "update.safetensors"
    small_update(body)
    share = len(tokens) // len(servers)
    running = []
    before = processor_time()
    for index, server in enumerate(servers):
        file = folder / f"tokens-{index}"
        file.write_text("\n".join(tokens[index * share:(index + 1) * share]) + "\n")
        running.append(subprocess.Popen(
            ["wrk", "-t1", f"-c{options.connections // len(servers)}", f"-d{options.seconds}s", "--latency", "-s", SCRIPT,
             f"http://127.0.0.1:{server.port}", "--", file, FEDERATION, "1", body],
            stdout=subprocess.PIPE, text=True))
    outputs = [await asyncio.to_thread(process.communicate) for process in running]
    after = processor_time()
    results = [json.loads(output[0].split("RESULT ")[1]) for output in outputs]
    # A server may hear of another one's last step a moment later.
    await asyncio.sleep(2)
    now = await servers[0].call("GET", f"/v1/federations/{FEDERATION}/rounds/current")
    received, steps = now["received"], now["revision"] - opened["revision"]
    total = sum(result["created"] for result in results)
    seconds = max(result["seconds"] for result in results)
    costs = {name: (time - before.get(name, 0)) * 1000 / max(1, total) for name, time in after.items()}
    costs = sorted(((cost, name) for name, cost in costs.items() if cost >= 0.05), reverse=True)
    print("  processor time an update: " + ", ".join(f"{name} {cost:.2f} ms" for cost, name in costs[:4]))
    for result in results:
        if result["others"]:
            print(f"  {result['others']} other answers, the first: {result['other']}")
    return total / seconds, (f"{total / seconds:.0f} updates/s for {seconds:.0f} s, {total} answered with 201, {received} stored; "
            f"{received / max(1, steps):.1f} a step; p50 {statistics.median(result['p50'] for result in results):.0f} ms, "
            f"p99 {max(result['p99'] for result in results):.0f} ms")


async def poll(port, revision, woken):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /v1/federations/small/rounds/current?after={revision}&wait=30 HTTP/1.1\r\nHost: b\r\n"
                 f"Authorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n".encode())
    line = await reader.readline()
    woken.append((time.monotonic(), line))
    writer.close()


async def wake_ups(servers, options):
    """A change at the first server wakes polls of the others: seconds from its answer to theirs."""
    times = []
    await servers[0].call("POST", "/v1/federations", {**federation(2), "id": "small"})
    for name in "ab":
        await servers[0].call("PUT", f"/v1/federations/small/clients/{name}", {"rank": RANK, "token": name * 64})
    for turn in range(20):
        revision = (await servers[0].call("GET", "/v1/federations/small"))["revision"]
        woken = []
        polls = [
            asyncio.ensure_future(poll(server.port, revision, woken)) for server in servers[1:] for _ in range(20)]
        await asyncio.sleep(0.5)
        changed = time.monotonic()
        await servers[0].call(
            "PATCH", "/v1/federations/small", {"round": {"deadline_seconds": 86400 + turn}})
        answered = time.monotonic()
        await asyncio.gather(*polls)
        wrong = [line for _, line in woken if b" 200 " not in line]
        if wrong:
            sys.exit(f"bench: a poll was answered {wrong[0]}")
        times += [max(0, moment - answered) for moment, _ in woken]
    times.sort()
    return (f"{len(times)} polls at three other servers: p50 {times[len(times) // 2] * 1000:.1f} ms, "
            f"p99 {times[int(len(times) * 0.99)] * 1000:.1f} ms after the change was answered")


async def measure(folder, options):
    install("wrk", "postgresql-15")
    parts, servers = [], []
    # Bodies on their way need no disk: the bucket has them before they are acknowledged.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="rankwise-bench-", dir="/dev/shm"))
    try:
        base = database(folder / "postgres")
        parts.append(base.kill)
        store = MemoryStore(options.lab, folder) if options.objects == "memory" else ObjectStore(folder / "objects")
        parts.append(store.stop)
        limits = "postgres: {durability: lone}\n" + Server.SETTINGS
        for index in range(options.servers):
            servers.append(await as_server(ClusterServer(
                options.binary, folder / f"server-{index}", base.url, store, role="serve", settings=limits,
                scratch=scratch / str(index))))
        print(f"load {os.getloadavg()[0]:.1f}; {options.servers} servers on one PostgreSQL, objects in {options.objects}")
        rate, line = await updates(servers, options, folder)
        print(f"  {line}", flush=True)
        own = await asyncio.to_thread(own_rate, store, options)
        print(f"  {options.objects} alone takes {own:.0f} objects/s of that length; the servers' rate is {rate / own:.2f} of it")
        if options.servers > 1:
            print(f"  {await wake_ups(servers, options)}", flush=True)
    finally:
        for server in servers:
            if server.process and server.process.returncode is None:
                await server.kill()
        for stop in reversed(parts):
            stop()
        shutil.rmtree(scratch)
    single = folder / "sqlite"
    single.mkdir()
    server = await as_server(Server(options.binary, single))
    try:
        print("one server on SQLite")
        print(f"  {(await updates([server], options, single))[1]}")
    finally:
        await server.kill()


def cluster(folder, options):
    folder = pathlib.Path(folder)
    folder.chmod(0o755)
    asyncio.run(measure(folder, options))
