#!/usr/bin/env python3
"""Trains one round of a federation by PEFT, on any Hugging Face model that PEFT adapts.

    rankwise-client join … --data texts.tsv \\
        --trainer 'python3 scripts/train_peft.py --model FOLDER --labels rec.autos,sci.space'

The client adds IN and OUT and names the data in RANKWISE_DATA. The script refuses by name whatever it does not know.

tasks (--task) and their data; JSONL holds one object a line, any other file is read as TSV:

    causal      language model           TSV of label, tab, text, or JSONL {"text"}; a label is allowed and ignored
    sequence    text classification      TSV of label, tab, text, or JSONL {"text", "label"}
    token       token classification     JSONL {"tokens": [...], "labels": [...]}, one label a token
    seq2seq     text to text             TSV of text, tab, target, or JSONL {"text", "target"}
                speech to text           JSONL {"audio": "clip.wav", "target"} or {"features": "clip.npy", "target"}; paths
                                         begin at the data file's folder; WAV of one channel and 16 bits at the model's rate,
                                         NPY as the model's feature extractor gives it for one clip

    sequence and token need --labels. An unknown key of a JSONL object is refused, unless --ignore-keys names it. A text and a
    target are cut at --max-length tokens, a clip at the length that the model's feature extractor takes.

known settings of the federation's training: epochs (5), batch_size (32), optimizer (sgd, or adamw), learning_rate (0.01, of
adamw 0.001), momentum (0.9, of sgd alone), weight_decay (0, of adamw 0.01), beta1 (0.9), beta2 (0.999) and epsilon (1e-8; the
three of adamw alone), schedule (constant, or linear, cosine), warmup_steps or warmup_share (0), clip_norm (none), max_length, proximal_mu (0).

It also follows the plan's scales, merges, factors to train and send, penalties and seeds. What the adapter in IN lacks besides
LoRA factors (a head, a bias, a DoRA magnitude, trainable tokens) starts from the base model. What the base lacks is drawn from
the plan's federation_seed, the same on all clients. If the plan lists these tensors (dense), the model must have exactly those.

OUT gets adapter_model.safetensors, adapter_config.json and metrics.json: {"samples", "loss"}, and "accuracy" for causal (of
the next token), sequence and token. Exit codes: 0 done, 1 failed, 75 abstains from this round, 78 must not run again before
its set-up is changed.

Examples that the plan has it hold out (holdout) are never trained on. With --trainer-evaluates, the client also runs it with
"task": "evaluate" in plan.json: it then scores the adapter in IN on them, and OUT gets metrics.json alone, with "perplexity"
for causal and seq2seq.

    python3 scripts/train_peft.py --model FOLDER --labels A,B --evaluate test.tsv ADAPTER

scores the adapter folder ADAPTER on a file instead. Needs: pip install torch peft transformers safetensors (PEFT 0.21 and
transformers 5, or later)
"""

import argparse
import collections
import dataclasses
import importlib.util
import json
import math
import os
import pathlib
import random
import re
import reprlib
import sys
import types
import wave

ABSTAIN, STOP = 75, 78


class Stop(Exception):
    """An error of the set-up, which will be the same in the next round."""


class Abstain(Exception):
    """A plan that this trainer cannot carry out in this round."""


try:
    import numpy
    import torch
    import transformers
    from peft import (
        LoraConfig, PeftConfig, PeftModel, PeftType, TaskType, get_peft_model_state_dict, set_peft_model_state_dict)
    from peft.utils import ModulesToSaveWrapper
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
    from transformers.pytorch_utils import Conv1D
except ImportError as error:
    print(f"train_peft: {error}; pip install torch peft transformers safetensors", file=sys.stderr)
    sys.exit(STOP)

PREFIX = "base_model.model."
# A factor, or a LoRA bias, among tensors and parameters; the letter says which of the two it belongs to.
FACTOR = re.compile(r"\.lora_(?:embedding_)?([AB])(?:\.|$)")
# What a task's examples are made of, what is to be learnt of them, and PEFT's name for the task.
SOURCES = {
    "causal": ("text",), "sequence": ("text",), "token": ("tokens",), "seq2seq": ("text", "audio", "features")}
ANSWERS = {"causal": "label", "sequence": "label", "token": "labels", "seq2seq": "target"}
TASK_TYPES = {
    "causal": TaskType.CAUSAL_LM, "sequence": TaskType.SEQ_CLS, "token": TaskType.TOKEN_CLS,
    "seq2seq": TaskType.SEQ_2_SEQ_LM}

# --- Data ---------------------------------------------------------------------------------------------------------------

Example = collections.namedtuple("Example", "where kind source answer")


def is_texts(value):
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def class_of(label, labels, where):
    text = str(label)
    if isinstance(label, bool) or not isinstance(label, (str, int)) or text not in labels:
        raise Stop(f"{where}: expected one of the labels {', '.join(labels)}; found {reprlib.repr(label)}")
    return labels.index(text)


def example(record, where, task, labels):
    """The example of a record with known keys."""
    kinds = [key for key in SOURCES[task] if key in record]
    if len(kinds) != 1:
        raise Stop(f"{where}: expected one of {', '.join(SOURCES[task])}; found {' and '.join(kinds) or 'none'}")
    kind, = kinds
    source, answer = record[kind], record.get(ANSWERS[task])
    if not (is_texts(source) if kind == "tokens" else isinstance(source, str)):
        expected = "a list of tokens" if kind == "tokens" else "a string"
        raise Stop(f"{where}: expected {expected} as {kind}; found {reprlib.repr(source)}")
    if task == "causal":
        answer = None
    elif task == "sequence":
        answer = class_of(answer, labels, where)
    elif task == "token":
        if not isinstance(answer, list) or len(answer) != len(source):
            raise Stop(f"{where}: expected a list of {len(source)} labels; found {reprlib.repr(answer)}")
        answer = [class_of(label, labels, where) for label in answer]
    elif not isinstance(answer, str):
        raise Stop(f"{where}: expected a string as target; found {reprlib.repr(answer)}")
    return Example(where, kind, source, answer)


def json_record(line, where, task, ignored):
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise Stop(f"{where}: expected a JSON object; found {reprlib.repr(line)} ({error})") from error
    if not isinstance(record, dict):
        raise Stop(f"{where}: expected a JSON object; found {reprlib.repr(record)}")
    known = (*SOURCES[task], ANSWERS[task])
    for key in record.keys() - ignored:
        if key not in known:
            raise Stop(f"{where}: expected the keys {', '.join(known)}; found {key!r}, which --ignore-keys does not name")
    return {key: value for key, value in record.items() if key not in ignored}


def tab_record(line, where, task):
    columns = ("text", "target") if task == "seq2seq" else ("label", "text")
    # A text after a label may hold tabs; one before a target may not, since nobody could tell where it ends.
    cells = line.rstrip("\n").split("\t", -1 if task == "seq2seq" else 1)
    if len(cells) != 2:
        raise Stop(f"{where}: expected {columns[0]}, tab, {columns[1]}; found {reprlib.repr(line)}")
    return dict(zip(columns, cells))


def examples(path, task, labels, ignored):
    if not path:
        raise Stop("expected the data file's path in RANKWISE_DATA; found none")
    is_json = str(path).endswith(".jsonl")
    if task == "token" and not is_json:
        raise Stop(f"{path}: expected a file whose name ends in .jsonl, for token classification")
    found = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                where = f"{path}, line {number}"
                record = json_record(line, where, task, ignored) if is_json else tab_record(line, where, task)
                found.append(example(record, where, task, labels))
                if found[-1].kind != found[0].kind:
                    raise Stop(f"{where}: expected {found[0].kind} as on the first line; found {found[-1].kind}")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{path}: expected a readable file of UTF-8; {error}") from error
    if not found:
        raise Stop(f"{path}: expected examples; found none")
    return found


class Batches:
    """Examples as tensors, in a given order."""

    def __init__(self, base, found, task, length, size, device):
        self.base, self.found, self.task = base, found, task
        self.length, self.size, self.device = length, size, device

    def __len__(self):
        return math.ceil(len(self.found) / self.size)

    def __call__(self, order):
        for first in range(0, len(order), self.size):
            chosen = [self.found[index] for index in order[first:first + self.size]]
            batch = self.inputs(chosen)
            batch["labels"] = getattr(self, self.task)(chosen, batch)
            if self.task != "sequence":
                # The first token of a language model's text is given, all others are predicted.
                least = 2 if self.task == "causal" else 1
                for one, count in zip(chosen, (batch["labels"] != -100).sum(dim=1).tolist()):
                    if count < least:
                        raise Stop(f"{one.where}: expected at least {least} tokens to learn from; found {count}")
            yield {name: tensor.to(self.device) for name, tensor in batch.items()}

    def inputs(self, chosen):
        if chosen[0].kind in ("audio", "features"):
            name = self.base.extractor.model_input_names[0]
            clips = [self.clip(example, name) for example in chosen]
            return dict(self.base.extractor.pad({name: clips}, padding=True, return_tensors="pt"))
        return self.base.tokenizer(
            [example.source for example in chosen], truncation=True, max_length=self.length, padding=True,
            is_split_into_words=self.task == "token", return_tensors="pt")

    def clip(self, example, name):
        """The model's features of one clip."""
        path = pathlib.Path(example.where.rpartition(", line ")[0]).parent / example.source
        try:
            if example.kind == "features":
                features = numpy.load(path, allow_pickle=False)
                if features.dtype.kind != "f" or features.ndim != 2:
                    raise Stop(f"{example.where}: {path}: expected floats of two dimensions; found {features.dtype} of "
                               f"{features.ndim}")
                return features.astype("float32")
            with wave.open(str(path)) as file:
                found = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
                samples = file.readframes(file.getnframes())
        except (OSError, ValueError, EOFError, wave.Error) as error:
            raise Stop(f"{example.where}: {path} cannot be read: {error}") from error
        rate = self.base.extractor.sampling_rate
        if found != (1, 16, rate):
            raise Stop(f"{example.where}: {path}: expected 1 channel of 16 bits at {rate} Hz; found "
                       f"{found[0]} of {found[1]} bits at {found[2]} Hz")
        samples = numpy.frombuffer(samples, "<i2").astype("float32") / 32768
        return self.base.extractor(samples, sampling_rate=rate, return_tensors="np")[name][0]

    def causal(self, chosen, batch):
        return batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)

    def sequence(self, chosen, batch):
        return torch.tensor([example.answer for example in chosen])

    def token(self, chosen, batch):
        """Every token's label at its first piece; its other pieces do not count."""
        labels = torch.full_like(batch["input_ids"], -100)
        for row, example in enumerate(chosen):
            before = None
            for place, token in enumerate(batch.word_ids(row)):
                if token is not None and token != before:
                    labels[row, place] = example.answer[token]
                before = token
        return labels

    def seq2seq(self, chosen, batch):
        targets = self.base.tokenizer(
            text_target=[example.answer for example in chosen], truncation=True, max_length=self.length, padding=True,
            return_tensors="pt")
        labels = targets["input_ids"].masked_fill(targets["attention_mask"] == 0, -100)
        # The model puts the start before the labels itself; Whisper's tokenizer has put it there already.
        start = getattr(self.base.model.config, "decoder_start_token_id", None)
        return labels[:, 1:] if start is not None and bool((labels[:, 0] == start).all()) else labels


# --- The base model -----------------------------------------------------------------------------------------------------

Base = collections.namedtuple("Base", "model tokenizer extractor")


def load_base(arguments, speech, seed):
    """The frozen model, its tokenizer and, for speech, its feature extractor."""
    name = {"sequence": "SequenceClassification", "token": "TokenClassification", "causal": "CausalLM"}.get(
        arguments.task, "SpeechSeq2Seq" if speech else "Seq2SeqLM")
    kind = getattr(transformers, f"AutoModelFor{name}")
    source = {"gguf_file": arguments.gguf_file} if arguments.gguf_file else {}
    classes = {"num_labels": len(arguments.labels)} if arguments.labels else {}
    # Byte-level tokenizers take single tokens only as if a space came before each.
    spaced = {"add_prefix_space": True} if arguments.task == "token" else {}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model, **source, **spaced)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(arguments.model) if speech else None
        quantised = quantisation(arguments, kind, classes) if arguments.load_in_4bit else {}
        model, loading = kind.from_pretrained(
            arguments.model, dtype=getattr(torch, arguments.dtype), output_loading_info=True, ignore_mismatched_sizes=True,
            **source, **classes, **quantised)
        if arguments.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.config.use_cache = False
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise Stop(f"the model {arguments.model} cannot be loaded for {name}: {error}") from error
    for tensor, found, expected in sorted(loading["mismatched_keys"]):
        raise Stop(f"{tensor} of the model {arguments.model} is {list(found)}; expected {list(expected)} for {name}")
    if arguments.task == "token" and not tokenizer.is_fast:
        raise Stop(f"the tokenizer of {arguments.model} does not say which piece is of which token; a fast one does")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise Stop(f"the tokenizer of {arguments.model} has neither a padding token nor one for the end of a text")
    model.config.pad_token_id = tokenizer.pad_token_id
    draw_missing(model, loading["missing_keys"], seed)
    return Base(model, tokenizer, extractor)


def quantisation(arguments, kind, classes):
    """The settings that load the base model in 4 bits, all but its heads and the modules that the adapter saves whole."""
    if not importlib.util.find_spec("bitsandbytes"):
        raise Stop("--load-in-4bit needs bitsandbytes, which is not installed: pip install bitsandbytes")
    with torch.device("meta"):
        model = kind.from_config(transformers.AutoConfig.from_pretrained(arguments.model, **classes))
    heads = [name for name, module in model.named_modules() if module is model.get_output_embeddings()]
    if model.base_model is not model:
        heads += [name for name, module in model.named_children() if module is not model.base_model]
    config = json.loads(pathlib.Path(arguments.folders[0], "adapter_config.json").read_text())
    return {"device_map": {"": arguments.device}, "quantization_config": transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, arguments.dtype),
        llm_int8_skip_modules=[*heads, *(config.get("modules_to_save") or [])])}


def draw_missing(model, missing, seed):
    """Draws what the checkpoint lacks, such as a head, on the processor and in float32: the same on every client."""
    drawn = {name: parameter for name, parameter in model.named_parameters() if name in missing}
    devices = {name: parameter.device for name, parameter in drawn.items()}
    for name, parameter in drawn.items():
        if not parameter.is_floating_point():
            raise Stop(f"the checkpoint lacks {name}, which cannot be drawn in 4 bits")
        parameter.data = parameter.data.to("cpu", torch.float32)
        parameter._is_hf_initialized = False
        model.get_submodule(name.rpartition(".")[0])._is_hf_initialized = False
    torch.manual_seed(seed)
    model.initialize_weights()
    for name, parameter in drawn.items():
        parameter.data = parameter.data.to(devices[name])


def length_of(asked, base):
    """The number of tokens to read of a text: as asked, or 128, or the number of the model's positions."""
    limits = [base.tokenizer.model_max_length]
    limits += [getattr(base.model.config, name, None) for name in ("max_position_embeddings", "max_target_positions")]
    limit = min(limit for limit in limits if limit and limit > 0)
    if asked and asked > limit:
        raise Stop(f"max_length is {asked}; expected at most {limit}, for which the model has positions")
    return asked or min(128, limit)


def add_merge(base, folder):
    """W <- W + B A for every module of the folder's merge, which is at scale 1; refuses what has no place in the base."""
    config = json.loads(pathlib.Path(folder, "adapter_config.json").read_text())
    if config.get("layer_replication"):
        raise Stop("the merge is for a model whose layers are replicated (layer_replication), not for those of the base")
    modules = collections.defaultdict(dict)
    for name, tensor in load_file(pathlib.Path(folder, "merge.safetensors")).items():
        found = re.fullmatch(r"(.+)\.lora_(A\.weight|B\.weight|B\.bias|embedding_A|embedding_B)", name.removeprefix(PREFIX))
        if not found:
            raise Stop(f"the merge's tensor {name} is neither a LoRA factor nor a LoRA bias")
        part = "bias" if found[2] == "B.bias" else found[2].removeprefix("embedding_")[0]
        modules[found[1]][part] = tensor.double()
    for name, parts in sorted(modules.items()):
        try:
            module = base.get_submodule(name)
        except AttributeError as error:
            raise Stop(f"the merge has the module {name}, which the model has not") from error
        convolution = isinstance(module, (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d))
        # These two hold W as inputs x outputs.
        transposed = isinstance(module, (Conv1D, torch.nn.Embedding))
        if not (convolution or transposed or isinstance(module, torch.nn.Linear)):
            raise Stop(f"the merge has the module {name}, which is a {type(module).__name__} in the model; expected a "
                       "linear layer, a convolution or an embedding")
        if not module.weight.is_floating_point():
            raise Stop(f"the merge cannot be added to {name}, whose weight is quantised as {module.weight.dtype}")
        if not {"A", "B"} <= parts.keys():
            raise Stop(f"the merge has {' and '.join(sorted(parts))} of the module {name}; expected A and B")
        a, b = parts["A"], parts["B"].flatten(1)
        shape = (b.shape[0], *a.shape[1:])
        if b.shape[1] != a.shape[0] or module.weight.shape != (shape[::-1] if transposed else shape):
            raise Stop(f"the merge has A of {list(a.shape)} and B of {list(parts['B'].shape)} for the module {name}, whose "
                       f"weight is {list(module.weight.shape)}")
        product = (b @ a.flatten(1)).reshape(shape)
        # A new parameter, and not a sum in place: a weight that is tied to this one does not change.
        module.weight = added(module.weight, product.T if transposed else product)
        if "bias" in parts:
            if getattr(module, "bias", None) is None:
                raise Stop(f"the merge has a bias for the module {name}, which has none in the model")
            module.bias = added(module.bias, parts["bias"])
    if getattr(getattr(base, "config", None), "tie_word_embeddings", False):
        outputs = base.get_output_embeddings()
        base.config.tie_word_embeddings = outputs is None or outputs.weight is base.get_input_embeddings().weight


def added(parameter, change):
    total = (parameter.detach().double() + change.to(parameter.device)).to(parameter.dtype)
    return torch.nn.Parameter(total, requires_grad=parameter.requires_grad)


# --- The adapter --------------------------------------------------------------------------------------------------------


def adapter_config(folder, tensors):
    """The folder's configuration; PEFT must know every key with a value that is not empty or null."""
    path = f"{folder}/adapter_config.json"
    try:
        given = json.loads(pathlib.Path(path).read_text())
        config = PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Stop(f"{path} cannot be read: {error!r}") from error
    if config.peft_type != PeftType.LORA:
        raise Stop(f"{path}: expected the peft_type LORA; found {given.get('peft_type')!r}")
    known = {field.name for field in dataclasses.fields(LoraConfig)}
    for key, value in given.items():
        if key not in known and value:
            raise Stop(f"{path}: this version of PEFT does not know the key {key!r}; a later one may")
    if config.task_type in (TaskType.SEQ_CLS, TaskType.TOKEN_CLS):
        # Adapters of early versions of PEFT hold the head without naming it.
        heads = [head for head in ("classifier", "score") if any(name.startswith(f"{PREFIX}{head}.") for name in tensors)]
        config.modules_to_save = sorted({*(config.modules_to_save or []), *heads}) or None
    config.inference_mode = False
    return config


def load_adapter(base, folder, scales=None):
    """The model with the folder's adapter on it, whose parameters to be trained are in float32.

    Every tensor of the folder must find its place, and every LoRA factor must be in the folder. What else is missing begins
    as the base model has it.
    """
    try:
        tensors = load_file(f"{folder}/adapter_model.safetensors")
    except Exception as error:
        raise Stop(f"{folder}/adapter_model.safetensors cannot be read: {error}") from error
    config = adapter_config(folder, tensors)
    try:
        # Not the class for the task: it would also train heads that the configuration does not name.
        model = PeftModel(base, config)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(f"the adapter's configuration does not fit the model: {error}") from error
    for module in model.modules():
        parameters = list(module.parameters(recurse=False))
        for parameter in parameters:
            # A norm computes only with a weight and a bias of one type.
            if parameter.requires_grad or (parameter.dim() == 1 and any(other.requires_grad for other in parameters)):
                parameter.data = parameter.data.float()
    # The weight of an adapted embedding, which PEFT saves beside the factors, is read, but neither trained nor sent.
    places = get_peft_model_state_dict(model, save_embedding_layers=True)
    for name, tensor in sorted(tensors.items()):
        if name not in places:
            raise Stop(f"the adapter's tensor {name} has no place in the model")
        if tensor.shape != places[name].shape:
            raise Stop(f"the adapter's tensor {name} is {list(tensor.shape)}; expected {list(places[name].shape)}")
    own = get_peft_model_state_dict(model, save_embedding_layers=False)
    # PEFT raises a KeyError where a head or tokens that the configuration names are missing, so it gets the model's own.
    set_peft_model_state_dict(model, own | tensors)
    for name, value in get_peft_model_state_dict(model, save_embedding_layers=True).items():
        if name in tensors and not torch.equal(value.cpu(), tensors[name].to(value.dtype)):
            raise Stop(f"the adapter's tensor {name} was not taken over by PEFT")
    for name in own:
        if FACTOR.search(name) and name not in tensors:
            raise Stop(f"the adapter lacks {name}, which the model has")
    for name, layer in lora_layers(model):
        if scales is not None:
            if name not in scales:
                raise Stop(f"the plan has no scale for the module {name}")
            layer.scaling["default"] = scales[name]
        magnitude = f"{PREFIX}{name}.lora_magnitude_vector"
        if magnitude in own and magnitude not in tensors:
            # PEFT took it from factors and scales that were not yet those of the folder.
            layer.lora_variant["default"].init(layer, adapter_name="default", config=config)
            layer.lora_magnitude_vector["default"].float()
    return model


def lora_layers(model):
    """Every adapted module, by its name in the federation."""
    for name, module in model.named_modules():
        if hasattr(module, "lora_A") and hasattr(module, "scaling") and "default" in module.scaling:
            yield name.removeprefix(PREFIX), module


def factors(name, layer):
    """A module's A (experts x rank x inputs) and B (experts x outputs x rank); all but mixtures have one expert."""
    if "default" in layer.lora_embedding_A:
        a, b = layer.lora_embedding_A["default"], layer.lora_embedding_B["default"]
    else:
        a, b = layer.lora_A["default"].weight.flatten(1), layer.lora_B["default"].weight.flatten(1)
    if a.shape[0] != b.shape[1]:
        raise Stop(f"{name} is a convolution in groups, whose product B A has no norm; the plan asks for a penalty on it")
    # PEFT keeps the experts before the ranks in A, and behind them in B.
    experts = getattr(layer, "num_experts", 1)
    return a.reshape(experts, -1, a.shape[1]), b.reshape(b.shape[0], -1, experts).permute(2, 0, 1)


def penalty(model, plan):
    """The plan's additions to the loss: drift from the base, and components to prune."""
    drift, pruning = plan.get("penalty") or 0, plan.get("pruning")
    total = 0.0
    if not drift and not pruning:
        return total
    for name, layer in lora_layers(model):
        a, b = factors(name, layer)
        if drift:
            # The squared norm of B A from two small Gram matrices.
            total = total + drift * ((b.mT @ b) * (a @ a.mT)).sum()
        if pruning:
            rank = a.shape[1]
            kept = int(pruning["gamma"] * rank)
            if 1 <= kept < rank:
                # Zero has no gradient of a norm; this much is below what float32 tells apart.
                norms = [torch.sqrt(tail.square().sum((1, 2)) + 1e-24) for tail in (b[:, :, kept:], a[:, kept:])]
                total = total + pruning["penalty"] * (norms[0] * norms[1]).sum()
    return total


def is_copy(name):
    """With the bias "all" PEFT saves the bias of a head three times, twice under such names."""
    return ".original_module." in name or ".modules_to_save." in name


def check_dense(model, dense):
    """Checks the trained tensors beside the factors against those of the federation, by name."""
    places = get_peft_model_state_dict(model, save_embedding_layers=True)
    for name, shape in sorted(dense.items()):
        found = places.get(PREFIX + name)
        if found is None:
            raise Stop(f"the federation has the tensor {name}, for which the model and the configuration have no place")
        if list(found.shape) != shape:
            raise Stop(f"the federation's tensor {name} is {shape}; expected {list(found.shape)}")
    for name in get_peft_model_state_dict(model, save_embedding_layers=False):
        if not FACTOR.search(name) and not is_copy(name) and name.removeprefix(PREFIX) not in dense:
            raise Stop(f"the configuration has the tensor {name} trained, which the federation has not")


def sent_tensors(model, given, factors):
    """The update's tensors: the adapter's in float32, without the factors that the plan does not ask for."""
    sent = {}
    for name, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items():
        factor = FACTOR.search(name)
        # Copies go only where they came.
        if (factor and factor[1] not in factors) or (is_copy(name) and name not in given):
            continue
        sent[name] = tensor.detach().to("cpu", torch.float32).clone().contiguous()
    return sent


def save_config(model, task, path):
    """Writes the configuration as PEFT would, and adds the task where it is missing."""
    config = model.peft_config["default"].to_dict()
    # PEFT saves every module of these names whole where it reads one of the two tasks, and misses it in the file otherwise.
    heads = [module for name, module in model.named_modules() if name.endswith(("classifier", "score"))]
    classifies = task in ("sequence", "token")
    if not config["task_type"] and (not classifies or all(isinstance(head, ModulesToSaveWrapper) for head in heads)):
        config["task_type"] = TASK_TYPES[task]
    config["inference_mode"] = True
    # Of the patterns for ranks and alphas the first one that fits counts, so their order stays.
    fields = {key: sorted(value) if isinstance(value, set) else value for key, value in sorted(config.items())}
    path.write_text(json.dumps(fields, indent=2))


# --- Training -----------------------------------------------------------------------------------------------------------

# The federation's training settings: the default, then the least and the most, or the choices.
SETTINGS = {
    "epochs": (5, 1, 10**6), "batch_size": (32, 1, 2**16), "optimizer": ("sgd", "sgd", "adamw"),
    "learning_rate": (0.01, 0.0, 1e6), "momentum": (0.9, 0.0, 0.9999), "weight_decay": (0.0, 0.0, 1e3),
    "beta1": (0.9, 0.0, 0.999999), "beta2": (0.999, 0.0, 0.999999), "epsilon": (1e-8, 1e-16, 1.0),
    "schedule": ("constant", "constant", "linear", "cosine"), "warmup_steps": (0, 0, 10**9), "warmup_share": (0.0, 0.0, 1.0),
    "clip_norm": (None, 1e-9, 1e9), "max_length": (None, 2, 2**31),
    "proximal_mu": (0.0, 0.0, 1e6)}
ADAMW = {"learning_rate": 0.001, "weight_decay": 0.01}


def read_settings(training):
    """The settings with their defaults, each of its kind and within its bounds."""
    given = {key: value for key, value in training.items() if value is not None}
    for key, value in given.items():
        if key not in SETTINGS:
            raise Stop(f"the federation's training setting {key!r} is not known; expected {', '.join(SETTINGS)}")
        default, least, *most = SETTINGS[key]
        if isinstance(least, str):
            if value not in (least, *most):
                raise Stop(f"training.{key}: expected {' or '.join((least, *most))}; found {value!r}")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most[0] \
                or (isinstance(least, int) and value != int(value)):
            whole = "a whole number" if isinstance(least, int) else "a number"
            raise Stop(f"training.{key}: expected {whole} from {least} to {most[0]}; found {value!r}")
        elif isinstance(least, int):
            given[key] = int(value)
    optimizer = given.get("optimizer", "sgd")
    for key in ("momentum",) if optimizer == "adamw" else ("beta1", "beta2", "epsilon"):
        if key in given:
            raise Stop(f"training.{key} is given, which the optimizer {optimizer} has not")
    if "warmup_steps" in given and "warmup_share" in given:
        raise Stop("training.warmup_steps and training.warmup_share are given; expected one of them")
    defaults = {key: default for key, (default, *_) in SETTINGS.items()}
    return types.SimpleNamespace(**{**defaults, **(ADAMW if optimizer == "adamw" else {}), **given})


def optimizer_of(parameters, settings, steps):
    """The optimizer and the schedule of its rate."""
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            parameters, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay)
    else:
        optimizer = torch.optim.AdamW(
            parameters, lr=settings.learning_rate, betas=(settings.beta1, settings.beta2), eps=settings.epsilon,
            weight_decay=settings.weight_decay)
    warm = settings.warmup_steps or math.ceil(settings.warmup_share * steps)

    def factor(step):
        if step < warm:
            return step / warm
        progress = (step - warm) / max(1, steps - warm)
        falling = {"constant": 1, "linear": 1 - progress, "cosine": 0.5 * (1 + math.cos(math.pi * progress))}
        return max(0, falling[settings.schedule])

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


class Tally:
    """Mean loss and, where a task has right answers, the share of them."""

    def __init__(self, task):
        self.task, self.loss, self.answers, self.right = task, 0.0, 0, 0

    def add(self, output, labels):
        logits = output.logits
        if self.task == "causal":
            logits, labels = logits[:, :-1], labels[:, 1:]
        counted = labels != -100
        count = int(counted.sum())
        self.loss += float(output.loss.detach()) * count
        self.answers += count
        if self.task != "seq2seq":
            self.right += int(((logits.argmax(-1) == labels) & counted).sum())

    def means(self):
        means = {"loss": self.loss / self.answers}
        return means if self.task == "seq2seq" else {**means, "accuracy": self.right / self.answers}


def check_plan(plan):
    stage = plan.get("stage")
    if stage and stage["name"] == "sparse":
        raise Abstain("it does not train the stage 'sparse'")
    if stage:
        raise Stop(f"the plan's stage is {stage['name']!r}, which is not known")
    for key in ("train", "send"):
        if not set(plan[key]) <= {"A", "B"}:
            raise Stop(f"the plan's {key} is {plan[key]}; expected factors of A and B")


def precision(arguments):
    """Computes in bfloat16 if the base is in bfloat16; the parameters stay in float32."""
    device = torch.device(arguments.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=arguments.dtype == "bfloat16")


def split(count, plan):
    """The places of the examples to train on, and of those that are held out.

    One of so many examples in a row is held out, so the split stays in all rounds, and when examples are added at the end.
    """
    share = plan.get("holdout") or 0
    draw = random.Random(f"held out for evaluations: {plan.get('federation_seed') or 0}")
    held, first, block = [], 0, 1
    while share and first < count:
        end = max(first + 1, math.ceil(block / share))
        place = draw.randrange(first, end)
        held += [place] if place < count else []
        first, block = end, block + 1
    if len(held) in (0, count):
        return list(range(count)), []
    out = set(held)
    return [place for place in range(count) if place not in out], held


def scored(model, batches, arguments):
    """The means over all examples of the batches, without training."""
    model.eval()
    tally = Tally(arguments.task)
    with torch.no_grad(), precision(arguments):
        for batch in batches(range(len(batches.found))):
            tally.add(model(**batch), batch["labels"])
    return tally.means()


def train(arguments):
    inputs, outputs = (pathlib.Path(folder) for folder in arguments.folders)
    plan = json.loads((inputs / "plan.json").read_text())
    check_plan(plan)
    settings = read_settings(plan["training"])
    evaluates = {"evaluate": True, "train": False, None: False}.get(plan.get("task"))
    if evaluates is None:
        raise Stop(f"the plan's task is {plan['task']!r}; expected train or evaluate")
    found = examples(os.environ.get("RANKWISE_DATA"), arguments.task, arguments.labels, arguments.ignore_keys)
    kept, held = split(len(found), plan)
    found = [found[place] for place in (held if evaluates else kept)]
    if not found:
        (outputs / "metrics.json").write_text(json.dumps({"samples": 0}))
        return
    base = load_base(arguments, found[0].kind in ("audio", "features"), (plan.get("federation_seed") or 0) % 2**63)
    if plan.get("merge"):
        add_merge(base.model, inputs)
    model = load_adapter(base.model, inputs, plan["scales"]).to(arguments.device)
    if plan.get("dense") is not None:
        check_dense(model, plan["dense"])
    for name, parameter in model.named_parameters():
        if factor := FACTOR.search(name):
            parameter.requires_grad = factor[1] in plan["train"]
    # From here on this client differs from the others.
    torch.manual_seed(plan["seed"] % 2**63)
    generator = torch.Generator().manual_seed(plan["seed"] % 2**63)
    length = length_of(arguments.max_length or settings.max_length, base)
    batches = Batches(base, found, arguments.task, length, settings.batch_size, arguments.device)
    if evaluates:
        means = scored(model, batches, arguments)
        if arguments.task in ("causal", "seq2seq"):
            means["perplexity"] = math.exp(min(means["loss"], 700))
        (outputs / "metrics.json").write_text(json.dumps({"samples": len(found), **means}))
        return
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer, schedule = optimizer_of(trained, settings, settings.epochs * len(batches))
    starts = [parameter.detach().clone() for parameter in trained] if settings.proximal_mu else []
    model.train()
    for epoch in range(1, settings.epochs + 1):
        tally = Tally(arguments.task)
        for batch in batches(torch.randperm(len(found), generator=generator).tolist()):
            with precision(arguments):
                output = model(**batch)
            if not torch.isfinite(output.loss):
                sys.exit(f"train_peft: the loss is not finite in epoch {epoch}; a lower learning rate may help")
            tally.add(output, batch["labels"])
            (output.loss + penalty(model, plan)).backward()
            for parameter, start in zip(trained, starts):
                # FedProx's term μ/2·‖w − w₀‖². A parameter that the batch does not use has no gradient.
                pull = settings.proximal_mu * (parameter.detach() - start)
                parameter.grad = pull if parameter.grad is None else parameter.grad.add_(pull)
            if settings.clip_norm:
                torch.nn.utils.clip_grad_norm_(trained, settings.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        means = ", ".join(f"{name} {value:.4f}" for name, value in tally.means().items())
        print(f"round {plan['round']}: epoch {epoch}/{settings.epochs}, {means}", flush=True)
    with safe_open(inputs / "adapter_model.safetensors", "pt") as file:
        sent = sent_tensors(model, set(file.keys()), plan["send"])
    save_file(sent, outputs / "adapter_model.safetensors", metadata={"format": "pt"})
    save_config(model, arguments.task, outputs / "adapter_config.json")
    (outputs / "metrics.json").write_text(json.dumps({"samples": len(found), **tally.means()}))


def evaluate(arguments):
    found = examples(arguments.evaluate, arguments.task, arguments.labels, arguments.ignore_keys)
    base = load_base(arguments, found[0].kind in ("audio", "features"), 0)
    model = load_adapter(base.model, arguments.folders[0]).to(arguments.device)
    batches = Batches(base, found, arguments.task, length_of(arguments.max_length, base), 32, arguments.device)
    print(json.dumps({"samples": len(found), **scored(model, batches, arguments)}))


# --- The command --------------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """A wrong command line will be wrong in the next round too."""
        self.print_usage(sys.stderr)
        raise Stop(message)


def read_arguments():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder with a Hugging Face model, or its id on the hub")
    parser.add_argument("--gguf-file", help="the model's file in that folder, where it is GGUF (needs pip install gguf)")
    parser.add_argument("--task", choices=list(SOURCES), help="default: sequence where --labels is given, else causal")
    parser.add_argument("--labels", default="", help="the classes, separated by commas, the same on all clients")
    parser.add_argument("--ignore-keys", default="", help="keys of JSONL objects to pass over, separated by commas")
    parser.add_argument(
        "--max-length", type=int,
        help="tokens of a text that are read (default: the federation's max_length, else 128 or what the model can read)")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32",
                        help="of the base model (default: float32); what is trained and sent is float32")
    parser.add_argument("--load-in-4bit", action="store_true", help="the base model as NF4 (needs pip install bitsandbytes)")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="less memory for more time")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own)")
    parser.add_argument("--device", default="cpu", help="such as cuda (default: cpu)")
    parser.add_argument("--evaluate", metavar="FILE", help="score an adapter on FILE instead of training")
    parser.add_argument("folders", nargs="+", metavar="IN OUT", help="what the client adds, or the adapter to score")
    arguments = parser.parse_args()
    if len(arguments.folders) != (1 if arguments.evaluate else 2):
        parser.error("expected the folders IN and OUT, or one adapter folder with --evaluate")
    arguments.labels = [label for label in arguments.labels.split(",") if label]
    arguments.ignore_keys = {key for key in arguments.ignore_keys.split(",") if key}
    arguments.task = arguments.task or ("sequence" if arguments.labels else "causal")
    if (arguments.task in ("sequence", "token")) != bool(arguments.labels):
        parser.error(f"the task {arguments.task} {'has no' if arguments.labels else 'needs'} --labels")
    return arguments


def main():
    try:
        arguments = read_arguments()
        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        (evaluate if arguments.evaluate else train)(arguments)
    except (Stop, Abstain) as error:
        # In one line, though libraries' messages may have several.
        print("train_peft:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(STOP if isinstance(error, Stop) else ABSTAIN)


if __name__ == "__main__":
    main()
