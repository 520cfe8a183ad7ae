"""The studio in a real Chromium: the paths of a user, by mouse and by keyboard, in both languages and both themes."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from masking.policy.studio import app

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
uvicorn = pytest.importorskip("uvicorn")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
KEY = "the key of this run"


@dataclass
class Studio:
    """A running studio: its address, and the folder that it may write to."""

    url: str
    folder: Path
    own: Any = field(default=None, repr=False)


@dataclass
class Screen:
    """A page in the browser, and everything that must never happen there."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, path: str = "/") -> Any:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def type(self, text: str) -> None:
        """Type a text and wait for what it comes to."""
        self.page.fill("#text", text)
        self.page.get_by_role("button", name=re.compile("^(Check|检查)$")).click()
        self.page.wait_for_selector(".summary")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("policies")
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app(folder, key=KEY), log_level="error", proxy_headers=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Studio(f"http://127.0.0.1:{listening.getsockname()[1]}", folder)
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def screen_of(chromium: Any, studio: Studio, **options: Any) -> Iterator[Screen]:
    context = chromium.new_context(locale="en-US", viewport={"width": 1360, "height": 900}, **options)
    page = context.new_page()
    page.set_default_timeout(20_000)
    screen = Screen(page, studio.url)
    page.on("console", lambda said: screen.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: screen.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (screen.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: screen.hosts.add(request.url.partition("//")[2].partition("/")[0]))
    page.goto(f"{studio.url}/?key={KEY.replace(' ', '+')}")
    yield screen
    context.close()
    assert screen.complaints == []
    assert screen.hosts == {studio.url.partition("//")[2]}


@pytest.fixture
def screen(chromium: Any, studio: Studio) -> Iterator[Screen]:
    yield from screen_of(chromium, studio)


@pytest.fixture
def scriptless(chromium: Any, studio: Studio) -> Iterator[Screen]:
    yield from screen_of(chromium, studio, java_script_enabled=False)


def forget(screen: Screen) -> None:
    with screen.open().expect_navigation():
        screen.page.get_by_role("button", name="Forget what I entered").click()


@pytest.fixture(autouse=True)
def _fresh(screen: Screen) -> None:
    """The draft belongs to the key, so that every test begins with an empty one."""
    forget(screen)


def test_a_text_is_followed_as_it_is_typed(screen: Screen) -> None:
    page = screen.page
    page.locator("#text").press_sequentially("电话13800138000，", delay=5)
    page.wait_for_selector("mark[data-label='1 PHONE_NUMBER']")

    assert page.evaluate("document.activeElement.id") == "text"
    assert page.locator("#status").inner_text() == "1 found in 1 texts."
    assert page.locator("table.found tbody tr").count() == 1


def test_every_view_of_a_conversation_can_be_seen(screen: Screen) -> None:
    page = screen.page
    page.get_by_role("button", name="Insert an example").click()
    page.wait_for_selector("table.found")
    assert page.locator("article.sheet").count() == 3

    page.get_by_role("button", name="Masked text").click()
    page.wait_for_selector("mark.p")
    assert "13800138000" not in page.locator("article.sheet").all_inner_texts()[0]

    page.get_by_role("button", name="What the model sees").click()
    page.wait_for_selector("pre.wire")
    assert '"content": "我叫' in page.locator("pre.wire").inner_text()
    assert "11010519491231002X" not in page.locator("pre.wire").inner_text()


def test_the_slider_cuts_the_answer_and_what_is_read_stays_the_same(screen: Screen) -> None:
    page = screen.page
    screen.type("Call +1 415 555 0132.")
    page.get_by_role("button", name="The answer").click()
    page.wait_for_selector("table.trace")
    read, steps = page.locator("#trace article p").inner_text(), page.locator("table.trace tbody tr").count()
    assert "+1 415 555 0132" in read

    page.locator("#cut").focus()
    page.keyboard.press("End")
    page.wait_for_function("count => document.querySelectorAll('table.trace tbody tr').length < count", arg=steps)

    assert page.locator("#cut-said").inner_text() == "24"
    assert page.evaluate("document.activeElement.id") == "cut"
    assert page.locator("#trace article p").inner_text() == read
    assert "Equal to the answer restored in one piece." in page.locator("#trace").inner_text()


def test_the_whole_page_can_be_used_without_a_mouse(screen: Screen) -> None:
    page = screen.open()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "category"
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.insert_text("电话13800138000")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("table.found")

    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "view-masked":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    page.wait_for_selector("#view-masked[aria-pressed=true]")

    assert outline == "solid"
    assert page.evaluate("document.activeElement.id") == "view-masked"
    assert page.locator("article.sheet p").inner_text() == "电话<PHONE_NUMBER_1>"


def test_a_selection_becomes_a_case_in_a_suite(screen: Screen, studio: Studio) -> None:
    page = screen.page
    screen.type("Ticket ABC12345 is open.")
    page.locator("article.sheet p").evaluate(
        """sheet => {
            const text = sheet.firstChild, at = text.data.indexOf("ABC12345"), range = document.createRange();
            range.setStart(text, at); range.setEnd(text, at + 8);
            document.getSelection().removeAllRanges(); document.getSelection().addRange(range);
        }"""
    )
    page.locator("#selection").get_by_role("button", name="Should be masked").click()
    assert page.locator("#case-value").input_value() == "ABC12345"
    assert page.locator("#case-text").input_value() == "Ticket ABC12345 is open."
    page.keyboard.insert_text("ticket-number")
    page.locator("#case-file").fill("tickets.yaml")
    page.get_by_role("button", name="Add to the suite").click()
    page.wait_for_selector("text=Added ticket-number to tickets.yaml.")

    assert "does not do that yet" in page.locator("#case").inner_text()
    assert 'must_mask: ["ABC12345"]' in (studio.folder / "tickets.yaml").read_text("utf-8")


def test_a_suite_is_run_and_its_report_read(screen: Screen, studio: Studio) -> None:
    (studio.folder / "phones.yaml").write_text(
        "suite: phones\ncategory: UserInfo\nnames: off\ncases:\n"
        '  - {id: good, text: "电话13800138000", must_mask: ["13800138000"]}\n'
        '  - {id: bad, text: "号码2138001380001", must_mask: ["2138001380001"]}\n',
        "utf-8",
    )
    page = screen.open("/suites")
    page.get_by_role("button", name="Run phones").click()
    page.wait_for_selector("article.failed")

    assert page.locator("article.failed h3").inner_text().startswith("bad")
    assert "2138001380001" in page.locator("article.failed .context mark").first.inner_text()
    assert page.locator("#status").inner_text() == "1 passed, 1 failed, 0 known gaps, 0 closed gaps."
    with page.expect_download() as download:
        page.get_by_role("button", name="JUNIT").click()
    assert download.value.suggested_filename == "masking-report.xml"


def test_a_mistake_in_a_rule_is_shown_at_its_line(screen: Screen) -> None:
    page = screen.page
    page.locator("#editor summary").click()
    page.locator("#editor").get_by_role("button", name="Open").click()
    page.wait_for_selector("#rules")
    rules = page.locator("#rules").input_value()
    page.locator("#rules").fill(rules.replace("use: cn.uscc", "use: cn.nothing"))
    page.get_by_role("button", name="Apply").click()
    page.wait_for_selector("#fault")

    assert "no recogniser is called cn.nothing" in page.locator("#fault").inner_text()
    chosen = "rules => rules.value.slice(rules.selectionStart, rules.selectionEnd)"
    assert page.locator("#rules").evaluate(chosen) == "  - use: cn.nothing"
    page.get_by_role("button", name="Back to the original").click()
    page.wait_for_selector("#fault", state="detached")
    assert page.locator("#rules").input_value() == rules


def test_a_file_is_read_and_a_binary_one_refused(screen: Screen) -> None:
    page = screen.page
    page.set_input_files("#file", {"name": "log.jsonl", "mimeType": "", "buffer": b'{"text": "mail a@example.com"}\n'})
    page.wait_for_selector("mark[data-label='1 EMAIL_ADDRESS']")
    assert page.locator("#text").input_value() == '{"text": "mail a@example.com"}\n'

    page.set_input_files("#file", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n\xe2"})
    page.wait_for_selector("#results [role=alert]")
    assert "it is a PDF" in page.locator("#results").inner_text()
    assert all("422" in said for said in screen.complaints)  # the browser's own note of the refusal
    assert len(screen.complaints) == 1
    screen.complaints.clear()


def test_a_file_that_is_too_large_is_refused_in_words(screen: Screen) -> None:
    page = screen.page
    page.set_input_files("#file", {"name": "big.txt", "mimeType": "text/plain", "buffer": b"x" * (20 << 20)})
    page.wait_for_selector("[role=alert]:visible")

    assert "larger than 16 MiB" in page.locator("[role=alert]:visible").inner_text()
    assert all("413" in said for said in screen.complaints)
    screen.complaints.clear()


def test_a_studio_that_is_gone_is_told(screen: Screen) -> None:
    page = screen.page
    page.route("**/*", lambda route: route.abort())
    page.fill("#text", "电话13800138000")
    page.wait_for_selector("#lost:visible")

    assert "does not answer" in page.locator("#lost").inner_text()
    page.unroute("**/*")
    page.get_by_role("button", name="Check").click()
    page.wait_for_selector("#lost", state="hidden")
    assert "ERR_FAILED" in screen.complaints[0]
    screen.complaints.clear()


def test_markup_in_a_text_never_runs(screen: Screen) -> None:
    page = screen.page
    screen.type("<script>alert(1)</script><img src=x onerror=alert(2)> <hx-partial hx-target='body'>电话13800138000")
    for name in ("Masked text", "What the model sees", "The answer", "Findings"):
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_role("button", name=name, exact=True, pressed=True).wait_for()
        assert page.locator("#results script, #results img").count() == 0
    assert "<script>alert(1)</script>" in page.locator("article.sheet p").inner_text()


def test_the_page_works_without_scripts(scriptless: Screen) -> None:
    page = scriptless.page
    page.fill("#text", "电话13800138000")
    page.get_by_role("button", name="Check").click()
    assert page.locator("table.found tbody tr").count() == 1
    page.get_by_role("button", name="The answer").click()
    assert "13800138000" in page.locator("#trace article p").inner_text()
    page.get_by_role("link", name="中文").click()
    page.wait_for_url("**lang=zh**")
    assert page.locator("h1").inner_text() == "这个类别会做什么？"
    assert page.locator("#text").input_value() == "电话13800138000"


def test_language_and_theme_change_and_nothing_is_lost(screen: Screen) -> None:
    page = screen.page
    screen.type("电话13800138000")
    page.get_by_role("link", name="中文").click()
    page.wait_for_url("**lang=zh**")
    page.get_by_role("link", name="深色").click()
    page.wait_for_url("**theme=dark**")

    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 25)"
    assert page.locator("#text").input_value() == "电话13800138000"
    assert page.locator("table.found th").nth(1).inner_text() == "值"
    english = re.findall(r"\b(?:found|pattern|check|stands|is better)\b", page.locator("#results").inner_text())
    assert english == []


def test_the_systems_theme_is_followed(screen: Screen) -> None:
    page = screen.open()
    for scheme, colour in (("dark", "rgb(19, 22, 25)"), ("light", "rgb(246, 246, 244)")):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour


def test_another_key_opens_nothing(chromium: Any, studio: Studio) -> None:
    context = chromium.new_context()
    page = context.new_page()
    reply = page.goto(f"{studio.url}/?key=wrong")

    assert reply.status == 403
    assert "has not shown the key" in page.locator("[role=alert]:visible").inner_text()
    context.close()


@pytest.mark.parametrize("width", [390, 1360])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(screen: Screen, theme: str, width: int) -> None:
    """axe-core finds nothing against WCAG 2.2 A and AA, contrast included; and nothing is wider than the window."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    page = screen.page
    page.set_viewport_size({"width": width, "height": 800})

    def holds() -> None:
        found = axe.run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    screen.open(f"/?theme={theme}")
    holds()
    page.get_by_role("button", name="Insert an example").click()
    page.wait_for_selector("table.found")
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    page.locator("#editor button[value=open]").click()
    page.wait_for_selector("#rules")
    holds()
    for view in ("masked", "wire", "answer"):
        page.locator(f"#view-{view}").click()
        page.wait_for_selector(f"#view-{view}[aria-pressed=true]")
        holds()
    for path in ("/suites", "/compare", "/coverage"):
        screen.open(f"{path}?theme={theme}&lang=zh")
        holds()
