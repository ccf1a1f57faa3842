#!/usr/bin/env python3
"""Training steps in PyTorch: the reference of `rankwise-lab bench train --reference torch`.

Reads one line of JSON (model or base, ranks, batch, length, steps, threads, optimizer, learning_rate, momentum, precision,
checkpointing) and answers with its versions. For each further line it trains that many steps on random examples and answers with its
times. The model is the one of that name, frozen, with LoRA on every layer as PEFT computes it: y = W·x + b + s·B·(A·x).
A base is the folder of a BERT encoder, which transformers reads: LoRA on query and value, a trained classifier, no
dropout. Or it is a language model's folder or GGUF file, which transformers widens, with PEFT's LoRA on all linear layers, in
float32 or bfloat16, with or without checkpointing of its layers.
"""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Linear(nn.Module):
    def __init__(self, inputs, outputs, rank, frozen=None):
        super().__init__()
        self.frozen = (frozen or nn.Linear(inputs, outputs)).requires_grad_(False)
        self.a = nn.Parameter(torch.empty(rank, inputs).uniform_(-1, 1) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x):
        return self.frozen(x) + functional.linear(functional.linear(x, self.a), self.b)


class Conv(nn.Module):
    def __init__(self, channels, outputs, side, rank):
        super().__init__()
        self.frozen = nn.Conv2d(channels, outputs, side, padding=side // 2).requires_grad_(False)
        bound = (channels * side * side) ** -0.5
        self.a = nn.Parameter(torch.empty(rank, channels, side, side).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.zeros(outputs, rank, 1, 1))

    def forward(self, x):
        return self.frozen(x) + functional.conv2d(functional.conv2d(x, self.a, padding=self.a.shape[2] // 2), self.b)


def perceptron(name, ranks):
    widths = [int(width) for width in name.split("-")[1:]]
    layers = []
    for inputs, outputs, rank in zip(widths, widths[1:], ranks):
        layers += [Linear(inputs, outputs, rank), nn.ReLU()]
    return nn.Sequential(*layers[:-1]), (widths[0],), widths[-1]


def convolutional(name, ranks):
    parts = name.split("-")[1:]
    height, width, channels = shape = [int(side) for side in parts[0].split("x")]
    ranks = iter(ranks)
    layers, inputs = [], None
    for part in parts[1:]:
        if "k" in part:
            outputs, side = [int(number) for number in part.removeprefix("c").split("k")]
            layers += [Conv(channels, outputs, side, next(ranks)), nn.ReLU(), nn.MaxPool2d(2)]
            channels, height, width = outputs, height // 2, width // 2
        else:
            if inputs is None:
                inputs = channels * height * width
                layers.append(nn.Flatten())
            layers += [Linear(inputs, int(part), next(ranks)), nn.ReLU()]
            inputs = int(part)
    return nn.Sequential(*layers[:-1]), (shape[2], shape[0], shape[1]), inputs


def encoder(base, rank, length):
    """Also the versions of what reads it."""
    import transformers
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=4, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    model.bert.requires_grad_(False)
    for layer in model.bert.encoder.layer:
        attention = getattr(layer.attention, "self")
        for name in ("query", "value"):
            frozen = getattr(attention, name)
            setattr(attention, name, Linear(frozen.in_features, frozen.out_features, rank, frozen))

    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pieces):
            return self.model(input_ids=pieces).logits

    return Scores().train(), (length,), model.config.vocab_size, f", transformers {transformers.__version__}"


class NextTokens(nn.Module):
    """A language model with PEFT's adapter; its output is the mean loss."""

    def __init__(self, base, job):
        super().__init__()
        import peft
        import reference_model
        import transformers
        model = reference_model.load(base, getattr(torch, job["precision"]))
        self.model = reference_model.adapt(model, job["ranks"][0], job["ranks"][0])
        if job["checkpointing"]:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.enable_input_require_grads()
        self.vocabulary = model.config.vocab_size
        self.versions = f", transformers {transformers.__version__}, peft {peft.__version__}, {job['precision']}" + (
            ", checkpointing" if job["checkpointing"] else "")
        self.train()

    def forward(self, tokens):
        return self.model(input_ids=tokens, labels=tokens, use_cache=False).loss


def high_water():
    """The most memory that this process has had, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    torch.manual_seed(1)
    count, more = job["steps"] * job["batch"], ""
    if job.get("precision"):
        model = NextTokens(job["base"], job)
        more, examples = model.versions, torch.randint(model.vocabulary, (count, job["length"]))
        labels = None
    elif job.get("base"):
        model, shape, pieces, more = encoder(job["base"], job["ranks"][0], job["length"])
        classes, examples = 4, torch.randint(pieces, (count, *shape))
    else:
        make = {"mlp": perceptron, "cnn": convolutional}[job["model"].split("-")[0]]
        model, shape, classes = make(job["model"], job["ranks"])
        examples = torch.rand(count, *shape)
    if not job.get("precision"):
        labels = torch.randint(classes, (count,))
    trained = [p for p in model.parameters() if p.requires_grad]
    if job["optimizer"] == "adamw":
        optimizer = torch.optim.AdamW(trained, lr=job["learning_rate"])
    else:
        optimizer = torch.optim.SGD(trained, lr=job["learning_rate"], momentum=job["momentum"])
    print(json.dumps({"versions": f"torch {torch.__version__}{more}, {job['threads']} threads"}), flush=True)
    for _ in sys.stdin:
        started, processor = time.perf_counter(), time.process_time()
        order = torch.randperm(count)
        loss_sum, correct = 0.0, 0
        for indices in order.split(job["batch"]):
            optimizer.zero_grad()
            scores = model(examples[indices])
            loss = scores if labels is None else functional.cross_entropy(scores, labels[indices])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(indices)
            if labels is not None:
                correct += (scores.argmax(1) == labels[indices]).sum().item()
        print(json.dumps({"total": time.perf_counter() - started, "processor": time.process_time() - processor,
                          "resident": high_water()}), flush=True)


main()
