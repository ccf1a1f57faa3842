"""Writes the folders of hostile files beside it, one file per refusal:

    header      no safetensors file
    quantised   a U8 tensor that is no quantised one
    adapter     tensors that make no LoRA adapter
    update      an adapter that its federation cannot take
    config      no adapter_config.json
"""

import json
import math
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent
SOUND = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
DATA = b"\0" * 8


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape="[2]", offsets="[0,8]", name="a"):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


HEADER = {
    "empty": b"",
    "length-cut": b"\x02\0\0",
    "header-too-short": file("{", length=1),
    "header-too-long": file("{}", length=100_000_001),
    "header-length-all-ones": file("{}", length=2**64 - 1),
    "header-beyond-file": file("{}", length=3),
    "header-not-object": file("[]"),
    "header-leading-space": file(" {}"),
    "header-cut": file("{" + SOUND, DATA),
    "header-trailing-text": file("{" + SOUND + "}x", DATA),
    "header-missing-comma": file("{" + entry(offsets="[0 8]") + "}", DATA),
    "header-bad-escape": file('{"a\\x":1}'),
    "header-lone-surrogate": file('{"\\ud800":1}'),
    "header-not-utf8": file(b'{"\xff":1}'),
    "header-control-character": file(b'{"a\x01":1}'),
    "header-raw-nul": file(b'{"a":\x00}'),
    "metadata-nested-deep": file('{"__metadata__":{"a":' + "[" * 5_000 + "]" * 5_000 + "}}"),
    "duplicate-name": file("{" + SOUND + "," + SOUND + "}", DATA),
    "duplicate-name-escaped": file("{" + SOUND + "," + SOUND.replace('"a"', '"\\u0061"') + "}", DATA),
    "duplicate-metadata": file('{"__metadata__":{"k":"1","k":"2"}}'),
    "duplicate-field": file('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', DATA),
    "metadata-not-text": file('{"__metadata__":{"k":1}}'),
    "metadata-not-object": file('{"__metadata__":"k"}'),
    "unknown-field": file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', DATA),
    "missing-dtype": file('{"a":{"shape":[2],"data_offsets":[0,8]}}', DATA),
    "missing-shape": file('{"a":{"dtype":"F32","data_offsets":[0,8]}}', DATA),
    "missing-offsets": file('{"a":{"dtype":"F32","shape":[2]}}', DATA),
    "entry-not-object": file('{"a":[]}'),
    "unknown-dtype": file("{" + entry(dtype="F33") + "}", DATA),
    "unsupported-dtype": file("{" + entry(dtype="I64", shape="[1]") + "}", DATA),
    "shape-negative": file("{" + entry(shape="[-2]") + "}", DATA),
    "shape-fraction": file("{" + entry(shape="[2.0]") + "}", DATA),
    "shape-leading-zero": file("{" + entry(shape="[02]") + "}", DATA),
    "shape-number-too-large": file("{" + entry(shape="[99999999999999999999]") + "}", DATA),
    "shape-overflow": file("{" + entry(shape="[4294967296,4294967296]") + "}", DATA),
    "shape-overflow-beside-zero": file("{" + entry(shape="[0,4294967296,4294967296]", offsets="[0,0]") + "}"),
    "shape-overflow-by-dtype": file("{" + entry(shape="[4611686018427387904]") + "}", DATA),
    "shape-too-many-sides": file("{" + entry(shape="[" + ",".join(["1"] * 17) + "]") + "}", DATA),
    "offsets-reversed": file("{" + entry(offsets="[8,0]") + "}", DATA),
    "offsets-three": file("{" + entry(offsets="[0,8,8]") + "}", DATA),
    "offsets-short": file("{" + entry(offsets="[0,4]") + "}", DATA),
    "offsets-beyond-file": file("{" + entry(shape="[4]", offsets="[0,16]") + "}", DATA),
    "offsets-beyond-address-space": file("{" + entry(offsets="[9223372036854775799,9223372036854775807]") + "}", DATA),
    "overlap": file("{" + SOUND + "," + entry(name="b", offsets="[4,12]") + "}", b"\0" * 12),
    "same-place": file("{" + SOUND + "," + entry(name="b") + "}", DATA),
    "gap-at-start": file("{" + entry(offsets="[4,12]") + "}", b"\0" * 12),
    "gap-between": file("{" + SOUND + "," + entry(name="b", offsets="[12,20]") + "}", b"\0" * 20),
    "trailing-bytes": file("{" + SOUND + "}", DATA + b"\0"),
    "trailing-bytes-alone": file("{}", b"\0"),
    "too-many-tensors": file("{" + ",".join(entry(shape="[0]", offsets="[0,0]", name=f"t{i}") for i in range(9)) + "}"),
}


def tensors(named, metadata=None):
    """A file of tensors, each a dtype, a shape and its bytes, in the order given."""
    parts = [] if metadata is None else ['"__metadata__":' + json.dumps(metadata)]
    data = b""
    for name, (dtype, shape, content) in named.items():
        end = len(data) + len(content)
        parts.append(entry(dtype, json.dumps(shape), f"[{len(data)},{end}]", name))
        data += content
    return file("{" + ",".join(parts) + "}", data)


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def quantised(
    shape=[2, 3], data=b"\0" * 6, scale=("F32", [2], floats(1, 1)), minimum=("F32", [2], floats(0, 0)), metadata=None
):
    named = {"w": ("U8", shape, data), "w.scale": scale, "w.min": minimum}
    return tensors({name: tensor for name, tensor in named.items() if tensor}, metadata)


def four(text="2,3", shape=[2, 2], data=b"\0" * 4, **parts):
    return quantised(shape, data, metadata={"message_bits": "4", "shape:w": text}, **parts)


QUANTISED = {
    "plain-u8": quantised(scale=None, minimum=None),
    "scale-missing": quantised(scale=None),
    "min-missing": quantised(minimum=None),
    "scale-f16": quantised(scale=("F16", [2], b"\0" * 4)),
    "min-f64": quantised(minimum=("F64", [2], b"\0" * 16)),
    "scale-u8": quantised(scale=("U8", [2], b"\0" * 2)),
    "scale-longer": quantised(scale=("F32", [3], floats(1, 1, 1))),
    "scale-two-sides": quantised(scale=("F32", [2, 1], floats(1, 1))),
    "min-shorter": quantised(minimum=("F32", [1], floats(0))),
    "scale-not-a-number": quantised(scale=("F32", [2], floats(1, float("nan")))),
    "scale-infinite": quantised(scale=("F32", [2], floats(float("inf"), 1))),
    "scale-negative": quantised(scale=("F32", [2], floats(1, -0.5))),
    "min-not-a-number": quantised(minimum=("F32", [2], floats(float("nan"), 0))),
    "min-infinite": quantised(minimum=("F32", [2], floats(0, float("-inf")))),
    "bits-unknown": quantised(metadata={"message_bits": "6"}),
    "bits-padded": quantised(metadata={"message_bits": "08"}),
    "one-side": quantised(shape=[2], data=b"\0" * 2),
    "no-side": quantised(shape=[], data=b"\0"),
    "padding-not-zero": four(data=b"\0\0\0\x10"),
    "shape-missing": quantised([2, 2], b"\0" * 4, metadata={"message_bits": "4"}),
    "shape-empty": four(""),
    "shape-one-side": four("4"),
    "shape-letters": four("2,x"),
    "shape-space": four("2, 3"),
    "shape-sign": four("+2,3"),
    "shape-negative": four("-2,-3"),
    "shape-leading-zero": four("2,03"),
    "shape-trailing-comma": four("2,3,"),
    "shape-too-many-sides": four(",".join(["2", "3"] + ["1"] * 15)),
    "shape-number-too-large": four("2,99999999999999999999"),
    "shape-overflow": four("4294967296,4294967296"),
    "shape-overflow-beside-zero": four("0,4294967296,4294967296"),
    "shape-other-rows": four("3,3"),
    "shape-other-columns": four("2,5"),
    "shape-stored-flat": four(shape=[4]),
    "shape-beside-eight-bits": quantised(metadata={"message_bits": "8", "shape:w": "3,2"}),
}


def zeros(**shapes):
    """A file of F32 zeros; two underscores stand for a dot."""
    named = {name.replace("__", "."): shape for name, shape in shapes.items()}
    return tensors({name: ("F32", shape, b"\0" * 4 * math.prod(shape)) for name, shape in named.items()})


ADAPTER = {
    "no-tensor": zeros(),
    "bias-alone": zeros(m__lora_B__bias=[2]),
    "duplicate-factor": zeros(m__lora_A__weight=[2, 3], base_model__model__m__lora_A__weight=[2, 3]),
    "duplicate-dense": zeros(m__lora_A__weight=[2, 3], d=[1], base_model__model__d=[1]),
    "mixed-kinds": zeros(m__lora_A__weight=[2, 3], m__lora_embedding_B=[4, 2]),
    "a-of-three-sides": zeros(m__lora_A__weight=[2, 3, 4]),
    "a-of-no-row": zeros(m__lora_A__weight=[0, 3]),
    "embedding-of-four-sides": zeros(m__lora_embedding_A=[2, 3, 1, 1]),
    "b-with-a-kernel": zeros(m__lora_A__weight=[2, 3, 1, 1], m__lora_B__weight=[4, 2, 1, 2]),
    "b-flat-beside-a-convolution": zeros(m__lora_A__weight=[2, 3, 1, 1], m__lora_B__weight=[4, 2]),
    "b-of-no-output": zeros(m__lora_B__weight=[0, 2]),
    "ranks-differ": zeros(m__lora_A__weight=[2, 3], m__lora_B__weight=[4, 3]),
    "bias-of-another-size": zeros(m__lora_A__weight=[2, 3], m__lora_B__weight=[4, 2], m__lora_B__bias=[3]),
    "bias-of-two-sides": zeros(m__lora_A__weight=[2, 3], m__lora_B__bias=[3, 1]),
}

# The federation: linear m (3 in, 4 out, rank 2, with a bias), embedding e (3 rows of 2, rank 2), dense d (2).
M = {"m__lora_A__weight": [2, 3], "m__lora_B__weight": [4, 2], "m__lora_B__bias": [4]}

UPDATE = {
    "dense-alone": zeros(d=[2]),
    "wide": zeros(**M | {"m__lora_A__weight": [2, 5]}),
    "tall": zeros(**M | {"m__lora_B__weight": [5, 2], "m__lora_B__bias": [5]}),
    "a-missing": zeros(m__lora_B__weight=[4, 2], m__lora_B__bias=[4]),
    "b-missing": zeros(m__lora_A__weight=[2, 3]),
    "bias-missing": zeros(m__lora_A__weight=[2, 3], m__lora_B__weight=[4, 2]),
    "bias-not-asked-for": zeros(e__lora_embedding_A=[2, 3], e__lora_embedding_B=[2, 2], e__lora_B__bias=[2]),
    "rank-above-grant": zeros(m__lora_A__weight=[3, 3], m__lora_B__weight=[4, 3], m__lora_B__bias=[4]),
    "layer-for-an-embedding": zeros(e__lora_A__weight=[2, 3], e__lora_B__weight=[2, 2]),
    "unknown-module": zeros(**M, x__lora_A__weight=[2, 3], x__lora_B__weight=[4, 2]),
    "unknown-dense": zeros(**M, x=[2]),
    "dense-of-another-shape": zeros(**M, d=[3]),
    "beyond-all-training": tensors(
        {
            "m.lora_A.weight": ("F32", [1, 3], struct.pack("<3f", 1, -2e15, 1)),
            "m.lora_B.weight": ("F32", [4, 1], b"\0" * 16),
            "m.lora_B.bias": ("F32", [4], b"\0" * 16),
        }
    ),
    "not-a-number": tensors(
        {
            "m.lora_A.weight": ("BF16", [1, 3], b"\0\0\x80\x7f\xc0\xff"),
            "m.lora_B.weight": ("BF16", [4, 1], b"\0" * 8),
            "m.lora_B.bias": ("BF16", [4], b"\0" * 8),
        }
    ),
    "f64-beyond-a-float": tensors(
        {
            "m.lora_A.weight": ("F64", [1, 3], struct.pack("<3d", 1, 1e300, 1)),
            "m.lora_B.weight": ("F64", [4, 1], b"\0" * 32),
            "m.lora_B.bias": ("F64", [4], b"\0" * 32),
        }
    ),
    "quantised-unasked": tensors(
        {
            "m.lora_A.weight": ("U8", [1, 3], b"\0" * 3),
            "m.lora_A.weight.scale": ("F32", [1], floats(1)),
            "m.lora_A.weight.min": ("F32", [1], floats(1)),
        },
        {"message_bits": "8"},
    ),
    "quantised-beyond-a-float": tensors(
        {
            "m.lora_A.weight": ("U8", [1, 2], b"\x31\x0f"),
            "m.lora_A.weight.scale": ("F32", [1], floats(1e38)),
            "m.lora_A.weight.min": ("F32", [1], floats(1e38)),
            "m.lora_B.weight": ("F32", [4, 1], b"\0" * 16),
            "m.lora_B.bias": ("F32", [4], b"\0" * 16),
        },
        {"message_bits": "4", "shape:m.lora_A.weight": "1,3"},
    ),
}

CONFIG = {
    "empty": b"",
    "space": b" \n",
    "list": b"[]",
    "cut": b'{"r": 8',
    "cut-after-comma": b'{"r": 8,',
    "cut-in-string": b'{"peft_type": "LO',
    "cut-in-escape": b'{"peft_type": "LO\\',
    "cut-in-word": b'{"use_dora": tru',
    "cut-in-number": b'{"lora_alpha": 1.',
    "trailing-text": b"{} {}",
    "trailing-comma": b'{"r": 8,}',
    "colon-missing": b'{"r" 8}',
    "comma-missing": b'{"r": 8 "x": 1}',
    "name-not-quoted": b"{r: 8}",
    "comment": b"{/* */}",
    "bracket-for-brace": b'{"r": 8]',
    "escape-unknown": b'{"a\\x": 1}',
    "escape-of-three-digits": b'{"\\u12": 1}',
    "escape-not-hexadecimal": b'{"\\u12g4": 1}',
    "high-surrogate-alone": b'{"\\ud83d": 1}',
    "high-surrogate-before-text": b'{"\\ud83d\\u0041": 1}',
    "low-surrogate-alone": b'{"\\ude00": 1}',
    "control-character": b'{"a\nb": 1}',
    "not-utf8": b'{"\xc3(": 1}',
    "overlong-utf8": b'{"\xc0\xaf": 1}',
    "surrogate-in-utf8": b'{"\xed\xa0\x80": 1}',
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "utf16": '{"r": 8}'.encode("utf-16-le"),
    "word-misspelt": b'{"use_dora": trve}',
    "word-capital": b'{"use_dora": True}',
    "null-misspelt": b'{"r": nil}',
    "not-a-number": b'{"lora_alpha": NaN}',
    "infinite": b'{"lora_alpha": Infinity}',
    "plus-sign": b'{"lora_alpha": +1}',
    "minus-alone": b'{"lora_alpha": -}',
    "point-first": b'{"lora_alpha": .5}',
    "point-last": b'{"lora_alpha": 1.}',
    "exponent-empty": b'{"lora_alpha": 1e}',
    "leading-zero": b'{"lora_alpha": 01}',
    "number-too-large": b'{"lora_alpha": 1e999}',
    "rank-too-large": b'{"r": 9223372036854775808}',
    "rank-negative": b'{"r": -8}',
    "rank-fraction": b'{"r": 8.0}',
    "rank-leading-zero": b'{"r": 08}',
    "rank-text": b'{"r": "8"}',
    "rank-zero": b'{"r": 0}',
    "rank-pattern-zero": b'{"rank_pattern": {"fc1": 0}}',
    "rank-pattern-list": b'{"rank_pattern": [1]}',
    "alpha-text": b'{"lora_alpha": "16"}',
    "alpha-list": b'{"alpha_pattern": {"fc1": [1]}}',
    "modules-number": b'{"target_modules": 3}',
    "modules-of-numbers": b'{"modules_to_save": ["a", 3]}',
    "duplicate-key": b'{"r": 8, "r": 8}',
    "duplicate-key-escaped": b'{"r": 8, "\\u0072": 8}',
    "duplicate-unknown-key": b'{"x": 8, "x": 8}',
    "duplicate-pattern": b'{"alpha_pattern": {"a": 1, "a": 2}}',
    "not-lora": b'{"peft_type": "LOHA"}',
    "nested-lists": b'{"x": ' + b"[" * 5_000,
    "nested-objects": b'{"x": ' + b'{"x": ' * 33,
    "pattern-open-group": b'{"rank_pattern": {"(a": 1}}',
    "pattern-look-ahead": b'{"alpha_pattern": {"(?=a)": 1}}',
    "pattern-repeated": b'{"rank_pattern": {"((a{99}){99})": 1}}',
}

for folder, suffix, files in [
    ("header", ".safetensors", HEADER),
    ("quantised", ".safetensors", QUANTISED),
    ("adapter", ".safetensors", ADAPTER),
    ("update", ".safetensors", UPDATE),
    ("config", ".json", CONFIG),
]:
    (FOLDER / folder).mkdir(exist_ok=True)
    for name, content in files.items():
        (FOLDER / folder / f"{name}{suffix}").write_bytes(content)
