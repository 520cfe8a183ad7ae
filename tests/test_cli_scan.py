"""`masking scan` and `masking rules explain`: what they print, and with which exit code they end."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from masking import Masker
from masking.cli.rules import command as rules
from masking.cli.scan import command as scan
from masking.core.explain import explain
from masking.core.rulefile import load_category
from masking.core.scan import Scanner
from masking.masker import detector

HEAD = 'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'
PHONE = "  - {use: cn.mobile}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Mine.yaml").write_text(HEAD + PHONE, "utf-8")
    (tmp_path / "letter.txt").write_text("电话13800138000。\n", "utf-8")
    lines = (
        {"text": "打 13800138000"},
        {"text": "nothing"},
        {"messages": [{"content": "x 13900139000"}, {"content": 3}]},
    )
    (tmp_path / "chats.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)) + b"\n\n")
    return tmp_path


def run(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(scan, ["-c", "./Mine.yaml", *arguments], input=text.encode())


def test_a_table_shows_places_and_no_values(folder: Path) -> None:
    result = run("letter.txt", "chats.jsonl")

    assert result.exit_code == 0
    assert [line.split() for line in result.output.splitlines()] == [
        ["where", "from", "to", "entity", "score", "rule"],
        ["letter.txt", "2", "13", "PHONE_NUMBER", "0.85", "cn.mobile"],
        ["chats.jsonl:1", "2", "13", "PHONE_NUMBER", "0.85", "cn.mobile"],
        ["2", "found", "in", "3", "texts"],
    ]
    assert "13800138000" in run("letter.txt", "--values").output


def test_json_has_one_object_per_text_in_the_order_of_the_input(folder: Path) -> None:
    rows = [orjson.loads(line) for line in run("--json", "chats.jsonl", "-", text="13800138000").output.splitlines()]
    found = {"start": 2, "end": 13, "entity": "PHONE_NUMBER", "score": 0.85, "rule": "cn.mobile", "checked": False}

    assert rows == [
        {"input": "chats.jsonl", "line": 1, "findings": [found]},
        {"input": "chats.jsonl", "line": 2, "findings": []},
        {"input": "standard input", "findings": [{**found, "start": 0, "end": 11}]},
    ]


def test_json_shows_values_when_asked(folder: Path) -> None:
    (row,) = map(orjson.loads, run("--json", "--values", "letter.txt").output.splitlines())

    assert [found["value"] for found in row["findings"]] == ["13800138000"]


def test_texts_are_found_deep_in_the_lines_of_jsonl(folder: Path) -> None:
    rows = [
        orjson.loads(one) for one in run("--json", "--text", "messages[*].content", "chats.jsonl").output.splitlines()
    ]

    assert [(row["line"], len(row["findings"])) for row in rows] == [(3, 1)]


def test_values_are_marked_in_place(folder: Path) -> None:
    assert run("--annotate", "letter.txt").output == "电话[PHONE_NUMBER:13800138000]。\n"
    assert run("--annotate", text="no newline").output == "no newline\n"


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [
        pytest.param(["--fail"], "13800138000", 1, id="found"),
        pytest.param(["--fail", "--json"], "13800138000", 1, id="found, as JSON"),
        pytest.param(["--fail"], "nothing", 0, id="nothing found"),
        pytest.param([], "13800138000", 0, id="without --fail"),
    ],
)
def test_the_exit_code_says_whether_something_was_found(
    folder: Path, arguments: list[str], text: str, code: int
) -> None:
    assert run(*arguments, text=text).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["missing.txt"], "cannot read missing.txt", id="no such file"),
        pytest.param(["missing.jsonl"], "cannot read missing.jsonl", id="no such JSONL file"),
        pytest.param(["--jsonl", "letter.txt"], "letter.txt:1: this line is not JSON", id="no JSON"),
        pytest.param(["--text", "body", "chats.jsonl"], "no line has a text at body", id="no such field"),
        pytest.param(["--text", "a[0]", "chats.jsonl"], "only [*]", id="a position in the path"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_content(folder: Path, arguments: list[str], says: str) -> None:
    result = run(*arguments)

    assert says in str(result.exception)
    assert "13800138000" not in str(result.exception)


def test_json_and_annotate_exclude_each_other(folder: Path) -> None:
    assert run("--json", "--annotate", "letter.txt").exit_code == 2


def test_an_empty_jsonl_file_holds_nothing(folder: Path) -> None:
    (folder / "empty.jsonl").write_text("\n", "utf-8")

    assert run("empty.jsonl").output == "0 found in 0 texts\n"


def test_a_value_cannot_steer_the_terminal(folder: Path) -> None:
    (folder / "Mine.yaml").write_text(
        HEAD + "  - {id: a, entity: A, pattern: 'x[^x]+x', hits: [xax], misses: [y]}\n", "utf-8"
    )

    assert "\x1b" not in run("--values", text="x\x1b[2Jx").output


RULES = """
  - {id: digits, entity: DIGITS, pattern: '[0-9]{16}', not_beside: digit, check: luhn, hits: ['4111111111111111'], misses: [y]}
  - {id: long, entity: LONG, pattern: 'card [0-9]{16} of [a-z]+', score: 0.5, hits: ['card 4111111111111111 of x'], misses: [y]}
  - {id: near, entity: NEAR, pattern: '[0-9]{3}', context: {words: [pin], within: 5, required: true}, hits: [pin 123], misses: [y]}
  - {id: term, entity: TERM, terms: [kiwi, durian], allow: {terms: [Durian]}, hits: [kiwi], misses: [y]}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("kiwi", [(0, 4, "term", "found", "a term of the list")], id="a term"),
        pytest.param("durian", [(0, 6, "term", "refused", "an allow list holds it")], id="allowed"),
        pytest.param("pin 123", [(4, 7, "near", "found", "context word pin")], id="with a context word"),
        pytest.param("123", [(0, 3, "near", "refused", "no context word stands within 5")], id="without"),
        pytest.param("x123", [(1, 4, "near", "refused", "a letter or digit stands before it")], id="a letter before"),
        pytest.param(
            "14111111111111111", [(0, 16, "digits", "refused", "a digit stands behind it")], id="inside a longer number"
        ),
        pytest.param("4111111111111112", [(0, 16, "digits", "refused", "check luhn does not hold")], id="wrong check digit"),
        pytest.param(
            "card 4111111111111111 of me",
            [
                (0, 27, "long", "partly", "inside it is digits at 5-21 (checked); of the rest 0-4, 22-27 stays"),
                (5, 21, "digits", "found", "pattern, check luhn"),
            ],
            id="a better one inside",
        ),
        pytest.param("nothing", [], id="nothing to say"),
    ],
)  # fmt: skip
def test_a_reason_says_what_fired_what_lost_and_what_nearly_fired(
    text: str, expected: list[tuple[int, int, str, str, str]]
) -> None:
    scanner = Scanner(load_category(HEAD + RULES, "f", {}.__getitem__), detector)
    reasons = [
        one
        for one in explain(scanner, text)
        if not (one.rule == "near" and one.end - one.start == 3 and len(text) > 12)
    ]

    assert [(one.start, one.end, one.rule, one.outcome) for one in reasons] == [one[:4] for one in expected]
    assert all(says in one.why for one, (*_, says) in zip(reasons, expected, strict=True))


def test_a_mention_and_a_lost_finding_are_explained() -> None:
    rule = "  - {id: a, entity: A, pattern: '号(?P<value>[0-9]{8})', hits: ['号12345678'], misses: [y]}\n"
    rule += "  - {id: b, entity: B, pattern: '[0-9]{4}', not_beside: none, score: 0.3, hits: ['1234'], misses: [y]}\n"
    scanner = Scanner(load_category(HEAD + rule, "f", {}.__getitem__), detector)
    reasons = [
        (one.start, one.end, one.rule, one.outcome, one.why) for one in explain(scanner, "号12345678 (12 345 678)")
    ]

    assert (11, 21, "a", "found", "a value that is found elsewhere in the text") in reasons
    assert (1, 5, "b", "lost", "pattern; a at 1-9 (score 0.6 against 0.3) is better") in reasons


def test_what_is_explained_as_found_is_what_is_found(patterns: Masker) -> None:
    text = "电话13800138000，卡4111 1111 1111 1111，192.0.2.17，mail a@b.example，4111 1111 1111 1112"
    scanner = Scanner(patterns.category, detector)
    found = {(one.start, one.end, one.rule) for one in explain(scanner, text) if one.outcome == "found"}

    assert found == {(one.start, one.end, one.rule) for one in patterns.scan(text)}


def test_explain_prints_a_table_or_json_without_the_text(folder: Path) -> None:
    table = CliRunner().invoke(rules, ["explain", "-c", "./Mine.yaml", "电话13800138000，订单2138001380001"])
    lines = CliRunner().invoke(rules, ["explain", "-c", "./Mine.yaml", "-", "--json"], input="电话13800138000".encode())

    assert [line.split()[2:7] for line in table.output.splitlines()] == [
        ["text", "rule", "entity", "score", "outcome"],
        ["13800138000", "cn.mobile", "PHONE_NUMBER", "0.85", "found"],
        ["13800138000", "cn.mobile", "PHONE_NUMBER", "0.85", "refused"],
    ]
    assert orjson.loads(lines.output)["why"] == "pattern"
    assert "13800138000" not in lines.output
    nothing = CliRunner().invoke(rules, ["explain", "-c", "./Mine.yaml", "hello"])
    assert nothing.output == "no rule says anything about this text\n"
