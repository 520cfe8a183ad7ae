"""Suites: what a policy's owner promises is compared in every lane, and every broken promise is told."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import get_args

import orjson
import pytest
from click.testing import CliRunner

from masking import Masker
from masking.cli import _group
from masking.core.errors import ConfigurationError, SuiteError
from masking.policy.result import Violation
from masking.policy.run import Policy, run_case, run_suite
from masking.policy.runner import run_suites
from masking.policy.suite import Suite, load_suite, occurrences, read_suites
from masking.policy.variant import rewrite

HEAD = "suite: Try\nabout: {en: Try}\ncategory: UserInfo\nnames: off\n"


def suite(cases: str, head: str = HEAD, file: str = "policies/try.yaml") -> Suite:
    return load_suite(f"{head}cases:\n{cases}", file)


def violations(case: str, policy: Policy | None = None) -> list[Violation]:
    one = suite(case).cases[0]
    return list(run_case(one, policy or Policy.of(("UserInfo",), "off")).violations)


def masking(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(_group, ["policy", *arguments], standalone_mode=False)
    code = result.return_value if isinstance(result.return_value, int) else 0
    if isinstance(result.exception, Exception):
        return 2, str(result.exception)
    return code, result.output


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ('- {id: a, text: "x 13800138000", must_maks: ["x"]}', r"try\.yaml:6: case a: must_maks: .*mean must_mask\?"),
        ('- {id: a, text: "x", must_mask: ["13800138000"]}', r"must_mask\.0: the text does not hold this value"),
        ('- {id: a, text: "x", must_keep: ["y"]}', r"must_keep\.0: the text does not hold this value"),
        ('- {id: a, text: "abc", must_mask: [{span: [1, 9]}]}', r"span: is not within the text, .*0 to 3"),
        ('- {id: a, text: "abc", must_mask: [{span: [2, 2]}]}', r"span: is not within the text"),
        ('- {id: a, text: "abc", must_mask: [{span: [0, "1"]}]}', r"span: two numbers"),
        ('- {id: a, text: "abc", must_mask: [{value: a, span: [0, 1]}]}', r"must_mask\.0: say either a value or a span"),
        ('- {id: a, text: "abc", must_mask: [{value: b, entty: X}]}', r"entty: no such key; did you mean entity\?"),
        ('- {id: a, text: "abc", must_mask: [138]}', r"put numbers in quotes"),
        ('- {id: a, text: "abc"}', r"the case promises nothing"),
        ("- {id: a, must_keep: [b]}", r"either a text or a chat"),
        ("- {id: a, chat: [], must_keep: [b]}", r"chat: is empty"),
        ("- {id: a, chat: [{role: usr, content: b}], must_keep: [b]}", r"role: must be one of"),
        ("- {id: a, chat: [{role: user, content: b}, {role: user, content: c}], must_mask: [{span: [0, 1]}]}", "say the value"),
        ('- {id: a, text: "ab cd", must_mask: ["ab cd"], must_keep: [cd]}', r"must_keep\.0: stands only inside"),
        ('- {id: a, text: "ab cd", must_mask: [ab], masked: "ab <X_1>"}', r"masked: holds what must be masked"),
        ('- {id: a, text: "ab cd", must_keep: [ab], masked: "<X_1> cd"}', r"masked: lacks what must be kept"),
        ('- {id: a, text: "ab", must_keep: [ab], variants: [fulwidth]}', r"variants\.0: .*mean fullwidth\?"),
        ('- {id: a, text: "ab", must_keep: [ab], category: UserInf}', r"category: .*'UserInf'; did you mean UserInfo\?"),
        ('- {id: a, text: "ab", must_keep: [ab], category: ./No.yaml}', r"no file \./No\.yaml beside this suite"),
        ('- {id: a, text: "ab", must_keep: [ab], names: maybe}', r"names: must be one of on, off"),
        ('- {id: a, text: "ab", must_keep: [ab], known_gap: ""}', r"known_gap: a text is expected"),
        ('- {id: a, text: "ab", must_keep: [ab]}\n- {id: a, text: "b", must_keep: [b]}', r"id: is already .*on line 6"),
        ('- {text: "ab", must_keep: [ab]}', r"id: the key is missing"),
        (" []", r"cases: the suite is empty"),
    ],
)  # fmt: skip
def test_a_wrong_suite_is_refused_with_its_place_and_what_to_do(case: str, says: str) -> None:
    with pytest.raises(SuiteError, match=says) as caught:
        suite(case)

    assert "13800138000" not in str(caught.value)


@pytest.mark.parametrize(
    ("case", "lane", "says"),
    [
        ('- {id: a, text: "call 2138001380001", must_mask: ["2138001380001"]}', "text", "nothing is found"),
        ('- {id: a, text: "call 2138001380001", must_mask: ["2138001380001"]}', "json", "must be masked, and leaves"),
        ('- {id: a, text: "call 2138001380001", must_mask: ["2138001380001"]}', "tool", "must be masked, and leaves"),
        ('- {id: a, text: "打13800138000吧", must_mask: ["打13800138000"]}', "text", "only 11 of its 12 characters"),
        ('- {id: a, text: "打13800138000吧", must_mask: [{value: "13800138000", entity: EMAIL_ADDRESS}]}', "text", "must be EMAIL_ADDRESS, and is PHONE_NUMBER"),
        ('- {id: a, text: "打13800138000吧", must_keep: ["13800138000"]}', "text", "must be kept, and is found: PHONE_NUMBER by cn.mobile"),
        ('- {id: a, text: "打13800138000吧", must_keep: ["13800138000"]}', "answer", "a model that writes it is redacted"),
        ('- {id: a, text: "打13800138000吧", must_keep: ["13800138000"]}', "json", "must be kept, and does not leave"),
        ('- {id: a, text: "打13800138000吧", must_mask: []}', "text", "found by cn.mobile where nothing should be"),
        ('- {id: a, text: "打13800138000吧", masked: "打<PHONE_NUMBER_2>吧"}', "text", "differs from character 15 on"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_told_in_its_lane(case: str, lane: str, says: str) -> None:
    found = violations(case)

    assert any(one.lane == lane and says in one.what for one in found), found


@pytest.mark.parametrize("variant", ["fullwidth", "spaced", "zero_width", "newline", "case"])
def test_a_variant_runs_what_it_says(variant: str) -> None:
    """A rule that sees ASCII digits alone keeps the case and fails in the variant."""
    from masking.core.rulefile import load_category

    rule = {"case": "EMP-[a-z]{5}"}.get(variant, r"EMP-\d{8}")
    if variant == "newline":
        rule = r"EMP-\d{8} "
    value = {"case": "EMP-abcde", "newline": "EMP-12345678 "}.get(variant, "EMP-12345678")
    text = f"see {value}!"
    category = load_category(
        f"category: T\nversion: '1'\nabout: {{}}\nrules:\n- {{id: a, entity: STAFF, pattern: '{rule}', "
        f"not_beside: none, hits: ['{text}'], misses: [x]}}\n",
        "T.yaml",
        lambda name: (_ for _ in ()).throw(KeyError(name)),
    )
    policy = Policy(Masker(category))
    case = f'- {{id: a, text: "{text}", must_mask: ["{value}"], variants: [{variant}]}}'

    found = violations(case, policy)

    seen_by_the_view = variant in {"fullwidth", "zero_width", "newline"}
    assert {one.variant for one in found if one.lane == "text"} == (set() if seen_by_the_view else {variant})


@pytest.mark.parametrize(
    ("value", "variant", "rewritten"),
    [
        ("13800138000", "fullwidth", "１３８００１３８０００"),
        ("王芳", "fullwidth", None),
        ("13800138000", "spaced", "138 0013 8000"),
        ("11010519491231002X", "spaced", "11 0105 1949 1231 002X"),
        ("王芳", "spaced", "王 芳"),
        ("a@example.com", "spaced", None),
        ("王芳", "zero_width", "王\u200b芳"),
        ("王", "zero_width", None),
        ("王芳", "newline", "\n王芳\n"),
        ("ab@example.com", "case", "AB@EXAMPLE.COM"),
        ("ABC1", "case", "abc1"),
        ("138", "case", None),
        ("straße", "case", "STRAßE"),
    ],
)
def test_a_value_is_rewritten_and_found_again(value: str, variant: str, rewritten: str | None) -> None:
    new = rewrite(f"a{value}b", [(1, 1 + len(value))], variant)  # type: ignore[arg-type]

    if rewritten is None:
        assert new is None
        return
    assert new is not None
    assert new.text == f"a{rewritten}b"
    start, end = new.place(1, 1 + len(value))
    assert new.text[start:end] == rewritten.strip("\n")


def test_an_occurrence_inside_a_longer_number_does_not_count() -> None:
    assert occurrences("138", "13800 138") == [(6, 9)]
    assert occurrences("138", "13800") == [(0, 3)]
    assert occurrences("王", "王芳和王") == [(0, 1), (3, 4)]


def test_every_occurrence_must_be_masked() -> None:
    case = '- {id: a, text: "A1 and A1", must_mask: [{span: [0, 2]}]}'
    both = '- {id: a, text: "A1 and A1", must_mask: [A1]}'

    assert len([one for one in violations(case) if one.lane == "text"]) == 1
    assert len([one for one in violations(both) if one.lane == "text"]) == 2


def test_a_gap_never_fails_and_a_closed_one_is_told() -> None:
    cases = suite(
        '- {id: open, text: "call 2138001380001", must_mask: ["2138001380001"], known_gap: why}\n'
        '- {id: shut, text: "call 13800138000", must_mask: ["13800138000"], known_gap: why}\n'
        '- {id: none, text: "call 13800138000", must_mask: [{value: "13800138000", entity: ALIEN}], known_gap: why}\n'
    )

    report = run_suites([cases])

    assert [one.status for one in report.suites[0].cases] == ["gap", "closed", "gap"]
    assert report.exit_code == 0
    assert report.summary == "3 cases: 0 passed, 0 failed, 2 known gaps, 1 closed gap"


def test_an_entity_that_the_category_cannot_find_is_refused() -> None:
    cases = suite('- {id: a, text: "13800138000", must_mask: [{value: "13800138000", entity: PHONE_NUMBR}]}')

    with pytest.raises(SuiteError, match=r"has no entity PHONE_NUMBR; did you mean PHONE_NUMBER\?"):
        list(run_suite(cases))


def test_two_processes_come_to_the_same(tmp_path: Path) -> None:
    lines = [
        f'- {{id: c{n}, text: "打1380013{n:04}吧", must_mask: ["1380013{n:04}"]}}\n'
        f'- {{id: d{n}, text: "单号 21380013{n:04}1", must_mask: ["1380013{n:04}"]}}\n'
        for n in range(8)
    ]
    one = suite("".join(lines))

    alone = run_suites([one])
    together = run_suites([one], workers=2)

    assert [(each.case.id, each.status) for each in alone.suites[0].cases] == [
        (each.case.id, each.status) for each in together.suites[0].cases
    ]
    assert alone.counts == together.counts == {"passed": 8, "failed": 8, "gap": 0, "closed": 0}
    assert together.policies == alone.policies


def write(folder: Path, cases: str) -> str:
    path = folder / "try.yaml"
    path.write_text(f"{HEAD}cases:\n{cases}", "utf-8")
    return str(path)


GOOD = '- {id: good, text: "打13800138000吧", must_mask: ["13800138000"]}\n'
BAD = '- {id: bad, text: "单号 2138001380001", must_mask: ["2138001380001"]}\n'


def test_exit_codes_and_the_last_line(tmp_path: Path) -> None:
    code, out = masking("test", write(tmp_path, GOOD))
    assert (code, out.splitlines()[-1]) == (0, "1 case: 1 passed, 0 failed")

    code, out = masking("test", write(tmp_path, GOOD + BAD))
    assert (code, out.splitlines()[-1]) == (1, "2 cases: 1 passed, 1 failed")
    assert "单号 ⟦2138001380001⟧" in out

    code, out = masking("test", write(tmp_path, " []"))
    assert code == 2
    assert "the suite is empty" in out
    assert masking("test", str(tmp_path / "none.yaml"))[0] == 2


def test_machine_readable_outputs_hold_places_and_no_text(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + BAD)

    code, out = masking("test", "--output", "json", path)
    doc = orjson.loads(out)
    assert code == 1
    assert doc["summary"] == {"passed": 1, "failed": 1, "gap": 0, "closed": 0}
    bad = doc["suites"][0]["cases"][1]
    assert (bad["line"], bad["violations"][0]["start"], bad["violations"][0]["end"]) == (7, 3, 16)
    assert len(doc["policies"][0]["digest"]) == 64
    assert "2138001380001" not in out

    code, out = masking("test", "--output", "junit", path)
    tree = ET.fromstring(out)
    assert (tree.get("tests"), tree.get("failures")) == ("2", "1")
    assert [one.get("name") for one in tree.iter("testcase")] == ["Try/good", "Try/bad"]
    assert "2138001380001" not in out

    code, out = masking("test", "--output", "sarif", path)
    results = orjson.loads(out)["runs"][0]["results"]
    assert code == 1
    assert results[0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert "2138001380001" not in out


def test_a_folder_is_looked_through_and_one_without_suites_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep", GOOD)
    (tmp_path / "Mine.yaml").write_text("category: Mine\n")

    assert [one.name for one in read_suites([tmp_path])] == ["Try"]
    (tmp_path / "deep" / "try.yaml").unlink()
    with pytest.raises(ConfigurationError, match="holds no suite"):
        read_suites([tmp_path])


def labelled(folder: Path, recall: str = "1", precision: str = "1") -> Path:
    path = folder / "labelled.yaml"
    path.write_text(f"{HEAD}labelled:\n- {{file: people.jsonl, recall: {recall}, precision: {precision}}}\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("recall", "precision", "failed"), [("0.5", "1", 0), ("0.6", "1", 1), ("0.5", "0.9", 0), ("1", "0", 1)]
)
def test_thresholds_over_a_labelled_file(tmp_path: Path, recall: str, precision: str, failed: int) -> None:
    rows = [
        {"text": "打13800138000吧", "spans": [[1, 12, "PHONE_NUMBER"]]},
        {"text": "打13800138000 x1吧", "spans": [[13, 15, "PHONE_NUMBER"], [1, 12, "PHONE_NUMBER"]]},
        {"text": "x7", "spans": [[0, 2, "PHONE_NUMBER"]]},
        {"text": "mail a@example.com", "spans": []},
    ]
    (tmp_path / "people.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))

    report = run_suites(read_suites([labelled(tmp_path, recall, precision)]))

    (one,) = report.suites[0].labelled
    assert (one.all.gold, one.all.covered, one.all.found, one.all.met) == (4, 2, 2, 2)
    assert len(one.violations) == failed


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "people.jsonl:1: this line is not JSON"),
        ('{"text": "ab", "spans": [[0, 3, "PERSON"]]}', "people.jsonl:1: a span is not .* its 2 characters"),
        ('{"text": "ab", "spans": []}', "people.jsonl: labels nothing"),
        ('{"txt": "ab"}', "people.jsonl:1: a line is"),
    ],
)
def test_a_wrong_labelled_file_is_refused(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "people.jsonl").write_text(line, "utf-8")

    with pytest.raises(SuiteError, match=says):
        run_suites(read_suites([labelled(tmp_path)]))


def test_no_repr_shows_what_a_suite_says() -> None:
    cases = suite('- {id: a, text: "call 2138001380001", must_mask: ["2138001380001"], masked: "call <X_1>"}')
    report = run_suites([cases])

    assert report.exit_code == 1
    assert "2138001380001" not in repr(report)


def test_the_reference_names_every_key_variant_lane_lint_and_mutation() -> None:
    from masking.policy import coverage, exception, lint, mutation, result
    from masking.policy import suite as suites

    page = (Path(__file__).parents[1] / "docs" / "reference" / "suites.md").read_text("utf-8")
    named = set(re.findall(r"`([\w.]+)`", page))
    keys = {
        *suites._SUITE_KEYS, *suites._CASE_KEYS, *suites._CLAIM_KEYS, *suites._LABELLED_KEYS, *suites.VARIANTS,
        *suites._ROLES, *coverage._KEYS, *coverage._ITEM_KEYS, *exception._KEYS, *mutation.MUTATIONS,
        *(kind for kind in lint.KINDS if kind != "stale"), *(lane for lane in get_args(result.Lane) if lane != "labelled"),
    }  # fmt: skip

    inside = {"value", "span", "entity", "id", "items"}  # shown within longer code
    assert keys - named - inside == set()
