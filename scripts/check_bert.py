#!/usr/bin/env python3
"""Compares a BERT adapter's logits in PEFT with those of the native model, on texts.

    rankwise-lab evaluate --base MODEL --data texts.tsv --adapter FOLDER/adapter_model.safetensors \\
        --logits logits.safetensors
    python3 scripts/check_bert.py MODEL FOLDER texts.tsv logits.safetensors

MODEL holds config.json, model.safetensors and vocab.txt. FOLDER holds an adapter, saved by PEFT or published by the
server. transformers reads the texts, PEFT loads the folder, and every logit has to agree to --tolerance. With --train
EPOCHS, PEFT first trains an adapter of rank 8 on the texts and writes it to FOLDER; then no logits are compared:

    python3 scripts/check_bert.py MODEL FOLDER texts.tsv --train 1

Needs torch, transformers, peft and safetensors.
"""

import argparse
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import BertForSequenceClassification, BertTokenizerFast

BATCH = 16


def read(path):
    rows = [line.rstrip("\n").split("\t", 1) for line in open(path, encoding="utf-8", newline="\n") if line.strip()]
    return [int(label) for label, _ in rows], [text for _, text in rows]


def batches(tokenizer, texts, length, order=None):
    order = order if order is not None else list(range(len(texts)))
    for first in range(0, len(order), BATCH):
        chosen = order[first:first + BATCH]
        yield chosen, tokenizer([texts[index] for index in chosen], truncation=True, max_length=length, padding=True,
                                split_special_tokens=True, return_tensors="pt")


def train(model, tokenizer, labels, texts, length, epochs):
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    labels = torch.tensor(labels)
    for epoch in range(epochs):
        total = 0.0
        for chosen, batch in batches(tokenizer, texts, length, torch.randperm(len(texts)).tolist()):
            loss = torch.nn.functional.cross_entropy(model(**batch).logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1}: loss {total / len(texts):.3f}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", type=pathlib.Path)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("texts", type=pathlib.Path)
    arguments.add_argument("logits", type=pathlib.Path, nargs="?", help="of rankwise-lab evaluate --logits")
    arguments.add_argument("--train", type=int, metavar="EPOCHS")
    arguments.add_argument("--max-length", type=int, default=128)
    arguments.add_argument("--tolerance", type=float, default=1e-3)
    arguments = arguments.parse_args()
    if (arguments.logits is None) == (arguments.train is None):
        raise SystemExit("check_bert: give the native model's logits, or --train")
    torch.manual_seed(1)
    labels, texts = read(arguments.texts)
    tokenizer = BertTokenizerFast(str(arguments.model / "vocab.txt"), do_lower_case=True)
    if arguments.train is not None:
        base = BertForSequenceClassification.from_pretrained(arguments.model, num_labels=max(labels) + 1)
        model = get_peft_model(base, LoraConfig(
            r=8, lora_alpha=16, target_modules=["query", "value"], modules_to_save=["classifier"],
            task_type="SEQ_CLS")).eval()
        train(model, tokenizer, labels, texts, arguments.max_length, arguments.train)
        model.save_pretrained(arguments.folder)
        return 0
    wanted = load_file(arguments.logits)["logits"]
    base = BertForSequenceClassification.from_pretrained(arguments.model, num_labels=wanted.shape[1])
    model = PeftModel.from_pretrained(base, str(arguments.folder)).eval()
    with torch.no_grad():
        found = torch.cat([model(**batch).logits for _, batch in batches(tokenizer, texts, arguments.max_length)])
    if found.shape != wanted.shape:
        print(f"FAIL {tuple(found.shape)} logits of PEFT, {tuple(wanted.shape)} of the native model")
        return 1
    error = (found - wanted).abs().max().item()
    right = (found.argmax(1) == torch.tensor(labels)).float().mean().item()
    agreed = error <= arguments.tolerance
    print(f"{'ok  ' if agreed else 'FAIL'} {found.shape[0]} texts, accuracy {right:.4f}, logits up to "
          f"{wanted.abs().max().item():.3g}, largest difference {error:.1e}")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
