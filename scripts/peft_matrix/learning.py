"""Whether a federation learns what PEFT alone learns: real agents, `scripts/train_peft.py`, three rounds."""

import dataclasses
import os
import pathlib
import random
import shlex
import subprocess
import sys
import time

import peft
import tokenizers
import torch
import transformers
from peft import LoraConfig

import adapters
from server import Federation

ROUNDS, EPOCHS, BATCH, LENGTH = 3, 4, 16, 16
RANKS = (8, 4)
TEXTS, HELD_OUT = 600, 300
# What a federation gains, as a share of what the control gains.
SHARE = 0.9
WORDS = [f"w{index}" for index in range(30)]
LABELS = ["red", "green", "blue"]
MARKERS = {"red": WORDS[:2], "green": WORDS[2:4], "blue": WORDS[4:6]}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def marked(count, seed):
    """Texts whose class one word in them decides."""
    draw = random.Random(seed)
    found = []
    for index in range(count):
        label = LABELS[index % len(LABELS)]
        words = draw.choices(WORDS[6:], k=9)
        words[draw.randrange(9)] = draw.choice(MARKERS[label])
        found.append((label, " ".join(words)))
    return found


def chained(count, seed):
    """Texts in which every word says the next one."""
    draw = random.Random(seed)
    following = WORDS[:]
    random.Random(7).shuffle(following)
    after = dict(zip(WORDS, following))
    found = []
    for _ in range(count):
        words = [draw.choice(WORDS)]
        while len(words) < 12:
            words.append(after[words[-1]])
        found.append(("", " ".join(words)))
    return found


@dataclasses.dataclass
class Task:
    name: str
    make: object
    config: dict
    texts: object
    learning_rate: float
    trainer: str


def roberta():
    return transformers.RobertaForSequenceClassification(transformers.RobertaConfig(
        vocab_size=len(SPECIAL) + len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=40, num_labels=len(LABELS), initializer_range=0.2,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=1, bos_token_id=0, eos_token_id=2))


def llama():
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=len(SPECIAL) + len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=40, initializer_range=0.2,
        tie_word_embeddings=False, pad_token_id=1, bos_token_id=0, eos_token_id=2))


LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TASKS = [
    Task("roberta", roberta, {"task_type": "SEQ_CLS", "target_modules": ["query", "value", "dense"],
                              "exclude_modules": r"classifier\..*"},
         marked, 0.005, f"--task sequence --labels {','.join(LABELS)}"),
    Task("llama-dora", llama, {"task_type": "CAUSAL_LM", "target_modules": LINEAR, "use_dora": True},
         chained, 0.005, "--task causal"),
    Task("llama-saved", llama, {
        "task_type": "CAUSAL_LM", "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        chained, 0.005, "--task causal"),
]


def write_base(task, folder):
    torch.manual_seed(7)
    task.make().save_pretrained(folder)
    table = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(table, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        model_max_length=40).save_pretrained(folder)
    return folder


class Model:
    """A task's base under the interface that `adapters` uses."""

    def __init__(self, task, folder):
        self.kind, self.folder = type(task.make()), folder

    def load(self, folder, dtype=torch.float32):
        return self.kind.from_pretrained(folder, dtype=dtype).eval()


def batches(folder, texts, order, size=BATCH):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for first in range(0, len(order), size):
        chosen = [texts[index] for index in order[first:first + size]]
        batch = tokenizer(
            [text for _, text in chosen], truncation=True, max_length=LENGTH, padding=True, return_tensors="pt")
        batch.pop("token_type_ids", None)
        if chosen[0][0]:
            batch["labels"] = torch.tensor([LABELS.index(label) for label, _ in chosen])
        else:
            batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        yield batch


def scored(model, folder, texts):
    """Loss and accuracy, of classes or of next words."""
    loss = right = answers = 0
    with torch.no_grad():
        for batch in batches(folder, texts, list(range(len(texts)))):
            output = model(**batch)
            logits, labels = output.logits, batch["labels"]
            if labels.dim() == 2:
                logits, labels = logits[:, :-1], labels[:, 1:]
            counted = labels != -100
            count = int(counted.sum())
            loss += float(output.loss) * count
            right += int(((logits.argmax(-1) == labels) & counted).sum())
            answers += count
    return loss / answers, right / answers


def control(task, folder, config, texts, heldout):
    """PEFT alone on all texts: as many epochs and steps as each client makes, of batches that hold both clients' examples."""
    torch.manual_seed(7)
    model = peft.get_peft_model(Model(task, folder).load(folder), config)
    before = scored(model.eval(), folder, heldout)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    order = random.Random(7)
    model.train()
    for _ in range(ROUNDS):
        # As every client does it: what the optimizer remembers begins at zero in every round.
        optimizer = torch.optim.AdamW(trained, lr=task.learning_rate, weight_decay=0.0)
        for _ in range(EPOCHS):
            indices = list(range(len(texts)))
            order.shuffle(indices)
            for batch in batches(folder, texts, indices, BATCH * len(RANKS)):
                model(**batch).loss.backward()
                optimizer.step()
                optimizer.zero_grad()
    return before, scored(model.eval(), folder, heldout)


def federated(task, server, folder, config, shards, heldout, scratch):
    """Three rounds of real agents; what the last published adapter scores."""
    template = adapters.make(Model(task, folder), folder, config, scratch / "template")
    federation = Federation(server, task.name, {"template": True}, rounds=ROUNDS, training={
        "epochs": EPOCHS, "batch_size": BATCH, "optimizer": "adamw", "learning_rate": task.learning_rate,
        "weight_decay": 0.0, "max_length": LENGTH})
    federation.template(template)
    script = pathlib.Path(__file__).resolve().parent.parent / "train_peft.py"
    agents = []
    try:
        for index, (rank, texts) in enumerate(zip(RANKS, shards)):
            data = scratch / f"client-{index}.tsv"
            data.write_text("".join(f"{label}\t{text}\n" for label, text in texts))
            log = open(scratch / f"client-{index}.log", "wb")
            trainer = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} --threads 1 --model " \
                f"{shlex.quote(str(folder))} {task.trainer}"
            agents.append((subprocess.Popen(
                [server.client, "join", server.url, "--federation", federation.name, "--name", f"client-{index}",
                 "--rank", str(rank), "--data", data, "--state", scratch / f"state-{index}", "--trainer", trainer],
                env={**os.environ, "RANKWISE_TOKEN": federation.enrolment}, stdout=log, stderr=log), log))
        end = time.monotonic() + 900
        for index, (agent, log) in enumerate(agents):
            if code := agent.wait(max(1, end - time.monotonic())):
                log.flush()
                said = (scratch / f"client-{index}.log").read_text().strip()[-400:]
                raise AssertionError(f"client {index} ended with {code}: {said}")
    finally:
        for agent, log in agents:
            if agent.poll() is None:
                agent.terminate()
                agent.wait()
            log.close()
    adapted = adapters.load(Model(task, folder), folder, federation.download(ROUNDS, RANKS[0], scratch / "published"))
    return scored(adapted, folder, heldout)


def one(task, server, scratch):
    """A line of the table, and whether the federation learned."""
    scratch.mkdir(parents=True)
    folder = write_base(task, scratch / "base")
    texts, heldout = task.texts(TEXTS, 1), task.texts(HELD_OUT, 2)
    config = LoraConfig(r=RANKS[0], lora_alpha=2 * RANKS[0], **task.config)
    before, after = control(task, folder, config, texts, heldout)
    found = federated(task, server, folder, config, (texts[::2], texts[1::2]), heldout, scratch)
    wanted, gained = before[0] - after[0], before[0] - found[0]
    wanted_right, gained_right = after[1] - before[1], found[1] - before[1]
    learned = wanted > 0 and (gained >= SHARE * wanted or gained_right >= SHARE * wanted_right > 0)
    line = " | ".join(f"{loss:.3f}, {100 * right:.0f}%" for loss, right in (before, found, after))
    share = f"{100 * gained / wanted:.0f}% of its gain in loss, {100 * gained_right / max(wanted_right, 1e-9):.0f}% in accuracy"
    return f"| {task.name} | {line} | {share}{'' if learned else ', FAILED'} |", learned


def run(server, scratch, only=None):
    lines, failed = [], 0
    chosen = [task for task in TASKS if only in (None, task.name)]
    if not chosen:
        sys.exit(f"peft-matrix: --only {only}: with --learn, expected one of {', '.join(task.name for task in TASKS)}")
    for task in chosen:
        try:
            line, learned = one(task, server, scratch / task.name)
        except Exception as error:
            line, learned = f"| {task.name} | | | | FAILED: {type(error).__name__}: {str(error)[:300]} |", False
        print(line, flush=True)
        lines.append(line)
        failed += not learned
    return lines, failed
