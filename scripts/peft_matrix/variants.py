"""The variants of the cells: each is PEFT's configuration of one model at one rank."""

import dataclasses
import math

from peft import LoraConfig
from peft.tuners.lora import config as lora_config

from models import INVOCATION

RANKS = (4, 2)
MAXIMUM, ALPHA = 4, 6
# Examples of each client: unequal, so that the mean is a weighted one.
SAMPLES = (30, 10)
# Tokens that the first client does not have.
OTHERS = [11, 12, 13, 14]


@dataclasses.dataclass
class Variant:
    """keys: what LoraConfig gets for a model, or None where the model has no such part.

    refused: for what no mean can carry, the configuration keys of which the refusal has to name one. own: what the second
    client's configuration has instead; contradicts: the keys that its refusal has to name, where both cannot go together.
    by_hand: whether a federation without a template is tried, too.
    """

    name: str
    keys: object
    refused: tuple = ()
    own: object = None
    contradicts: tuple = ()
    by_hand: bool = False


def granted(rank, maximum, largest=MAXIMUM):
    """The rank of a module whose maximum is `largest`, for a client of this rank."""
    return max(1, math.floor(rank * largest / maximum + 0.5))


def common(model):
    return {"target_modules": list(model.linear)}


def when(condition, **keys):
    return keys if condition else None


def patterns(model):
    return {**common(model), "rank_pattern": {model.wide: 6}, "alpha_pattern": {model.strong: 3}}


def experts(model, **more):
    return when(model.experts, **common(model), target_parameters=list(model.experts or []), **more)


ALL = [
    Variant("plain", common, by_hand=True),
    Variant("own_alpha", common, own=lambda model: {"lora_alpha": 10}),
    Variant("rslora", lambda model: {**common(model), "use_rslora": True}, by_hand=True),
    Variant("own_rslora", common, own=lambda model: {"use_rslora": True}),
    Variant("own_modules", common, own=lambda model: {"target_modules": [model.wide]}),
    Variant("dora", lambda model: {**common(model), "use_dora": True}, by_hand=True),
    Variant("own_dora", common, own=lambda model: {"use_dora": True}, contradicts=("use_dora",)),
    Variant("bias_lora_only", lambda model: {**common(model), "bias": "lora_only"}, by_hand=True),
    Variant("bias_all", lambda model: {**common(model), "bias": "all"}, by_hand=True),
    Variant("lora_bias", lambda model: {**common(model), "lora_bias": True}, by_hand=True),
    Variant("embedding", lambda model: when(
        model.embedding, target_modules=[*model.linear, model.embedding])),
    Variant("dora_embedding", lambda model: when(
        model.embedding, target_modules=[*model.linear, model.embedding], use_dora=True)),
    Variant("saved", lambda model: {**common(model), "modules_to_save": list(model.saved)}, by_hand=True),
    Variant("saved_buffers", lambda model: when(
        model.buffers, **common(model), modules_to_save=list(model.buffers or []))),
    Variant("conv1d", lambda model: when(model.conv1d, target_modules=list(model.conv1d or [])), by_hand=True),
    Variant("tokens", lambda model: when(
        model.tokens, **common(model), trainable_token_indices=dict(model.tokens or {})), by_hand=True),
    Variant("tokens_list", lambda model: when(
        model.tokens, **common(model), trainable_token_indices=list((model.tokens or {"": []}).values())[0])),
    Variant("own_tokens", lambda model: when(
        model.tokens, **common(model), trainable_token_indices=dict(model.tokens or {})),
        own=lambda model: {"trainable_token_indices": {name: OTHERS for name in model.tokens}},
        contradicts=("trainable_token_indices",), by_hand=True),
    Variant("patterns", patterns),
    Variant("patterns_rslora", lambda model: {**patterns(model), "use_rslora": True}),
    Variant("regex", lambda model: {"target_modules": model.regex}),
    Variant("all_linear", lambda model: {"target_modules": "all-linear"}),
    Variant("layers", lambda model: when(
        model.layers, **common(model), layers_to_transform=list(model.layers or []))),
    Variant("exclude", lambda model: {**common(model), "exclude_modules": [model.strong]}),
    Variant("parameters", experts),
    Variant("parameters_rslora", lambda model: experts(model, use_rslora=True)),
    Variant("parameters_rank", lambda model: experts(model, rank_pattern={".*gate_up_proj": 6})),
    Variant("parameters_saved", lambda model: experts(model, modules_to_save=list(model.saved))),
    Variant("replication", lambda model: when(
        model.replicated, **common(model), layer_replication=[[0, 2], [1, 2]])),
    Variant("own_replication", lambda model: when(
        model.replicated, **common(model), layer_replication=[[0, 2], [1, 2]]),
        own=lambda model: {"layer_replication": [[0, 1], [0, 2]]}, contradicts=("layer_replication",)),
    Variant("gaussian", lambda model: {**common(model), "init_lora_weights": "gaussian"}),
    Variant("orthogonal", lambda model: {**common(model), "init_lora_weights": "orthogonal"}
            if not model.convolutions else None),
    Variant("alora", lambda model: when(
        model.attention, target_modules=list(model.attention or []), alora_invocation_tokens=list(INVOCATION))),
    Variant("own_alora", lambda model: when(
        model.attention, target_modules=list(model.attention or []), alora_invocation_tokens=list(INVOCATION)),
        own=lambda model: {"alora_invocation_tokens": OTHERS[:2]}, contradicts=("alora_invocation_tokens",)),
    Variant("pissa", lambda model: {**common(model), "init_lora_weights": "pissa"}, refused=("init_lora_weights",)),
    Variant("olora", lambda model: {**common(model), "init_lora_weights": "olora"}, refused=("init_lora_weights",)),
    Variant("corda", lambda model: {
        **common(model), "init_lora_weights": "corda", "corda_config": lora_config.CordaConfig()},
        refused=("init_lora_weights", "corda_config")),
    Variant("loftq", lambda model: {
        **common(model), "init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4, "loftq_iter": 1}},
        refused=("init_lora_weights", "loftq_config")),
    Variant("lora_ga", lambda model: {
        **common(model), "init_lora_weights": "lora_ga", "lora_ga_config": lora_config.LoraGAConfig()},
        refused=("init_lora_weights", "lora_ga_config")),
    Variant("kasa", lambda model: {**common(model), "kasa_config": lora_config.KasaConfig()}, refused=("kasa_config",)),
    Variant("qalora", lambda model: {**common(model), "use_qalora": True, "qalora_group_size": 4},
            refused=("use_qalora",)),
    Variant("bdlora", lambda model: {
        **common(model), "use_bdlora": lora_config.BdLoraConfig(
            target_modules_bd_a=[model.wide], nblocks=2, match_strict=False)},
        refused=("use_bdlora",)),
]


def configuration(model, variant, rank, own=False):
    """The LoraConfig of a client of this rank, or None where the model lacks what the variant is about."""
    keys = variant.keys(model)
    if keys is None:
        return None
    keys = {"r": rank, "lora_alpha": ALPHA, "fan_in_fan_out": model.fan_in_fan_out, **keys}
    if model.task:
        keys["task_type"] = model.task
    if keys.get("rank_pattern"):
        keys["rank_pattern"] = {
            name: granted(rank, MAXIMUM, largest) for name, largest in keys["rank_pattern"].items()}
    if own and variant.own:
        keys.update(variant.own(model))
    return LoraConfig(**keys)
