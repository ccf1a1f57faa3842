"""Serving against nginx: the servers alternate within each run, so that other load on the machine affects all of them."""
import contextlib
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request

from bench_servers import CURL, SERVER, TRUSTING, Nginx, Server, adapter, certificate

GOOD = ("200", "201", "204")


def run(command):
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    status, seconds = output.split()
    if status not in GOOD:
        sys.exit(f"bench: {command[-1]} answered {status}")
    return float(seconds)


def together(commands):
    started = time.monotonic()
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    answers = [process.communicate()[0] for process in running]
    elapsed = time.monotonic() - started
    bad = [answer for answer in answers if answer.split()[0] not in GOOD]
    if bad:
        sys.exit(f"bench: uploads were answered {bad}")
    return elapsed


def wrk(url, *options):
    output = subprocess.run(["wrk", "-t2", "-c64", "-d10", *options, url], stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in output:
        sys.exit("bench: wrk saw errors\n" + output)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))


class Rankwise:
    """One of our servers under measurement."""

    def __init__(self, server):
        self.server = server
        self.reader, _ = server.federation("status", 1, 4, 10)

    def status(self):
        """The bytes of a round's status."""
        return self.get("/v1/federations/status/rounds/current")

    def ask_status(self):
        return wrk(self.server.url + "/v1/federations/status/rounds/current", "-H", self.authorization(self.reader))

    def expect_big(self, runs):
        self.big_reader, self.tokens = self.server.federation("big", 64, 128, runs + 1)
        self.download = f"{self.server.url}/v1/federations/big/rounds/0/adapter"

    def put_big(self, turn, path):
        return self.server.upload("big", self.tokens[turn], path)

    def put_small(self, turn, paths):
        _, tokens = self.server.federation(f"small-{turn}", 4, 128, len(paths) + 1)
        return [self.server.upload(f"small-{turn}", tokens[i], path) for i, path in enumerate(paths)]

    def adapter(self):
        return self.get("/v1/federations/big/rounds/0/adapter")

    def get_big(self):
        return CURL + ["-H", self.authorization(self.big_reader), self.download]

    def get(self, path):
        request = urllib.request.Request(self.server.url + path, headers={"Authorization": "Bearer " + self.server.admin})
        with urllib.request.urlopen(request, context=TRUSTING) as answer:
            return answer.read()

    @staticmethod
    def authorization(token):
        return f"Authorization: Bearer {token}"


class Other:
    """nginx, which serves the same bytes as files."""

    def __init__(self, nginx):
        self.nginx = nginx

    def serve(self, name, data):
        with open(os.path.join(self.nginx.files, name), "wb") as file:
            file.write(data)

    def ask_status(self):
        return wrk(self.nginx.url + "/status.json")

    def put_big(self, turn, path):
        return self.nginx.upload(f"big-{turn}", path)

    def put_small(self, turn, paths):
        return [self.nginx.upload(f"small-{turn}-{i}", path) for i, path in enumerate(paths)]

    def get_big(self):
        return CURL + [self.nginx.url + "/download"]


def ratio(label, ours, theirs, higher_is_better):
    ratios = [a / b if higher_is_better else b / a for a, b in zip(ours, theirs)]
    return f"ratio to {label} {statistics.median(ratios):.3g} ({min(ratios):.3g}-{max(ratios):.3g})"


def report(what, unit, higher_is_better, figures):
    """A line for each server: its median, its range, and the median of its ratios to nginx and to the first server in the same
    run."""
    theirs = figures["nginx"]
    first = next(iter(figures))
    print(f"{what}, n={len(theirs)}", flush=True)
    for label, ours in figures.items():
        line = f"  {label}: {statistics.median(ours):.4g} {unit} ({min(ours):.4g}-{max(ours):.4g})"
        if label != "nginx":
            line += ", " + ratio("nginx", ours, theirs, higher_is_better)
        if label not in ("nginx", first):
            line += ", " + ratio(first, ours, figures[first], higher_is_better)
        print(line, flush=True)


def interleaved(targets, runs, measure):
    """The results of `measure(target, turn)` for every target, `runs` times; each run begins with another target."""
    figures = {label: [] for label in targets}
    labels = list(targets)
    for turn in range(runs):
        first = turn % len(labels)
        for label in labels[first:] + labels[:first]:
            figures[label].append(measure(targets[label], turn))
    return figures


def serving(folder, options):
    """`options.server` holds LABEL=PATH for each binary; without any, the binary that was built here. `options.settings` holds
    LABEL=YAML for each further server, which has the first binary and these settings."""
    servers = {label: (binary, "") for label, binary in (
        entry.split("=", 1) for entry in options.server or [f"rankwise={SERVER}"])}
    first = next(iter(servers.values()))[0]
    for entry in options.settings or []:
        label, text = entry.split("=", 1)
        servers[label] = (first, text + "\n")
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    for tls in (None, certificate(folder)):
        inner = os.path.join(folder, "secure" if tls else "plain")
        os.mkdir(inner)
        compare(inner, servers, options.runs, tls, options.status_only)


def compare(folder, servers, runs, tls, is_status_alone):
    how = " over TLS" if tls else ""
    with contextlib.ExitStack() as stack:
        ours = {}
        for label, (binary, settings) in servers.items():
            own = os.path.join(folder, label)
            os.mkdir(own)
            secure = f"tls: {{certificate: {tls[0]}, key: {tls[1]}}}\n" if tls else ""
            server = Server(own, more=secure + settings, binary=binary, is_optional=tls is not None)
            if not server.is_serving:
                print(f"{label} has no TLS", flush=True)
                continue
            stack.callback(server.stop)
            ours[label] = Rankwise(server)
        if not ours:
            return
        own = os.path.join(folder, "nginx")
        os.mkdir(own)
        nginx = Nginx(own, tls)
        stack.callback(nginx.stop)
        other = Other(nginx)
        targets = {**ours, "nginx": other}
        model = next(iter(ours.values()))

        status = model.status()
        other.serve("status.json", status)
        report(f"status of {len(status)} bytes{how}, wrk -t2 -c64 -d10", "requests/s", True,
               interleaved(targets, runs, lambda target, _: target.ask_status()))
        if is_status_alone:
            return

        big = os.path.join(folder, "big.safetensors")
        adapter(big, 64, 128)
        for target in ours.values():
            target.expect_big(runs)
        report(f"upload of 256 MiB{how} (ours with SHA-256 and fsync)", "s", False,
               interleaved(targets, runs, lambda target, turn: run(target.put_big(turn, big))))

        small = [os.path.join(folder, f"small-{index}.safetensors") for index in range(16)]
        for index, name in enumerate(small):
            adapter(name, 4, 128, index)
        report(f"sixteen uploads of 16 MiB at once{how}", "s", False,
               interleaved(targets, runs, lambda target, turn: together(target.put_small(turn, small))))

        other.serve("download", model.adapter())
        for target in ours.values():
            run(target.get_big())  # the first one renders it
        report(f"download of 256 MiB{how}", "s", False,
               interleaved(targets, 2 * runs + 1, lambda target, _: run(target.get_big())))
