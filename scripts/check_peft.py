#!/usr/bin/env python3
"""Loads an adapter folder in PEFT itself and checks that PEFT computes what the folder means.

    python3 scripts/check_peft.py FOLDER [--scaling constant:0.75 | lora:16 | rslora:16]

FOLDER holds adapter_model.safetensors and adapter_config.json, as the server publishes them. The script makes a base
model with the adapted modules from the tensors' names and shapes, and PEFT loads the folder into it. For every module
it compares the adapter's change of the output with scale * B * A * x, computed directly from the file. With --scaling
it also compares the scale with the federation's. Needs torch, safetensors and peft.
"""

import argparse
import math
import pathlib
import sys

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file

PREFIX = "base_model.model."


def factors(tensors):
    """The A, B and bias of every module of a file."""
    modules = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix(PREFIX)
        for suffix, part in (
            (".lora_A.weight", "a"),
            (".lora_B.weight", "b"),
            (".lora_embedding_A", "a"),
            (".lora_embedding_B", "b"),
            (".lora_B.bias", "bias"),
        ):
            if bare.endswith(suffix):
                module = modules.setdefault(bare.removesuffix(suffix), {})
                module[part] = tensor.double()
                module["embedding"] = module.get("embedding", False) or "embedding" in suffix
    return modules


def layer(parts):
    a, b = parts["a"], parts["b"]
    if parts["embedding"]:
        return torch.nn.Embedding(a.shape[1], b.shape[0])
    if a.dim() == 4:
        return torch.nn.Conv2d(a.shape[1], b.shape[0], tuple(a.shape[2:]))
    # PEFT accepts a bias of lora_B only on a layer that has one itself.
    return torch.nn.Linear(a.shape[1], b.shape[0], bias="bias" in parts)


def put(root, path, module):
    *parents, name = path.split(".")
    for parent in parents:
        if not hasattr(root, parent):
            root.add_module(parent, torch.nn.Module())
        root = getattr(root, parent)
    root.add_module(name, module)


def base_model(modules, tensors):
    model = torch.nn.Module()
    for path, parts in modules.items():
        put(model, path, layer(parts))
    heads = {}
    for name, tensor in tensors.items():
        path, _, leaf = name.removeprefix(PREFIX).rpartition(".")
        if path not in modules and not path.endswith((".lora_A", ".lora_B")) and leaf in ("weight", "bias"):
            heads.setdefault(path, {})[leaf] = tensor
    for path, parts in heads.items():
        outputs, inputs = parts["weight"].shape
        put(model, path, torch.nn.Linear(inputs, outputs, bias="bias" in parts))
    return model


def sample(parts):
    if parts["embedding"]:
        return torch.arange(parts["a"].shape[1])
    if parts["a"].dim() == 4:
        return torch.randn(2, parts["a"].shape[1], 9, 9, dtype=torch.double)
    return torch.randn(5, parts["a"].shape[1], dtype=torch.double)


def expected_delta(parts, x, scale):
    a, b = parts["a"], parts["b"]
    if parts["embedding"]:
        return scale * (b @ a).T
    if a.dim() == 4:
        weight = torch.einsum("or,rihw->oihw", b[:, :, 0, 0], a)
        return scale * torch.nn.functional.conv2d(x, weight)
    return scale * (x @ a.T @ b.T + parts.get("bias", 0))


def federation_scale(rule, rank):
    mode, _, value = rule.partition(":")
    value = float(value)
    return {"constant": value, "lora": value / rank, "rslora": value / math.sqrt(rank)}[mode]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--scaling", help="what the federation's settings say")
    arguments = arguments.parse_args()
    torch.manual_seed(0)
    tensors = load_file(arguments.folder / "adapter_model.safetensors")
    modules = factors(tensors)
    config = PeftConfig.from_pretrained(str(arguments.folder))
    # A task asks for methods of a language model that the made-up base does not have.
    config.task_type = None
    base = base_model(modules, tensors)
    model = PeftModel.from_pretrained(base, str(arguments.folder), config=config).double().eval()
    layers = dict(model.base_model.model.named_modules())
    failed = False
    for path, parts in sorted(modules.items()):
        adapted = layers[path]
        rank, scale = adapted.r["default"], adapted.scaling["default"]
        x = sample(parts)
        with torch.no_grad():
            delta = adapted(x) - adapted.base_layer(x)
        wanted = expected_delta(parts, x, scale)
        error = ((delta - wanted).norm() / wanted.norm().clamp_min(1e-30)).item()
        sound = rank == parts["a"].shape[0] and error < 1e-6
        if arguments.scaling:
            sound = sound and math.isclose(scale, federation_scale(arguments.scaling, rank), rel_tol=1e-9)
        failed = failed or not sound
        print(f"{'ok  ' if sound else 'FAIL'} {path} rank {rank} scale {scale:g} error {error:.1e}")
    state = model.state_dict()
    for name, tensor in tensors.items():
        path, _, leaf = name.removeprefix(PREFIX).rpartition(".")
        saved = f"{PREFIX}{path}.modules_to_save.default.{leaf}"
        if saved in state:
            sound = torch.equal(state[saved], tensor.double())
            failed = failed or not sound
            print(f"{'ok  ' if sound else 'FAIL'} {path}.{leaf} loaded")
    print(f"{len(modules)} modules: {'FAILED' if failed else 'as meant'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
