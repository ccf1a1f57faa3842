"""The servers that are measured, and the adapters that are sent to them."""
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVER = os.path.join(ROOT, ".build", "release", "rankwise-server")
# The bench's own certificate, which nobody signed, is taken as it is.
TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE
CURL = ["curl", "-sSk", "-o", "/dev/null", "-w", "%{http_code} %{time_total}"]


def certificate(folder):
    """A certificate for localhost and its key."""
    chain, key = os.path.join(folder, "bench.pem"), os.path.join(folder, "bench.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", chain], check=True, stderr=subprocess.DEVNULL)
    return chain, key


class Server:
    """A rankwise-server on a port of its own, with one federation an adapter size."""

    def __init__(self, folder, limits="", more="", binary=SERVER, is_optional=False):
        """With `is_optional` it may fail to start, like an older server that does not know all of `more`."""
        self.data = os.path.join(folder, "data")
        # What is measured is the serving, and not how callers are held back. The first servers knew no such limits.
        wanted = f"limits: {{rate_limits_on_loopback: false{limits}}}\n" + more
        line = self.start(binary, folder, wanted)
        if not line and not limits:
            line = self.start(binary, folder, more)
        self.is_serving = line.startswith("listening on ")
        if not self.is_serving:
            if is_optional:
                return
            sys.exit(f"bench: {binary} did not start")
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])
        with open(os.path.join(self.data, "admin.token")) as file:
            self.admin = file.read().strip()

    def start(self, binary, folder, more):
        config = os.path.join(folder, "server.yaml")
        with open(config, "w") as file:
            file.write("listen: 127.0.0.1:0\nlog: {level: warning}\n" + more)
        self.process = subprocess.Popen([binary, "serve", "--config", config, "--data", self.data],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if line:
            # What it says from here on is for who runs the bench.
            threading.Thread(target=self.pass_on, daemon=True).start()
        else:
            self.process.communicate()
        return line

    def pass_on(self):
        for line in self.process.stderr:
            sys.stderr.write(line)

    def call(self, method, path, body=None, token=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer " + (token or self.admin)})
        with urllib.request.urlopen(request, context=TRUSTING) as answer:
            return json.loads(answer.read() or b"null")

    def federation(self, name, modules, rank, clients):
        """A federation whose round closes once all these clients have answered; returns the reader's and clients' tokens."""
        created = self.call("POST", "/v1/federations", {
            "id": name, "base_model": {"name": "bench"},
            "adapter": {"max_rank": rank, "modules": {f"m{i:03}": {"in": 4096, "out": 4096} for i in range(modules)}},
            "round": {"total": 1, "min_clients": clients, "min_updates": clients, "deadline_seconds": 86400}})
        tokens = []
        for index in range(clients):
            token = secrets.token_hex(32)
            self.call("PUT", f"/v1/federations/{name}/clients/c{index}", {"rank": rank, "token": token},
                      created["enrolment_token"])
            tokens.append(token)
        return created["reader_token"], tokens

    def upload(self, name, token, path):
        return CURL + ["-T", path, "-H", f"Authorization: Bearer {token}",
                       f"{self.url}/v1/federations/{name}/rounds/1/update?samples=1"]

    def memory(self):
        """VmRSS, RssAnon and RssFile in MiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            text = file.read()
        return {key: int(re.search(rf"{key}:\s+(\d+)", text).group(1)) / 1024 for key in ("VmRSS", "RssAnon", "RssFile")}

    def anonymous(self):
        return self.memory()["RssAnon"]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nginx:
    """nginx with two workers, a folder to read and a folder to PUT into."""

    def __init__(self, folder, tls=None):
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        if not os.path.exists(binary):
            sys.exit("bench: nginx is missing; apt-get install -y nginx-light wrk")
        self.files = os.path.join(folder, "files")
        temporary = os.path.join(folder, "tmp")
        os.makedirs(self.files)
        os.makedirs(temporary)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        paths = "".join(f"{kind}_temp_path {temporary}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = os.path.join(folder, "nginx.conf")
        secure = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}; ssl_protocols TLSv1.2 TLSv1.3;" if tls else ""
        with open(config, "w") as file:
            file.write(f"""user root; worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; client_max_body_size 4g; {paths}
server {{ listen 127.0.0.1:{self.port}{" ssl" if tls else ""}; {secure} root {self.files}; location / {{ dav_methods PUT; }} }} }}""")
        self.process = subprocess.Popen([binary, "-c", config, "-p", folder])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.05)

    def upload(self, name, path):
        return CURL + ["-T", path, f"{self.url}/{name}"]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def adapter(path, modules, rank, seed=1):
    """A valid adapter file with PEFT's names: modules × (A rank × 4096, B 4096 × rank), F32."""
    header, offset, size = {}, 0, rank * 4096 * 4
    for index in range(modules):
        for factor, shape in (("A", [rank, 4096]), ("B", [4096, rank])):
            header[f"base_model.model.m{index:03}.lora_{factor}.weight"] = {
                "dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    block = bytearray(os.urandom(size))
    for index in range(3, size, 4):
        block[index] = 0x3D  # a small positive exponent: finite whatever the rest
    block[0] = seed
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _ in range(2 * modules):
            file.write(block)
