"""Parquet: values are masked in nested columns, and everything else is as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_batch import MOBILES, batch, quiet

MAIL = "zhang.san@example.com"
MESSAGE = pa.struct([("role", pa.dictionary(pa.int8(), pa.string())), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), metadata={"unit": "row"}),
        pa.field("messages", pa.list_(MESSAGE)),
        pa.field("raw", pa.large_string()),
        pa.field("at", pa.timestamp("ms")),
        pa.field("tags", pa.dictionary(pa.int32(), pa.string())),
    ],
    metadata={"owner": "logs"},
)


def row(number: int) -> dict[str, Any]:
    said = f"我的手机号是{MOBILES[number % 100]}" if number % 3 == 0 else "会议改到下周三"
    return {
        "id": number,
        "messages": [{"role": "user", "content": said}, {"role": "assistant", "content": None}] if number % 7 else None,
        "raw": json.dumps({"mail": MAIL if number % 5 == 0 else "", "n": number}),
        "at": number * 1000,
        "tags": "a" if number % 2 else "b",
    }


def written(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, **options)
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_only_values_change(tmp_path: Path, workers: int) -> None:
    source = written(tmp_path / "chats.parquet", [row(n) for n in range(1500)], row_group_size=600, compression="zstd")
    # More than a block, or one worker would do it all.
    summary = quiet(source, "-o", tmp_path / "out", "--mapping", "irreversible", "-w", workers)
    old, new = pq.ParquetFile(source), pq.ParquetFile(tmp_path / "out" / "chats.parquet")
    with old, new:
        assert new.schema_arrow.equals(old.schema_arrow, check_metadata=True)
        groups = [[one.metadata.row_group(at).num_rows for at in range(3)] for one in (old, new)]
        assert groups[0] == groups[1] == [600, 600, 300]
        codecs = [one.metadata.row_group(0).column(2).compression for one in (old, new)]
        assert codecs[0] == codecs[1] == "ZSTD"
        was, now = ([row for at in range(3) for row in one.read_row_group(at).to_pylist()] for one in (old, new))
    for number, (before, after) in enumerate(zip(was, now, strict=True)):
        for name in ("id", "at", "tags"):
            assert before[name] == after[name]
        if before["messages"]:
            said = "我的手机号是<PHONE_NUMBER>" if number % 3 == 0 else "会议改到下周三"
            assert after["messages"][0]["content"] == said
            assert after["messages"][0]["role"] == "user"
        else:
            assert after["messages"] is None
        assert json.loads(after["raw"]) == {"mail": "<EMAIL_ADDRESS>" if number % 5 == 0 else "", "n": number}
    assert summary["totals"]["rows"] == 1500
    assert summary["files"][0]["shape"] == "openai.chat"
    assert not (tmp_path / "out" / "_masking" / "parts").exists()


def test_a_row_that_cannot_be_masked_is_left_out_and_told_of(tmp_path: Path) -> None:
    rows = [row(n) for n in range(5)]
    rows[2]["raw"] = json.dumps({MAIL: 1})
    source = written(tmp_path / "chats.parquet", rows)
    refused = batch(source, "-o", tmp_path / "one", "--names", "off")
    assert "row 3" in str(refused.exception)
    assert MAIL not in str(refused.exception)
    left = batch(source, "-o", tmp_path / "two", "--names", "off", "--on-error", "quarantine")
    assert left.exit_code == 1
    assert pq.read_table(tmp_path / "two" / "chats.parquet")["id"].to_pylist() == [0, 1, 3, 4]


def test_what_is_no_parquet_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no, not at all")
    result = batch(tmp_path / "x.parquet", "-o", tmp_path / "out", "--names", "off")
    assert "not a Parquet file" in str(result.exception)


def test_a_file_without_rows_stays_one(tmp_path: Path) -> None:
    source = written(tmp_path / "empty.parquet", [])
    quiet(source, "-o", tmp_path / "out")
    masked = tmp_path / "out" / "empty.parquet"
    assert pq.read_schema(masked).equals(pq.read_schema(source), check_metadata=True)
