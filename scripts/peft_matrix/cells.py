"""One cell: a model and a variant, through a server and back into PEFT."""

import dataclasses
import json
import re

import torch
from peft import LoraConfig
from safetensors.torch import load_file

import adapters
import mean
import variants
from adapters import Misread, owner
from server import Federation, Problem

# Logits and tensors may differ by this from the independent mean.
TOLERANCE = 1e-4
# An adapter that moves no logit by this much would hide that it is missing.
MOVES = 1e-3


@dataclasses.dataclass
class Outcome:
    """carried, refused, failed, or absent where there is nothing to try."""

    kind: str
    text: str

    def __str__(self):
        return self.text


def carried(difference):
    return Outcome("carried", f"carried, {difference:.0e}")


def refused(what):
    return Outcome("refused", f"refused: {what}")


def failed(why):
    return Outcome("failed", f"FAILED: {why}")


class Failed(Exception):
    """A third outcome."""


class Refused(Exception):
    """A refusal that names what it refuses."""


CONFIG_KEYS = {field.name for field in dataclasses.fields(LoraConfig)}


def named(problem, adapter, keys=()):
    """What a refusal names; a third outcome where it names nothing, or nothing of `keys`."""
    if problem.status != 422:
        raise Failed(str(problem))
    kind, _, key = problem.code.partition(".")
    names = set()
    for name in adapter.tensors if adapter else ():
        names |= {part.removeprefix(adapters.PREFIX) for part in (name, owner(name)) if part}
    found = next((name for name in sorted(names, key=len, reverse=True) if name in problem.detail), None)
    if kind == "config":
        if key not in CONFIG_KEYS or not (key in problem.detail or found):
            raise Failed(f"a refusal that names no key: {problem}")
        if keys and key not in keys:
            raise Failed(f"refused for {key}, and not for {' or '.join(keys)}: {problem}")
        return problem.code
    if kind in ("update", "template") and found and not keys:
        return f"{problem.code} ({found})"
    raise Failed(f"a refusal that names no {' or '.join(keys) if keys else 'tensor and no key'}: {problem}")


def offered(call, adapter, keys=()):
    """Calls, and turns a refusal into what it names."""
    try:
        return call()
    except Problem as problem:
        raise Refused(named(problem, adapter, keys)) from problem


class Cell:
    def __init__(self, model, variant, base, scratch, server):
        self.model, self.variant, self.base, self.server = model, variant, base, server
        self.folder = scratch / model.name / variant.name
        self.id = re.sub(r"[^a-z0-9-]", "-", f"{model.name}-{variant.name}")
        self.federation = None
        self.published = None

    # Adapters

    def prepare(self):
        """The template and the two clients' adapters, as PEFT makes them."""
        config = variants.configuration(self.model, self.variant, variants.MAXIMUM)
        self.template = adapters.make(self.model, self.base, config, self.folder / "template")
        self.clients = [
            adapters.make(
                self.model, self.base, variants.configuration(self.model, self.variant, rank, own=index == 1),
                self.folder / f"client-{index}", seed=5 + index, samples=samples)
            for index, (rank, samples) in enumerate(zip(variants.RANKS, variants.SAMPLES))]
        self.at_rank = {
            rank: adapters.described(adapters.wrapped(
                self.model, self.base, variants.configuration(self.model, self.variant, rank)))
            for rank in variants.RANKS}
        self.base_logits = self.model.logits(self.model.load(self.base))

    def prepare_refused(self):
        """Adapters that PEFT would train under a configuration that no mean can carry.

        Some of these need data or a quantised base before PEFT makes one: the file is then a plain one, since the
        configuration says it all.
        """
        plain = next(variant for variant in variants.ALL if variant.name == "plain")
        for index, rank in enumerate((variants.MAXIMUM, *variants.RANKS)):
            name = "template" if index == 0 else f"client-{index - 1}"
            config = variants.configuration(self.model, self.variant, rank)
            seed = None if index == 0 else 4 + index
            try:
                adapter = adapters.make(self.model, self.base, config, self.folder / name, seed, 30)
            except Exception:
                adapter = adapters.make(
                    self.model, self.base, variants.configuration(self.model, plain, rank), self.folder / name, seed, 30)
                document = json.loads(adapter.config)
                said = json.loads(json.dumps(config.to_dict(), default=lambda value: sorted(value)))
                document.update({key: said[key] for key in self.variant.refused})
                (adapter.folder / adapters.CONFIG).write_text(json.dumps(document))
            if index == 0:
                self.template, self.clients = adapter, []
            else:
                self.clients.append(adapter)

    # A federation from a template

    def from_template(self):
        federation = self.federation = Federation(self.server, self.id, {"template": True})
        offered(lambda: federation.template(self.template), self.template)
        self.check_beginning(federation)
        return self.round(federation)

    def check_beginning(self, federation):
        """Version 0 is the template, cut to every rank."""
        for rank in variants.RANKS:
            folder = federation.download(0, rank, self.folder / f"version-0-rank-{rank}")
            expected = mean.published(
                self.template.tensors, self.template.modules, self.at_rank[rank])
            self.check(folder, rank, expected, moves=False, what=f"version 0 at rank {rank}")

    # A federation without one

    def bare(self):
        """Clients that send no configuration, as they did before there were any."""
        return self.by_hand(configured=False)

    def by_hand(self, configured=True):
        adapter = {
            "max_rank": variants.MAXIMUM, "modules": {}, "dense": {},
            "scaling": {"mode": "rslora" if self.variant.name == "rslora" else "lora", "alpha": variants.ALPHA}}
        for name, tensor in self.template.tensors.items():
            module, bare = owner(name), name.removeprefix(adapters.PREFIX)
            if module is None:
                adapter["dense"][bare] = list(tensor.shape)
                continue
            entry = adapter["modules"].setdefault(module.removeprefix(adapters.PREFIX), {})
            if name.endswith(("lora_A.weight", "lora_embedding_A")):
                entry["in"] = tensor.shape[1]
                if tensor.dim() > 2:
                    entry["kernel"] = list(tensor.shape[2:])
                if name.endswith("lora_embedding_A"):
                    entry["embedding"] = True
            elif name.endswith(".bias"):
                entry["bias"] = True
            else:
                entry["out"] = tensor.shape[0]
        try:
            federation = Federation(self.server, f"{self.id}-{'by-hand' if configured else 'bare'}", adapter)
        except Problem as problem:
            if problem.status in (400, 422) and "adapter." in problem.detail:
                raise Refused(f"settings ({problem.detail[:120]})") from problem
            raise
        return self.round(federation, configured)

    # A round

    def round(self, federation, configured=True):
        """What two clients send is published as its mean; the largest difference of a logit."""
        tokens = [
            federation.join(f"client-{index}", rank) for index, rank in enumerate(variants.RANKS)]
        for rank, token in zip(variants.RANKS, tokens):
            self.check_plan(federation.plan(token), rank)
        for index, (token, adapter) in enumerate(zip(tokens, self.clients)):
            # The second client's configuration may contradict the first's.
            keys = self.variant.contradicts if index == 1 and configured else ()
            offered(lambda token=token, adapter=adapter: federation.update(token, adapter, configured), adapter, keys)
        if self.variant.contradicts:
            raise Failed(f"clients that contradict each other in {self.variant.contradicts[0]} were both taken")
        federation.wait()
        whole = mean.mean(self.clients, self.template.modules)
        worst = 0.0
        for rank in variants.RANKS:
            folder = federation.download(1, rank, self.folder / f"{federation.name}-rank-{rank}")
            expected = mean.published(whole, self.template.modules, self.at_rank[rank])
            worst = max(worst, self.check(folder, rank, expected, moves=True, what=f"round 1 at rank {rank}"))
            if rank == variants.MAXIMUM:
                self.published = folder
        return worst

    def check_plan(self, plan, rank):
        """A trainer finds every module's rank and scale under the name that PEFT's model has for it."""
        for name, module in self.at_rank[rank].items():
            name = name.removeprefix(adapters.PREFIX)
            for key, value in (("ranks", module.rank), ("scales", module.scale)):
                found = plan[key].get(name)
                if found is None:
                    raise Failed(f"the plan's {key} have no {name}")
                if abs(found - value) > 1e-6 * abs(value):
                    raise Failed(f"the plan's {key} have {found} for {name} at rank {rank}; expected {value}")

    def check(self, folder, rank, expected, moves, what):
        """A downloaded folder against the mean: its tensors one by one, and in PEFT its logits."""
        found = load_file(folder / adapters.WEIGHTS)
        for name, tensor in expected.items():
            if name not in found:
                if adapters.is_copy(name):
                    continue
                raise Failed(f"{what} lacks {name}")
            if found[name].shape != tensor.shape:
                raise Failed(f"{what} has {name} as {list(found[name].shape)}; expected {list(tensor.shape)}")
            difference = (found[name].double() - tensor.double()).abs().max().item()
            if not difference <= TOLERANCE * max(1, tensor.double().abs().max().item()):
                raise Failed(f"{what} has {name} {difference:.1e} off the mean")
        if more := sorted(set(found) - set(expected)):
            raise Failed(f"{what} has {more[0]}, which no client sent")
        try:
            adapted = adapters.load(self.model, self.base, folder)
        except Misread as error:
            raise Failed(f"{what}: {error}") from error
        logits = self.model.logits(adapted)
        reference = self.model.logits(
            adapters.reference(self.model, self.base, self.variant, rank, expected))
        difference = (logits - reference).abs().max().item()
        if not difference <= TOLERANCE:
            raise Failed(f"{what}: a logit is {difference:.1e} off the mean's")
        if moves and not (logits - self.base_logits).abs().max().item() > MOVES:
            raise Failed(f"{what}: the adapter does not move the logits")
        return difference

    # What no mean can carry

    def refused_twice(self):
        """A template is refused, and so is an update to a federation of plain adapters; both by the key."""
        keys = self.variant.refused
        federation = Federation(self.server, self.id, {"template": True})
        self.expect_refusal(lambda: federation.template(self.template), keys, "the template")
        plain = next(variant for variant in variants.ALL if variant.name == "plain")
        template = adapters.make(
            self.model, self.base, variants.configuration(self.model, plain, variants.MAXIMUM), self.folder / "plain")
        other = Federation(self.server, f"{self.id}-update", {"template": True})
        other.template(template)
        tokens = [other.join(f"client-{index}", rank) for index, rank in enumerate(variants.RANKS)]
        return self.expect_refusal(lambda: other.update(tokens[0], self.clients[0]), keys, "an update")

    def expect_refusal(self, call, keys, what):
        try:
            offered(call, None, keys)
        except Refused as refusal:
            return str(refusal)
        raise Failed(f"{what} was taken; expected a refusal of {' or '.join(keys)}")


def attempt(action):
    """An action's outcome."""
    try:
        found = action()
        return refused(found) if isinstance(found, str) else carried(found)
    except Refused as refusal:
        return refused(refusal)
    except (Failed, Misread, Problem, AssertionError, OSError, KeyError, ValueError, RuntimeError) as error:
        return failed(f"{error}" if isinstance(error, (Failed, Misread, Problem)) else f"{type(error).__name__}: {error}")
