#!/usr/bin/env python3
"""Trains one round of a federation by PEFT, on any Hugging Face causal or classification model.

    rankwise-client join … --data texts.tsv \\
        --trainer 'python3 scripts/train_peft.py --model FOLDER --labels rec.autos,sci.space'

The client adds IN and OUT and names the data in RANKWISE_DATA: TSV lines of label, tab, text, or JSONL objects with "text"
and, for classification, "label". With --labels the model is a classifier of these labels in this order, without it a causal
language model. It obeys the plan in IN: ranks, scales, merges, which factors are trained and sent, penalties, the seed, and
of the federation's training settings epochs, batch_size, optimizer (sgd or adamw), learning_rate, momentum, weight_decay and
clip_norm. Exit codes: 0 done, 1 failed, 75 abstains from this round, 78 cannot work as it was set up.

    python3 scripts/train_peft.py --model FOLDER --labels A,B --evaluate test.tsv ADAPTER

scores the adapter folder ADAPTER on a file instead. Needs: pip install torch peft transformers safetensors
"""

import argparse
import json
import os
import pathlib
import sys

ABSTAIN, STOP = 75, 78


class Stop(Exception):
    """What is set up wrongly here, and will be so in the next round."""


class Abstain(Exception):
    """What this trainer cannot do in this round."""


try:
    import torch
    import transformers
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"train_peft: {error}; pip install torch peft transformers safetensors", file=sys.stderr)
    sys.exit(STOP)


def examples(path, labels):
    """(text, class) of every line; the class is None for a language model."""
    classes = {label: index for index, label in enumerate(labels)}
    found = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                if str(path).endswith(".jsonl"):
                    record = json.loads(line)
                    label, text = record.get("label"), record["text"]
                else:
                    label, tab, text = line.rstrip("\n").partition("\t")
                    if not tab:
                        raise Stop(f"{path}, line {number}: expected label, tab, text")
                if classes and str(label) not in classes:
                    raise Stop(f"{path}, line {number}: the label is {label!r}; expected one of {', '.join(labels)}")
                found.append((text, classes.get(str(label))))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Stop(f"{path}: {error!r}; expected TSV (label, tab, text) or JSONL with \"text\"") from error
    if not found:
        raise Stop(f"{path} holds no examples")
    return found


def load_base(arguments, labels):
    """The frozen model and its tokenizer."""
    source = {"gguf_file": arguments.gguf_file} if arguments.gguf_file else {}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model, **source)
        if labels:
            base = transformers.AutoModelForSequenceClassification.from_pretrained(
                arguments.model, num_labels=len(labels), dtype=torch.float32, **source)
        else:
            base = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32, **source)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise Stop(f"the model {arguments.model} cannot be loaded: {error}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    base.config.pad_token_id = tokenizer.pad_token_id
    return base, tokenizer


def add_merge(base, path):
    """W <- W + B A for every module of a merge, which is at scale 1."""
    tensors = load_file(path)
    for name in sorted(tensors):
        module_name, found, _ = name.partition(".lora_A.weight")
        if not found:
            continue
        module = base.get_submodule(module_name.removeprefix("base_model.model."))
        product = tensors[module_name + ".lora_B.weight"].double().flatten(1) @ tensors[name].double().flatten(1)
        if type(module).__name__ == "Conv1D":
            product = product.T
        with torch.no_grad():
            module.weight += product.reshape(module.weight.shape).to(module.weight)
            bias = tensors.get(module_name + ".lora_B.bias")
            if bias is not None:
                module.bias += bias.to(module.bias)


def load_adapter(base, folder):
    """The model with the folder's adapter on it, of which every tensor must have found its place."""
    try:
        model = PeftModel.from_pretrained(base, folder, is_trainable=True)
    except (ValueError, RuntimeError, KeyError) as error:
        raise Stop(f"the adapter does not fit the model: {error}") from error
    expected = set(load_file(f"{folder}/adapter_model.safetensors"))
    held = set(get_peft_model_state_dict(model))
    if expected != held:
        odd = sorted(expected ^ held)
        raise Stop(f"the adapter and the model differ in {len(odd)} tensors, {odd[0]} among them")
    return model


def lora_layers(model):
    """Every adapted module under the name that the federation has for it."""
    for name, module in model.named_modules():
        if hasattr(module, "lora_A") and hasattr(module, "scaling") and "default" in module.scaling:
            yield name.removeprefix("base_model.model."), module


def penalty(model, plan):
    """What the plan adds to the loss: drift from the base, and components that are to be pruned."""
    drift, pruning = plan.get("penalty") or 0, plan.get("pruning")
    total = 0.0
    if not drift and not pruning:
        return total
    for _, layer in lora_layers(model):
        a, b = layer.lora_A["default"].weight.flatten(1), layer.lora_B["default"].weight.flatten(1)
        if drift:
            # The squared norm of B A from two small Gram matrices.
            total = total + drift * ((b.T @ b) * (a @ a.T)).sum()
        if pruning:
            rank = a.shape[0]
            kept = int(pruning["gamma"] * rank)
            if 1 <= kept < rank:
                # Zero has no gradient of a norm; this much is below what float32 tells apart.
                norms = [torch.sqrt(tail.square().sum() + 1e-24) for tail in (b[:, kept:], a[kept:])]
                total = total + pruning["penalty"] * norms[0] * norms[1]
    return total


class Batches:
    """Texts as tensors, in the order that the seed draws."""

    def __init__(self, tokenizer, found, labels, arguments, size):
        self.tokenizer, self.found, self.labels = tokenizer, found, labels
        self.length, self.size, self.device = arguments.max_length, size, arguments.device

    def __call__(self, order):
        for first in range(0, len(order), self.size):
            chosen = [self.found[index] for index in order[first:first + self.size]]
            batch = self.tokenizer(
                [text for text, _ in chosen], truncation=True, max_length=self.length, padding=True, return_tensors="pt")
            if self.labels:
                batch["labels"] = torch.tensor([label for _, label in chosen])
            else:
                batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
            yield {name: tensor.to(self.device) for name, tensor in batch.items()}


def judged(logits, labels):
    """Right answers and answers: classes, or next tokens."""
    if labels.dim() == 2:
        logits, labels = logits[:, :-1], labels[:, 1:]
    counted = labels != -100
    return int(((logits.argmax(-1) == labels) & counted).sum()), int(counted.sum())


def optimizer_of(parameters, settings):
    name = settings.get("optimizer", "sgd")
    if name == "sgd":
        return torch.optim.SGD(
            parameters, lr=settings.get("learning_rate", 0.01), momentum=settings.get("momentum", 0.9),
            weight_decay=settings.get("weight_decay", 0.0))
    if name == "adamw":
        return torch.optim.AdamW(
            parameters, lr=settings.get("learning_rate", 0.001), weight_decay=settings.get("weight_decay", 0.01))
    raise Stop(f"the federation's optimizer is {name!r}; expected sgd or adamw")


def train(arguments, labels):
    inputs, outputs = (pathlib.Path(folder) for folder in arguments.folders)
    plan = json.loads((inputs / "plan.json").read_text())
    settings = plan["training"]
    if plan.get("stage"):
        raise Abstain(f"it does not train the stage {plan['stage']['name']!r}")
    found = examples(os.environ.get("RANKWISE_DATA", ""), labels)
    torch.manual_seed(plan["seed"] % 2**63)
    generator = torch.Generator().manual_seed(plan["seed"] % 2**63)
    base, tokenizer = load_base(arguments, labels)
    if plan.get("merge"):
        add_merge(base, inputs / "merge.safetensors")
    model = load_adapter(base, inputs).to(arguments.device)
    for name, layer in lora_layers(model):
        layer.scaling["default"] = plan["scales"][name]
    for name, parameter in model.named_parameters():
        for factor in "AB":
            if f".lora_{factor}." in name or f".lora_embedding_{factor}" in name:
                parameter.requires_grad = factor in plan["train"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optimizer_of(trained, settings)
    batches = Batches(tokenizer, found, labels, arguments, settings.get("batch_size", 32))
    epochs = settings.get("epochs", 5)
    model.train()
    for epoch in range(1, epochs + 1):
        loss_sum, right, answers, seen = 0.0, 0, 0, 0
        for batch in batches(torch.randperm(len(found), generator=generator).tolist()):
            output = model(**batch)
            correct, counted = judged(output.logits, batch["labels"])
            (output.loss + penalty(model, plan)).backward()
            if settings.get("clip_norm"):
                torch.nn.utils.clip_grad_norm_(trained, settings["clip_norm"])
            optimizer.step()
            optimizer.zero_grad()
            if not torch.isfinite(output.loss):
                sys.exit(f"train_peft: the loss is not finite in epoch {epoch}; a lower learning rate may help")
            loss_sum += float(output.loss.detach()) * counted
            right, answers, seen = right + correct, answers + counted, seen + len(batch["labels"])
            if seen < len(found):
                continue
            print(
                f"round {plan['round']}: epoch {epoch}/{epochs}, loss {loss_sum / max(1, answers):.4f}, "
                f"accuracy {right / max(1, answers):.4f}", flush=True)
    state = get_peft_model_state_dict(model)
    left_out = [factor for factor in "AB" if factor not in plan["send"]]
    sent = {
        name: tensor.detach().float().cpu().contiguous() for name, tensor in state.items()
        if not any(f".lora_{factor}." in name or f".lora_embedding_{factor}" in name for factor in left_out)
    }
    save_file(sent, outputs / "adapter_model.safetensors", metadata={"format": "pt"})
    metrics = {"samples": len(found), "loss": loss_sum / max(1, answers), "accuracy": right / max(1, answers)}
    (outputs / "metrics.json").write_text(json.dumps(metrics))


def evaluate(arguments, labels):
    found = examples(arguments.evaluate, labels)
    base, tokenizer = load_base(arguments, labels)
    model = load_adapter(base, arguments.folders[0]).to(arguments.device).eval()
    loss_sum, right, answers = 0.0, 0, 0
    with torch.no_grad():
        for batch in Batches(tokenizer, found, labels, arguments, 32)(range(len(found))):
            output = model(**batch)
            correct, counted = judged(output.logits, batch["labels"])
            loss_sum += float(output.loss) * counted
            right, answers = right + correct, answers + counted
    print(json.dumps({"samples": len(found), "loss": loss_sum / max(1, answers), "accuracy": right / max(1, answers)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder with a Hugging Face model, or its id on the hub")
    parser.add_argument("--gguf-file", help="the model's file in that folder, where it is GGUF (needs pip install gguf)")
    parser.add_argument("--labels", default="", help="the classes, separated by commas; none for a language model")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of a text that are read (default: 128)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own)")
    parser.add_argument("--device", default="cpu", help="such as cuda (default: cpu)")
    parser.add_argument("--evaluate", metavar="FILE", help="score an adapter on FILE instead of training")
    parser.add_argument("folders", nargs="+", metavar="IN OUT", help="what the client adds, or the adapter to score")
    arguments = parser.parse_args()
    if len(arguments.folders) != (1 if arguments.evaluate else 2):
        parser.error("expected the folders IN and OUT, or one adapter folder with --evaluate")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    labels = [label for label in arguments.labels.split(",") if label]
    try:
        (evaluate if arguments.evaluate else train)(arguments, labels)
    except Stop as error:
        print(f"train_peft: {error}", file=sys.stderr)
        sys.exit(STOP)
    except Abstain as error:
        print(f"train_peft: {error}", file=sys.stderr)
        sys.exit(ABSTAIN)


if __name__ == "__main__":
    main()
