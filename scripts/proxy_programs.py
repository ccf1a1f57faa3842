"""Runs nginx, haproxy and squid as processes: each has a folder, and listens on ports of 127.0.0.1."""

import asyncio
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

from processes import TOP, Failure, reserve

PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "squid": "squid"}
# Where a user's PATH may have no such folder.
SEARCHED = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def install(programs):
    """Installs the missing programs, as root; their services are not started."""
    missing = [PACKAGES[program] for program in programs if not shutil.which(program, path=SEARCHED)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise SystemExit(
            f"missing: {' '.join(missing)}\n"
            f"run: sudo apt-get update && sudo apt-get install -y {' '.join(missing)}")
    print(f"installing {' '.join(missing)}", flush=True)
    # Debian starts a service once it is installed, unless this says that it may not.
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", "-qq", *command], check=True, env=environment, stdout=subprocess.DEVNULL)
    finally:
        if is_ours:
            policy.unlink()


def changed(text, changes):
    """The text of a configuration with some lines replaced; each of these must occur exactly once."""
    for line, replacement in changes.items():
        text, count = re.subn(rf"(?m)^([ ]*){re.escape(line)}$", lambda match: match[1] + replacement, text)
        if count != 1:
            raise Failure(f"{line!r} stands {count} times in the configuration; expected once")
    return text


class Program:
    """A proxy's process."""

    name = None

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.program = shutil.which(self.name, path=SEARCHED)
        self.reservations = [reserve(), reserve()]
        self.port, self.tls_port = (reservation.getsockname()[1] for reservation in self.reservations)
        self.log = open(folder / "output.log", "ab")
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def run(self, *arguments):
        """Starts the process and waits until it listens."""
        self.process = await asyncio.create_subprocess_exec(
            self.program, *arguments, stdout=self.log, stderr=self.log, cwd=self.folder)
        for _ in range(200):
            if self.process.returncode is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                await asyncio.sleep(0.05)
        raise Failure(f"{self.name} does not start; see {self.folder}")

    async def stop(self):
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def requests(self):
        """The lines of its request log."""
        return (self.folder / "access.log").read_text().splitlines()


class Nginx(Program):
    """nginx with `Config/nginx.conf`; only addresses and paths are changed."""

    name = "nginx"

    async def start(self, upstream, changes=None):
        self.upstream = upstream
        self.configure(changes)
        await self.run("-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;")

    def configure(self, changes=None):
        paths = " ".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write(changed((TOP / "Config/nginx.conf").read_text(), {
            "user www-data;": "user root;",
            "pid /run/nginx.pid;": f"pid {self.folder}/pid;",
            "error_log /var/log/nginx/error.log warn;": f"error_log {self.folder}/error.log warn;",
            "access_log /var/log/nginx/access.log;": f"access_log {self.folder}/access.log; {paths}",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "server 127.0.0.1:8080;": f"server {self.upstream};",
            **(changes or {}),
        }))

    def write(self, text):
        (self.folder / "nginx.conf").write_text(text)

    async def reload(self):
        """Makes it read its configuration again, and waits until the new one is in force."""
        before = self.workers()
        self.process.send_signal(1)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if self.workers() - before:
                return
        raise Failure("nginx does not read its configuration again")

    def workers(self):
        return set(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())

    def tls(self, certificate, key):
        """The changes that uncomment the lines of TLS."""
        return {
            "# listen 443 ssl;": f"listen 127.0.0.1:{self.tls_port} ssl;",
            "# ssl_certificate /etc/rankwise/server.pem;": f"ssl_certificate {certificate};",
            "# ssl_certificate_key /etc/rankwise/server.key;": f"ssl_certificate_key {key};",
            "# ssl_protocols TLSv1.2 TLSv1.3;": "ssl_protocols TLSv1.2 TLSv1.3;",
        }

    def unix(self, path):
        """The changes that replace the server's port by its Unix socket."""
        return {"server 127.0.0.1:8080;": "", "# server unix:/run/rankwise/http.sock;": f"server unix:{path};"}


class HAProxy(Program):
    """haproxy with `Config/haproxy.cfg`; only addresses and paths are changed."""

    name = "haproxy"
    SERVER = "server rankwise 127.0.0.1:8080 check inter 2s fall 3 rise 1"
    UNIX = "# server rankwise unix@/run/rankwise/http.sock check inter 2s fall 3 rise 1"

    async def start(self, upstream, changes=None):
        (self.folder / "haproxy.cfg").write_text(changed((TOP / "Config/haproxy.cfg").read_text(), {
            "user haproxy": "",
            "group haproxy": "",
            "bind :80": f"bind 127.0.0.1:{self.port}",
            self.SERVER: self.SERVER.replace("127.0.0.1:8080", upstream),
            **(changes or {}),
        }))
        await self.run("-db", "-f", str(self.folder / "haproxy.cfg"))

    def requests(self):
        return (self.folder / "output.log").read_text().splitlines()

    def tls(self, certificate, key):
        both = self.folder / "both.pem"
        both.write_text(certificate.read_text() + key.read_text())
        return {
            "# bind :443 ssl crt /etc/rankwise/haproxy.pem ssl-min-ver TLSv1.2":
                f"bind 127.0.0.1:{self.tls_port} ssl crt {both} ssl-min-ver TLSv1.2",
        }

    def unix(self, path):
        return {self.SERVER: "", self.UNIX: self.UNIX[2:].replace("/run/rankwise/http.sock", str(path))}


def check_configurations():
    """Has nginx and haproxy read all files of Config/ that are for them, as they are; returns how many these are."""
    count = 0
    for pattern, command in (("nginx*.conf", ("nginx", "-t", "-c")), ("haproxy*.cfg", ("haproxy", "-c", "-f"))):
        for file in sorted((TOP / "Config").glob(pattern)):
            checked = subprocess.run(
                [shutil.which(command[0], path=SEARCHED), *command[1:], file], capture_output=True, text=True)
            if checked.returncode != 0:
                raise Failure(f"{command[0]} refuses {file.name}: {checked.stderr}")
            count += 1
    return count


class NginxCluster(Nginx):
    """nginx with `Config/nginx-cluster.conf`; only addresses and paths are changed."""

    def configure(self, changes=None):
        paths = " ".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        rest = "max_fails=2 fail_timeout=5s;"
        self.write(changed((TOP / "Config/nginx-cluster.conf").read_text(), {
            "user www-data;": "user root;",
            "pid /run/nginx.pid;": f"pid {self.folder}/pid;",
            "error_log /var/log/nginx/error.log warn;": f"error_log {self.folder}/error.log warn;",
            "access_log /var/log/nginx/access.log servers;": f"access_log {self.folder}/access.log servers; {paths}",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            **{f"server 10.0.0.{index}:8080 {rest}": f"server {address} {rest}"
               for index, address in enumerate(self.upstream, 1)},
        }))

    def answered(self):
        """The path of each call in its log, and the address of the server that answered it."""
        for line in self.requests():
            # A call that one server did not take has all addresses that were tried.
            found = re.search(r'"GET (\S+) HTTP/1.1" \d+ \d+ ((?:[\d.]+:\d+(?:, )?)+) ', line)
            if found:
                yield found[1], found[2].split(", ")[-1]


class HAProxyCluster(HAProxy):
    """haproxy with `Config/haproxy-cluster.cfg`; only addresses are changed."""

    NAMES = ("one", "two", "three")

    async def start(self, upstream, changes=None):
        self.upstream = upstream
        rest = "check inter 1s fall 2 rise 1"
        (self.folder / "haproxy.cfg").write_text(changed((TOP / "Config/haproxy-cluster.cfg").read_text(), {
            "user haproxy": "",
            "group haproxy": "",
            "bind :80": f"bind 127.0.0.1:{self.port}",
            **{f"server {name} 10.0.0.{index}:8080 {rest}": f"server {name} {address} {rest}"
               for index, (name, address) in enumerate(zip(self.NAMES, upstream), 1)},
        }))
        await self.run("-db", "-f", str(self.folder / "haproxy.cfg"))

    def answered(self):
        for line in self.requests():
            found = re.search(r' rankwise/(\w+) .*"GET (\S+) HTTP/1.1"', line)
            if found and found[1] in self.NAMES:
                yield found[2], self.upstream[self.NAMES.index(found[1])]


class Squid(Program):
    """squid as a forward proxy that caches, for callers on this machine."""

    name = "squid"

    def __init__(self, folder):
        super().__init__(folder)
        # squid does not stay root.
        if os.geteuid() == 0:
            user = pwd.getpwnam("proxy")
            os.chown(folder, user.pw_uid, user.pw_gid)

    async def start(self, refuses_connect=False):
        lines = [
            f"http_port 127.0.0.1:{self.port}", f"pid_filename {self.folder}/pid",
            f"cache_log {self.folder}/cache.log", f"access_log stdio:{self.folder}/access.log squid",
            f"coredump_dir {self.folder}", "netdb_filename none", "pinger_enable off", "visible_hostname squid",
            "shutdown_lifetime 0 seconds", "cache_mem 64 MB", "maximum_object_size_in_memory 16 MB",
            "memory_cache_shared off", "acl CONNECT method CONNECT",
        ]
        if refuses_connect:
            lines.append("http_access deny CONNECT")
        lines += ["http_access allow localhost", "http_access deny all", "refresh_pattern . 60 100% 60"]
        (self.folder / "squid.conf").write_text("\n".join(lines) + "\n")
        await self.run("-N", "-f", str(self.folder / "squid.conf"))
