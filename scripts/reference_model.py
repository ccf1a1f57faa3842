"""A language model as transformers reads it, and PEFT's adapter on all of its linear layers: what the comparisons share."""
import pathlib

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def source(path):
    """What `from_pretrained` takes for a GGUF file or a folder."""
    path = pathlib.Path(path)
    if path.is_dir():
        return dict(pretrained_model_name_or_path=str(path))
    return dict(pretrained_model_name_or_path=str(path.parent), gguf_file=path.name)


def load(path, dtype=torch.float32):
    """The model, dequantised."""
    return AutoModelForCausalLM.from_pretrained(**source(path), dtype=dtype).eval()


def adapt(base, rank, alpha):
    """The model with a new adapter of PEFT."""
    is_gpt2 = base.config.model_type == "gpt2"
    return get_peft_model(base, LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=["c_attn", "c_proj", "c_fc"] if is_gpt2 else "all-linear",
        fan_in_fan_out=is_gpt2, task_type="CAUSAL_LM"))
