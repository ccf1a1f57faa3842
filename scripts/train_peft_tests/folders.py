"""Folders as the client makes them for its trainer, and the command run on them."""

import json
import multiprocessing
import os
import pathlib
import shutil
import sys
import tempfile
import traceback
import types
import unittest
import warnings

import peft
import torch
import transformers
from peft import LoraConfig
from safetensors.torch import load_file, save_file

import train_peft
from tiny_models import auto, write_base

COMMAND = pathlib.Path(train_peft.__file__)

# The command runs in forks of a process that has done nothing but import torch and the others, which takes seconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["folders"])
os.environ["PYTHONPATH"] = os.pathsep.join([str(COMMAND.parent), str(pathlib.Path(__file__).parent),
                                            os.environ.get("PYTHONPATH", "")])

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore")

TEXTS = [f"{colour} {animal} {verb} {place} the {thing}" for colour, animal in (("red", "cat"), ("blue", "dog"))
         for verb, place in (("sat", "on"), ("ran", "under")) for thing in ("mat", "tree")]
CAUSAL = [f"x\t{text}" for text in TEXTS]
SEQUENCE = [f"{'colour' if text.startswith('red') else 'other'}\t{text}" for text in TEXTS]
TOKEN = [{"tokens": text.split(), "labels": ["B" if word in ("cat", "dog") else "O" for word in text.split()]}
         for text in TEXTS]
SEQ2SEQ = [f"{text}\t{' '.join(text.split()[::-1])}" for text in TEXTS]
CLASSES = ["--labels", "colour,other"]


def scales_of(model):
    return {name: layer.scaling["default"] for name, layer in train_peft.lora_layers(model)}


def run_main(arguments, data, out, err):
    """The command's main function with its output in files."""
    with open(out, "w") as sys.stdout, open(err, "w") as sys.stderr:
        os.environ["RANKWISE_DATA"] = data
        sys.argv = ["train_peft.py", *arguments]
        try:
            train_peft.main()
        except SystemExit as end:
            # What the interpreter does with a text, before the file is closed.
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
                sys.exit(1)
            raise
        except Exception:
            traceback.print_exc()
            sys.exit(1)


class TrainerTest(unittest.TestCase):
    """A folder for the test's files, and the command in a process of its own."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="train-peft-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.shared))
        (self.folder / "OUT").mkdir()

    def base(self, kind, head="none", **more):
        folder = self.shared / "-".join([kind, head, *map(str, more.values())])
        if not folder.exists():
            write_base(folder, kind, head, **more)
        return folder

    def adapter(self, base, task, drop=(), plan=None, **config):
        """IN as PEFT saves it, with factors that do something and without the tensors whose names hold a word of `drop`."""
        torch.manual_seed(11)
        model = peft.get_peft_model(auto(task).from_pretrained(base), LoraConfig(r=2, lora_alpha=4, **config))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name or "lora_embedding_A" in name:
                    parameter.normal_(0, 0.05)
        model.save_pretrained(self.folder / "IN")
        dense = {name.removeprefix(train_peft.PREFIX): list(tensor.shape) for name, tensor in self.given().items()
                 if not train_peft.FACTOR.search(name)}
        # PEFT sorts the patterns, though the first one that fits counts.
        self.change("adapter_config.json", **{key: config[key] for key in config if key.endswith("_pattern")})
        path = self.folder / "IN" / "adapter_model.safetensors"
        tensors = {name: value for name, value in load_file(path).items() if not any(word in name for word in drop)}
        save_file(tensors, path, metadata={"format": "pt"})
        settings = {"epochs": 2, "batch_size": 4, "optimizer": "adamw", "learning_rate": 0.01}
        settings.update((plan or {}).get("training", {}))
        (self.folder / "IN" / "plan.json").write_text(json.dumps({
            "round": 1, "scales": scales_of(model), "merge": None, "train": ["A", "B"], "send": ["A", "B"], "penalty": 0,
            "seed": 2**63 + 5, "federation_seed": 2**64 - 1, "dense": dense, **(plan or {}), "training": settings}))
        return model

    def change(self, name, **keys):
        path = self.folder / "IN" / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))

    def change_plan(self, **keys):
        self.change("plan.json", **keys)

    def data(self, name, lines):
        path = self.folder / name
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return path

    def run_command(self, base, data, *options, folders=None):
        """The command's exit code and output, run in a process of its own."""
        folders = folders or [self.folder / "IN", self.folder / "OUT"]
        arguments = ["--threads", 1, "--model", base, *options, *folders]
        out, err = self.folder / "stdout", self.folder / "stderr"
        process = FORKS.Process(target=run_main, args=(list(map(str, arguments)), str(data), out, err))
        process.start()
        process.join()
        return types.SimpleNamespace(code=process.exitcode, out=out.read_text(), err=err.read_text())

    def train(self, base, data, *options):
        result = self.run_command(base, data, *options)
        self.assertEqual(result.code, 0, result.err)
        return result

    def evaluate(self, base, data, folder, *options):
        result = self.run_command(base, "", *options, "--evaluate", data, folders=[self.folder / folder])
        self.assertEqual(result.code, 0, result.err)
        return json.loads(result.out)

    def refused(self, result, *words, code=78):
        self.assertEqual(result.code, code, result.err)
        for word in words:
            self.assertIn(word, result.err.splitlines()[-1])

    def sent(self):
        return load_file(self.folder / "OUT" / "adapter_model.safetensors")

    def given(self):
        return load_file(self.folder / "IN" / "adapter_model.safetensors")

    def read(self, name, folder="OUT"):
        return json.loads((self.folder / folder / name).read_text())
