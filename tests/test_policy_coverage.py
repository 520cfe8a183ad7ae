"""`masking policy coverage`: which rule covers which item, tested by how many cases, and what is a known gap."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from masking.cli import _group
from masking.core.errors import SuiteError
from masking.policy.coverage import load_obligation

HEAD = "obligation: law\nabout: {en: Law}\nsource: {title: A law, url: 'https://example.com'}\nitems:\n"
ITEMS = """\
- {id: phone, about: {en: Phone, zh: 电话}, source: Art. 1, entities: [PHONE_NUMBER]}
- {id: both, about: {en: Both}, source: Art. 2, entities: [PHONE_NUMBER, VOICE]}
- {id: card, about: {en: Card}, source: Art. 3, entities: [BANK_CARD]}
- {id: face, about: {en: Face}, source: Art. 4, gap: {en: images are not read}}
- {id: none, about: {en: None}, source: Art. 5, entities: [VOICE]}
"""
SUITE = """\
suite: S
category: UserInfo
names: off
cases:
- {id: a, text: "打13800138000吧", must_mask: ["13800138000"]}
- {id: b, text: "打13800138001吧", must_mask: ["13800138001"]}
- {id: kept, text: "打13800138000吧", must_keep: [打]}
- {id: fails, text: "打13800138000吧", must_mask: [打]}
- {id: gap, text: "x 13800138000", must_mask: ["13800138000"], known_gap: no}
"""


def masking(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(_group, ["policy", "coverage", *map(str, arguments)], standalone_mode=False)
    if isinstance(result.exception, Exception):
        return 2, str(result.exception)
    return result.return_value if isinstance(result.return_value, int) else 0, result.output


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    law, suite = tmp_path / "law.yaml", tmp_path / "suite.yaml"
    law.write_text(HEAD + ITEMS, "utf-8")
    suite.write_text(SUITE, "utf-8")
    return law, suite


def test_an_item_is_covered_by_rules_and_tested_by_cases_that_pass(files: tuple[Path, Path]) -> None:
    code, out = masking(files[0], "--suite", files[1], "-c", "UserInfo", "--json")
    rows = {row["item"]: row for row in map(orjson.loads, out.splitlines())}

    assert code == 0
    assert {item: (row["state"], row["cases"], row["lacking"]) for item, row in rows.items()} == {
        "phone": ("covered", 2, []),
        "both": ("partly", 2, ["VOICE"]),
        "card": ("covered", 0, []),
        "face": ("no", 0, []),
        "none": ("no", 0, ["VOICE"]),
    }
    assert "cn.mobile" in rows["phone"]["rules"]
    assert rows["face"]["gap"] == {"en": "images are not read"}


def test_tables_and_markdown(files: tuple[Path, Path]) -> None:
    _, table = masking(files[0], "--suite", files[1], "-c", "UserInfo", "-c", "Network")
    assert [line.split() for line in table.splitlines()[:2]] == [
        ["obligation", "UserInfo", "Network"],
        ["law", "2/5", "0/5"],
    ]
    _, page = masking(files[0], "--suite", files[1], "-c", "UserInfo", "--items", "--markdown", "--lang", "zh")
    assert "| law | 电话 | Art. 1 | UserInfo | covered |" in page
    assert "| law | face | Art. 4 | UserInfo | no |  | 0 | images are not read |" in page


def test_fail_asks_for_rules_or_a_gap_and_for_cases(files: tuple[Path, Path]) -> None:
    law, suite = files
    assert masking(law, "--suite", suite, "-c", "UserInfo", "--fail")[0] == 1
    law.write_text(HEAD + ITEMS.splitlines()[0] + "\n" + ITEMS.splitlines()[3], "utf-8")
    assert masking(law, "--suite", suite, "-c", "UserInfo", "--fail")[0] == 0
    law.write_text(HEAD + ITEMS.splitlines()[2], "utf-8")
    assert masking(law, "--suite", suite, "-c", "UserInfo", "--fail")[0] == 1
    law.write_text(HEAD + ITEMS.splitlines()[4], "utf-8")
    assert masking(law, "--suite", suite, "-c", "UserInfo", "--fail")[0] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "- {id: a, about: {en: x}, source: s}", "names the entities that stand for it, or says in `gap`"),
        (HEAD + "- {id: a, about: {en: x}, entities: [A]}", "source: the key is missing"),
        (HEAD + "- {id: a, about: {en: x}, source: s, entites: [A]}", "did you mean entities"),
        (HEAD + "- {id: a, about: {en: x}, source: s, entities: [A]}\n" * 2, "already an item, on line 5"),
        (HEAD + " []", "the obligation is empty"),
        ("obligation: a\n", "about: the key is missing"),
    ],
)
def test_a_wrong_obligation_is_refused(text: str, says: str) -> None:
    with pytest.raises(SuiteError, match=says):
        load_obligation(text, "law.yaml")
