"""`masking policy verify` and `mutate`: every sin of a rule file is told, and so is every break that no case notices."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from masking import RuleError
from masking.cli import _group
from masking.core.errors import SuiteError
from masking.files import read_category
from masking.policy.exception import read_exceptions
from masking.policy.lint import lint_category, lint_references, settled
from masking.policy.mutation import Mutant, try_mutants
from masking.policy.suite import load_suite

ABOUT = "about: {en: x, zh: x}"
HEAD = f'category: T\nversion: "1"\n{ABOUT}\nrules:\n'
GOOD = f"- {{id: good, {ABOUT}, entity: GOOD, pattern: 'G\\d\\d', hits: [G11], misses: [x]}}\n"


def written(folder: Path, rules: str, head: str = HEAD) -> Path:
    path = folder / "T.yaml"
    path.write_text(head + rules, "utf-8")
    return path


def masking(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(_group, ["policy", *arguments], standalone_mode=False)
    if isinstance(result.exception, Exception):
        return 2, str(result.exception)
    return result.return_value if isinstance(result.return_value, int) else 0, result.output


@pytest.mark.parametrize(
    ("rules", "kind", "rule", "says"),
    [
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'A\\d', hits: [A1, B1], misses: [x]}}", "example", "a", "example 2 of hits"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'A\\d', hits: [A1], misses: [x, A2]}}", "example", "a", "example 2 of misses"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'A\\d', hits: [A1], misses: [x], known_gaps: [A3]}}", "example", "a", "known_gaps: is found"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'G\\d', not_beside: none, hits: [G12], misses: [x]}}", "shadowed", "a", "in T none of its 1 hits is found by it, but by good"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'G?[A-F]?\\d\\d', hits: [A11, G12], misses: [x]}}", "caught", "a", "hit 2 is found in T as another kind of value by good"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: ['A\\d', 'B\\d'], hits: [A1], misses: [x]}}", "idle", "a", "pattern 2 finds nothing in any hit"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: '[a-z]+', hits: [abc], misses: ['1']}}", "everything", "a", "3 of 6 ordinary sentences"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'X(?:[a-z]+)+', hits: [Xa], misses: ['1']}}", "catastrophic", "a", "pattern 1"),
        (f"- {{id: a, {ABOUT}, entity: A, pattern: 'X(?:[a-z]+ ?|Z)*Y', hits: [XaY], misses: ['1']}}", "catastrophic", "a", "pattern 1"),
        ("- {id: a, about: {en: x}, entity: A, pattern: 'A\\d', hits: [A1], misses: [x]}", "translation", "a", "about lacks zh"),
    ],
)  # fmt: skip
def test_a_sin_of_a_rule_is_told(tmp_path: Path, rules: str, kind: str, rule: str, says: str) -> None:
    category = read_category(written(tmp_path, GOOD + rules))

    found = [one for one in lint_category(category) if one.kind == kind]

    assert [(one.rule, says in one.what) for one in found] == [(rule, True)], list(lint_category(category))


def test_a_good_rule_has_nothing_told(tmp_path: Path) -> None:
    harmless = f"- {{id: a, {ABOUT}, entity: A, pattern: '(?:[a-z]+,)+[A-Z]+X', hits: ['ab,c,QX'], misses: ['1']}}\n"

    assert list(lint_category(read_category(written(tmp_path, GOOD + harmless)))) == []


def test_a_category_without_a_translation_is_told(tmp_path: Path) -> None:
    category = read_category(written(tmp_path, GOOD, HEAD.replace("zh: x", "fr: x")))

    assert [(one.kind, one.rule) for one in lint_category(category)] == [("translation", "T")]


@pytest.mark.parametrize(
    "rule",
    [
        "{id: a, entity: A, pattern: 'A*', hits: [A], misses: [x]}",
        "{id: a, entity: A, pattern: 'A', hits: [A]}",
        "{id: a, entity: A, pattern: 'A', misses: [x]}",
        "{id: a, entity: A, pattern: '(A)\\1', hits: [AA], misses: [x]}",
    ],
)
def test_what_a_rule_must_not_be_at_all_does_not_load(tmp_path: Path, rule: str) -> None:
    with pytest.raises(RuleError):
        read_category(written(tmp_path, f"- {rule}"))
    assert masking("verify", str(tmp_path / "T.yaml"))[0] == 2


def test_an_entity_without_a_rule_is_told() -> None:
    found = list(lint_references([("A", "s.yaml", 3, "s/1"), ("B", "s.yaml", 4, "s/2")], ["A"]))

    assert [(one.kind, one.rule, one.line) for one in found] == [("entity", "s/2", 4)]


def test_an_exception_explains_and_a_stale_one_is_told(tmp_path: Path) -> None:
    rules = "- {id: a, about: {en: x}, entity: A, pattern: 'A\\d', hits: [A1], misses: [x]}"
    path = written(tmp_path, GOOD + rules)
    exceptions = tmp_path / "exceptions.yaml"
    exceptions.write_text(
        "exceptions:\n- {rule: a, lint: translation, why: not yet}\n- {rule: b, lint: caught, other: c, why: once}\n"
    )

    rows = settled(lint_category(read_category(path)), read_exceptions(exceptions))
    assert [(one.rule, one.kind, one.why) for one in rows] == [("a", "translation", "not yet"), ("b", "stale", "")]

    code, out = masking("verify", "--exceptions", str(exceptions), str(path))
    assert (code, out.splitlines()[-1]) == (1, "2 rules: 1 to correct, 1 explained")
    exceptions.write_text("exceptions:\n- {rule: a, lint: translation, why: not yet}\n")
    assert masking("verify", "--exceptions", str(exceptions), str(path))[0] == 0
    code, out = masking("verify", "--json", str(path))
    assert (code, [orjson.loads(line)["kind"] for line in out.splitlines()]) == (1, ["translation"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exceptions:\n- {rule: a, lint: caught}\n", "why: the key is missing"),
        ("exceptions:\n- {rule: a, lint: caught, mutation: check, why: x}\n", "either a lint or a mutation"),
        ("exceptions:\n- {rule: a, lint: x, why: x}\n- {rule: a, lint: x, why: y}\n", "already on line 2"),
        ("exception: []\n", "did you mean exceptions"),
    ],
)
def test_wrong_exceptions_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(text)

    with pytest.raises(SuiteError, match=says):
        read_exceptions(path)


MUTABLE = (
    HEAD
    + f"- {{id: p, {ABOUT}, entity: P, pattern: 'P\\d{{16}}', check: luhn, hits: [P4111111111111111], misses: [x]}}\n"
    + f"- {{id: t, {ABOUT}, entity: T, terms: [Secret Plan], hits: [Secret Plan], misses: [x], allow: {{terms: [none]}}}}\n"
    + f"- {{id: c, {ABOUT}, entity: C, pattern: '\\d{{4}}', context: {{words: [pin], required: true}}, "
    + "allow: {terms: ['1234']}, hits: [pin 9876], misses: ['9876']}\n"
)


def killed(folder: Path, cases: str) -> dict[tuple[str, str], str]:
    path = written(folder, "", MUTABLE)
    suite = load_suite(f"suite: S\ncategory: ./T.yaml\ncases:\n{cases}", str(folder / "s.yaml"))
    assert path.is_file()
    found: list[Mutant] = list(try_mutants([suite]))
    return {(one.rule, one.mutation): one.killed_by for one in found}


def test_every_way_to_break_a_rule_is_tried_and_noticed_by_the_case_that_promises_it(tmp_path: Path) -> None:
    cases = """\
- {id: plan, text: "the Secret Plan", must_mask: [Secret Plan]}
- {id: plans, text: "the Secret Plans and aSecret Plan", must_mask: []}
- {id: plan_before, text: "aSecret Plan", must_mask: []}
- {id: plan_after, text: "Secret Plans", must_mask: []}
- {id: pin, text: "pin 9876", must_mask: ["9876"]}
- {id: year, text: "in 2026", must_mask: []}
- {id: allowed, text: "pin 1234", must_mask: []}
- {id: pin_before, text: "pin a9876", must_mask: []}
- {id: pin_after, text: "pin 9876a", must_mask: []}
"""
    found = killed(tmp_path, cases)

    assert found == {
        ("p", "disabled"): "", ("p", "before"): "", ("p", "after"): "", ("p", "check"): "",
        ("t", "disabled"): "S/plan", ("t", "before"): "S/plans", ("t", "after"): "S/plans", ("t", "allow"): "",
        ("c", "disabled"): "S/pin", ("c", "before"): "S/pin_before", ("c", "after"): "S/pin_after",
        ("c", "context"): "S/year", ("c", "allow"): "S/allowed",
    }  # fmt: skip


def test_survivors_are_listed_and_explained(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    suite = tmp_path / "s.yaml"
    suite.write_text('suite: S\ncategory: ./T.yaml\ncases:\n- {id: a, text: "a G11", must_mask: [G11]}\n')
    exceptions = tmp_path / "exceptions.yaml"
    exceptions.write_text(
        "exceptions:\n- {rule: good, mutation: before, why: x}\n- {rule: good, mutation: after, why: x}\n"
    )
    none = tmp_path / "none.yaml"
    none.write_text("exceptions: []\n")

    code, out = masking("mutate", str(suite), "--exceptions", str(none))
    assert (code, out.splitlines()[-1]) == (1, "3 mutants: 1 noticed, 0 explained, 2 survive")
    code, out = masking("mutate", str(suite), "--exceptions", str(exceptions))
    assert (code, out.splitlines()[-1]) == (0, "3 mutants: 1 noticed, 2 explained, 0 survive")


def test_the_shipped_rules_pass_but_for_what_is_explained() -> None:
    code, out = masking("verify", "--names", "off")

    assert code in (0, 1)
    told = [line for line in out.splitlines()[:-1] if ": stale: " not in line]  # without models some have no cause
    assert told == []
