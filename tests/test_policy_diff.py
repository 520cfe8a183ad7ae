"""`masking policy diff`: what changes between two versions, over a corpus larger than what is held, without values."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from version_pair import category

from masking import Masker
from masking.cli import _group
from masking.core.errors import ConfigurationError
from masking.core.path import parse
from masking.policy.difference import compare, read_corpus

OLD = category("Old", "SAME S..", "GONE G..", "KIND K..", "DONE D..")
NEW = category("New", "SAME S..", "OTHER K..", "DONE D..", "NEW N..", done="SHA256")


@pytest.fixture
def versions(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OLD, "utf-8")
    new.write_text(NEW, "utf-8")
    return old, new


def masking(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(_group, ["policy", "diff", *map(str, arguments)], standalone_mode=False)
    if isinstance(result.exception, Exception):
        return 2, str(result.exception)
    return result.return_value if isinstance(result.return_value, int) else 0, result.output


def test_every_kind_of_change_is_counted(versions: tuple[Path, Path], tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("S11 and G22, then K33\nD44 N55\n\nnothing 77\nG66\n", "utf-8")

    code, out = masking(*versions, "--corpus", corpus, "--json")
    doc = orjson.loads(out)

    assert code == 0
    assert (doc["texts"], doc["differing"]) == (4, 3)
    assert {(one["change"], one["entity"], one["other_entity"]): one["count"] for one in doc["differences"]} == {
        ("vanishes", "GONE", ""): 2,
        ("entity", "KIND", "OTHER"): 1,
        ("operator", "DONE", "DONE"): 1,
        ("appears", "", "NEW"): 1,
    }
    assert doc["rules"] == {"added": ["n"], "removed": ["g"], "changed": ["k", "d"]}


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--json",)])
def test_samples_show_what_stands_around_and_no_value_unless_it_is_asked_for(
    versions: tuple[Path, Path], tmp_path: Path, form: tuple[str, ...]
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("call 13800 about G22 and S11, K33\n", "utf-8")

    _, hidden = masking(*versions, "--corpus", corpus, *form)
    _, shown = masking(*versions, "--corpus", corpus, "--reveal", *form)

    assert "G22" in shown
    for value in ("G22", "S11", "K33", "13800"):
        assert value not in hidden
    assert "call 00000 about" in hidden
    assert "[SAME]" in hidden


def test_without_a_corpus_the_examples_are_compared(versions: tuple[Path, Path]) -> None:
    code, out = masking(*versions, "--fail")

    assert code == 1
    assert out.splitlines()[-1].startswith("6 texts, 4 differ")
    assert masking(versions[0], versions[0], "--fail")[0] == 0


def test_a_place_in_jsonl(versions: tuple[Path, Path], tmp_path: Path) -> None:
    corpus = tmp_path / "chats.jsonl"
    corpus.write_bytes(orjson.dumps({"messages": [{"content": "G11"}, {"content": "N22"}, {"other": "G33"}]}) + b"\n")

    code, out = masking(*versions, "--corpus", corpus, "--text", "messages[*].content", "--json")
    assert (code, orjson.loads(out)["texts"]) == (0, 2)
    code, out = masking(*versions, "--corpus", corpus)
    assert code == 2
    assert "no line has a text" in out


def test_a_corpus_is_read_text_by_text(versions: tuple[Path, Path], tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    line = "一二 words and more " * 400 + "G22"
    with corpus.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for _ in range(1_000))
    size = corpus.stat().st_size
    assert size > 8_000_000

    old, new = Masker(versions[0]), Masker(versions[1])
    compare(old, new, read_corpus(versions[0], None))

    tracemalloc.start()
    result = compare(old, new, read_corpus(corpus, None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert result.by_change() == {"vanishes": 1_000}
    assert peak < size / 5


def test_a_line_without_end_is_read_in_pieces(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_bytes(b"x" * (5 << 20))

    assert [len(one.text) for one in read_corpus(corpus, None)] == [1 << 20] * 5


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [(b"\xff\xfe", "a.txt", "a.txt:1: the corpus is not UTF-8"), (b"{", "a.jsonl", "a.jsonl:1: this line is not JSON")],
)
def test_a_corpus_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=says):
        list(read_corpus(tmp_path / name, parse("text") if name.endswith("l") else None))
    with pytest.raises(ConfigurationError, match="cannot read the corpus"):
        list(read_corpus(tmp_path / "none", None))
