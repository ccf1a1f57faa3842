#!/usr/bin/env python3
"""Makes tokens.json and vocab.txt: what transformers' BERT tokenizer makes of nasty strings.

    python3 make_tokens.py FOLDER

FOLDER holds the vocab.txt of an uncased BERT. The vocabulary beside this script is the slice of it that the strings
need; the numbers in tokens.json are those of the slice. Needs transformers.
"""

import json
import pathlib
import sys
import tempfile

from transformers import BertTokenizerFast

STRINGS = [
    "", " ", "\t\n\r ", "Hello, World!", "unaffable", "don't stop-me now...", "a.b,c;d:e!f?g",
    "na\u00efve Caf\u00e9 \u00c5ngstr\u00f6m \u0130stanbul STRASSE stra\u00dfe",
    "e\u0301 o\u0308 \u1e69 \ufb01ne", "\u4e2d\u6587abc\u65e5\u672c\u8a9e def", "\uf900 \u2f81a",
    "\uac00\ub098 \ud55c\uad6d\uc5b4", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0419\u043e\u0434",
    "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u039f\u0394\u039f\u03a3", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "zero\u200bwidth so\u00adft n\u0000ul re\ufffdplaced pri\ue000vate \u0007bell del\u007fete",
    "no\u00a0break en\u2003space line\u2028sep form\u000cfeed vt\u000btab next\u0085line \u3000wide",
    "\u201cquoted\u201d \u2014dash \u2026 \u00bfqu\u00e9? \u00a1si! \u3002\u3001", "5 + 3 = 8 < 9 ~ `x` $5 ^ |y|",
    "[CLS] [SEP] [UNK] [MASK] [PAD]", "##ing ##", "\U0001f600 smile \U0001f1e9\U0001f1ea",
    "\u20ac100 \u00a35 \u00b12\u00b0 \u00bd", "x" * 100, "x" * 101, "qqqqzzzzqqqq", "0x1F 3.14159 1e-7 192.168.0.1",
    "http://www.example.com/path?query=1#frag", "A" * 40 + " b", "\u0378 \u1e9e \u01c5 \u0149",
    "the quick brown fox jumps over the lazy dog " * 4,
]


def main():
    tokenizer = BertTokenizerFast(sys.argv[1] + "/vocab.txt", do_lower_case=True)
    pieces = pathlib.Path(sys.argv[1], "vocab.txt").read_text(encoding="utf-8").split("\n")
    used = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    for text in STRINGS:
        used.update(tokenizer.convert_ids_to_tokens(tokenizer(text, split_special_tokens=True)["input_ids"]))
    # Prefixes of what is used, so that the longest match has shorter rivals.
    used.update(piece[:end] for piece in list(used) for end in range(1, len(piece)) if piece[:end] in set(pieces))
    here = pathlib.Path(__file__).parent
    slice_ = [piece for piece in pieces if piece in used]
    (here / "vocab.txt").write_text("\n".join(slice_) + "\n", encoding="utf-8")
    small = BertTokenizerFast(str(here / "vocab.txt"), do_lower_case=True)
    cases = [
        {"text": text, "limit": limit, "tokens": small(
            text, split_special_tokens=True, truncation=True, max_length=limit)["input_ids"]}
        for text in STRINGS for limit in (512, 7)
    ]
    (here / "tokens.json").write_text(json.dumps(cases, indent=None, separators=(",", ":")) + "\n")


main()
