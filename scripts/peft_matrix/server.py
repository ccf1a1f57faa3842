"""One real server, and calls to it."""

import json
import os
import pathlib
import secrets
import subprocess
import time
import urllib.error
import urllib.request


class Problem(Exception):
    """What the server answered instead."""

    def __init__(self, call, status, body):
        self.status = status
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        self.code = document.get("code", "")
        self.detail = document.get("detail", body.decode(errors="replace")[:300])
        self.tensor = document.get("tensor")
        super().__init__(f"{call}: {status} {self.code} {self.detail}")


class Server:
    def __init__(self, programs, folder):
        self.client = programs / "rankwise-client"
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "server.yaml"
        # Every client is this machine, and asks as often as it can.
        config.write_text("limits: {rate_limits_on_loopback: false}\n")
        self.log = folder / "server.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [programs / "rankwise-server", "serve", "--config", config, "--listen", "127.0.0.1:0",
                 "--data", folder / "data"],
                stdout=subprocess.PIPE, stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("RANKWISE_")})
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            raise SystemExit(f"peft-matrix: the server did not start: {self.log.read_text()[-500:]}")
        self.url = line.removeprefix("listening on ").strip()
        self.admin = (folder / "data" / "admin.token").read_text().strip()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def call(self, method, path, token, body=None):
        """The bytes of the answer."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise Problem(f"{method} {path}", error.code, error.read()) from error


class Federation:
    """A federation of one round, or of a few, in which two clients take part."""

    def __init__(self, server, name, adapter, base="base", rounds=1, training=None):
        self.server, self.name, self.path = server, name, f"/v1/federations/{name}"
        settings = {
            "id": name, "base_model": {"name": base}, "adapter": adapter, "strategy": {"name": "rbla"},
            "round": {"total": rounds, "min_updates": 2, "min_clients": 2, "deadline_seconds": 3600}}
        if training:
            settings["training"] = training
        created = json.loads(server.call("POST", "/v1/federations", server.admin, settings))
        self.enrolment, self.reader = created["enrolment_token"], created["reader_token"]

    @property
    def state(self):
        return json.loads(self.get(""))["state"]

    def get(self, path):
        return self.server.call("GET", self.path + path, self.reader)

    def template(self, adapter):
        """Uploads what gives the federation its shape and first values."""
        if (state := self.state) != "draft":
            raise AssertionError(f"the federation is {state!r} before it has a template; expected 'draft'")
        self.server.call("PUT", f"{self.path}/template", self.server.admin, adapter.body)
        self.server.call("PUT", f"{self.path}/template/adapter_config.json", self.server.admin, adapter.config)
        if (state := self.state) != "waiting":
            raise AssertionError(f"the federation is {state!r} after its template came; expected 'waiting'")

    def join(self, name, rank):
        """A client's token."""
        token = secrets.token_hex(32)
        self.server.call(
            "PUT", f"{self.path}/clients/{name}", self.enrolment, {"rank": rank, "token": token})
        return token

    def plan(self, token):
        return json.loads(self.server.call("GET", f"{self.path}/plan", token))

    def update(self, token, adapter, configured=True, round_=1):
        path = f"{self.path}/rounds/{round_}/update"
        if configured:
            self.server.call("PUT", f"{path}/adapter_config.json", token, adapter.config)
        self.server.call("PUT", f"{path}?samples={adapter.samples}", token, adapter.body)

    def wait(self, round_=1, seconds=60):
        """Until a round is published."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = json.loads(self.get(f"/rounds/{round_}"))
            if found["phase"] == "published":
                return
            if found["phase"] == "failed":
                raise AssertionError(f"round {round_} failed: {found}")
            time.sleep(0.03)
        raise AssertionError(f"round {round_} was not published within {seconds} s; it is {found['phase']!r}")

    def download(self, round_, rank, folder):
        """A published adapter as a folder that PEFT loads."""
        folder.mkdir(parents=True, exist_ok=True)
        for path, name in (("adapter", "adapter_model.safetensors"), ("adapter_config.json", "adapter_config.json")):
            (folder / name).write_bytes(self.get(f"/rounds/{round_}/{path}?rank={rank}"))
        return folder
