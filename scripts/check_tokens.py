#!/usr/bin/env python3
"""Checks that Rankwise's tokenizers give exactly the ids of the tokenizers library and of transformers.

    python3 scripts/check_tokens.py --lab PROGRAM [--gguf FILE…] [--work FOLDER]

PROGRAM is rankwise-lab. The script makes about 1 MB of mixed text (this project's code and docs, emoji, CJK, other scripts,
odd white space, digits). It trains a tokenizer of each kind that Rankwise reads: byte-level with the patterns of GPT-2,
Llama 3, Qwen 2 and SmolLM, and SentencePiece's kind in its older and newer form, with and without byte fallback. With
--gguf it also builds each file's tokenizer as the model's own tokenizer.json has it, and as transformers does from the
GGUF file alone. Every text is encoded by both sides, whole and in pieces, and every difference is printed.
Needs tokenizers; transformers and gguf for --gguf.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
MARK = "\u2581"


def local_text(limit):
    """This project's own code and docs."""
    parts = []
    for pattern in ("docs/*.md", "Sources/*/*.swift", "Sources/*/*/*.swift", "scripts/*.py"):
        for path in sorted(ROOT.glob(pattern)):
            parts.append(path.read_text(encoding="utf-8"))
    text = "\n".join(parts)
    start = len(text) // 3
    return text[start : start + limit]


def odd_text(random, limit):
    """Characters of many scripts, in runs with odd white space, digits, contractions and emoji."""
    ranges = [
        (0x4E00, 0x9FFF), (0x3040, 0x30FF), (0xAC00, 0xD7A3), (0x0400, 0x04FF), (0x0370, 0x03FF), (0x0590, 0x05FF),
        (0x0600, 0x06FF), (0x0900, 0x097F), (0x0E00, 0x0E7F), (0x1F300, 0x1FAFF), (0x00A0, 0x024F), (0x0300, 0x036F),
        (0x2000, 0x206F), (0x2150, 0x218F), (0x2460, 0x24FF), (0x20000, 0x2A6DF), (0x1D400, 0x1D7FF), (0x0020, 0x007E),
        (0x1E00, 0x1EFF), (0xFF00, 0xFFEF), (0x1100, 0x11FF),
    ]
    spaces = [" ", "  ", "    ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u2028", "\u200b", " \n ", "\n \n", "\t\t ",
              "\r", "\u1680", "\u205f ", "\x0b", "\x0c", "\x85", " \u00a0"]
    words = ["don't", "WE'LL", "I'm", "they'Re", "it's", "'tis", "x'\u017f", "naïve", "café", "cafe\u0301", "1234567", "3.14",
             "½", "²³", "٣٤٥", "Ⅻ", "<|im_start|>", "<s>", "</s>", "_x", "__init__", "->", "...", "!!\n\n", "👩‍👩‍👧‍👦", "🇨🇭🇫🇷",
             "👍🏽", "e\u0301\u0302", "\ufeff", "a" * 70, "ab" * 60, "▁", "▁▁x", "#️⃣", "100%", "$9.99", "'", "''s", "\u1112\u1161\u11ab"]
    parts = []
    size = 0
    while size < limit:
        kind = random.random()
        if kind < 0.45:
            low, high = random.choice(ranges)
            part = "".join(
                chr(value) for value in (random.randint(low, high) for _ in range(random.randint(1, 8)))
                if not 0xD800 <= value < 0xE000
            )
        elif kind < 0.75:
            part = random.choice(spaces)
        else:
            part = random.choice(words)
        parts.append(part)
        size += len(part.encode())
    return "".join(parts)


def byte_level(pattern, corpus, size=6000, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if pattern == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    elif pattern == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex({"llama3": LLAMA3, "qwen2": QWEN2}[pattern]), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if pattern == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    )
    tokenizer.train_from_iterator(corpus, trainer)
    if pattern == "llama3":
        start = tokenizer.token_to_id("<|endoftext|>")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|endoftext|> $A", pair="<|endoftext|> $A $B", special_tokens=[("<|endoftext|>", start)]
        )
    return tokenizer


def sentence_piece(form, corpus, size=6000):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=form != "unknown"))
    if form == "older":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    else:
        scheme = {"newer": "first", "split": "always", "unknown": "never"}[form]
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=form == "split")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
        + ([decoders.Strip(" ", 1, 0)] if form != "unknown" else [])
    )
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if form != "unknown" else []
    # Trained by words, as SentencePiece does; a run of spaces is a word of its own.
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(" {2,}"), behavior="isolated"), pre_tokenizers.Metaspace(prepend_scheme="always", split=True)]
        if form == "split" else
        [pre_tokenizers.Split(Regex(" +[^ \n]*"), behavior="isolated"), pre_tokenizers.Metaspace(prepend_scheme="never", split=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"] + bytes_, limit_alphabet=size // 6)
    trained.train_from_iterator(corpus, trainer)
    described = json.loads(trained.to_str())["model"]
    tokenizer.model = models.BPE(
        vocab=described["vocab"], merges=[tuple(merge) for merge in described["merges"]], unk_token="<unk>", fuse_unk=True,
        byte_fallback=form != "unknown")
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in ("<unk>", "<s>", "</s>")])
    start = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", start)])
    return tokenizer


def of_gguf(path):
    """The tokenizer of a GGUF file as the model's own tokenizer.json has it, and transformers' from the file alone."""
    from transformers import AutoTokenizer

    file = pathlib.Path(path)
    converted = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)._tokenizer
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    pre = fields["tokenizer.ggml.pre"].contents() if "tokenizer.ggml.pre" in fields else "default"
    own = Tokenizer.from_str(converted.to_str())
    if pre == "smollm":
        own.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    if pre == "qwen2":
        own.normalizer = normalizers.NFC()
    return own, converted


def pieces(text, random):
    """The text in pieces of all lengths, so that words meet their start and end in all ways."""
    place = 0
    while place < len(text):
        length = random.choice([1, 2, 3, 5, 8, 13, 40, 200, 1000])
        yield text[place : place + length]
        place += length


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--gguf", nargs="*", default=[])
    parser.add_argument("--work")
    options = parser.parse_args()
    generator = random.Random(5)
    text = local_text(500_000) + odd_text(generator, 600_000)
    texts = [text] + [text[:100_000]] + list(pieces(text, generator))
    corpus = [text[start : start + 5000] for start in range(0, len(text), 5000)]
    work = pathlib.Path(options.work or tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    data = work / "texts.jsonl"
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    cases = [(pattern, byte_level(pattern, corpus), None) for pattern in ("gpt2", "smollm", "llama3", "qwen2")]
    cases.append(("llama3 with ignore_merges", byte_level("llama3", corpus, ignore_merges=True), None))
    cases += [(f"sentencepiece, {form}", sentence_piece(form, corpus), None) for form in ("older", "newer", "split", "unknown")]
    for path in options.gguf:
        own, converted = of_gguf(path)
        cases.append((path, own, path))
        different = sum(own.encode(t).ids != converted.encode(t).ids for t in texts)
        print(f"{path}: transformers, from this file alone, differs from the model's own tokenizer in {different} of "
              f"{len(texts)} texts")
    failed = False
    for name, tokenizer, base in cases:
        if base is None:
            base = work / (name.replace(" ", "-").replace(",", "") + ".json")
            tokenizer.save(str(base))
        start = time.monotonic()
        output = subprocess.run(
            [options.lab, "tokenize", "--base", str(base), "--data", str(data)], check=True, stdout=subprocess.PIPE)
        seconds = time.monotonic() - start
        found = [json.loads(line) for line in output.stdout.splitlines()]
        expected = tokenizer.encode_batch(texts, add_special_tokens=False)
        wrong = [index for index in range(len(texts)) if found[index]["ids"] != expected[index].ids]
        back = [
            index for index in range(len(texts))
            if found[index]["text"] != tokenizer.decode(expected[index].ids, skip_special_tokens=False)
        ]
        ids = sum(len(one.ids) for one in expected)
        size = sum(len(text.encode()) for text in texts)
        print(f"{name}: {ids} ids of {len(texts)} texts ({size} bytes): {len(wrong)} texts differ, {len(back)} decoded texts "
              f"differ; {seconds:.1f} s with the program's start and JSON")
        for index in wrong[:3]:
            one = expected[index].ids
            place = next((i for i, (a, b) in enumerate(zip(one, found[index]["ids"])) if a != b), min(len(one), len(found[index]["ids"])))
            print(f"  text {index}, id {place}: expected {[tokenizer.id_to_token(i) for i in one[place:place + 5]]}, "
                  f"found {[tokenizer.id_to_token(i) for i in found[index]['ids'][place:place + 5]]}")
        for index in back[:3]:
            print(f"  text {index} decoded: expected {tokenizer.decode(expected[index].ids, skip_special_tokens=False)[:60]!r}, "
                  f"found {found[index]['text'][:60]!r}")
        failed = failed or bool(wrong or back or len(found) != len(texts))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
