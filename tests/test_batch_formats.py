"""Every format, as itself and compressed: what is text is masked, what was not touched keeps its own bytes."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from test_batch import MOBILES, batch, chat, quiet

from masking.batch.cut import Block, DamagedError, Prefix, lines
from masking.batch.elements import elements
from masking.batch.records import Records
from masking.batch.row import Json, read, spliced
from masking.core import document as module
from masking.core.document import Document, Guarded

MAIL = "zhang.san@example.com"
COMPRESSED: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "": (lambda data: data, lambda data: data),
    ".gz": (gzip.compress, gzip.decompress),
    ".zst": (
        zstandard.ZstdCompressor().compress,
        lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(),
    ),
}
CSV = f'id,"said, in full",at\r\n1,打{MOBILES[1]},x\r\n2,"two\r\nlines, a ""quote"" and {MAIL}",y\r\n3,nothing,z\r\n'
ARRAY = json.dumps([chat(0), chat(1), "a string", 3, None, [MAIL]], ensure_ascii=False, indent=1)
TABLE = {
    "chats.jsonl": json.dumps(chat(0)) + "\r\n\r\n" + json.dumps(chat(1)),
    "chats.json": ARRAY,
    "values.json": json.dumps(chat(0)) + "\n" + json.dumps(chat(1)) + "\n",
    "one.json": json.dumps({"conversation": [chat(0)]}, indent=2),
    "rows.csv": CSV,
    "rows.tsv": CSV.replace(",", "\t"),
    "semicolons.csv": CSV.replace(",", ";"),
    "notes.txt": f"first line\n  {MAIL} and 中文\r\nlast line",
}


@pytest.mark.parametrize("suffix", COMPRESSED)
@pytest.mark.parametrize("name", TABLE)
def test_each_format_is_masked_and_compressed_as_it_was(tmp_path: Path, name: str, suffix: str) -> None:
    write, read = COMPRESSED[suffix]
    source = tmp_path / f"{name}{suffix}"
    source.write_bytes(write(TABLE[name].encode()))
    quiet(source, "-o", tmp_path / "out", "--mapping", "irreversible")
    masked = read((tmp_path / "out" / source.name).read_bytes()).decode()
    assert MAIL not in masked
    assert not any(mobile in masked for mobile in MOBILES)
    assert "_NUMBER>" in masked or "_ADDRESS>" in masked


def test_untouched_rows_of_an_array_and_all_between_keep_their_bytes(tmp_path: Path) -> None:
    source = tmp_path / "chats.json"
    source.write_text('\ufeff [ {"a" :  "nothing"} ,\n\t{"b":"' + MAIL + '"},3 ,"x" ]  \n', "utf-8")
    quiet(source, "-o", tmp_path / "out", "--mapping", "irreversible")
    masked = (tmp_path / "out" / "chats.json").read_text("utf-8")
    assert masked == '\ufeff [ {"a" :  "nothing"} ,\n\t{"b":"<EMAIL_ADDRESS>"},3 ,"x" ]  \n'


def test_records_of_csv_are_the_same_but_for_what_is_masked(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_bytes(CSV.encode())
    quiet(source, "-o", tmp_path / "out", "--mapping", "irreversible")
    masked = (tmp_path / "out" / "rows.csv").read_bytes().decode()
    assert masked == CSV.replace(MOBILES[1], "<PHONE_NUMBER>").replace(MAIL, "<EMAIL_ADDRESS>")


def test_json_in_a_field_of_csv_and_in_tool_calls_is_opened(tmp_path: Path) -> None:
    inner = json.dumps({"to": "张@x", "mail": MAIL})
    row = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": inner}}]}]}
    out = io.StringIO()
    csv.writer(out).writerows([["id", "messages"], ["1", json.dumps(row["messages"])]])
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows.csv").write_text(out.getvalue(), "utf-8")
    (tmp_path / "in" / "rows.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    quiet(tmp_path / "in", "-o", tmp_path / "out", "--mapping", "irreversible")
    from_json = json.loads((tmp_path / "out" / "rows.jsonl").read_text("utf-8"))["messages"]
    with (tmp_path / "out" / "rows.csv").open(encoding="utf-8", newline="") as file:
        from_csv = json.loads(list(csv.reader(file))[1][1])
    assert json.loads(from_json[0]["tool_calls"][0]["function"]["arguments"])["mail"] == "<EMAIL_ADDRESS>"
    assert MAIL not in json.dumps(from_csv)


def test_a_header_that_holds_a_value_is_no_header(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(f"1,{MAIL}\n2,x\n", "utf-8")
    refused = batch(source, "-o", tmp_path / "out", "--names", "off")
    assert refused.exit_code == 1
    assert "--no-header" in str(refused.exception)
    quiet(source, "-o", tmp_path / "other", "--no-header", "--mapping", "irreversible")
    assert (tmp_path / "other" / "rows.csv").read_text("utf-8") == "1,<EMAIL_ADDRESS>\n2,x\n"


def _pieces(data: bytes, chance: random.Random) -> list[bytes]:
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]


CUTTERS: dict[str, tuple[Callable[..., object], list[str]]] = {
    "lines": (lines, ["a\n", "b\r\n", "\n", "ccc"]),
    "elements": (elements, ['[{"a":"]\\\\\\""}', ' , [1,"}"]', ",2 ,", '"x"', ' ,{"b":[{}]}\n]\n']),
    "records": (lambda *given: Records().blocks(*given), ["a,b\n", '1,"x\n""y"""\n', "2,z\r\n", "3,w"]),
}


@pytest.mark.parametrize("kind", CUTTERS)
@given(seed=st.integers(0, 2**32))
def test_blocks_join_to_the_file_and_go_on_from_any_of_them(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    cut, parts = CUTTERS[kind]
    data = "".join(parts).encode()
    size = chance.randrange(1, 30)

    def blocks(before: Prefix, size: int = size) -> list[Block]:
        return list(cut(iter(_pieces(data, chance)), size, 1000, before))  # type: ignore[call-overload]

    whole = blocks(Prefix())
    assert b"".join(block.data for block in whole) == data
    rows = [block.data[start:end] for block in whole for start, end in block.spans or ()]
    stopped = chance.choice(whole)
    rest = blocks(Prefix(stopped.end, stopped.digest), chance.randrange(1, 30))
    assert b"".join(block.data for block in rest) == data[stopped.end :]
    if kind == "elements":
        assert [json.loads(row) for row in rows] == json.loads(data)


def test_a_row_longer_than_the_limit_is_passed_over_and_what_follows_is_not() -> None:
    found = list(lines(iter([b"a\nb", b"bbbbbbb", b"bb\nc\n", b"d"]), 2, 6, Prefix()))
    assert [(block.data, block.skipped) for block in found] == [(b"a\n", 0), (b"", 11), (b"c\n", 0), (b"d", 0)]


@pytest.mark.parametrize("text", ["[1,]", "[,1]", "[1", '["a', "[1]]", "hello", "{}]"])
def test_what_is_no_json_is_told_of(text: str) -> None:
    with pytest.raises(DamagedError):
        list(elements(iter([text.encode()]), 1, 1000, Prefix()))


def test_token_probabilities_spell_the_text_and_are_dropped(tmp_path: Path) -> None:
    tokens = [{"token": part, "bytes": list(part.encode())} for part in ("138", "0013", "8000")]
    row = {"choices": [{"message": {"role": "assistant", "content": "yes"}, "logprobs": {"content": tokens}}]}
    source = tmp_path / "x.jsonl"
    source.write_text(json.dumps(row) + "\n", "utf-8")
    quiet(source, "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "x.jsonl").read_text("utf-8"))["choices"][0]["logprobs"] is None


def test_all_but_the_values_keeps_its_own_spelling(tmp_path: Path) -> None:
    row = (
        f' {{"said" : "\\ud83d \\u4e2d {MAIL}", "n":1e400, "big": [12345678901234567890123.50, -0, 1.10, true],\t"k\\"":null, '
        f'"tel": 13800138000, "{{": "}}, \\"x\\": {MAIL}"}} \n'
    )
    source = tmp_path / "x.jsonl"
    source.write_text(row, "utf-8")
    quiet(source, "-o", tmp_path / "out", "--mapping", "irreversible")
    expected = (
        row.replace(MAIL, "<EMAIL_ADDRESS>").replace("13800138000", '"<PHONE_NUMBER>"').replace("\\u4e2d", "\\u4e2d")
    )
    assert (tmp_path / "out" / "x.jsonl").read_text("utf-8") == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
)
def test_splicing_changes_strings_and_nothing_else(doc: Any, ascii_only: bool, indent: Any) -> None:
    def other(node: Any) -> Any:
        if isinstance(node, str):
            return f"<{node}>" if len(node) % 2 else node
        if isinstance(node, list):
            return [other(one) for one in node]
        return {key: other(value) for key, value in node.items()} if isinstance(node, dict) else node

    raw = json.dumps(doc, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    new = other(doc)
    assert spliced(raw, doc, doc) == raw
    made = spliced(raw, doc, new)
    assert json.loads(made) == new
    assert made == json.dumps(new, ensure_ascii=raw.isascii(), indent=indent).encode("utf-8", "surrogatepass")


@given(
    st.dictionaries(st.text('AB\n"', max_size=3), st.recursive(st.text(max_size=4) | st.integers(-9, 9) | st.none() | st.floats(allow_nan=False, allow_infinity=False), st.lists, max_leaves=6), max_size=4),
    st.sampled_from(["dumps", "orjson", "spaced"]),
    st.sampled_from(["<X_1>", "é", "\x7f", '"\\\n'],),
)  # fmt: skip
def test_a_row_is_written_as_if_only_its_strings_were_replaced(
    doc: dict[str, Any], spelling: str, instead: str
) -> None:
    raw = {
        "dumps": json.dumps(doc).encode(),
        "orjson": orjson.dumps(doc),
        "spaced": json.dumps(doc, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
    }[spelling]
    row = Json(b" " + raw + b"\n", Document().mask)
    row.walk(lambda text: text + instead if text[:1] > "a" else text)

    assert row.write() == b" " + spliced(raw, read(raw), row.doc) + b"\n"


leaves = (
    st.sampled_from(["a", "b", '{"a": "b"}', "data:x/y;base64,YQ==", "", "13"])
    | st.none()
    | st.booleans()
    | st.integers(0, 9)
)
docs = st.recursive(
    leaves,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("pqrst"), below, max_size=4),
    max_leaves=12,
)


@given(docs)
def test_a_document_is_walked_quickly_as_it_is_slowly(doc: Any) -> None:
    document = Document(
        [("p",), ("q", None, "r"), Guarded(("s",), (("t", "a"),))], [("r",), ("q", "r")], [("t",), ("q", None, "t")]
    )
    seen: dict[str, list[str]] = {"quick": [], "slow": []}
    results = {}
    for way, texts in seen.items():

        def mask(text: str, texts: list[str] = texts) -> str:
            texts.append(text)
            return text.replace("a", "b") if len(text) > 1 or text == "a" else text

        with pytest.MonkeyPatch.context() as patched:
            if way == "slow":
                patched.delattr(module._Masking, "visit")
            results[way] = document.mask(copy.deepcopy(doc), mask)

    assert results["quick"] == results["slow"]
    assert seen["quick"] == seen["slow"]
