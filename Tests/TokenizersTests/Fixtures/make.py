#!/usr/bin/env python3
"""Writes the fixtures beside it: small tokenizers trained by the tokenizers library, and the ids that it gives.

    python3 make.py        needs tokenizers, transformers, gguf and torch

NAME.json is a tokenizer, NAME.gguf one in GGUF's metadata. expected.json has the texts, and for each file the ids and the
decoded texts. The builders are those of scripts/check_tokens.py.
"""

import json
import pathlib
import random
import sys

import gguf

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "scripts"))
import check_tokens  # noqa: E402

SIZE = 700
KINDS = {"gpt2": "gpt-2", "smollm": "smollm", "llama3": "llama-bpe", "qwen2": "qwen2"}


def write_gguf(name, tokenizer, model, pre=None):
    described = json.loads(tokenizer.to_str())
    vocabulary = sorted(described["model"]["vocab"].items(), key=lambda entry: entry[1])
    special = {token["content"] for token in described["added_tokens"]}
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list([token for token, _ in vocabulary])
    kinds = [3 if token in special else 6 if model == "llama" and token.startswith("<0x") else 1 for token, _ in vocabulary]
    writer.add_token_types(kinds)
    if pre:
        writer.add_tokenizer_pre(pre)
        writer.add_token_merges([" ".join(merge) for merge in described["model"]["merges"]])
    else:
        writer.add_token_scores([-float(index) for _, index in vocabulary])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    generator = random.Random(11)
    text = check_tokens.local_text(60_000) + check_tokens.odd_text(generator, 20_000)
    corpus = [text[start : start + 2000] for start in range(0, len(text), 2000)]
    texts = [
        "", " ", "Hello, world!", " two  spaces and\n\nlines \n x", "I'm don't WE'LL x'\u017f", "12345 a1b22 ½²", "\t\tcode(x) -> y;\r\n",
        "naïve cafe\u0301 \u1112\u1161\u11ab \u1113\u1161", "<|im_start|>user\nhi<|im_end|>\n", "<s>x</s> y", "日本語の文 한국어", "🎉👩‍👩‍👧‍👦 é▁▁x",
        "a" * 100, "ab " * 50,
    ] + list(check_tokens.pieces(check_tokens.odd_text(generator, 1500), generator))
    expected = {"texts": texts, "files": {}}
    files = {}
    for name, pre in KINDS.items():
        tokenizer = check_tokens.byte_level(name, corpus, size=SIZE)
        files[name + ".json"] = tokenizer
        write_gguf(name, tokenizer, "gpt2", pre)
        files[name + ".gguf"] = check_tokens.of_gguf(HERE / f"{name}.gguf")[0]
    for form in ("older", "newer", "split", "unknown"):
        files[f"spm-{form}.json"] = check_tokens.sentence_piece(form, corpus, size=SIZE + 300)
    write_gguf("spm", files["spm-newer.json"], "llama")
    files["spm.gguf"] = check_tokens.of_gguf(HERE / "spm.gguf")[0]
    for name, tokenizer in files.items():
        if name.endswith(".json"):
            tokenizer.save(str(HERE / name), pretty=False)
        encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        expected["files"][name] = {
            "ids": encoded, "texts": [tokenizer.decode(ids, skip_special_tokens=False) for ids in encoded],
            "marked": tokenizer.encode("x", add_special_tokens=True).ids,
        }
    (HERE / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main()
