#!/usr/bin/env python3
"""Compares a language model's loss and all gradients of an adapter here with those of PEFT on the dequantised float32 model.

    python3 scripts/check_llm.py MODEL.gguf FOLDER [--texts 2] [--length 128]
    RANKWISE_LLM=MODEL.gguf RANKWISE_LLM_REFERENCE=FOLDER swift test --filter DecoderReferenceTests

The script reads the model with transformers, puts LoRA of rank 8 with random factors on all linear layers, and writes the
adapter, the tokens and what PEFT computes. The test fails where the loss differs by more than 1e-5, or a gradient by more
than 5e-4 of its tensor's largest entry. MODEL is a GGUF file or a folder. Needs torch, transformers, peft, gguf and
safetensors.
"""

import argparse
import pathlib

import torch
from reference_model import adapt, load, source
from safetensors.torch import save_file
from transformers import AutoTokenizer

TEXT = (
    "The weather station on the hill reports wind from the north-west at 14 knots. A federated client never sends its data; "
    "it sends the change of an adapter instead. def mean(values): return sum(values) / len(values)  # naïve, but fine. "
    "Ein Satz auf Deutsch, une phrase en français, 日本語の文, and an emoji 🙂 close this text. ")


def prepare(options):
    torch.manual_seed(11)
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(**source(options.model))
    model = adapt(load(options.model), rank=8, alpha=16).eval()
    for name, value in model.named_parameters():
        if "lora_" in name:
            value.data = 0.02 * torch.randn_like(value)
    model.save_pretrained(folder)
    texts = [TEXT[13 * index:] * 4 for index in range(options.texts)]
    ids = torch.tensor([
        tokenizer(text, add_special_tokens=False)["input_ids"][:options.length] for text in texts])
    # As transformers' own loss, but in float64: torch's float32 cross-entropy over 49,152 classes is off by 1e-5.
    logits = model(input_ids=ids).logits[:, :-1].double()
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    results = {"loss": loss.detach().reshape(1), "tokens": ids.float()}
    for name, value in model.named_parameters():
        if value.requires_grad:
            results["gradient." + name.replace(".default", "")] = value.grad.contiguous()
    save_file(results, folder / "peft.safetensors")
    print(f"loss {float(loss.detach()):.7f} of {ids.numel()} tokens, {len(results) - 2} gradients")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("--texts", type=int, default=2)
    parser.add_argument("--length", type=int, default=128)
    prepare(parser.parse_args())


main()
