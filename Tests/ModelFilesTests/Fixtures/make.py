#!/usr/bin/env python3
"""Writes the fixtures beside it: tiny models by transformers, and GGUF files by the gguf package.

    python3 make.py        needs torch, transformers, safetensors, numpy and gguf

Each model has a folder NAME with what save_pretrained writes, and NAME.gguf where GGUF has it, as llama.cpp's converter
lays it out: without biases of norms, with the query and key rows of the Llama family permuted, GPT-2's weights transposed.
blocks.gguf holds a tensor of each block type, and blocks.safetensors what the gguf package reads from it.
"""

import json
import pathlib
import shutil

import gguf
import numpy
import torch
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

HERE = pathlib.Path(__file__).resolve().parent
SIZES = dict(
    vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
)
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32, "rope_theta": 500000.0,
}

CONFIGS = {
    "llama": LlamaConfig(**SIZES, tie_word_embeddings=True),
    "llama3": LlamaConfig(**SIZES, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True),
    "mistral": MistralConfig(**SIZES, sliding_window=32),
    "qwen2": Qwen2Config(**SIZES, rope_parameters=YARN, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**SIZES, head_dim=8),
    "gpt2": GPT2Config(vocab_size=48, n_embd=16, n_layer=2, n_head=4, n_positions=64),
}


def permuted(weight, heads):
    """The order of llama.cpp's converter: the halves of a head become neighbours."""
    parts = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return parts.swapaxes(1, 2).reshape(weight.shape)


LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "ln_1": "attn_norm", "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}
OUTER = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
}


def write_gguf(name, model, config, rotary):
    architecture = {"mistral": "llama"}.get(config.model_type, config.model_type)
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", architecture)
    heads = config.num_attention_heads
    shared = getattr(config, "num_key_value_heads", heads)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", 4 * config.hidden_size))
    writer.add_head_count(heads)
    writer.add_head_count_kv(shared)
    writer.add_eos_token_id(config.eos_token_id)
    if config.model_type == "gpt2":
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        rope = config.rope_parameters
        writer.add_rope_freq_base(rope["rope_theta"])
        if config.model_type == "qwen3":
            writer.add_key_length(config.head_dim)
            writer.add_value_length(config.head_dim)
        if rope["rope_type"] == "yarn":
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            writer.add_rope_scaling_factor(rope["factor"])
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        if rope["rope_type"] == "llama3":
            plain = rope["rope_theta"] ** -(torch.arange(0, 4, 2).float() / 4)
            factors = plain / rotary.inv_freq
            writer.add_tensor("rope_freqs.weight", factors.numpy())
    if config.model_type == "mistral":
        writer.add_sliding_window(config.sliding_window)
    for key, tensor in model.state_dict().items():
        path, _, kind = key.rpartition(".")
        if path == "lm_head" and config.tie_word_embeddings:
            continue
        values = tensor.float().numpy()
        if architecture == "llama" and ".q_proj" in key:
            values = permuted(values, heads)
        if architecture == "llama" and ".k_proj" in key:
            values = permuted(values, shared)
        if config.model_type == "gpt2" and ".c_" in key and kind == "weight":
            values = numpy.ascontiguousarray(values.T)
        parts = path.split(".")
        if path in OUTER:
            target = OUTER[path]
        else:
            target = f"blk.{parts[2]}.{LAYER['.'.join(parts[3:])]}"
        half = values.ndim == 2 and "embd" not in target
        writer.add_tensor(f"{target}.{kind}", values.astype(numpy.float16) if half else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_models():
    for name, config in CONFIGS.items():
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_config(config).to(torch.float16).float()
        with torch.no_grad():
            for key, tensor in model.named_parameters():
                if key.endswith("bias") or "norm" in key or "ln_" in key:
                    tensor.add_(torch.randn_like(tensor).mul(0.1))
        shutil.rmtree(HERE / name, ignore_errors=True)
        stored = {"qwen2": torch.bfloat16, "qwen3": torch.float16}.get(name, torch.float32)
        model.to(stored).save_pretrained(HERE / name, max_shard_size="12KB" if name == "qwen3" else "5GB")
        (HERE / name / "generation_config.json").unlink(missing_ok=True)
        rotary = getattr(getattr(model, "model", None), "rotary_emb", None)
        if rotary is not None:
            rotary = type(rotary)(config)  # in float32, as it was before the model took another type
            described = {"frequencies": rotary.inv_freq.tolist(), "magnitude": float(rotary.attention_scaling)}
            (HERE / name / "rotary.json").write_text(json.dumps(described))
        write_gguf(name, model.float(), config, rotary)


def write_blocks():
    """Random bytes are sound blocks where their halves are finite; quantised numbers are what a converter writes."""
    generator = numpy.random.default_rng(3)
    writer = gguf.GGUFWriter(HERE / "blocks.gguf", "llama")
    expected = {}
    types = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
    halves = {
        "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
        "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    }
    for name in types:
        kind = gguf.GGMLQuantizationType[name]
        length, size = gguf.GGML_QUANT_SIZES[kind]
        rows, columns = 3, 256 if length > 1 else 40
        if name in halves:
            data = generator.integers(0, 256, (rows * columns // length, size), dtype=numpy.uint8)
            for place in halves[name]:
                values = generator.normal(0, 0.02, len(data)).astype(numpy.float16)
                values[-1] = numpy.float16(3e-7)  # subnormal
                data[:, place : place + 2] = values.view(numpy.uint8).reshape(-1, 2)
            data = data.reshape(rows, -1)
        else:
            values = generator.normal(0, 1, (rows, columns)).astype(numpy.float32)
            values[0, :4] = [0, -0.0, 1e-7, 65504]
            data = gguf.quants.quantize(values, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = gguf.quants.dequantize(data, kind).astype(numpy.float32).reshape(rows, columns)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, HERE / "blocks.safetensors")


if __name__ == "__main__":
    write_models()
    write_blocks()
