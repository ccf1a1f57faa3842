"""`scripts/chaos --cluster`: kills and pauses the parts of a cluster, and checks that nothing was lost."""

import asyncio
import os
import random
import signal
import statistics
import subprocess
import time

from chaos_proxy import Proxy
from cluster_parts import ClusterServer, DatabasePair, LoadBalancer, ObjectStore
from object_proxy import ObjectProxy
from processes import FEDERATION, Client, Failure, broken_promises, first_failure

LONGEST_CALM = 900
# A server that is back must serve within so many seconds, and a killed worker's round must go on within so many.
LONGEST_START = 2.0
LONGEST_TAKEOVER = 35.0
KINDS = {
    "server killed": 30, "server paused": 12, "worker killed": 20, "worker paused": 6, "database crashed": 10,
    "failover": 6, "object store killed": 8,
}


class Cluster:
    """All parts, and a federation on them."""

    def __init__(self, arguments, folder, shards, settings):
        folder.mkdir(mode=0o755)
        self.folder = folder
        self.arguments = arguments
        self.random = random.Random(arguments.seed)
        self.shards = shards
        self.settings = settings
        self.parts = []
        self.clients = []
        self.proxies = []
        self.acknowledged = []
        self.update_sent = asyncio.Event()
        self.kills = dict.fromkeys(KINDS, 0)

    async def start(self):
        self.database = DatabasePair(self.folder / "postgres")
        self.parts.append(self.database)
        self.store = ObjectStore(self.folder / "objects")
        self.parts.append(self.store)
        self.objects = ObjectProxy(self.store.port, self.random)
        await self.objects.start()
        self.parts.append(self.objects)
        program = self.arguments.bin / "rankwise-server"
        new = lambda name, role: ClusterServer(  # noqa: E731
            program, self.folder / name, self.database.url, self.store, role, endpoint=self.objects.endpoint)
        self.servers = [new(f"server-{index}", "serve") for index in range(3)]
        self.workers = [new(f"worker-{index}", "work") for index in range(2)]
        for server in [*self.servers, *self.workers]:
            await server.start()
            await server.serving()
            server.start_times.clear()
        self.balancer = LoadBalancer(self.folder, self.servers)
        self.parts.append(self.balancer)

    async def create(self, total):
        created = await self.servers[0].call("POST", "/v1/federations", self.settings(self.arguments, total))
        for index in range(self.arguments.clients):
            name = f"edge-{index:02}"
            proxy = Proxy(
                self.balancer.port, self.random, 0.2, self.update_sent.set,
                lambda receipt, name=name: self.acknowledged.append((name, receipt)))
            await proxy.start()
            self.proxies.append(proxy)
            self.clients.append(Client(
                self.arguments.bin / "rankwise-client", index, 1 + (index * 5) % 16, self.folder, self.shards[index],
                created["enrolment_token"], f"http://127.0.0.1:{proxy.port}"))

    async def disturb(self):
        total = self.arguments.kills
        while (done := sum(self.kills.values())) < total:
            kind = self.random.choices(list(KINDS), KINDS.values())[0]
            if self.random.random() < 0.5:
                self.update_sent.clear()
                try:
                    await asyncio.wait_for(self.update_sent.wait(), 5)
                except TimeoutError:
                    pass
                await asyncio.sleep(self.random.uniform(0, 0.05))
            else:
                await asyncio.sleep(self.random.uniform(0, 1.5))
            await self.disturbances[kind](self)
            self.kills[kind] += 1
            if (done + 1) % 10 == 0:
                print(f"  {done + 1} disturbances, {len(self.acknowledged)} updates acknowledged", flush=True)
        self.objects.share = 0
        current = await self.patiently("GET", f"/v1/federations/{FEDERATION}/rounds/current")
        await self.patiently("PATCH", f"/v1/federations/{FEDERATION}", {"round": {"total": current["round"]}})

    async def patiently(self, method, path, body=None):
        """A call of the admin, who tries again while the cluster recovers."""
        for attempt in range(120):
            try:
                return await self.servers[0].call(method, path, body)
            except (Failure, OSError) as failure:
                last = failure
                await asyncio.sleep(0.5)
        raise Failure(f"{method} {path} fails for a minute: {last}")

    async def restart(self, server):
        """Kills a server and starts it again; its start counts only while nothing else is disturbed."""
        await server.kill()
        await server.start()
        await asyncio.wait_for(server.serving(), 60)
        if server.start_times[-1] > LONGEST_START:
            print(f"  {server.config.parent.name} served after {server.start_times[-1]:.2f} s", flush=True)

    async def kill_server(self):
        await self.restart(self.random.choice(self.servers))

    async def kill_worker(self):
        await self.restart(self.random.choice(self.workers))

    async def pause(self, server, seconds):
        server.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            server.process.send_signal(signal.SIGCONT)

    async def pause_server(self):
        await self.pause(self.random.choice(self.servers), self.random.uniform(0.5, 8))

    async def pause_worker(self):
        # Sometimes longer than a lease: the worker goes on with a fence that is not valid any more.
        await self.pause(self.random.choice(self.workers), self.random.choice([1, 3, 33]))

    async def crash_database(self):
        await asyncio.to_thread(self.database.crash)

    async def fail_over(self):
        await asyncio.to_thread(self.database.fail_over)

    async def kill_object_store(self):
        pid = int((self.store.folder / "run/rgw.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(self.random.uniform(0, 1))
        with open(self.store.folder / "log/rgw.out", "ab") as log:
            process = subprocess.Popen(
                ["radosgw", "-n", "client.rgw", "-f"], stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "CEPH_CONF": str(self.store.folder / "ceph.conf")})
        (self.store.folder / "run/rgw.pid").write_text(str(process.pid))

    disturbances = {
        "server killed": kill_server, "server paused": pause_server, "worker killed": kill_worker,
        "worker paused": pause_worker, "database crashed": crash_database, "failover": fail_over,
        "object store killed": kill_object_store,
    }

    async def measure_takeover(self):
        """Kills the worker that holds the lease of a round; returns the seconds until another one has published it."""
        held = "SELECT holder FROM jobs WHERE kind = 'aggregation' AND NOT is_done AND holder IS NOT NULL"
        published = f"SELECT published_round FROM federations WHERE id = '{FEDERATION}'"
        ask = lambda sql: asyncio.to_thread(self.database.primary.query, sql)  # noqa: E731
        before = int(await ask(published))
        for worker in self.workers[1:]:
            await worker.kill()
        # The store stops answering until a worker holds a lease and waits for its objects.
        for _ in range(400):
            self.objects.answers.clear()
            await asyncio.sleep(0.3)
            if await ask(held):
                break
            self.objects.answers.set()
            await asyncio.sleep(0.2)
        else:
            raise Failure("no worker was caught with a lease")
        started = time.monotonic()
        await self.workers[0].kill()
        self.objects.answers.set()
        for worker in self.workers[1:]:
            await worker.start()
            await worker.serving()
        round_number = int(await ask(published))
        while int(await ask(published)) <= max(before, round_number):
            await asyncio.sleep(0.2)
            if time.monotonic() - started > 120:
                raise Failure("no other worker goes on with a killed worker's round")
        seconds = time.monotonic() - started
        await self.workers[0].start()
        await self.workers[0].serving()
        return seconds

    async def finish(self):
        rounds = await self.servers[0].rounds()
        for server in [*self.servers, *self.workers]:
            await server.stop()
        return rounds

    def stop_everything(self, tasks):
        for task in tasks:
            task.cancel()
        for proxy in self.proxies:
            proxy.close()
        for client in self.clients:
            client.kill()
        for server in [*getattr(self, "servers", []), *getattr(self, "workers", [])]:
            if server.process and server.process.returncode is None:
                server.process.kill()
        for part in reversed(self.parts):
            part.stop()


async def chaotic(arguments, folder, shards, settings):
    cluster = Cluster(arguments, folder / "chaotic", shards, settings)
    tasks = []
    try:
        await cluster.start()
        await cluster.create(total=1_000_000)
        clients = [asyncio.ensure_future(client.run()) for client in cluster.clients]
        tasks += clients
        while not cluster.acknowledged:
            await asyncio.sleep(0.1)
        takeover = asyncio.ensure_future(cluster.measure_takeover())
        tasks.append(takeover)
        await first_failure([takeover], clients)
        print(f"a killed worker's round was published elsewhere {takeover.result():.1f} s later", flush=True)
        if takeover.result() > LONGEST_TAKEOVER:
            raise Failure(f"expected at most {LONGEST_TAKEOVER} s")
        cluster.objects.share = 0.05
        disturbing = asyncio.ensure_future(cluster.disturb())
        tasks.append(disturbing)
        await first_failure([disturbing], clients)
        for proxy in cluster.proxies:
            proxy.cut_probability = 0
        await asyncio.wait_for(first_failure(clients, []), LONGEST_CALM)
        return cluster, await cluster.finish()
    finally:
        cluster.stop_everything(tasks)


def report(cluster, rounds):
    times = sorted(time for server in [*cluster.servers, *cluster.workers] for time in server.start_times)
    print(f"{sum(cluster.kills.values())} disturbances: "
          + ", ".join(f"{count} × {kind}" for kind, count in cluster.kills.items()))
    print("object store's answers: " + ", ".join(f"{count} × {kind}" for kind, count in cluster.objects.faults.items())
          + f"; {sum(proxy.cuts for proxy in cluster.proxies)} clients' connections cut off")
    print(f"{len(rounds)} rounds of {len(cluster.clients)} clients, {len(cluster.acknowledged)} acknowledgements")
    print(f"from start to serving: p50 {statistics.median(times):.2f} s, longest {times[-1]:.2f} s, of {len(times)} starts")
    return times[-1]


async def main(arguments, folder, shards, settings, calm):
    print(f"three servers, two workers, PostgreSQL with a standby, radosgw, haproxy, {arguments.clients} clients; "
          f"{arguments.kills} disturbances, seed {arguments.seed}", flush=True)
    cluster, rounds = await chaotic(arguments, folder, shards, settings)
    longest = report(cluster, rounds)
    # One server on SQLite: the adapters must be the same there too.
    undisturbed = await calm(arguments, folder, shards, total=max(rounds))
    problems = broken_promises(cluster, rounds, undisturbed)
    for problem in problems:
        print(f"LOST: {problem}")
    if problems:
        raise Failure(f"{len(problems)} promises broken")
    print("every acknowledged update counts once, and all adapters are those of an undisturbed run on SQLite")
    if longest > LONGEST_START:
        raise Failure(f"a server that was back served after {longest:.2f} s; expected at most {LONGEST_START} s")
