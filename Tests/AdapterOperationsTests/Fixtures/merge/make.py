"""Makes the cases of MergedWeightsTests: models, adapters and what PEFT's merge_and_unload makes of them.

usage: python3 make.py        (peft 0.21.2, transformers 5.24.0, torch 2.13.0+cpu; everything is drawn from fixed seeds)
"""

import json
import pathlib
import shutil
import warnings

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
WORDS, WIDTH, INNER = 12, 8, 10
warnings.simplefilter("ignore")


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, (2, 3))
        self.point = nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, pixels):
        return self.head(self.norm(self.point(self.conv(pixels))).mean((2, 3)))

    def save_pretrained(self, folder):
        save_file(dict(self.state_dict()), folder / "model.safetensors", metadata={"format": "pt"})

    @classmethod
    def from_pretrained(cls, folder, dtype=None):
        model = cls()
        model.load_state_dict(load_file(pathlib.Path(folder) / "model.safetensors"))
        return model


def gpt2():
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=WORDS, n_embd=WIDTH, n_inner=INNER, n_layer=1, n_head=2, n_positions=6))


def llama():
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=6, attention_bias=True, tie_word_embeddings=False))


def bert():
    return transformers.BertForSequenceClassification(transformers.BertConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=6, num_labels=3))


def qwen():
    return transformers.Qwen2MoeForCausalLM(transformers.Qwen2MoeConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=INNER, moe_intermediate_size=6,
        shared_expert_intermediate_size=6, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        num_experts=3, num_experts_per_tok=2, max_position_embeddings=6, tie_word_embeddings=False))


def gpt_oss():
    return transformers.GptOssForCausalLM(transformers.GptOssConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=6, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=4, num_local_experts=3, num_experts_per_tok=2, max_position_embeddings=6,
        tie_word_embeddings=False, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}))


CASES = {
    # c_attn is turned; attn.c_proj is square, so that its sides do not tell.
    "conv1d-dora": (gpt2, dict(target_modules=["c_attn", "attn.c_proj"], use_dora=True, fan_in_fan_out=True)),
    "tied-tokens": (gpt2, dict(
        target_modules=["c_fc"], trainable_token_indices={"wte": [7, 2]}, fan_in_fan_out=True)),
    "untied-head": (gpt2, dict(target_modules=["c_fc"], modules_to_save=["lm_head"], fan_in_fan_out=True)),
    "shards-bf16": (llama, dict(target_modules=["q_proj", "down_proj"], rank_pattern={"q_proj": 3})),
    "embedding-dora": (llama, dict(target_modules=["embed_tokens", "v_proj"], use_dora=True, use_rslora=True)),
    "lora-bias": (llama, dict(target_modules=["q_proj", "k_proj"], lora_bias=True)),
    "bias-all": (bert, dict(target_modules=["query"], bias="all", modules_to_save=["classifier"])),
    "convolution-dora": (ConvNet, dict(target_modules=["conv", "point"], use_dora=True)),
    "experts-one-by-one": (qwen, dict(
        target_modules=["q_proj"], target_parameters=["experts.gate_up_proj", "experts.down_proj"])),
    "experts-together": (gpt_oss, dict(
        target_modules=["q_proj"], target_parameters=["experts.gate_up_proj", "experts.down_proj"])),
}


def draw(model, generator):
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator) + (parameter.dim() == 1))


for name, (make, keys) in CASES.items():
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    base, adapter, merged = (folder / part for part in ("base", "adapter", "merged"))
    for path in (base, adapter, merged):
        path.mkdir(parents=True)
    generator = torch.Generator().manual_seed(3)
    model = make()
    draw(model, generator)
    low = "bf16" in name
    shard = {"max_shard_size": "1KB"} if "shards" in name else {}
    (model.to(torch.bfloat16) if low else model).save_pretrained(base, **shard)
    model = type(model).from_pretrained(base, dtype=torch.bfloat16 if low else torch.float32)
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=6, **keys))
    # What is written down names no folder of the machine that made it.
    for config in adapted.peft_config.values():
        config.base_model_name_or_path = "base"
    adapted.save_pretrained(adapter)
    tensors = load_file(adapter / "adapter_model.safetensors")
    for key, tensor in sorted(tensors.items()):
        noise = torch.randn(tensor.shape, generator=generator)
        own = key.endswith("base_layer.weight")
        tensors[key] = tensor if own else (tensor.abs() if "magnitude" in key else 0) + 0.3 * noise
    for key in tensors:
        # PEFT saves the bias of a saved module twice.
        if ".modules_to_save." in key:
            tensors[key] = tensors[key.replace(".modules_to_save.", ".")].clone()
    save_file(tensors, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    fresh = type(model).from_pretrained(base, dtype=torch.bfloat16 if low else torch.float32)
    PeftModel.from_pretrained(fresh, adapter).merge_and_unload().save_pretrained(merged)
    for path in folder.rglob("*"):
        if path.name in ("README.md", "generation_config.json") or path.parent == merged and path.suffix == ".json":
            path.unlink()
    print(name, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
