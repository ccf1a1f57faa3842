"""Writes the files of `hostile/` beside it, one per refusal of the safetensors reader."""

import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "hostile"
SOUND = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
DATA = b"\0" * 8


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape="[2]", offsets="[0,8]", name="a"):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


FILES = {
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
}

FOLDER.mkdir(parents=True, exist_ok=True)
for name, content in FILES.items():
    (FOLDER / f"{name}.safetensors").write_bytes(content)
