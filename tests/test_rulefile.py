"""A mistake in a rule file is named with file, line, rule and what to do; nothing wrong loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from masking import ConfigurationError, Masker, RuleError
from masking.core.proof import prove
from masking.core.rulefile import load_category
from masking.files import read_category
from masking.masker import detector

HEAD = 'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'
GOOD = "  - {id: a, entity: A, pattern: 'x\\d', hits: [x1], misses: [y]}\n"


def read(name: str) -> tuple[str, str]:
    raise KeyError(name)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param(HEAD + GOOD.replace("hits", "hitz"), 5, "rule a: hitz: no such key; known are", id="wrong key"),
        pytest.param(HEAD + "  - id: a\n    id: b\n", 6, "already on line 5", id="duplicate key"),
        pytest.param(HEAD + GOOD + GOOD, 6, "rule a: id: is already in this category, on line 5", id="duplicate rule"),
        pytest.param(HEAD + GOOD.replace("x\\d", "x("), 5, "rule a: pattern: does not compile", id="pattern"),
        pytest.param(HEAD + GOOD.replace("x\\d", "(?=x)x"), 5, "do not share", id="look-around"),
        pytest.param(HEAD + GOOD.replace("x\\d", "x*"), 5, "matches the empty text", id="matches everywhere"),
        pytest.param(HEAD + GOOD.replace(", hits: [x1]", ""), 5, "without examples does not load", id="no hits"),
        pytest.param(HEAD + GOOD.replace(", misses: [y]", ""), 5, "without examples does not load", id="no misses"),
        pytest.param(HEAD + GOOD.replace("entity: A", "entity: a"), 5, "must be upper-case", id="entity in lower case"),
        pytest.param(HEAD + GOOD.replace("entity: A", "entity: A1"), 5, "must be upper-case", id="entity with a digit"),
        pytest.param(HEAD + GOOD.replace("entity: A", "entity: LITERAL"), 5, "not LITERAL", id="entity of our own"),
        pytest.param(HEAD + GOOD.replace("}", ", check: lunh}"), 5, "no check 'lunh'; known are", id="unknown check"),
        pytest.param(HEAD + GOOD.replace("}", ", not_beside: digits}"), 5, "unknown boundary", id="unknown boundary"),
        pytest.param(HEAD + GOOD.replace("}", ", score: 2}"), 5, "less than or equal to 1", id="score"),
        pytest.param(HEAD + GOOD.replace("}", ", answer: drop}"), 5, "answer", id="answer"),
        pytest.param(HEAD + GOOD.replace("}", ", model: zh}"), 5, "exactly one of", id="two sources"),
        pytest.param(HEAD + GOOD.replace("pattern: 'x\\d'", "model: fr"), 5, "known are zh, latin", id="unknown model"),
        pytest.param(HEAD + GOOD.replace("pattern: 'x\\d'", "model: zh"), 5, "which labels", id="no labels"),
        pytest.param(
            HEAD + "  - {use: cn.nothing}\n", 5, "no recogniser is called cn.nothing", id="unknown recogniser"
        ),
        pytest.param(HEAD + "  - {use: ../../etc}\n", 5, "no recogniser is called", id="a way out of the folder"),
        pytest.param(
            HEAD + GOOD.replace("}", ", request: {mask: {}, hash: {}}}"), 5, "name one operator", id="two operators"
        ),
        pytest.param(HEAD + "  - x\n", 5, "rules.0", id="a rule that is no mapping"),
        pytest.param(HEAD.replace("version", "vershun") + GOOD, 2, "no such key", id="wrong key of the category"),
        pytest.param(HEAD + "  []\n", 4, "rules", id="no rules"),
        pytest.param("- x\n", 1, "a mapping of keys is expected", id="a list"),
        pytest.param("", 1, "a mapping of keys is expected", id="an empty file"),
        pytest.param("category: [\n", 2, "not YAML", id="no YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, line: int, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        load_category(text, "rules/Mine.yaml", read)

    assert says in str(caught.value)
    assert str(caught.value).startswith(f"rules/Mine.yaml:{line}: ")
    assert (caught.value.file, caught.value.line) == ("rules/Mine.yaml", line)


def test_values_are_read_as_they_are_written() -> None:
    """YAML 1.1 would make a number of 0123, false of off and a date of 2001-01-01."""
    text = HEAD + "  - {id: a, entity: A, pattern: off, hits: [off], misses: ['0123', 2001-01-01, no]}\n"
    (rule,) = load_category(text, "f", read).rules

    assert rule.misses == ("0123", "2001-01-01", "no")


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        pytest.param("hits: [x1, zz]", "hits", "example 2 of hits: nothing is found", id="a hit that is none"),
        pytest.param("hits: [{text: ax1b, finds: [ax1]}]", "hits", "found are pieces of 2", id="another span"),
        pytest.param("hits: [x1], misses: [y, x2]", "misses", "example 2 of misses: 1 found", id="a miss that hits"),
        pytest.param("hits: [x1], known_gaps: [x3]", "known_gaps", "the gap is closed", id="a gap that is closed"),
    ],
)
def test_an_example_that_does_not_hold_is_named_without_its_text(change: str, kind: str, says: str) -> None:
    kept = "" if "misses" in change else "misses: [y], "
    text = HEAD + f"  - {{id: a, entity: A, pattern: 'x\\d', not_beside: none, {kept}{change}}}\n"
    (rule,) = load_category(text, "rules/Mine.yaml", read).rules
    (failure,) = prove(rule, detector)

    assert (failure.kind, failure.file, failure.line) == (kind, "rules/Mine.yaml", 5)
    assert says in str(failure)
    assert "zz" not in str(failure)


def test_a_category_takes_shared_recognisers_and_overrides_them(tmp_path: Path) -> None:
    (tmp_path / "recognisers" / "own").mkdir(parents=True)
    own = "recogniser: own.badge\nentity: BADGE\npattern: 'B-\\d{4}'\nhits: [B-1234]\nmisses: [B-1]\n"
    (tmp_path / "recognisers" / "own" / "badge.yaml").write_text(own, "utf-8")
    path = tmp_path / "Mine.yaml"
    path.write_text(HEAD + "  - {use: own.badge}\n  - {use: cn.mobile, entity: MOBILE, request: keep}\n", "utf-8")

    masker = Masker(path)

    assert masker.mask("B-1234 13800138000").text == "<BADGE_1> 13800138000"
    assert [rule.entity for rule in masker.category.rules] == ["BADGE", "MOBILE"]


def test_a_recogniser_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recognisers" / "own").mkdir(parents=True)
    other = "recogniser: own.other\nentity: X\npattern: x\nhits: [x]\nmisses: [y]\n"
    (tmp_path / "recognisers" / "own" / "badge.yaml").write_text(other, "utf-8")
    path = tmp_path / "Mine.yaml"
    path.write_text(HEAD + "  - {use: own.badge}\n", "utf-8")

    with pytest.raises(RuleError, match=r"badge\.yaml:1: rule own\.badge: recogniser: is own\.other"):
        read_category(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("Nothing", "shipped are", id="no such category"),
        pytest.param("./missing.yaml", "No such file", id="no such file"),
    ],
)
def test_a_category_that_does_not_exist_is_named(name: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Masker(name)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Mine.yaml"
    path.write_bytes("category: 我".encode("gbk"))

    with pytest.raises(ConfigurationError, match="not UTF-8"):
        Masker(path)


def test_several_categories_count_together_and_the_earlier_rule_stays(tmp_path: Path) -> None:
    one, other = tmp_path / "One.yaml", tmp_path / "Two.yaml"
    one.write_text(HEAD + GOOD, "utf-8")
    other.write_text(
        HEAD + GOOD.replace("entity: A", "entity: B") + GOOD.replace("id: a", "id: c").replace("x", "z"), "utf-8"
    )

    assert Masker([one, other]).mask("x1 z2").text == "<A_1> <A_2>"
    with pytest.raises(ConfigurationError, match="at least one"):
        Masker([])
