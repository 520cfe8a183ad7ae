"""The audit finds what masking left, tells where, and never what; it does not take placeholders for values."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masking import Masker
from masking.batch.audit import Looked, audit
from masking.cli.batch import command
from masking.core.errors import ConfigurationError

pytest.importorskip("presidio_analyzer")

CARD, MAIL, IDENTITY = "4111 1111 1111 1111", "ann@example.com", "110105194912310021"
KEYED = "<PHONE_NUMBER_625090509570275825>"


def _line(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _gzip(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))


def _zstd(path: Path, text: str) -> None:
    zstandard = pytest.importorskip("zstandard")
    half = len(text) // 2
    frames = [zstandard.ZstdCompressor().compress(part.encode()) for part in (text[:half], text[half:])]
    path.write_bytes(b"".join(frames))


def _parquet(path: Path, text: str) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist([json.loads(line) for line in text.splitlines()]), path)


def _plain(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


ROWS = _line({"id": 1, "chat": [{"text": "nothing"}]}) + _line({"id": 2, "chat": [{"text": f"to {MAIL}"}]})


@pytest.mark.parametrize(
    ("name", "write", "text", "row", "path"),
    [
        ("a.jsonl", _plain, ROWS, 2, "chat[*].text"),
        ("a.jsonl.gz", _gzip, ROWS, 2, "chat[*].text"),
        ("a.jsonl.zst", _zstd, ROWS, 2, "chat[*].text"),
        ("a.parquet", _parquet, ROWS, 2, "chat[*].text"),
        ("a.json", _plain, f"[{','.join(ROWS.splitlines())}]", 2, "chat[*].text"),
        ("a.csv", _plain, f"id,text\n1,nothing\n2,to {MAIL}\n", 3, "text"),
        ("a.tsv", _plain, f"id\ttext\n1\tnothing\n2\tto {MAIL}\n", 3, "text"),
        ("a.log", _plain, f"nothing\nto {MAIL}\n", 2, ""),
        ("deep/b.jsonl", _plain, ROWS, 2, "chat[*].text"),
    ],
)
def test_what_is_left_is_told_by_its_place(
    tmp_path: Path, name: str, write: Callable[[Path, str], None], text: str, row: int, path: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    write(tmp_path / name, text)

    made = audit(tmp_path)

    [left] = made.places
    assert (left.file, left.row, left.path, left.entity) == (name, row, path, "EMAIL_ADDRESS")
    assert (left.start, left.end) == (3, 3 + len(MAIL))
    assert made.files == {name: 1}


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        (CARD, {"CREDIT_CARD"}),
        (IDENTITY, {"CN_RESIDENT_ID"}),
        ("call +86 138 0013 8000", {"PHONE_NUMBER"}),
        ("192.0.2.7", {"IP_ADDRESS"}),
        ("on 2024-01-01, see https://example.com/a", set()),
        ("nothing at all", set()),
        (f"{KEYED} and <EMAIL_ADDRESS_222370085329035654>, <US_SSN>, <ID_CARD_1>", set()),
    ],
)
def test_what_counts_as_left(tmp_path: Path, text: str, entities: set[str]) -> None:
    _plain(tmp_path / "a.txt", text)

    assert set(audit(tmp_path).entities) == entities


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(1, 10**18 - 1), entity=st.sampled_from(["PHONE_NUMBER", "US_SSN", "BANK_ACCOUNT", "PERSON"]))
def test_a_placeholder_is_never_taken_for_a_value(tmp_path: Path, number: int, entity: str) -> None:
    _plain(tmp_path / "a.txt", f"12 <{entity}_{number}> 34, <{entity}_{number}><{entity}_{number}>")

    assert audit(tmp_path).left == 0


def test_numbers_keys_and_json_in_strings_are_looked_at(tmp_path: Path) -> None:
    row = {"n": int(CARD.replace(" ", "")), MAIL: {"below": IDENTITY}, "arguments": json.dumps({"to": MAIL})}
    _plain(tmp_path / "a.jsonl", _line(row))

    places = {(left.path, left.entity) for left in audit(tmp_path).places}

    assert places == {
        ("n", "CREDIT_CARD"),
        ("", "EMAIL_ADDRESS"),
        ("*.below", "CN_RESIDENT_ID"),
        ("arguments.to", "EMAIL_ADDRESS"),
    }


def test_the_folder_of_a_run_of_ours_is_clean(tmp_path: Path, patterns: Masker) -> None:
    texts = [f"write to {MAIL}", f"card {CARD}", "电话13800138000", f"身份证{IDENTITY}"]
    _plain(tmp_path / "a.jsonl", "".join(_line({"text": patterns.mask(text).text}) for text in texts))
    (tmp_path / "_masking").mkdir()
    _plain(tmp_path / "_masking" / "b.jsonl", _line({"text": MAIL}))
    _plain(tmp_path / ".hidden.jsonl", _line({"text": MAIL}))

    made = audit(tmp_path)

    assert made.left == 0
    assert made.files == {"a.jsonl": 0}
    assert made.rows == len(texts)


def test_workers_see_the_same(tmp_path: Path) -> None:
    for number in range(3):
        _plain(tmp_path / f"{number}.jsonl", "".join(_line({"t": f"{MAIL} {row} {CARD}"}) for row in range(200)))

    one, two = audit(tmp_path), audit(tmp_path, workers=2)

    assert (one.places, one.entities, one.files) == (two.places, two.entities, two.files)
    assert one.left == 1200


def test_long_texts_are_looked_at_in_pieces(tmp_path: Path) -> None:
    _plain(tmp_path / "a.txt", "x " * 60_000 + MAIL + " y" * 60_000)

    [left] = audit(tmp_path).places

    assert (left.start, left.end) == (120_000, 120_000 + len(MAIL))


@pytest.mark.parametrize(
    ("looked", "entities"),
    [
        (Looked(), {"EMAIL_ADDRESS", "PHONE_NUMBER"}),
        (Looked(ignored=frozenset({"EMAIL_ADDRESS", "DATE_TIME"})), {"URL", "PHONE_NUMBER"}),
        (Looked(entities=frozenset({"URL"}), ignored=frozenset()), {"URL"}),
        (Looked(least=0.9), {"EMAIL_ADDRESS"}),
    ],
)
def test_what_is_looked_for_can_be_said(tmp_path: Path, looked: Looked, entities: set[str]) -> None:
    _plain(tmp_path / "a.txt", f"{MAIL} +1 212 555 0147")

    assert set(audit(tmp_path, looked=looked).entities) == entities


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b'{"text": "cut', "cannot be read as .jsonl"),
        ("a.jsonl.gz", gzip.compress(ROWS.encode(), mtime=0)[:-12], "cannot be read"),
        ("a.jsonl", b'{"text": "\xff"}\n', "cannot be read"),
        ("a.parquet", b"PAR1", "cannot be read as .parquet"),
        ("a.xyz", b"", "no file of a known format"),
    ],
)
def test_what_cannot_be_read_is_no_clean_bill(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError) as error:
        audit(tmp_path)
    assert told in str(error.value)


def _audited(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["audit", *arguments, "--workers", "1"])


def test_the_command_tells_places_and_never_values(tmp_path: Path) -> None:
    _plain(tmp_path / "a.jsonl", ROWS)
    _plain(tmp_path / "b.bin", "")

    for result in (_audited(str(tmp_path)), _audited(str(tmp_path), "--json")):
        assert result.exit_code == 1
        assert "EMAIL_ADDRESS" in result.output
        assert "chat[*].text" in result.output
        assert "b.bin" in result.output
        assert MAIL not in result.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 1),
        (["--allow", "1"], 0),
        (["--opaque", "chat[*].text"], 0),
        (["--ignore", "EMAIL_ADDRESS", "--ignore", "URL"], 0),
        (["--entity", "CREDIT_CARD"], 0),
        (["--score", "1"], 1),
    ],
)
def test_exit_codes_say_whether_more_is_left_than_allowed(tmp_path: Path, arguments: list[str], code: int) -> None:
    _plain(tmp_path / "a.jsonl", ROWS)

    result = _audited(str(tmp_path), *arguments)

    assert result.exit_code == code, result.output


def test_json_is_the_whole_report(tmp_path: Path) -> None:
    _plain(tmp_path / "a.jsonl", ROWS * 600)

    told = json.loads(_audited(str(tmp_path), "--json", "--allow", "9999").output)

    assert (told["left"], told["rows"], told["allowed"]) == (600, 1200, 9999)
    assert told["entities"] == {"EMAIL_ADDRESS": 600}
    assert len(told["places"]) == 600
    assert set(told["places"][0]) == {"file", "row", "path", "entity", "score", "start", "end", "recogniser"}
