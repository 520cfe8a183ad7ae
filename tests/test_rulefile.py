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
        pytest.param(
            HEAD.replace("rules", "extends: [Nothing]\nrules") + GOOD,
            4,
            "no category is called Nothing",
            id="extends nothing",
        ),
        pytest.param(HEAD.replace("rules", "drop: [b]\nrules") + GOOD, 4, "has a rule b", id="drops what is not there"),
        pytest.param(HEAD.replace("rules", "allow: {}\nrules") + GOOD, 4, "no term is given", id="allows nothing"),
        pytest.param(
            HEAD.replace("rules", "allow: {words: [x]}\nrules") + GOOD,
            4,
            "known are files, terms",
            id="wrong key of allow",
        ),
        pytest.param(HEAD + GOOD.replace("}", ", allow: {files: [x.txt]}}"), 5, "there is no file x.txt", id="no file"),
        pytest.param(
            HEAD + GOOD.replace("}", ", allow: {files: [/etc/passwd]}}"), 5, "there is no file", id="a way out"
        ),
        pytest.param(HEAD + GOOD.replace("}", ", terms: [x]}"), 5, "exactly one of", id="pattern and terms"),
        pytest.param(HEAD + GOOD.replace("pattern: 'x\\d'", "terms: []"), 5, "terms: no term", id="no terms"),
        pytest.param(HEAD + GOOD.replace("pattern: 'x\\d'", "terms: [' ']"), 5, "no term", id="a term of blanks"),
        pytest.param(
            HEAD + GOOD.replace("pattern: 'x\\d'", "terms_files: [a.txt]"),
            5,
            "there is no file a.txt",
            id="no term file",
        ),
        pytest.param(
            HEAD + GOOD.replace("pattern: 'x\\d'", "terms: [x], check: luhn"),
            5,
            "only what a pattern",
            id="checked terms",
        ),
        pytest.param(HEAD + GOOD.replace("}", ", context: {words: []}}"), 5, "context.words", id="no context words"),
        pytest.param(
            HEAD + GOOD.replace("}", ", context: {words: [k]}}"), 5, "required: true", id="context for nothing"
        ),
        pytest.param(
            HEAD + GOOD.replace("}", ", context: {words: [k], required: true, score: 0.9}}"), 5, "say one of", id="both"
        ),
        pytest.param(
            HEAD + GOOD.replace("}", ", context: {words: [k], near: 3}}"),
            5,
            "known are required, score",
            id="wrong key",
        ),
        pytest.param(
            HEAD + GOOD.replace("}", ", context: {words: [k, ''], required: true}}"), 5, "is empty", id="empty word"
        ),
        pytest.param(
            HEAD + GOOD.replace("}", ", context: {words: [k], side: left, required: true}}"), 5, "side", id="side"
        ),
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


def category(tmp_path: Path, name: str, *lines: str) -> Path:
    path = tmp_path / f"{name}.yaml"
    path.write_text("\n".join([f"category: {name}", 'version: "1"', "about: {en: x, zh: x}", *lines, ""]), "utf-8")
    return path


def test_a_category_extends_others_drops_rules_and_replaces_them_in_their_place(tmp_path: Path) -> None:
    category(tmp_path, "Base", "rules:", GOOD, GOOD.replace("id: a", "id: b").replace("x", "z"))
    category(tmp_path, "Other", "rules:", GOOD.replace("entity: A", "entity: SECOND"), GOOD.replace("id: a", "id: c"))
    path = category(
        tmp_path, "Mine", "extends: [Base, Other, Sub.yaml]", "drop: [c]", "rules:",
        GOOD.replace("entity: A", "entity: MINE"), GOOD.replace("id: a", "id: d").replace("x", "w"),
    )  # fmt: skip
    category(tmp_path, "Sub", "extends: [Base]", "drop: [a]")

    rules = read_category(path).rules

    assert [(rule.id, rule.entity) for rule in rules] == [("a", "MINE"), ("b", "A"), ("d", "A")]


def test_of_two_extended_categories_the_first_ones_rule_stays(tmp_path: Path) -> None:
    category(tmp_path, "Base", "rules:", GOOD)
    category(tmp_path, "Other", "rules:", GOOD.replace("entity: A", "entity: SECOND"))

    assert [rule.entity for rule in read_category(category(tmp_path, "Mine", "extends: [Base, Other]")).rules] == ["A"]


def test_a_shipped_category_can_be_extended_and_its_allow_list_holds_for_inherited_rules(tmp_path: Path) -> None:
    path = category(
        tmp_path, "Mine", "extends: [UserInfo]", "drop: [net.email]", "allow: {terms: ['１３８ ００１３８０００']}",
    )  # fmt: skip
    masker = Masker(path, names="off")

    assert masker.mask("13900139000, a@b.example, 138 00138000").text == "<PHONE_NUMBER_1>, a@b.example, 138 00138000"


def test_categories_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    category(tmp_path, "One", "extends: [Two]", "rules:", GOOD)
    path = category(tmp_path, "Two", "extends: [One]", "rules:", GOOD)

    with pytest.raises(RuleError, match=r"One\.yaml:4: extends\.0: Two extends this category in its turn"):
        read_category(path)


def test_a_mistake_in_an_extended_category_is_named_in_its_own_file(tmp_path: Path) -> None:
    category(tmp_path, "Base", "rules:", GOOD.replace("hits", "hitz"))

    with pytest.raises(RuleError, match=r"Base\.yaml:5: rule a: hitz: no such key"):
        read_category(category(tmp_path, "Mine", "extends: [Base]"))


def test_an_extended_category_sees_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "words.txt").write_text("# CC0\n\nkiwi\n", "utf-8")
    rule = "  - {id: a, entity: A, terms_files: [words.txt], hits: [kiwi], misses: [y]}"
    category(tmp_path / "deep", "Base", "rules:", rule)

    assert Masker(category(tmp_path, "Mine", "extends: [deep/Base.yaml]")).mask("kiwi").text == "<A_1>"


def test_term_files_are_one_term_a_line_with_comments(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\ufeff# Licence: CC0\n\n  Kiwi Air \n第三产品\nC#\n", "utf-8")
    rule = "{id: a, entity: A, terms: [durian], terms_files: [words.txt], ignore_case: true, hits: [KIWI AIR], misses: [kiwi]}"
    masker = Masker(category(tmp_path, "Mine", "rules:", f"  - {rule}"))

    assert masker.mask("kiwi　ａｉｒ, Durian, 用第三产品的人, c#!").text == "<A_1>, <A_2>, 用<A_3>的人, <A_4>!"
    assert masker.mask("kiwi airs, duriant, xc#").text == "kiwi airs, duriant, xc#"


@pytest.mark.parametrize(
    ("context", "text", "expected"),
    [
        pytest.param("{words: [密码, pass], required: true}", "密码是 x1", "密码是 <A_1>", id="before"),
        pytest.param("{words: [密码, pass], required: true}", "x1 是密码", "<A_1> 是密码", id="after"),
        pytest.param("{words: [密码, pass], required: true}", "PASS: x1", "PASS: <A_1>", id="either case"),
        pytest.param("{words: [密码, pass], required: true}", "bypass: x1", "bypass: x1", id="inside a word"),
        pytest.param("{words: [pass], required: true}", "ｐａｓｓ x1", "ｐａｓｓ <A_1>", id="full width"),
        pytest.param("{words: [pass], required: true}", "订单pass码 x1", "订单pass码 <A_1>", id="Latin word in Chinese"),
        pytest.param("{words: [密码], required: true}", "码密 x1", "码密 x1", id="other order"),
        pytest.param("{words: [密码], within: 4, required: true}", "密码是 x1", "密码是 <A_1>", id="just near enough"),
        pytest.param("{words: [密码], within: 3, required: true}", "密码是 x1", "密码是 x1", id="one too far"),
        pytest.param("{words: [pass], within: 5, required: true}", "x1 passx", "x1 passx", id="word goes on behind"),
        pytest.param("{words: [密码], side: before, required: true}", "x1密码", "x1密码", id="wrong side, before"),
        pytest.param("{words: [密码], side: after, required: true}", "密码x1", "密码x1", id="wrong side, after"),
        pytest.param("{words: [密码], required: true}", "密\u200b码 x1", "密\u200b码 <A_1>", id="zero width inside"),
    ],
)  # fmt: skip
def test_a_required_context_word_must_stand_near(tmp_path: Path, context: str, text: str, expected: str) -> None:
    rule = f"  - {{id: a, entity: A, pattern: 'x\\d', context: {context}, hits: [x1], misses: [y]}}"

    assert Masker(category(tmp_path, "Mine", "rules:", rule)).mask(text).text == expected


def test_a_context_word_gives_another_score(tmp_path: Path) -> None:
    rule = GOOD.replace("}", ", score: 0.4, context: {words: [key], score: 0.95}}")
    masker = Masker(category(tmp_path, "Mine", "rules:", rule))

    assert [finding.score for finding in masker.scan("x1 and key x2")] == [0.95, 0.95]
    assert [finding.score for finding in masker.scan("x1" + " " * 30 + "key x2")] == [0.4, 0.95]


def test_a_rule_taken_over_can_be_given_context_and_allow(tmp_path: Path) -> None:
    use = "  - {use: cn.mobile, context: {words: [call], required: true}, allow: {terms: ['13900139000']}}"
    masker = Masker(category(tmp_path, "Mine", "rules:", use))

    assert masker.mask("13800138000").text == "13800138000"
    assert masker.mask("call 13800138000 or 139 0013 9000").text == "call <PHONE_NUMBER_1> or <PHONE_NUMBER_2>"
    assert masker.mask("call 13900139000").text == "call 13900139000"


def test_allowed_values_are_compared_without_case_and_width_and_only_as_a_whole(tmp_path: Path) -> None:
    rule = "  - {id: a, entity: A, pattern: '(?i:acme|support)(?: x)?', allow: {terms: [Acme]}, hits: [x], misses: [y]}"
    masker = Masker(category(tmp_path, "Mine", "rules:", rule))

    assert masker.mask("ACME ａｃｍｅ support").text == "ACME ａｃｍｅ <A_1>"
    assert masker.mask("acme x").text == "<A_1>"
