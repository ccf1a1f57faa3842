#!/usr/bin/env python3
"""Compares what `rankwise-client export` gives for a language model with PEFT, transformers and the gguf package.

    rankwise-client export URL --federation F --out PEFT
    rankwise-client export URL --federation F --base MODEL.gguf --gguf --out LORA
    rankwise-client export URL --federation F --base MODEL.gguf --out MERGED
    rankwise-lab evaluate --base MODEL.gguf --data TEXTS.jsonl --adapter PEFT/adapter_model.safetensors --logits logits.safetensors
    python3 scripts/check_export.py MODEL.gguf PEFT logits.safetensors [--lora LORA/adapter.gguf] [--merged MERGED/model.gguf]

It fails where PEFT's logits on the same tokens differ from those of the client's model by more than 1e-3, where llama.cpp's LoRA
does not hold PEFT's factors in GGUF's order of rows, or where the merged model's logits differ by more than 1e-3 from those of
PEFT's merged model with its merged weights rounded to F16. Needs torch, transformers, peft, gguf and safetensors.
"""
import argparse
import sys

import gguf
import numpy
import torch
from peft import PeftModel
from reference_model import load
from safetensors.torch import load_file

PARTS = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate",
         "up_proj": "ffn_up", "down_proj": "ffn_down"}


def difference(name, found, expected, limit):
    worst = float((found - expected).abs().max())
    print(f"{name}: largest difference {worst:.2e} of logits up to {float(expected.abs().max()):.1f}; limit {limit}")
    if not worst <= limit:
        sys.exit(1)


def check_lora(path, adapted):
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.type"] == "adapter" and fields["adapter.type"] == "lora", fields
    alpha = fields["adapter.lora.alpha"]
    found = {tensor.name: numpy.array(tensor.data) for tensor in reader.tensors}
    config = adapted.base_model.model.config
    count = 0
    for name, layer in adapted.base_model.model.named_modules():
        if not hasattr(layer, "lora_A"):
            continue
        _, _, index, *_, part = name.split(".")
        own = f"blk.{index}.{PARTS[part]}.weight"
        a, b = layer.lora_A["default"].weight.detach().numpy(), layer.lora_B["default"].weight.detach().numpy()
        if part in ("q_proj", "k_proj"):
            heads = config.num_attention_heads if part == "q_proj" else config.num_key_value_heads
            b = b.reshape(heads, 2, b.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(b.shape)
        numpy.testing.assert_array_equal(found.pop(own + ".lora_a"), a)
        # llama.cpp adds alpha / rank of the product.
        numpy.testing.assert_allclose(
            found.pop(own + ".lora_b") * alpha / a.shape[0], b * layer.scaling["default"], rtol=1e-6, atol=1e-12)
        count += 1
    assert not found, sorted(found)
    print(f"{path}: {count} modules as PEFT has them, in GGUF's order of rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("adapter")
    parser.add_argument("logits")
    parser.add_argument("--lora")
    parser.add_argument("--merged")
    options = parser.parse_args()
    ours = load_file(options.logits)
    tokens = ours["tokens"].long()[None]
    adapted = PeftModel.from_pretrained(load(options.model), options.adapter).eval()
    with torch.no_grad():
        expected = adapted(input_ids=tokens).logits[0]
        difference("PEFT", ours["logits"], expected, 1e-3)
        if options.lora:
            check_lora(options.lora, adapted)
        if options.merged:
            names = {name for name, layer in adapted.base_model.model.named_modules() if hasattr(layer, "lora_A")}
            merged = adapted.merge_and_unload()
            for name, layer in merged.named_modules():
                if name in names:
                    layer.weight.data = layer.weight.data.half().float()
            rounded = merged(input_ids=tokens).logits[0]
            difference("merged", load(options.merged)(input_ids=tokens).logits[0], rounded, 1e-3)
            print(f"  F16 alone changes PEFT's logits by {float((rounded - expected).abs().max()):.2e}")


main()
