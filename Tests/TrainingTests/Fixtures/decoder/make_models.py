#!/usr/bin/env python3
"""Makes a folder for each kind of decoder: a tiny random model with PEFT's LoRA on all linear layers, and what transformers
and torch give for it.

    python3 make_models.py [dora | bias]

Beside the model, a folder has the adapter as PEFT saves it and expected.safetensors: for texts of given tokens (lengths,
tokens and marks of counted tokens, one text behind the other), the logits after each token of the last text's end, the
summed loss, and the gradients of the mean loss. With `dora` or `bias`, it makes KIND/dora or KIND/bias alone, on the models that
are there: an adapter with magnitudes or with biases of lora_B, and the same for it. Needs torch, transformers, peft and safetensors.
"""

import json
import pathlib
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen2Config, Qwen3Config)

LENGTHS = [9, 1, 24, 14, 80]
VOCABULARY = 300
# The logits of this many of the longest text's last tokens are stored.
SHOWN = 12

SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=128, initializer_range=0.2)
KINDS = {
    "llama": LlamaConfig(
        **SIZES, num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-5,
        rope_parameters=dict(
            rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32)),
    "qwen2": Qwen2Config(
        **SIZES, num_key_value_heads=1, tie_word_embeddings=False,
        rope_parameters=dict(
            rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)),
    "qwen3": Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=12, tie_word_embeddings=True),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=128, n_inner=44, initializer_range=0.2),
}


def make(name, config):
    torch.manual_seed(5)
    folder = pathlib.Path(__file__).parent / name
    shutil.rmtree(folder, ignore_errors=True)
    base = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    for parameter, value in base.named_parameters():
        if "norm" in parameter or "ln_" in parameter or parameter.endswith("bias"):
            value.data += 0.2 * torch.randn_like(value)
    base.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    adapt(name, base, folder)


def make_variant(name, variant, options):
    torch.manual_seed(6)
    folder = pathlib.Path(__file__).parent / name
    shutil.rmtree(folder / variant, ignore_errors=True)
    adapt(name, AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval(),
          folder / variant, **options)


def adapt(name, base, folder, **options):
    targets = ["c_attn", "c_proj", "c_fc"] if name == "gpt2" else "all-linear"
    model = get_peft_model(base, LoraConfig(
        r=3, lora_alpha=6, target_modules=targets, fan_in_fan_out=name == "gpt2", task_type="CAUSAL_LM",
        **options))
    model.eval()
    for parameter, value in model.named_parameters():
        if "magnitude" in parameter:
            value.data *= 1 + 0.2 * torch.randn_like(value)
        elif "lora_" in parameter:
            value.data = 0.2 * torch.randn_like(value)
    model.save_pretrained(folder)
    # Where the model lay when this ran is of no use to anybody.
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = None
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    (folder / "README.md").unlink()

    generator = torch.Generator().manual_seed(9)
    texts = [torch.randint(0, VOCABULARY, (length,), generator=generator).tolist() for length in LENGTHS]
    marks = [[index % 5 != 3 for index in range(length)] for length in LENGTHS]
    width = max(LENGTHS)
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
    labels = torch.tensor([
        [token if counts else -100 for token, counts in zip(text, mark)] + [-100] * (width - len(text))
        for text, mark in zip(texts, marks)])
    output = model(input_ids=ids, attention_mask=mask, labels=labels)
    output.loss.backward()
    counted = sum(sum(mark[1:]) for mark in marks)
    expected = {
        "lengths": torch.tensor(LENGTHS, dtype=torch.float32),
        "tokens": torch.tensor([float(token) for text in texts for token in text]),
        "marks": torch.tensor([float(mark) for text in marks for mark in text]),
        "logits": output.logits[-1, -SHOWN:].detach().contiguous(),
        "loss": (output.loss.detach() * counted).reshape(1),
    }
    for parameter, value in model.named_parameters():
        if value.requires_grad:
            short = parameter.removeprefix("base_model.model.").replace(".default", "")
            short = short.replace("magnitude_vector.weight", "magnitude_vector")
            expected["gradient." + short] = value.grad.contiguous()
    save_file(expected, folder / "expected.safetensors")
    print(name, "loss", float(output.loss), "tokens", counted)


for kind in KINDS.items():
    variants = {"dora": dict(use_dora=True), "bias": dict(lora_bias=True)}
    if sys.argv[1:]:
        make_variant(kind[0], sys.argv[1], variants[sys.argv[1]])
    else:
        make(*kind)
