#!/usr/bin/env python3
"""Loads a model folder in PEFT itself and compares its logits with those of the native model.

    rankwise-lab base --model mlp-64-200-200-10 --seed 7 --out base.safetensors
    rankwise-lab evaluate --model mlp-64-200-200-10 --model-seed 7 --data digits.csv --feature-scale 16 \\
        --adapter adapter_model.safetensors --merge merge.safetensors --logits logits.safetensors
    python3 scripts/check_model.py base.safetensors FOLDER digits.csv logits.safetensors --feature-scale 16

FOLDER holds adapter_model.safetensors and adapter_config.json, as the server publishes them under .../model: all merges
and the adapter as one. The base becomes linear layers with ReLU between them, PEFT loads the folder into it, and every
logit has to agree to --tolerance. The data are a CSV file, label last, with or without a line of column names. Needs
torch, safetensors and peft.
"""

import argparse
import csv
import pathlib
import sys

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file


class Perceptron(torch.nn.Module):
    def __init__(self, tensors):
        super().__init__()
        self.names = sorted((name.removesuffix(".weight") for name in tensors if name.endswith(".weight")),
                            key=lambda name: int(name.removeprefix("fc")))
        for name in self.names:
            outputs, inputs = tensors[f"{name}.weight"].shape
            setattr(self, name, torch.nn.Linear(inputs, outputs, bias=f"{name}.bias" in tensors))
        self.load_state_dict(tensors)

    def forward(self, x):
        for name in self.names[:-1]:
            x = torch.relu(getattr(self, name)(x))
        return getattr(self, self.names[-1])(x)


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def features(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if any(field.strip() for field in row)]
    if rows and not any(is_number(field) for field in rows[0]):
        rows = rows[1:]
    return torch.tensor([[float(field) for field in row[:-1]] for row in rows])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("base", type=pathlib.Path, help="of rankwise-lab base")
    arguments.add_argument("folder", type=pathlib.Path, help="with an adapter as PEFT saves it")
    arguments.add_argument("data", type=pathlib.Path, help="a CSV file")
    arguments.add_argument("logits", type=pathlib.Path, help="of rankwise-lab evaluate --logits")
    arguments.add_argument("--feature-scale", type=float, default=1.0)
    arguments.add_argument("--tolerance", type=float, default=1e-3)
    arguments = arguments.parse_args()
    config = PeftConfig.from_pretrained(str(arguments.folder))
    # A task asks for methods of a language model that a perceptron does not have.
    config.task_type = None
    base = Perceptron(load_file(arguments.base))
    model = PeftModel.from_pretrained(base, str(arguments.folder), config=config).eval()
    wanted = load_file(arguments.logits)["logits"]
    with torch.no_grad():
        found = model(features(arguments.data) / arguments.feature_scale)
    if found.shape != wanted.shape:
        print(f"FAIL {tuple(found.shape)} logits of PEFT, {tuple(wanted.shape)} of the native model")
        return 1
    error = (found - wanted).abs().max().item()
    agreed = error <= arguments.tolerance
    print(f"{'ok  ' if agreed else 'FAIL'} {found.shape[0]} examples, logits up to {wanted.abs().max().item():.3g}, "
          f"largest difference {error:.1e}")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
