"""Strict YAML: what is written is what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.errors import ProviderError, RuleError
from masking.core.yamltext import load


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("off", "off", id="yaml 1.1 boolean off"),
        pytest.param("no", "no", id="yaml 1.1 boolean no"),
        pytest.param("Yes", "Yes", id="yaml 1.1 boolean yes"),
        pytest.param("True", "True", id="only lower-case true is true"),
        pytest.param("true", True, id="true"),
        pytest.param("false", False, id="false"),
        pytest.param("null", None, id="null"),
        pytest.param("", None, id="nothing written"),
        pytest.param("~", "~", id="tilde is a string"),
        pytest.param("012", "012", id="octal"),
        pytest.param("0x10", "0x10", id="hexadecimal"),
        pytest.param("1_000", "1_000", id="underscored"),
        pytest.param("12:30", "12:30", id="sexagesimal"),
        pytest.param("2026-11-21", "2026-11-21", id="date"),
        pytest.param("+86", "+86", id="a telephone prefix is no integer"),
        pytest.param("13", 13, id="integer"),
        pytest.param("-3", -3, id="negative integer"),
        pytest.param("0.85", 0.85, id="float"),
        pytest.param("1e3", "1e3", id="exponent without a point"),
        pytest.param(".5", ".5", id="float without a leading digit"),
        pytest.param(".inf", ".inf", id="infinity"),
        pytest.param("'13'", "13", id="quoted digits"),
        pytest.param('"true"', "true", id="quoted true"),
        pytest.param("''", "", id="quoted nothing"),
        pytest.param("9" * 30, "9" * 30, id="more digits than 64 bits hold"),
        pytest.param("1[3-9]\\d{9}", "1[3-9]\\d{9}", id="a pattern"),
    ],
)
def test_scalars_are_read_as_written(text: str, value: Any) -> None:
    data, _ = load(f"key: {text}\n", "a.yaml")

    assert data == {"key": value}
    assert type(data["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "already on line 1", id="duplicate key"),
        pytest.param("x:\n  - {a: 1, a: 2}\n", 2, "already on line 2", id="duplicate key in a flow mapping"),
        pytest.param("b: 1\na: &n 1\nc: *n\n", 2, "alias", id="alias, at the line of its anchor"),
        pytest.param("a: *missing\n", 1, "alias", id="a glob that was not quoted"),
        pytest.param("base: 1\n<<: {a: 1}\n", 2, "merge key", id="merge key"),
        pytest.param("a: 1\nb: !!python/object:os.system x\n", 2, "tag", id="tag on a scalar"),
        pytest.param("a: !!set {b}\n", 1, "tag", id="tag on a mapping"),
        pytest.param("a: !x [b]\n", 1, "tag", id="tag on a list"),
        pytest.param("a: 1\n? [b]\n: 2\n", 2, "key must be", id="list as a key"),
        pytest.param("a: [1\nb: 2\n", 2, "not YAML", id="unclosed list"),
        pytest.param("a: 1\n---\nb: 2\n", 2, "not YAML", id="two documents"),
        pytest.param("a: \x00\n", 1, "character", id="control character"),
        pytest.param("a: \ud800\n", 1, "character", id="lone surrogate"),
        pytest.param("[" * 80 + "]" * 80, 1, "deeper", id="nested too deep"),
    ],
)
def test_what_is_refused_names_file_and_line(text: str, line: int, says: str) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        load(text, "dir/a.yaml")

    assert (caught.value.file, caught.value.line) == ("dir/a.yaml", line)
    assert str(caught.value).startswith(f"dir/a.yaml:{line}: ")


def test_the_caller_chooses_whose_fault_it_is() -> None:
    with pytest.raises(RuleError):
        load("a: [", "rules/a.yaml", error=RuleError)


def test_every_path_has_its_line() -> None:
    text = "rules:\n  - id: one\n    hits:\n      - a\n      - b\n  - {id: two}\n"
    data, lines = load(text, "a.yaml")

    assert data == {"rules": [{"id": "one", "hits": ["a", "b"]}, {"id": "two"}]}
    assert lines.of() == 1
    assert lines.of("rules") == 1
    assert lines.of("rules", 0) == 2
    assert lines.of("rules", 0, "hits", 1) == 5
    assert lines.of("rules", 1, "id") == 6
    assert lines.of("rules", 0, "not there", "deeper") == 2


def test_an_empty_text_is_nothing() -> None:
    data, lines = load("# only a comment\n", "a.yaml")

    assert data is None
    assert lines.of("a") == 1


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    )
)
def test_quoted_strings_come_back_whatever_they_look_like(data: dict[str, str]) -> None:
    data.pop("<<", None)
    text = "\n".join(
        f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items()
    )

    loaded, _ = load(text, "a.yaml")

    assert (loaded or {}) == data
