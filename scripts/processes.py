"""The built programs, run as users run them, for the scripts that disturb them."""

import asyncio
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent
ADMIN = "an-admin-token-for-chaos-of-32-bytes-or-more"
FEDERATION = "chaos"


class Failure(Exception):
    """A fault that the run is meant to find."""


def reserve():
    """A bound socket that never listens: it keeps its port reserved while its owner's program is down."""
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


class Server:
    """The server's process on one port and one data folder, and how long each start of it took."""

    # Every caller is this machine, and asks as often as it can.
    SETTINGS = "limits: {rate_limits_on_loopback: false}\n"

    def __init__(self, program, folder, data=None, settings=SETTINGS):
        self.program = program
        self.data = data or folder / "data"
        self.log = open(folder / "server.log", "ab")
        self.config = folder / "server.yaml"
        self.config.write_text(settings)
        self.reservation = reserve()
        self.port = self.reservation.getsockname()[1]
        self.listen = f"127.0.0.1:{self.port}"
        # Whom to trust, where it speaks TLS.
        self.context = None
        self.process = None
        self.start_times = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        """Starts the process; `serving` tells when it serves."""
        self.started = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            self.program, "serve", "--config", str(self.config), "--listen", self.listen,
            "--data", str(self.data),
            env={**os.environ, "RANKWISE_ADMIN_TOKEN": ADMIN, "RANKWISE_LOG_LEVEL": "info"},
            stdout=asyncio.subprocess.PIPE, stderr=self.log)

    async def serving(self):
        """Waits until the server says that it can serve, and notes how long that took."""
        line = (await self.process.stdout.readline()).decode()
        if not line.startswith("listening on "):
            raise Failure(f"the server did not start: exit {await self.process.wait()}")
        while await self.status("/readyz") != 200:
            if self.process.returncode is not None:
                raise Failure(f"the server ended by itself: exit {self.process.returncode}")
            await asyncio.sleep(0.002)
        self.start_times.append(time.monotonic() - self.started)

    async def status(self, path):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readline()
            writer.close()
            return int(line.split()[1]) if line else 0
        except OSError:
            return 0

    async def kill(self):
        if self.process.returncode is not None:
            raise Failure(f"the server ended by itself: exit {self.process.returncode}")
        self.process.kill()
        await self.process.wait()

    async def stop(self):
        self.process.terminate()
        code = await self.process.wait()
        if code != 0:
            raise Failure(f"the server stopped with exit {code}")

    async def verify(self):
        """Checks the data folder while the process runs."""
        verify = await asyncio.create_subprocess_exec(
            self.program, "verify", "--data", str(self.data),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        report, _ = await verify.communicate()
        if verify.returncode != 0:
            raise Failure(f"verify exits with {verify.returncode}:\n{report.decode()}")

    async def rounds(self, federation=FEDERATION):
        """Every round of a federation, by its number."""
        rounds = {}
        before = ""
        while page := (await self.call("GET", f"/v1/federations/{federation}/rounds?limit=100{before}"))["rounds"]:
            for number in (round["round"] for round in page):
                # Among others a round comes without its updates.
                rounds[number] = await self.call("GET", f"/v1/federations/{federation}/rounds/{number}")
            before = f"&before={page[-1]['round']}"
        return rounds

    async def call(self, method, path, body=None):
        return await asyncio.to_thread(self._call, method, path, body)

    def _call(self, method, path, body):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Authorization": f"Bearer {ADMIN}"})
        try:
            with urllib.request.urlopen(request, timeout=300, context=self.context) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise Failure(f"{method} {path}: {error.code} {error.read().decode()}") from error


class Client:
    """One client, which is started again after it was killed."""

    def __init__(
            self, program, index, rank, folder, shard, enrolment, url, federation=FEDERATION, options=(), variables=None):
        self.name = f"edge-{index:02}"
        self.state = folder / f"state-{index}"
        self.log = open(folder / f"{self.name}.log", "ab")
        self.command = [
            program, "join", url, "--federation", federation, "--name", self.name, "--rank", str(rank), "--data",
            str(shard), "--state", str(self.state), *options]
        self.environment = {
            **os.environ, "RANKWISE_TOKEN": enrolment, "OPENBLAS_NUM_THREADS": "1", **(variables or {})}
        self.process = None
        self.kills = 0

    async def run(self, before_restart=lambda client: None):
        while True:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, env=self.environment, stdout=self.log, stderr=self.log)
            code = await self.process.wait()
            if code == 0:
                return
            if code != -signal.SIGKILL:
                raise Failure(f"{self.name} ended with exit {code}; see its log")
            before_restart(self)

    def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
            self.kills += 1


async def first_failure(wanted, others):
    """Waits until all that is wanted is done, or anything failed."""
    wanted = set(wanted)
    while wanted:
        done, _ = await asyncio.wait([*wanted, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not done & wanted:
            raise Failure("a client was done before its federation was")
        wanted -= done


def broken_promises(run, rounds, undisturbed):
    """The differences from what was promised, one sentence each."""
    problems = []
    if sorted(rounds) != sorted(undisturbed):
        problems.append(f"there are rounds {sorted(rounds)}; undisturbed there are {sorted(undisturbed)}")
    names = sorted(client.name for client in run.clients)
    for number in sorted(set(rounds) & set(undisturbed)):
        found, expected = rounds[number], undisturbed[number]
        if found["phase"] != "published" or found["adapter"] != expected["adapter"]:
            problems.append(f"round {number}: {found['phase']} {found['adapter']}; expected {expected['adapter']}")
        if [update["client"] for update in found["updates"]] != names:
            problems.append(f"round {number} counts {[update['client'] for update in found['updates']]}")
        for update, other in zip(found["updates"], expected["updates"]):
            if update["status"] != "accepted" or update["digest"] != other["digest"]:
                problems.append(f"round {number}: {update}; expected {other['digest']}")
    for name, receipt in run.acknowledged:
        held = [
            update for update in rounds.get(receipt["round"], {"updates": []})["updates"]
            if update["client"] == name and update["status"] == "accepted"
            and receipt["digest"] in (None, update["digest"])]
        if len(held) != 1:
            problems.append(f"an update of {name} for round {receipt['round']} was acknowledged and counts {len(held)} times")
    return problems


def build(*further):
    for product in ("rankwise-server", "rankwise-client", "rankwise-lab", *further):
        subprocess.run(
            ["swift", "build", "-c", "release", "--product", product], cwd=TOP, check=True, stdout=sys.stderr)
    path = subprocess.run(
        ["swift", "build", "-c", "release", "--show-bin-path"], cwd=TOP, check=True, capture_output=True, text=True)
    return pathlib.Path(path.stdout.strip())


def split(clients, folder):
    """Distributes the digits to the clients, a few to each, because learning does not matter here."""
    lines = (TOP / "Config/data/digits.csv").read_text().splitlines()
    shards = []
    for index in range(clients):
        shard = folder / f"client-{index}.csv"
        shard.write_text("\n".join(lines[index::clients][:60]) + "\n")
        shards.append(shard)
    return shards
