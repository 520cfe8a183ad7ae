"""Cases that the studio writes: the suite's file keeps all it had, and reads as what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.errors import ConfigurationError, MaskingError, SuiteError
from masking.policy.studio.case import NewCase, add, case_of, suite_names, text_of
from masking.policy.suite import load_suite, read_suite

SUITE = """\
# Ours, by hand.
suite: mine
category: UserInfo   # the shipped one
cases:
  - id: first
    text: "电话13800138000"
    must_mask: ["13800138000"]   # as ever
"""
TAILS = {
    "nothing": "",
    "no newline": None,
    "comment": "\n# the end\n",
    "key": "\nvariants: [fullwidth]\n",
    "block": '  - id: second\n    text: |\n      13900000001\n      # not a comment\n    must_mask: ["13900000001"]\n',
    "block last": '  - id: second\n    must_mask: ["13900000001"]\n    text: |\n      13900000001\n      # not a comment\n\n',
}


def new(**changes: Any) -> NewCase:
    given_: dict[str, Any] = {
        "id": "mine", "text": "订单13800138001。", "value": "13800138001", "expect": "mask", "entity": "PHONE_NUMBER",
        "category": "UserInfo", "names": "on",
    }  # fmt: skip
    return NewCase(**{**given_, **changes})


@pytest.mark.parametrize("tail", TAILS)
def test_a_case_is_added_and_all_else_stays_as_it_was(tmp_path: Path, tail: str) -> None:
    before = SUITE.rstrip("\n") if TAILS[tail] is None else SUITE + (TAILS[tail] or "")
    (tmp_path / "mine.yaml").write_text(before, "utf-8")

    path = add(new(), tmp_path, "mine.yaml")

    after = path.read_text("utf-8")
    item = text_of(new())
    assert after.replace(item, "", 1).rstrip("\n") == before.rstrip("\n")
    cases = read_suite(path).cases
    assert cases[-1].id == "mine"
    assert [case.id for case in cases[:-1]] == [case.id for case in load_suite(before, str(path)).cases]


def test_a_new_file_is_a_suite_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder phones"):
        add(new(), tmp_path, "phones/mobile.yaml")
    (tmp_path / "phones").mkdir()
    path = add(new(names="off", entity=""), tmp_path, "phones/mobile.yaml")

    suite = read_suite(path)
    assert (suite.name, suite.categories, suite.names) == ("mobile", ("UserInfo",), "off")
    assert suite_names(tmp_path) == ["phones/mobile.yaml"]
    assert sorted(one.name for one in path.parent.iterdir()) == ["mobile.yaml"]


def test_a_case_of_another_category_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SUITE, "utf-8")
    add(new(category="Minimal", names="off"), tmp_path, "mine.yaml")

    case = read_suite(tmp_path / "mine.yaml").cases[-1]
    assert (case.categories, case.names) == (("Minimal",), "off")


def test_an_own_category_is_named_from_where_the_suite_lies(tmp_path: Path) -> None:
    own = tmp_path / "Own.yaml"
    (tmp_path / "deep").mkdir()
    own.write_text("category: Own\nextends: [Minimal]\n", "utf-8")
    for name in ("a.yaml", "deep/b.yaml"):
        add(new(category=str(own)), tmp_path, name)
        add(new(category=str(own), id="again"), tmp_path, name)

        (category,) = read_suite(tmp_path / name).categories
        assert Path(category).resolve() == own
        assert "category: " not in (tmp_path / name).read_text("utf-8").partition("cases:")[2]


@pytest.mark.parametrize(
    "name",
    ["../out.yaml", "/etc/out.yaml", "a/../../out.yaml", "out.txt", "", ".yaml", "a\\b.yaml", ".hidden/x.yaml", "x.yaml\n"],
)  # fmt: skip
def test_no_case_leaves_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    with pytest.raises(ConfigurationError):
        add(new(), folder, name)
    assert list(tmp_path.rglob("*.yaml")) == []


def test_no_case_leaves_the_folder_by_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "outer").mkdir()
    (folder / "link").symlink_to(tmp_path / "outer")
    with pytest.raises(ConfigurationError):
        add(new(), folder, "link/x.yaml")
    assert list((tmp_path / "outer").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": "not there"}, "does not hold this value"),
        ({"text": ""}, "text"),
        ({"value": " "}, "text is expected"),
        ({"id": "first"}, "already a case"),
    ],
)
def test_a_case_that_is_wrong_changes_nothing(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    (tmp_path / "mine.yaml").write_text(SUITE, "utf-8")
    with pytest.raises(SuiteError, match=said):
        add(new(**changes), tmp_path, "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text("utf-8") == SUITE


@pytest.mark.parametrize("text", ["suite: x\ncategory: UserInfo\ncases: [{id: a, text: b, must_keep: [b]}]\n", "category: x\n", "- 1\n"])  # fmt: skip
def test_a_file_that_takes_no_case_stays_as_it_was(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    with pytest.raises(MaskingError):
        add(new(), tmp_path, "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text("utf-8") == text


@given(text=st.text(min_size=1).filter(str.strip), data=st.data(), expect=st.sampled_from(["mask", "keep"]))
def test_any_text_is_read_back_as_it_was_selected(text: str, data: st.DataObject, expect: Any) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    value = text[start : data.draw(st.integers(start + 1, len(text)))]
    case = new(text=text, value=value, expect=expect, entity="", category="Minimal", names="off")
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    if not value.strip():
        return

    read = case_of(case, None)

    assert read.texts == (text,)
    claims = read.must_keep if expect == "keep" else read.must_mask
    assert claims is not None
    assert [claim.value for claim in claims] == [value]
