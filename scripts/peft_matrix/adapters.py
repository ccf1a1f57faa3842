"""Adapters as PEFT makes and reads them."""

import copy
import dataclasses
import json
import pathlib
import re
import warnings

import torch
from peft import PeftModel, get_peft_model
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from safetensors.torch import load_file, save_file

import variants

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
SUFFIXES = (".lora_A.weight", ".lora_B.weight", ".lora_B.bias", ".lora_embedding_A", ".lora_embedding_B")


@dataclasses.dataclass
class Module:
    """What PEFT says of one adapted module."""

    rank: int
    scale: float
    experts: int


@dataclasses.dataclass
class Adapter:
    folder: pathlib.Path
    tensors: dict
    modules: dict
    # How many examples it was trained on.
    samples: int = 0

    @property
    def body(self):
        return (self.folder / WEIGHTS).read_bytes()

    @property
    def config(self):
        return (self.folder / CONFIG).read_bytes()


def owner(name):
    """The adapted module that a tensor of a file belongs to; None for all others."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return None


def is_copy(name):
    """Whether PEFT saves a tensor beside what was trained: nothing of it is used, or it is the base's own."""
    return (
        ".original_module." in name or ".modules_to_save." in name
        or name.endswith(("embed_tokens.base_layer.weight", "lm_head.base_layer.weight")))


def described(model):
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer) and "default" in module.r:
            experts = module.num_experts if isinstance(module, ParamWrapper) else 1
            found[name] = Module(module.r["default"], module.scaling["default"], experts)
    return found


def perturbed(name, tensor, generator):
    """Values that no initialisation has, so that every tensor counts."""
    noise = torch.randn(tensor.shape, generator=generator)
    if not tensor.is_floating_point() or is_copy(name):
        return tensor
    if owner(name):
        return noise * (0.2 if not name.endswith(".bias") else 0.1)
    if name.endswith((".lora_magnitude_vector", ".running_var")):
        return tensor * torch.exp(0.2 * noise)
    return tensor + 0.2 * noise


def wrapped(model, base, config):
    """The base with an adapter of this configuration on it; PEFT completes its configuration on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_peft_model(model.load(base), copy.deepcopy(config))


def make(model, base, config, folder, seed=None, samples=0):
    """An adapter folder as PEFT saves it: fresh, or with every trained tensor changed as a seed says."""
    torch.manual_seed(1000 + (seed or 0))
    adapted = wrapped(model, base, config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted.save_pretrained(folder)
    folder = pathlib.Path(folder)
    tensors = load_file(folder / WEIGHTS)
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        tensors = {name: perturbed(name, tensor, generator) for name, tensor in sorted(tensors.items())}
        for name in tensors:
            if ".modules_to_save." in name:
                tensors[name] = tensors[re.sub(r"\.modules_to_save(\.default)?\.", ".", name)].clone()
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return Adapter(folder, tensors, described(adapted), samples)


def places(model):
    """Where a model keeps the tensor of each name that a file may have."""
    found = {}
    for key in model.state_dict():
        name = re.sub(r"\.modules_to_save\.default\.", ".", key)
        if name == key:
            name = re.sub(r"(\.lora_magnitude_vector)\.default\.weight$", r"\1", key)
            name = re.sub(r"(\.(lora_[AB]|lora_embedding_[AB]|trainable_tokens_delta))\.default(?=\.|$)", r"\1", name)
        found.setdefault(name, key)
    return found


def assign(model, tensors):
    """Puts tensors into a model one by one, by their names alone."""
    where, state = places(model), model.state_dict()
    missing = [name for name in tensors if name not in where and not is_copy(name)]
    if missing:
        raise AssertionError(f"the reference model has no {missing[0]}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name in where:
                state[where[name]].copy_(tensor)
    return model


class Misread(Exception):
    """PEFT does not read a folder as it should."""


def load(model, base, folder):
    """The base with the folder's adapter, every tensor of which PEFT has put in its place."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            adapted = PeftModel.from_pretrained(model.load(base), str(folder))
        except Exception as error:  # PEFT throws what it likes, a KeyError among it
            raise Misread(f"PEFT does not load it: {type(error).__name__}: {str(error)[:300]}") from error
    for warning in caught:
        text = str(warning.message)
        if re.search(r"missing adapter keys|did not match|unexpected|will be ignored|inconsistency", text, re.I):
            # PEFT 0.21 says so of patterns for parameters, and obeys them all the same.
            if "_pattern keys did not match" in text and json.loads((pathlib.Path(folder) / CONFIG).read_text()).get(
                    "target_parameters"):
                continue
            raise Misread(f"PEFT warns: {text[:300]}")
    tensors = load_file(pathlib.Path(folder) / WEIGHTS)
    where, state = places(adapted), adapted.state_dict()
    for name, tensor in tensors.items():
        if is_copy(name):
            continue
        if name not in where:
            raise Misread(f"PEFT has no place for {name}")
        if not torch.equal(state[where[name]].cpu(), tensor.to(state[where[name]].dtype)):
            raise Misread(f"PEFT has not taken {name}")
    for name, key in where.items():
        if ("lora_" in key or ".modules_to_save.default." in key or "trainable_tokens_delta" in key) and name not in tensors:
            if not is_copy(name) and not is_tied(adapted, key, tensors, where):
                raise Misread(f"PEFT has {name}, which the file lacks")
    return adapted.eval()


def is_tied(adapted, key, tensors, where):
    """Whether a tensor of the model is one with another that the file has."""
    state = adapted.state_dict()
    return any(
        name in where and state[where[name]].data_ptr() == state[key].data_ptr() for name in tensors)


def reference(model, base, variant, rank, tensors):
    """The model that a mean means: PEFT's layers as the client's configuration makes them, and the mean's values."""
    config = variants.configuration(model, variant, rank)
    return assign(wrapped(model, base, config), tensors).eval()
