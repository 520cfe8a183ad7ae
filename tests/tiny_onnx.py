"""A token-classification model of a few hundred bytes, written by hand: each piece has the label that a table says.

The ONNX file format is protobuf; only the messages that a graph of one Gather needs are written here.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

INT64, FLOAT, INT32 = 7, 1, 6


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, one) if isinstance(one, str) else _number(1, one)) for one in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def onnx_model(
    table: Sequence[Sequence[float]],
    *,
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
    kind: int = INT64,
) -> bytes:
    """A model whose scores for a piece are the row of `table` at the piece's number."""
    weights = b"".join(struct.pack("<f", one) for row in table for one in row)
    tensor = (
        _number(1, len(table)) + _number(1, len(table[0])) + _number(2, FLOAT) + _bytes(8, "table") + _bytes(9, weights)
    )
    node = _bytes(1, "table") + _bytes(1, inputs[0]) + _bytes(2, "logits") + _bytes(4, "Gather")
    graph = _bytes(1, node) + _bytes(2, "g") + _bytes(5, tensor)
    graph += b"".join(_bytes(11, _value(name, kind, ("batch", "pieces"))) for name in inputs)
    graph += _bytes(12, _value("logits", FLOAT, ("batch", "pieces", len(table[0]))))
    return _number(1, 8) + _bytes(8, _bytes(1, "") + _number(2, 13)) + _bytes(7, graph)


def scores(vocabulary: Sequence[str], labels: Sequence[str], says: Mapping[str, str]) -> list[list[float]]:
    """The table in which each piece has the label that `says` gives it, or O."""
    return [[6.0 if label == says.get(piece, "O") else 0.0 for label in labels] for piece in vocabulary]


def write_folder(
    folder: Path,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    says: Mapping[str, str],
    *,
    file: str = "model.onnx",
    lower: bool = True,
    **config: object,
) -> Path:
    """A model folder with a vocab.txt."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(onnx_model(scores(vocabulary, labels, says)))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}), "utf-8")
    names = {str(number): label for number, label in enumerate(labels)}
    (folder / "config.json").write_text(
        json.dumps({"model_type": "bert", "id2label": names, "max_position_embeddings": 64, **config}), "utf-8"
    )
    return folder
