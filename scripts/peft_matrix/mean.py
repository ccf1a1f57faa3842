"""The mean that a federation has to publish, from the clients' files alone.

RBLA: every component of a module, row i of A and column i of B, is averaged over the clients that have it, weighted by
their examples. A client's B counts at the scale that it was trained with. Everything else is averaged over the clients
that have it.
"""

import torch

from adapters import owner


def components(name, tensor, experts):
    """A tensor with its components along the first axis."""
    if name.endswith(".lora_A.weight"):
        # PEFT packs experts as (experts · rank, inputs), expert by expert.
        return tensor.reshape(experts, -1, *tensor.shape[1:]).transpose(0, 1)
    if name.endswith(".lora_embedding_A"):
        return tensor
    # And B as (outputs, rank · experts), component by component.
    return tensor.reshape(tensor.shape[0], -1, experts, *tensor.shape[2:]).transpose(0, 1)


def whole(name, parts):
    """The inverse of `components`."""
    if name.endswith(".lora_A.weight"):
        return parts.transpose(0, 1).flatten(0, 1)
    if name.endswith(".lora_embedding_A"):
        return parts
    return parts.transpose(0, 1).flatten(1, 2)


def is_factor(name):
    return owner(name) is not None and not name.endswith(".bias")


def mean(adapters, largest):
    """The mean at the maximum ranks, which `largest` has, module by module, as PEFT describes them."""
    names = {name: tensor for adapter in adapters for name, tensor in adapter.tensors.items()}
    result = {}
    for name, example in names.items():
        holders = [adapter for adapter in adapters if name in adapter.tensors]
        module = owner(name)
        if module is None:
            total = sum(adapter.samples for adapter in holders)
            value = sum(adapter.tensors[name].double() * (adapter.samples / total) for adapter in holders)
            result[name] = value.to(example.dtype)
            continue
        own = largest[module]
        scaled = ".lora_B." in name or name.endswith(".lora_embedding_B")

        def values(adapter):
            factor = adapter.modules[module].scale / own.scale if scaled else 1
            return adapter.tensors[name].double() * factor

        if not is_factor(name):
            total = sum(adapter.samples for adapter in holders)
            result[name] = sum(values(adapter) * (adapter.samples / total) for adapter in holders).float()
            continue
        parts = [(adapter.samples, components(name, values(adapter), own.experts)) for adapter in holders]
        rows = []
        for index in range(own.rank):
            having = [(samples, part[index]) for samples, part in parts if part.shape[0] > index]
            total = sum(samples for samples, _ in having)
            rows.append(sum(row * (samples / total) for samples, row in having))
        result[name] = whole(name, torch.stack(rows)).float()
    return result


def published(whole_mean, largest, at_rank):
    """The mean as it is published for a rank; `at_rank` has PEFT's ranks and scales of an adapter of that rank."""
    result = {}
    for name, tensor in whole_mean.items():
        module = owner(name)
        if module is None:
            result[name] = tensor
            continue
        own, here = largest[module], at_rank[module]
        if is_factor(name):
            tensor = whole(name, components(name, tensor, own.experts)[:here.rank])
        if ".lora_B." in name or name.endswith(".lora_embedding_B"):
            tensor = (tensor.double() * (own.scale / here.scale)).float()
        result[name] = tensor.contiguous()
    return result
