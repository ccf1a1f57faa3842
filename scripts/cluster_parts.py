"""The parts of a cluster, each a real program: PostgreSQL with a standby, an object store, servers, a load balancer."""

import asyncio
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from processes import ADMIN, TOP, Failure, Server, reserve

POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
FIRST_PORT = 25400


def install(*packages):
    subprocess.run([TOP / "scripts/deps", *packages], check=True, stdout=subprocess.DEVNULL)


def free_port():
    """A port below those that outgoing connections take."""
    global FIRST_PORT
    while True:
        FIRST_PORT += 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", FIRST_PORT))
                return FIRST_PORT
            except OSError:
                continue


def as_postgres(*command, check=True):
    """Runs a program of PostgreSQL, which refuses to run as root."""
    if os.getuid() == 0:
        command = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", *command)
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and result.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: {result.stdout[-2000:]}")
    return result.stdout


class Database:
    """One PostgreSQL: its folder and its port."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        folder.mkdir(parents=True)
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")

    def start(self):
        as_postgres(POSTGRES / "pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "-t", "60", "start")

    def kill(self):
        """Ends every process of it at once, as a machine that loses its power."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except FileNotFoundError:
            return
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
        processes = [pid, *map(int, children)]
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # All of them: the next postmaster does not start beside a process of the last one.
        while any(self._runs(process) for process in processes):
            time.sleep(0.01)
        # A process that nobody has waited for would seem to hold them.
        for lock in [self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")]:
            lock.unlink(missing_ok=True)

    @staticmethod
    def _runs(process):
        try:
            return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def query(self, sql):
        return as_postgres(
            POSTGRES / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-XAtqc", sql, check=False).strip()


class DatabasePair:
    """A primary and a synchronous standby, which change places."""

    def __init__(self, folder):
        install("postgresql-15")
        self.folder = folder
        self.made = 0
        self.primary = self._new()
        as_postgres(
            POSTGRES / "initdb", "-D", self.primary.data, "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8", "-k")
        self._configure(self.primary)
        self.primary.start()
        self.standby = self._new()
        self._clone()
        self.primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.query("SELECT pg_reload_conf()")
        self.ports = sorted([self.primary.port, self.standby.port])

    @property
    def url(self):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    def _new(self, port=None):
        self.made += 1
        database = Database(self.folder / f"node-{self.made}")
        database.port = port or database.port
        return database

    def _configure(self, database):
        with open(database.data / "postgresql.auto.conf", "a") as file:
            file.write(
                f"port={database.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{database.folder}'\n"
                "max_connections=200\nwal_level=replica\nmax_wal_senders=8\nwal_keep_size=256MB\n"
                # Commits wait for the standby, so it must come back soon after a crash of the primary.
                "wal_retrieve_retry_interval=200ms\n")

    def _clone(self):
        """Makes the standby from the primary."""
        as_postgres(
            POSTGRES / "pg_basebackup", "-h", "127.0.0.1", "-p", self.primary.port, "-U", "postgres", "-D",
            self.standby.data, "-R", "-X", "stream", "-c", "fast")
        self._configure(self.standby)
        # It counts from a promotion on: commits then wait until the next standby is there.
        with open(self.standby.data / "postgresql.auto.conf", "a") as file:
            file.write("synchronous_standby_names='*'\n")
        self.standby.start()

    def crash(self):
        self.primary.kill()
        self.primary.start()

    def fail_over(self):
        """The primary is gone for good; the standby takes its place, and a new one is made for it."""
        self.primary.kill()
        port = self.primary.port
        shutil.rmtree(self.primary.data, ignore_errors=True)
        as_postgres(POSTGRES / "pg_ctl", "-D", self.standby.data, "-w", "promote")
        self.primary, self.standby = self.standby, self._new(port)
        self._clone()

    def stop(self):
        for database in (self.standby, self.primary):
            database.kill()


class ObjectStore:
    """radosgw on one node of Ceph."""

    def __init__(self, folder, port=None):
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = port or free_port()
        self.environment = {**os.environ, "OBJECTS_PORT": str(self.port), "OBJECTS_MON_PORT": str(free_port())}
        line = subprocess.run(
            [TOP / "scripts/objects-up", folder], env=self.environment, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.strip().splitlines()[-1]
        self.endpoint, self.bucket, self.key, self.secret = line.split(",")

    def stop(self):
        subprocess.run([TOP / "scripts/objects-down", self.folder], env=self.environment)


class MemoryStore:
    """The suite's object store in memory."""

    def __init__(self, lab, folder):
        self.process = subprocess.Popen(
            [lab, "bench", "object-store", "--listen", f"127.0.0.1:{free_port()}", "--bucket", "rankwise",
             "--access-key", "testkey", "--secret", "testsecret"],
            stdout=subprocess.PIPE, stderr=open(folder / "objects.log", "ab"), text=True)
        line = self.process.stdout.readline()
        if "listening on " not in line:
            raise Failure(f"the object store in memory did not start: {line}")
        self.endpoint = line.split("listening on ")[1].strip()
        self.bucket, self.key, self.secret = "rankwise", "testkey", "testsecret"

    def stop(self):
        self.process.terminate()
        self.process.wait()


class ClusterServer(Server):
    """One server of several on the same database and bucket."""

    def __init__(self, program, folder, database_url, objects, role="serve", settings="", endpoint=None,
                 scratch=None):
        folder.mkdir(parents=True)
        self.role = role
        self.objects = objects
        super().__init__(program, folder, data=database_url, settings=(
            f"data: {database_url}\nobjects: s3://{objects.bucket}/cluster\nscratch: {scratch or folder / 'scratch'}\nrole: {role}\n"
            f"object_storage: {{endpoint: \"{endpoint or objects.endpoint}\"}}\n"
            f"trusted_proxies: [127.0.0.1]\n{settings or Server.SETTINGS}"))

    async def start(self):
        self.started = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            self.program, "serve", "--config", str(self.config), "--listen", self.listen,
            env={
                **os.environ, "RANKWISE_ADMIN_TOKEN": ADMIN, "RANKWISE_LOG_LEVEL": "info",
                "AWS_ACCESS_KEY_ID": self.objects.key, "AWS_SECRET_ACCESS_KEY": self.objects.secret},
            stdout=asyncio.subprocess.PIPE, stderr=self.log)

    async def serving(self):
        if self.role != "work":
            return await super().serving()
        line = (await self.process.stdout.readline()).decode()
        if line != "working\n":
            raise Failure(f"the worker did not start: exit {await self.process.wait()}")
        self.start_times.append(time.monotonic() - self.started)


class LoadBalancer:
    """haproxy with Config/haproxy-cluster.cfg, its addresses replaced by those of this run."""

    name = "haproxy"

    def __init__(self, folder, servers):
        install("haproxy")
        self.port = free_port()
        text = (TOP / "Config/haproxy-cluster.cfg").read_text()
        lines = [line for line in text.splitlines() if not line.strip().startswith(("user ", "group ", "server "))]
        lines = [f"    bind 127.0.0.1:{self.port}" if line.strip().startswith("bind ") else line for line in lines]
        lines += [
            f"    server s{index} 127.0.0.1:{server.port} check inter 500ms fall 2 rise 1"
            for index, server in enumerate(servers)]
        config = folder / "haproxy.cfg"
        config.write_text("\n".join(lines) + "\n")
        checked = subprocess.run(["/usr/sbin/haproxy", "-c", "-f", config], capture_output=True, text=True)
        if checked.returncode != 0:
            raise Failure(f"haproxy refuses its configuration: {checked.stderr}")
        self.process = subprocess.Popen(
            ["/usr/sbin/haproxy", "-db", "-f", config], stdout=open(folder / "haproxy.log", "ab"),
            stderr=subprocess.STDOUT)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()


class NginxBalancer:
    """nginx with Config/nginx-cluster.conf, its addresses and paths replaced by those of this run."""

    name = "nginx"

    def __init__(self, folder, servers):
        install("nginx-light")
        self.port = free_port()
        folder = folder / "nginx"
        folder.mkdir()
        lines = []
        for line in (TOP / "Config/nginx-cluster.conf").read_text().splitlines():
            words = line.split()
            if words[:1] == ["user"]:
                line = "user root;" if os.getuid() == 0 else ""
            elif words[:1] == ["pid"]:
                line = f"pid {folder}/pid;"
            elif words[:1] == ["error_log"]:
                line = f"error_log {folder}/error.log warn;"
            elif words[:1] == ["access_log"]:
                kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
                line = f"access_log {folder}/access.log servers; " + " ".join(
                    f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
            elif words[:1] == ["listen"]:
                line = f"listen 127.0.0.1:{self.port};"
            elif words[:1] == ["server"] and words[1] != "{":
                line = ""
            lines.append(line)
            if words[:1] == ["hash"]:
                lines += [f"server 127.0.0.1:{server.port} max_fails=2 fail_timeout=5s;" for server in servers]
        config = folder / "nginx.conf"
        config.write_text("\n".join(lines) + "\n")
        command = ["/usr/sbin/nginx", "-p", folder, "-c", config]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
        if checked.returncode != 0:
            raise Failure(f"nginx refuses its configuration: {checked.stderr}")
        self.process = subprocess.Popen([*command, "-g", "daemon off;"])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait()
