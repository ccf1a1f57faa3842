#!/usr/bin/env python3
"""Trains a language model here and with PEFT on the same batches from the same adapter, and compares held-out perplexity.

    python3 scripts/compare_llm.py MODEL TRAIN.jsonl HELDOUT.jsonl [--steps 60] [--batch 4] [--length 128] [--rank 8]
        [--learning-rate 0.0005] [--seed 1] [--dora] [--lab .build/release/rankwise-lab] [--folder DIR]

`rankwise-lab train` writes its batches and its first adapter, from which PEFT begins. Both results are scored by `rankwise-lab
evaluate`, and PEFT's also by torch. It fails where the perplexities differ by more than 0.2. Needs torch, transformers, peft, gguf
and safetensors.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from peft import PeftModel
from reference_model import load


def perplexity(options, adapter):
    line = subprocess.run(
        [options.lab, "evaluate", "--base", options.model, "--data", options.heldout, "--max-length", str(options.length),
         "--adapter", f"{adapter}/adapter_model.safetensors"], check=True, capture_output=True, text=True).stdout
    return float(dict(part.split("=") for part in line.split())["perplexity"])


def train(options, folder):
    """PEFT from the same start, on the same batches."""
    model = PeftModel.from_pretrained(load(options.model), folder / "start", is_trainable=True).train()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=options.learning_rate, weight_decay=0.01)
    started, losses = time.monotonic(), []
    for line in (folder / "batches.jsonl").read_text().splitlines():
        texts = json.loads(line)
        width = max(len(text["ids"]) for text in texts)
        ids = torch.tensor([text["ids"] + [0] * (width - len(text["ids"])) for text in texts])
        mask = torch.tensor([[1] * len(text["ids"]) + [0] * (width - len(text["ids"])) for text in texts])
        labels = torch.tensor([
            [token if learned else -100 for token, learned in zip(text["ids"], text["learned"])]
            + [-100] * (width - len(text["ids"])) for text in texts])
        optimizer.zero_grad()
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    model.save_pretrained(folder / "peft")
    return sum(losses) / len(losses), time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("train")
    parser.add_argument("heldout")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=0.0005)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dora", action="store_true")
    parser.add_argument("--lab", default=".build/release/rankwise-lab")
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(2)
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="rankwise-llm-"))
    command = [
        options.lab, "train", "--base", options.model, "--data", options.train, "--rank", str(options.rank),
        "--batch", str(options.batch), "--max-length", str(options.length), "--seed", str(options.seed)]
    command += ["--dora"] * options.dora
    # A step of rate zero keeps the adapter as it was drawn.
    subprocess.run(command + ["--steps", "1", "--learning-rate", "1e-12", "--out", folder / "start"], check=True,
                   stdout=subprocess.DEVNULL)
    line = subprocess.run(
        command + ["--steps", str(options.steps), "--learning-rate", str(options.learning_rate),
                   "--batches", folder / "batches.jsonl", "--out", folder / "here"],
        check=True, capture_output=True, text=True).stdout.strip()
    print(f"here: {line}")
    loss, seconds = train(options, folder)
    print(f"PEFT: loss={loss:.4f}\tseconds={seconds:.1f}")
    ours, theirs = perplexity(options, folder / "here"), perplexity(options, folder / "peft")
    print(f"held-out perplexity: start {perplexity(options, folder / 'start'):.3f}, here {ours:.3f}, PEFT {theirs:.3f}")
    if not math.isfinite(ours) or abs(ours - theirs) > 0.2:
        sys.exit(1)


main()
