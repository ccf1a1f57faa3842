"""Runs PEFT itself against a server: models × variants, exports and learning. `scripts/peft-matrix` starts it."""

import argparse
import os
import pathlib
import signal
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")
sys.dont_write_bytecode = True

import peft  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

import cells  # noqa: E402
import exports  # noqa: E402
import learning  # noqa: E402
import models  # noqa: E402
import report  # noqa: E402
import variants  # noqa: E402
from server import Server  # noqa: E402

# Whose base is also exported onto in shards and in half as many bits.
OTHER_BASES = ("plain", "dora", "saved")


class Matrix:
    def __init__(self, server, scratch):
        self.server, self.scratch = server, scratch
        self.outcomes = {}
        self.counts = {"carried": 0, "refused": 0, "failed": 0}

    def note(self, model, variant, way, outcome):
        self.outcomes[model.name, variant.name, way] = outcome
        self.counts[outcome.kind] += 1
        print(f"{model.name}/{variant.name} {way}: {outcome}", flush=True)

    def model(self, model, chosen):
        base = self.scratch / model.name / "base"
        model.write(base)
        for variant in chosen:
            if variants.configuration(model, variant, variants.MAXIMUM) is not None:
                self.cell(model, variant, base)

    def cell(self, model, variant, base):
        cell = cells.Cell(model, variant, base, self.scratch, self.server)
        if variant.refused:
            cell.prepare_refused()
            self.note(model, variant, "template", cells.attempt(cell.refused_twice))
            return
        cell.prepare()
        outcome = cells.attempt(cell.from_template)
        self.note(model, variant, "template", outcome)
        published = cell.published if outcome.kind == "carried" else None
        if variant.by_hand:
            self.note(model, variant, "hand", cells.attempt(cell.by_hand))
            if not variant.contradicts:
                self.note(model, variant, "bare", cells.attempt(cell.bare))
        if not published:
            return
        cell.published = published
        self.note(model, variant, "folder", cells.attempt(lambda: exports.folder(cell)))
        self.note(model, variant, "export", cells.attempt(lambda: exports.check(cell)))
        if isinstance(model, models.Llama) and variant.name in OTHER_BASES:
            for name, other in exports.other_bases(cell, self.scratch / model.name / "bases"):
                self.note(
                    model, variant, name, cells.attempt(
                        lambda name=name, other=other: exports.check(cell, other, name.replace(", ", "-"))))


def chosen(only):
    """The models and the variants that `--only` means."""
    wanted_model, _, wanted_variant = (only or "").partition("/")
    found = [model for model in models.ALL if wanted_model in ("", model.name)]
    rows = [variant for variant in variants.ALL if wanted_variant in ("", variant.name)]
    if not found or not rows:
        sys.exit(
            f"peft-matrix: --only {only}: expected MODEL or MODEL/VARIANT; models: "
            f"{', '.join(model.name for model in models.ALL)}; variants: "
            f"{', '.join(variant.name for variant in variants.ALL)}")
    return found, rows


def main():
    parser = argparse.ArgumentParser(prog="peft-matrix")
    parser.add_argument("--only", metavar="MODEL[/VARIANT]")
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--table", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    found, rows = ([], []) if arguments.learn else chosen(arguments.only)
    learned, learning_failed = [], 0
    with tempfile.TemporaryDirectory(prefix="rankwise-matrix.") as folder:
        scratch = pathlib.Path(folder)
        server = Server(arguments.bin, scratch / "server")
        matrix = Matrix(server, scratch)
        try:
            if arguments.learn:
                learned, learning_failed = learning.run(server, scratch / "learning", arguments.only)
            for model in found:
                matrix.model(model, rows)
            if server.process.poll() is not None:
                print(f"FAILED: the server ended by itself: {server.log.read_text()[-500:]}")
                learning_failed += 1
        finally:
            server.stop()
    if arguments.table:
        arguments.table.write_text(report.text(matrix.outcomes, learned, {
            "peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}))
    count = matrix.counts
    broken = count["failed"] + learning_failed
    passed = count["carried"] + len(learned) - learning_failed
    print(f"{passed} passed, {count['refused']} refused by name, {broken} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
