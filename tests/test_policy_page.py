"""The report for an auditor: one page, whole in itself, that runs nothing and says what was proved."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from masking.cli import _group
from masking.policy.coverage import cover, load_obligation
from masking.policy.page import as_html
from masking.policy.runner import run_suites
from masking.policy.suite import load_suite
from masking.policy.wording import WORDS

SUITE = """\
suite: S
about: {en: About <b>them</b>, zh: 说明}
category: UserInfo
names: off
cases:
- {id: good, text: "打13800138000吧", must_mask: ["13800138000"]}
- {id: bad, text: "<script>alert(1)</script> 2138001380001 & more", must_mask: ["2138001380001"]}
- {id: gap, text: "x 2138001380001", must_mask: ["2138001380001"], known_gap: "no <i>rule</i>"}
"""
LAW = """\
obligation: law
about: {en: The law, zh: 法律}
source: {title: A law, url: "https://example.com/law"}
items:
- {id: phone, about: {en: Phone, zh: 电话}, source: Art. 7, entities: [PHONE_NUMBER, VOICE]}
- {id: face, about: {en: Face, zh: 人脸}, source: Art. 8, gap: {en: images are not read, zh: 不读图像}}
"""


class Page(HTMLParser):
    """The elements, and the text, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_whole_in_itself_and_says_what_was_proved(lang: str) -> None:
    report = run_suites([load_suite(SUITE, "s.yaml")])
    (suite,) = report.suites
    from masking.files import read_category

    covers = cover([read_category("UserInfo")], [load_obligation(LAW, "law.yaml")], suite.cases)
    html = as_html(report, covers, lang=lang, date="2026-01-02 03:04 UTC")
    page = Page(html)
    text = " ".join("".join(page.text).split())

    assert not {"script", "img", "link", "iframe", "b", "i", "form"} & {tag for tag, _ in page.elements}
    assert not any(
        name in {"src", "href"} or name.startswith("on") for _, attributes in page.elements for name in attributes
    )
    assert any(one.get("content", "").startswith("default-src 'none'") for tag, one in page.elements if tag == "meta")
    assert report.policies[0].digest in text
    assert WORDS[lang]["broken"] in text
    assert "<script>alert(1)</script> 2138001380001 & more" in text
    assert "no <i>rule</i>" in text
    assert "2026-01-02 03:04 UTC" in text
    assert ("Phone" if lang == "en" else "电话") in text
    assert ("images are not read" if lang == "en" else "不读图像") in text
    assert re.search(r"VOICE", text)
    assert "<mark>2138001380001</mark>" in html
    assert {tag for tag, one in page.elements if tag == "html" and one["lang"] in ("en", "zh-CN")} == {"html"}


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    assert len(WORDS["en"]["lanes"]) == len(WORDS["zh"]["lanes"])
    for key, said in WORDS["en"].items():
        assert re.findall(r"\{\w+\}", str(said)) == re.findall(r"\{\w+\}", str(WORDS["zh"][key])), key


def test_the_command_writes_the_page_and_keeps_its_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SUITE, "utf-8")

    result = CliRunner().invoke(_group, ["policy", "test", "--output", "html", str(path)], standalone_mode=False)

    assert result.return_value == 1
    assert result.output.startswith("<!doctype html>")
    assert "S/bad" in result.output
