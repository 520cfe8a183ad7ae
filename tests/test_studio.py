"""The studio's page over HTTP: who may use it, what it shows, and that nothing it shows is markup of the text's own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from masking.cli.policy import command
from masking.core.errors import ConfigurationError
from masking.core.explain import explain
from masking.core.scan import Scanner
from masking.masker import Masker, detector
from masking.policy.coverage import load_obligation
from masking.policy.run import run_suite
from masking.policy.studio import app
from masking.policy.studio.guard import allowed_host
from masking.policy.studio.messages import MESSAGES, language
from masking.policy.studio.reason import translated
from masking.policy.studio.transcript import decoded, read
from masking.policy.suite import load_suite

STATIC = ROOT / "masking/policy/studio/static"
HTMX = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}<hx-partial hx-target='body'>"


class Page:
    """A browser without a screen: keeps the cookie, and the token of the form last seen."""

    def __init__(self, application: Any, *, address: str = "127.0.0.1", base: str = "http://127.0.0.1:8765") -> None:
        self.client = TestClient(application, base_url=base, client=(address, 50_000), follow_redirects=False)
        self.token = ""

    def get(self, path: str = "/", **headers: str) -> Any:
        response = self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        found = re.search(r'name="token" value="([0-9a-f]+)"', response.text)
        self.token = found[1] if found else self.token
        return response

    def post(self, path: str = "/", files: Any = None, headers: dict[str, str] | None = None, **fields: str) -> Any:
        fields = {"token": self.token, "category": "UserInfo", **fields}
        return self.client.post(path, data=fields, files=files, headers=headers or {})


@pytest.fixture(scope="module")
def studio() -> Any:
    """One application for all: what a test enters is kept apart by its cookie."""
    return app()


@pytest.fixture
def page(studio: Any) -> Iterator[Page]:
    page = Page(studio)
    with page.client:
        page.get()
        yield page


def test_a_text_is_shown_with_its_findings_and_leaves_masked(page: Page) -> None:
    seen = page.post(text="我的手机号是13800138000。").text

    assert '<mark class="e-contact" data-label="1 PHONE_NUMBER">13800138000</mark>' in seen
    assert "cn.mobile" in seen
    masked = page.post(text="我的手机号是13800138000。", go="masked").text
    assert '我的手机号是<mark class="p e-contact">&lt;PHONE_NUMBER_1&gt;</mark>。' in masked


def test_the_model_is_shown_to_see_placeholders_only(page: Page) -> None:
    chat = json.dumps({"messages": [{"role": "user", "content": "Call +1 415 555 0132."}]})

    seen = page.post(text=chat, go="wire").text
    wire = re.search(r'<pre class="wire"[^>]*>(.*?)</pre>', seen, re.DOTALL)

    assert wire
    shown = json.loads(unescape(re.sub(r"</?mark[^>]*>", "", wire[1])))
    assert shown == {"messages": [{"role": "user", "content": "Call <PHONE_NUMBER_1>."}]}


@pytest.mark.parametrize("cut", [1, 2, 5, 24])
def test_an_answer_comes_back_restored_however_it_is_cut(page: Page, cut: int) -> None:
    seen = page.post(text="电话13800138000", go="answer", answer="打 <PHONE_NUMBER_1> 吧", cut=str(cut)).text

    assert "<p>打 13800138000 吧</p>" in seen
    assert "Equal to the answer restored in one piece." in seen


@pytest.mark.parametrize("view", ["findings", "masked", "wire", "answer"])
def test_markup_in_a_text_is_text(page: Page, view: str) -> None:
    seen = page.post(text=HOSTILE, go=view, answer=HOSTILE).text

    assert "<script>alert" not in seen
    assert "<img src=x" not in seen
    assert "<hx-partial" not in seen
    assert "{{7*7}}" in unescape(seen)


def test_markup_in_a_file_name_and_in_rules_is_text(page: Page) -> None:
    seen = page.post(files={"file": ("<script>x</script>", b"\0\0", "text/plain")}).text
    assert "<script>x" not in seen
    seen = page.post(opened="rules/UserInfo.yaml", rules="category: <script>y</script>\n", do="apply").text
    assert "<script>y" not in seen


def test_every_reply_carries_the_strict_headers(page: Page) -> None:
    replies = [page.get(), page.post(text="x"), page.get("/nowhere"), page.get("/static/studio.css"), page.post("/")]
    for reply in replies:
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_or_style(page: Page) -> None:
    for view in ("findings", "masked", "wire", "answer"):
        seen = page.post(text="电话13800138000，姓名", go=view, opened="", do="open", open="rules/UserInfo.yaml").text
        assert not re.search(r"<script(?![^>]*\bsrc=)", seen)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", seen)
        assert set(re.findall(r'(?:src|href|action)="(https?:[^"]*)"', seen)) == set()


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("127.0.0.1:8765", True), ("localhost:8765", True), ("[::1]:8765", True), ("127.0.0.1", True), ("LOCALHOST", True),
        ("attacker.example:8765", False), ("127.0.0.1.attacker.example", False), ("localhost.attacker.example", False),
        ("192.168.0.7:8765", False), ("0.0.0.0:8765", False), ("", False), ("localhost@attacker.example", False),
        ("127.0.0.1:99999999", False), ("[::1", False),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_are_hosts(host: str, good: bool) -> None:
    assert allowed_host(host) is good


@given(st.text(max_size=30))
def test_any_host_is_judged(host: str) -> None:
    assert allowed_host(f"{host}.example") is False


def test_a_foreign_name_for_this_machine_is_refused() -> None:
    rebound = Page(app(), base="http://attacker.example:8765").get()

    assert rebound.status_code == 403
    assert "127.0.0.1" in rebound.text


@pytest.mark.parametrize("address", ["192.168.0.7", "10.0.0.1", "2001:db8::1", "nonsense"])
def test_another_machine_is_refused(address: str) -> None:
    assert Page(app(), address=address).get().status_code == 403


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-forwarded-host"])
def test_a_proxy_is_refused(page: Page, header: str) -> None:
    assert page.get("/", **{header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://attacker.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
    ],
)
def test_a_form_of_another_site_changes_nothing(page: Page, headers: dict[str, str]) -> None:
    assert page.post(text="kept out", headers=headers).status_code == 403
    assert "kept out" not in page.get().text


def test_a_form_without_its_token_changes_nothing(page: Page) -> None:
    assert page.client.post("/", data={"text": "kept out"}).status_code == 403
    assert page.client.post("/", data={"text": "kept out", "token": "0" * 64}).status_code == 403
    assert page.client.post("/forget", data={}).status_code == 403
    assert "kept out" not in page.get().text


def test_a_token_of_one_browser_is_none_of_another(studio: Any) -> None:
    one, other = Page(studio), Page(studio)
    one.get()
    other.get()

    assert one.token != other.token
    other.token = one.token
    assert other.post(text="x").status_code == 403


def test_the_key_opens_the_page_once_and_the_cookie_from_then_on() -> None:
    page = Page(app(key="a key of this run"))

    assert page.get().status_code == 403
    assert page.get("/?key=another").status_code == 403
    opened = page.get("/?key=a+key+of+this+run")
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "a key" not in cookie
    assert page.get().status_code == 200
    assert page.post(text="电话13800138000").status_code == 200


def test_one_browsers_text_is_not_anothers(studio: Any) -> None:
    one, other = Page(studio), Page(studio)
    one.get()
    one.post(text="only mine")

    assert "only mine" in one.get().text
    assert "only mine" not in other.get().text


def test_what_was_entered_can_be_forgotten(page: Page) -> None:
    page.post(text="soon forgotten")
    assert "soon forgotten" in page.get().text

    assert page.post("/forget").status_code == 303
    assert "soon forgotten" not in page.get().text


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("letter.pdf", b"%PDF-1.7\n\xe2\xe3", "a PDF"),
        ("book.xlsx", b"PK\x03\x04\x14\x00", "an Office document"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n", "an image"),
        ("table.jsonl", b"PAR1\x15\x04", "a Parquet file"),
        ("wide.txt", "电话".encode("utf-16"), "UTF-16"),
        ("gb.txt", "电话".encode("gb18030"), "iconv"),
        ("null.txt", b"a\0b", "null bytes"),
    ],
)
def test_a_binary_file_is_refused_with_what_it_is(page: Page, name: str, data: bytes, said: str) -> None:
    reply = page.post(text="", files={"file": (name, data, "text/plain")})

    assert reply.status_code == 422
    assert said in reply.text
    assert 'role="alert"' in reply.text


@given(st.binary(max_size=64))
def test_any_upload_is_text_or_refused(data: bytes) -> None:
    try:
        text = decoded(data, "x")
    except ConfigurationError as error:
        said = str(error)
    else:
        said = "x is no text" if text.encode() in (data, data.removeprefix(b"\xef\xbb\xbf")) else text
    assert said.startswith("x is no text")


def test_an_uploaded_log_fills_the_text(page: Page) -> None:
    log = '{"role": "user", "content": "电话13800138000"}\n'
    seen = page.post(text="old", files={"file": ("log.jsonl", log.encode(), "text/plain")}).text

    assert "1 PHONE_NUMBER" in seen
    assert "13800138000&#34;}" in seen


def test_a_text_that_is_too_long_is_refused_and_the_last_one_stays(page: Page) -> None:
    page.post(text="kept")
    reply = page.post(text="x" * (256 * 1024 + 1))

    assert reply.status_code == 422
    assert "257 KiB" in reply.text
    assert "kept" in page.get().text


def test_a_body_that_is_too_large_is_refused(page: Page) -> None:
    reply = page.client.post("/", content=b"x", headers={"content-length": str(17 * 1024 * 1024)})
    assert reply.status_code == 413
    boundless = page.client.post("/", content=(b"x" * 1_000_000 for _ in range(18)))
    assert boundless.status_code == 413


@pytest.mark.parametrize(
    ("text", "kind", "roles", "texts"),
    [
        ("plain", "text", ["user"], ["plain"]),
        ("{not json", "text", ["user"], ["{not json"]),
        ('{"other": 1}', "text", ["user"], ['{"other": 1}']),
        ('[{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]', "chat", ["system", "user"], ["a", "b"]),
        ('{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}', "chat", ["user"], ["a"]),
        ('{"role": "user", "content": "a"}\n\n{"role": "assistant", "content": "b"}', "chat", ["user", "assistant"], ["a", "b"]),
        ('{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}', "chat", ["user", "assistant"], ["a", "b"]),
        ('{"text": "a"}\n{"text": "b"}', "log", ["user"], ["a"]),
        ('{"role": "user", "content": null}', "chat", [], []),
    ],
)  # fmt: skip
def test_chats_are_read_in_the_forms_they_are_kept_in(text: str, kind: str, roles: list[str], texts: list[str]) -> None:
    found = read(text)

    assert found.kind == kind
    assert [message.role for message in found.conversations[0].messages] == roles
    assert [message.text for message in found.conversations[0].messages] == texts


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "messages", "text", "from", "value", "x"]), inner, max_size=3), max_leaves=12))  # fmt: skip
def test_any_json_is_read(data: Any) -> None:
    found = read(json.dumps(data))

    assert found.conversations
    assert len(found.conversations) < 9


def test_a_log_shows_one_conversation_after_the_other(page: Page) -> None:
    log = '{"text": "电话13800138000"}\n{"text": "nothing"}\n'

    assert "in conversation 1 of 2" in page.post(text=log).text
    assert "0 found" in page.post(text=log, number="2").text
    assert "in conversation 2 of 2" in page.post(text=log, number="99").text


def test_a_wrong_rule_is_shown_at_its_line(page: Page) -> None:
    rules = (ROOT / "rules/UserInfo.yaml").read_text("utf-8")
    line = rules.split("\n").index("  - use: cn.uscc") + 1
    seen = page.post(
        opened="rules/UserInfo.yaml", rules=rules.replace("use: cn.uscc", "use: cn.nothing"), do="apply"
    ).text

    assert f"rules/UserInfo.yaml, line {line}" in seen
    assert "no recogniser is called cn.nothing" in seen
    assert f'<span class="at"><b>{line}</b>   - use: cn.nothing' in seen
    assert f'data-line="{line}"' in seen


def test_an_edited_rule_counts_at_once_and_its_examples_are_held(page: Page) -> None:
    name = "rules/recognisers/net/email.yaml"
    text = (ROOT / name).read_text("utf-8")
    before = page.post(text="a@example.com").text
    assert "EMAIL_ADDRESS" in before

    edited = text.replace("entity: EMAIL_ADDRESS", "entity: MAIL")
    seen = page.post(text="a@example.com", opened=name, rules=edited, do="apply").text
    assert "1 MAIL" in seen
    assert "all their examples hold" in seen
    assert (ROOT / name).read_text("utf-8") == text

    broken = re.sub(r"^pattern:.*?(?=^\w)", "pattern: 'never-to-be-found'\n", text, flags=re.MULTILINE | re.DOTALL)
    assert "do not hold" in page.post(text="a@example.com", opened=name, rules=broken, do="apply").text
    kept = page.post(text="a@example.com", opened=name, rules=broken, do="revert").text
    assert "EMAIL_ADDRESS" in kept


def test_an_edited_file_can_be_taken_away(page: Page) -> None:
    name = "rules/recognisers/net/email.yaml"
    reply = page.post(opened=name, rules="recogniser: net.email\n# mine\n", do="download")

    assert reply.headers["content-disposition"] == 'attachment; filename="email.yaml"'
    assert reply.text == "recogniser: net.email\n# mine\n"


def test_an_own_folders_categories_come_first(tmp_path: Path) -> None:
    (tmp_path / "Mine.yaml").write_text(
        'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n  - {id: own.ticket, entity: TICKET, '
        "pattern: 'T-\\d{4}', not_beside: digit, about: {en: Ticket, zh: 工单}, source: own, "
        "hits: ['T-1234'], misses: ['T-12345']}\n",
        "utf-8",
    )
    (tmp_path / "other.yaml").write_text("suite: x\n", "utf-8")
    page = Page(app(tmp_path))

    first = page.get().text
    assert re.findall(r'<option value="([^"]+)"', first)[0] == "./Mine.yaml"
    assert "./other.yaml" not in first
    assert "1 TICKET" in page.post(category="./Mine.yaml", text="see T-1234").text
    assert page.post(category="../../etc/passwd", text="x").status_code == 422


def test_the_page_works_under_a_prefix() -> None:
    page = Page(Starlette(routes=[Mount("/studio", app())]))
    first = page.get("/studio/?theme=dark&lang=zh")

    assert first.status_code == 200
    links = re.findall(r'(?:href|src|action|hx-post)="(/[^"]*)"', first.text)
    assert links
    assert all(link.startswith("/studio/") for link in links)
    assert page.get("/studio/static/studio.css").status_code == 200
    assert "1 PHONE_NUMBER" in page.post("/studio/", text="电话13800138000").text
    assert page.post("/studio/forget?lang=zh").headers["location"] == "/studio/?lang=zh"


def test_the_vendored_file_is_the_one_that_is_named() -> None:
    scripts = sorted(path.name for path in STATIC.glob("*.js"))
    assert scripts == ["htmx-4.0.1.min.js", "studio.js"]
    assert hashlib.sha256((STATIC / scripts[0]).read_bytes()).hexdigest() == HTMX
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert HTMX in notice
    assert "0BSD" in notice


def test_every_sentence_is_there_in_both_languages() -> None:
    templates = "".join(path.read_text("utf-8") for path in (STATIC.parent / "templates").glob("*.html"))
    for key, (english, chinese) in MESSAGES.items():
        assert english, key
        assert chinese, key
        assert re.findall(r"{\w+}", english).sort() == re.findall(r"{\w+}", chinese).sort(), key
        assert not re.search(r"[\u4e00-\u9fff]", english), key
    for key in re.findall(r'\bt\("([^"]+)"[,)]', templates):
        assert key in MESSAGES, key


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB,en;q=0.9,zh;q=0.8", "en"), ("de, zh;q=0.3", "zh"),
        ("fr", "en"), ("en;q=0.1, zh;q=0.2", "zh"), ("zh;q=0", "en"), ("zh;q=nonsense, en", "en"),
    ],
)  # fmt: skip
def test_the_browsers_language_is_followed(accepted: str, chosen: str) -> None:
    assert language(accepted) == chosen


def test_the_switch_wins_over_the_browser(page: Page) -> None:
    assert 'lang="zh-Hans" data-theme="auto"' in page.get("/", accept_language="zh-CN").text
    assert 'lang="en" data-theme="dark"' in page.get("/?lang=en&theme=dark", accept_language="zh-CN").text
    assert 'data-theme="auto"' in page.get("/?theme=%22%3E%3Cscript%3E").text


def test_a_case_is_written_from_the_page_and_run_there(tmp_path: Path) -> None:
    page = Page(app(tmp_path))
    page.get()
    case = {
        "case-text": "订单13800138001。", "case-value": "13800138001", "case-expect": "mask", "case-id": "order",
        "case-entity": "PHONE_NUMBER", "case-file": "mine.yaml", "text": "订单13800138001。",
    }  # fmt: skip
    shown = page.post(do="preview", **case).text
    assert "- id: &#34;order&#34;" in shown
    assert list(tmp_path.iterdir()) == []

    added = page.post(do="case", **case).text
    assert "Added order to mine.yaml." in added
    assert "does what the case asks" in added
    assert "already a case" in page.post(do="case", **case).text
    kept = page.post(do="case", **{**case, "case-expect": "keep", "case-id": "kept"}).text
    assert "does not do that yet" in kept

    assert "cases: 2" in page.get("/suites").text
    report = page.client.post("/suites", data={"token": page.token, "suite": "mine.yaml"})
    assert report.status_code == 200
    assert "<strong>1</strong> passed" in report.text
    assert "<strong>1</strong> failed" in report.text
    assert "<mark>13800138001</mark>" in report.text
    for kind, media in (
        ("json", "application/json"),
        ("junit", "application/xml"),
        ("sarif", "application/sarif+json"),
    ):
        taken = page.client.post("/suites", data={"token": page.token, "take": kind})
        assert taken.headers["content-type"].startswith(media)
        assert "attachment" in taken.headers["content-disposition"]
        assert "13800138001" not in taken.text
    audit = page.client.post("/suites", data={"token": page.token, "take": "html"})
    assert audit.headers["content-disposition"] == 'attachment; filename="masking-report.html"'
    assert "The policy does not hold." in audit.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml"]


def test_without_a_folder_nothing_is_written(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fields = {"case-text": "a", "case-value": "a", "case-expect": "keep", "case-id": "x", "case-file": "mine.yaml"}

    shown = page.post(do="case", text="a", **fields).text

    assert "masking policy studio ./policies" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_finding_begins_a_case(page: Page) -> None:
    seen = page.post(text="电话13800138000", pick="1").text

    assert 'name="case-value" form="work" value="13800138000"' in seen
    assert re.search(r'value="keep" form="work" checked', seen)


def test_a_suite_that_is_wrong_is_listed_with_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("suite: bad\ncategory: UserInf\ncases: []\n", "utf-8")
    page = Page(app(tmp_path))

    seen = page.get("/suites").text
    assert "did you mean UserInfo?" in seen
    reply = page.client.post("/suites", data={"token": page.token, "suite": "bad.yaml"})
    assert reply.status_code == 422
    assert page.client.post("/suites", data={"token": page.token, "suite": "nowhere"}).status_code == 422


def test_a_suite_can_be_run_on_an_edited_copy(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        'suite: mine\ncategory: UserInfo\nnames: off\ncases:\n  - {id: mail, text: "a@example.com", must_mask: ["a@example.com"]}\n',
        "utf-8",
    )
    page = Page(app(tmp_path))
    page.get()
    name = "rules/UserInfo.yaml"
    edited = (ROOT / name).read_text("utf-8").replace("  - use: net.email\n", "")
    page.post(text="x", opened=name, rules=edited, do="apply")

    assert "Use my edited copy of UserInfo" in page.get("/suites").text
    run = {"token": page.token, "suite": "mine.yaml"}
    assert "Every case holds." in page.client.post("/suites", data=run).text
    assert "Some cases do not hold." in page.client.post("/suites", data={**run, "edited": "on"}).text


_ENGLISH = re.compile(
    r"\b(?:pattern|check|stands?|is|the|better|not|before|behind|against|within|characters|longer|checked|earlier|found|"
    r"must|be|and|by|of|it|where|leaves)\b"
)


def test_every_reason_is_told_in_chinese() -> None:
    category = Masker("Everything", names="off").category
    scanner = Scanner(category, detector)
    texts = [text for rule in category.rules[::3] for text in (*(hit.text for hit in rule.hits[:3]), *rule.misses[:3])]
    whys = {one.why for text in texts for one in explain(scanner, text)}

    assert len(whys) > 50
    for why in sorted(whys):
        said = translated(re.sub(r", context word .*", "", why), "zh")
        assert not _ENGLISH.search(said), said
        assert translated(why, "en") == why


def test_what_a_failing_case_is_told_is_told_in_chinese() -> None:
    suite = load_suite(
        "suite: x\ncategory: UserInfo\nnames: off\ncases:\n"
        '  - {id: a, text: "号码2138001380001", must_mask: ["2138001380001"]}\n'
        '  - {id: b, text: "电话13800138000", must_keep: ["13800138000"]}\n'
        '  - {id: c, text: "电话13800138000", must_mask: []}\n'
        '  - {id: d, text: "电话13800138000x", must_mask: ["电话13800138000"]}\n'
        '  - {id: e, text: "电话13800138000", must_mask: [{value: "13800138000", entity: PERSON}], known_gap: why}\n'
        '  - {id: f, text: "电话13800138000", must_mask: ["13800138000"], masked: "电话<PHONE_NUMBER_2>"}\n',
        "x.yaml",
    )
    said = [violation.what for result in run_suite(suite, cuts="near") for violation in result.violations]

    assert len(said) > 8
    assert [one for one in said if _ENGLISH.search(translated(one, "zh"))] == []


def test_an_edit_is_compared_with_the_original(page: Page) -> None:
    name = "rules/recognisers/net/email.yaml"
    edited = (ROOT / name).read_text("utf-8").replace("entity: EMAIL_ADDRESS", "entity: MAIL")
    page.post(text="mail a@example.com\nnothing here\ncall 13800138000", opened=name, rules=edited, do="apply")

    form = page.get("/compare").text
    assert '<option value="edited:UserInfo" selected>UserInfo · edited here</option>' in form
    wanted = {"token": page.token, "old": "UserInfo", "new": "edited:UserInfo", "corpus": "text"}
    seen = page.client.post("/compare", data=wanted).text
    assert "1 of 3 texts are read differently." in seen
    assert "another kind" in seen
    assert "a@example.com" not in seen
    assert "mail <mark>▪▪▪</mark>" in seen
    assert "a@example.com" in page.client.post("/compare", data={**wanted, "reveal": "on"}).text
    assert "Both versions find the same." in page.client.post("/compare", data={**wanted, "new": "UserInfo"}).text
    examples = page.client.post("/compare", data={**wanted, "corpus": "examples"}).text
    assert "another kind" in examples


def test_two_categories_are_compared_on_a_file(page: Page) -> None:
    page.get("/compare")
    wanted = {"token": page.token, "old": "UserInfo", "new": "Minimal", "corpus": "file"}
    log = b'{"messages": [{"role": "user", "content": "\xe6\x88\x91\xe7\x9a\x84\xe5\xbe\xae\xe4\xbf\xa1\xef\xbc\x9aexample_user"}]}\n'
    seen = page.client.post("/compare", data=wanted, files={"file": ("log.jsonl", log * 3)}).text
    assert "3 of 3 texts are read differently." in seen
    assert "vanishes" in seen

    for data, said in ((b"PK\x03\x04", "ZIP"), (b"", "no text to compare on")):
        reply = page.client.post("/compare", data=wanted, files={"file": ("x.zip", data)})
        assert reply.status_code == 422
        assert said in reply.text
    assert page.client.post("/compare", data={**wanted, "old": "../x"}).status_code == 422


def test_a_comparison_that_takes_too_long_tells_how_far_it_came(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("masking.policy.studio.comparing._PATIENCE", -1.0)
    page.get("/compare")
    wanted = {"token": page.token, "old": "UserInfo", "new": "Minimal", "corpus": "examples"}

    assert "no text to compare on" in page.client.post("/compare", data=wanted).text


def test_coverage_names_rules_cases_and_gaps(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    obligation = load_obligation(
        "obligation: sample\nabout: {en: A sample law, zh: 示例}\nsource: {title: Sample Act}\nitems:\n"
        "  - {id: mail, about: {en: Mail addresses, zh: 邮箱}, source: Art. 1, entities: [EMAIL_ADDRESS]}\n"
        "  - {id: faces, about: {en: Photographs, zh: 照片}, source: Art. 2, gap: {en: Only text is read., zh: 仅文本。}}\n",
        "sample.yaml",
    )
    monkeypatch.setattr("masking.policy.studio.covering.read_obligations", lambda: [obligation])
    page = Page(app())

    seen = page.get("/coverage").text
    assert "A sample law" in seen
    assert "net.email" in seen
    assert "Only text is read." in seen
    assert "not covered" in seen
    zh = page.get("/coverage?lang=zh&category=Minimal").text
    assert "仅文本。" in zh
    counted = page.client.post("/coverage", data={"token": page.token, "category": "Minimal", "do": "count"})
    assert counted.status_code == 200
    assert re.search(r'<td class="n">[1-9]\d*</td>', counted.text)
    assert page.get("/coverage?category=Nowhere").status_code == 422


def test_the_screenshots_of_the_guide_are_there_and_small() -> None:
    guide = (ROOT / "docs/how-to/policy-studio.md").read_text("utf-8")
    shown = re.findall(r"\]\(\.\./images/([\w-]+\.png)\)", guide)
    assert len(shown) >= 4
    for name in shown:
        image = ROOT / "docs/images" / name
        assert image.read_bytes().startswith(b"\x89PNG")
        assert image.stat().st_size < 200 * 1024


def test_the_command_serves_this_machine_with_the_printed_link(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-c",
        "from masking.cli import main; main()",
        "policy",
        "studio",
        str(tmp_path),
        "--port",
        "0",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as run:
        try:
            assert run.stdout is not None
            link = run.stdout.readline().partition(": ")[2].strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?key=[\w-]{32}", link)
            with httpx.Client() as client:
                assert client.get(link.partition("?")[0]).status_code == 403
                opened = client.get(link, follow_redirects=True)
                assert opened.status_code == 200
                assert "server" not in opened.headers
                assert str(opened.url) == link.partition("?")[0]
        finally:
            run.terminate()


def test_a_taken_port_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = CliRunner().invoke(command, ["studio", "--port", str(port)])

    assert isinstance(said.exception, ConfigurationError)
    assert "choose another with --port" in str(said.exception)
