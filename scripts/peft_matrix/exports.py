"""`rankwise-client export`: as a folder for PEFT, and with --base compared with PEFT's own merge and the adapted model."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import warnings

import torch
from safetensors.torch import load_file

import adapters
from cells import CONFIG_KEYS, TOLERANCE, Failed, Refused

INDEX = "model.safetensors.index.json"


def weights(folder):
    """The tensors of a model's folder, and the file that each is in."""
    folder = pathlib.Path(folder)
    if (folder / INDEX).exists():
        files = json.loads((folder / INDEX).read_text())["weight_map"]
    elif (folder / "model.safetensors").exists():
        files = {name: "model.safetensors" for name in load_file(folder / "model.safetensors")}
    else:
        raise Failed(f"export left no model.safetensors, but {sorted(os.listdir(folder))}")
    tensors = {}
    for file in sorted(set(files.values())):
        tensors.update(load_file(folder / file))
    if set(tensors) != set(files):
        odd = sorted(set(tensors) ^ set(files))
        raise Failed(f"the index and its files differ in {odd[0]}")
    return tensors, files


def export(cell, base, out):
    """What the client writes; a refusal has to name what it refuses."""
    federation = cell.federation
    onto = ["--base", base] if base else []
    run = subprocess.run(
        [cell.server.client, "export", cell.server.url, "--federation", federation.name, *onto, "--out", out],
        env={**os.environ, "RANKWISE_TOKEN": federation.reader}, capture_output=True, text=True, timeout=120)
    if run.returncode == 0:
        return
    said = run.stderr.strip()
    if run.returncode < 0:
        raise Failed(f"export was ended by signal {-run.returncode}: {said[-300:]}")
    names = {name.removeprefix(adapters.PREFIX) for name in cell.template.tensors}
    names |= {name.removeprefix(adapters.PREFIX) for name in cell.template.modules} | set(weights(cell.base)[0])
    found = next((name for name in sorted(names, key=len, reverse=True) if name in said), None)
    found = found or next((key for key in sorted(CONFIG_KEYS) if re.search(rf"\b{key}\b", said)), None)
    # The usage that a command line's errors end in says nothing.
    sentence = said.splitlines()[0].removeprefix("Error: ").removeprefix("rankwise-client: ") if said else ""
    if not found:
        raise Failed(f"export ends with {run.returncode} and names nothing: {sentence[:300]!r}")
    raise Refused(found)


def folder(cell):
    """The largest difference of a logit between the exported folder and the published adapter, both loaded by PEFT."""
    out = cell.folder / "exported"
    export(cell, None, out)
    found, expected = (
        cell.model.logits(adapters.load(cell.model, cell.base, path)) for path in (out, cell.published))
    difference = largest(found - expected)
    if not difference <= TOLERANCE:
        raise Failed(f"the exported folder's logits are {difference:.1e} off the published adapter's")
    return difference


def merged_by_peft(cell, base, folder):
    """The tensors that PEFT's merge leaves in a model's folder, or why it leaves none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            merged = adapters.load(cell.model, base, cell.published).merge_and_unload()
            merged.save_pretrained(folder)
        except (RuntimeError, NotImplementedError, ValueError) as error:
            return None, f"{type(error).__name__}: {str(error)[:100]}"
    return weights(folder)[0], cell.model.logits(merged)


def largest(tensor):
    return tensor.double().abs().max().item() if tensor.numel() else 0.0


def check(cell, base=None, name="export"):
    """The largest difference, in proportion to a tensor's largest value, between what is exported and what PEFT merges."""
    base = base or cell.base
    out = cell.folder / name
    shutil.rmtree(out, ignore_errors=True)
    export(cell, base, out)
    found, files = weights(out)
    before, layout = weights(base)
    low = any(tensor.dtype == torch.bfloat16 for tensor in before.values())
    logits = cell.model.logits(adapters.load(cell.model, base, cell.published))
    expected, peft_logits = merged_by_peft(cell, base, cell.folder / f"{name}-peft")
    if expected is None:
        raise Failed(f"PEFT cannot merge this ({peft_logits}), and export did")
    faithful = (peft_logits - logits).abs().max().item() <= TOLERANCE * max(1, largest(logits))
    for key, file in layout.items():
        if files.get(key) != file:
            raise Failed(f"export has {key} in {files.get(key)}; the base has it in {file}")
        if found[key].dtype != before[key].dtype:
            raise Failed(f"export has {key} as {found[key].dtype}; the base has {before[key].dtype}")
    worst = 0.0
    if faithful:
        if odd := sorted(set(found) ^ set(expected)):
            raise Failed(f"{odd[0]} is {'only in the export' if odd[0] in found else 'missing from the export'}")
        for key, tensor in expected.items():
            if found[key].shape != tensor.shape:
                raise Failed(f"export has {key} as {list(found[key].shape)}; PEFT merges {list(tensor.shape)}")
            difference = (found[key].double() - tensor.double()).abs()
            # A number of 8 bits is off by this much of itself; both may have been rounded.
            allowed = tensor.double().abs() / 128 if low else torch.zeros(())
            difference = largest((difference - allowed).clamp_min(0)) / max(largest(tensor), 1e-12)
            if not difference <= TOLERANCE:
                raise Failed(f"export has {key} {difference:.1e} off PEFT's merge")
            worst = max(worst, difference)
    if not low:
        if not (out / "config.json").exists():
            shutil.copy(pathlib.Path(base) / "config.json", out / "config.json")
        reloaded = cell.model.logits(cell.model.load(out))
        difference = (reloaded - logits).abs().max().item()
        if not difference <= TOLERANCE * max(1, largest(logits)):
            also = "" if faithful else ", and so are those of PEFT's own merge"
            raise Failed(f"the exported model's logits are {difference:.1e} off the adapted model's{also}")
        worst = max(worst, difference / max(1, largest(logits)))
    return worst


def other_bases(cell, folder):
    """The same base in shards, in half as many bits, and both."""
    for name, dtype, shards in (
        ("sharded", torch.float32, True), ("bf16", torch.bfloat16, False), ("bf16, sharded", torch.bfloat16, True),
    ):
        path = folder / name.replace(", ", "-")
        if not path.exists():
            cell.model.load(cell.base, dtype=dtype).save_pretrained(path, max_shard_size="24KB" if shards else "1GB")
        yield name, path
