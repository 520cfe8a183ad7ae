"""`masking chat` as a process: what it prints, what left, and how it ends."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients_server import KEY, Server, data, serving, sse, whole

from masking.cli import main

ROOT = Path(__file__).parents[1]
PROMPT = "我的手机号是13800138000"
MASKED = "我的手机号是<PHONE_NUMBER_1>"
KEYS = {
    "PYTHONUTF8": "1",
    "PYTHONPATH": str(ROOT),
    "OPENAI_API_KEY": "sk-fake",
    "DASHSCOPE_API_KEY": "sk-fake",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY.id,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY.secret,
    "DMS_INSTANCE_ID": "1234567",
}
CHAT = [sys.executable, "-c", "from masking.cli import main; main()", "chat", "--names", "off"]
PLACES = {
    "openai": "/v1",
    "dashscope": "/api/v1",
    "dashscope-app": "/api/v1",
    "dms": "",
    "rdsai": "",
}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def run(*arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **KEYS, **environment}
    return subprocess.run(
        [*CHAT, *arguments], input=text, env=env, capture_output=True, encoding="utf-8", check=False, timeout=60
    )


def reached(provider: str, server: Server) -> list[str]:
    model = ["-m", "app-1"] if provider == "dashscope-app" else []
    return ["-p", provider, "--base-url", server.url + PLACES[provider], *model]


def test_without_options_it_talks_to_the_stand_in_and_nothing_leaves() -> None:
    done = run(PROMPT)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"你说的是：“{PROMPT}”。我已经记下了，共 1 条消息。\n"


def test_it_reads_standard_input() -> None:
    done = run(text=PROMPT + "\n")

    assert done.returncode == 0
    assert f"“{PROMPT}”" in done.stdout


@pytest.mark.parametrize("provider", PLACES)
def test_every_provider_is_sent_masked_text_and_is_read_restored(server: Server, provider: str) -> None:
    done = run(*reached(provider, server), "--show-wire", PROMPT)

    assert (done.returncode, done.stdout.count(PROMPT)) == (0, 1), done.stderr
    assert "13800138000" not in server.seen[0].everything
    assert MASKED in done.stderr
    assert "13800138000" not in done.stderr
    assert "sk-fake" not in done.stderr + done.stdout
    assert KEY.secret not in done.stderr + done.stdout


def test_without_show_wire_only_the_answer_is_printed(server: Server) -> None:
    assert run(*reached("openai", server), PROMPT).stderr == ""


def test_a_category_of_ones_own_counts(tmp_path: Path) -> None:
    mine = tmp_path / "Mine.yaml"
    mine.write_text(
        'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'
        "  - {id: a.b, entity: ORDER, pattern: 'ORD-\\d{6}', hits: [ORD-123456], misses: [ORD-1]}\n",
        "utf-8",
    )
    done = run("-c", str(mine), "--show-wire", "ORD-123456 13800138000")

    assert "<ORDER_1> 13800138000" in done.stderr
    assert "ORD-123456 13800138000" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        pytest.param(["-p", "openai", "hi"], {"OPENAI_API_KEY": ""}, "OPENAI_API_KEY", id="no key"),
        pytest.param(["-p", "dashscope", "hi"], {"DASHSCOPE_API_KEY": ""}, "DASHSCOPE_API_KEY", id="no key, dashscope"),
        pytest.param(
            ["-p", "rdsai", "hi"], {"ALIBABA_CLOUD_ACCESS_KEY_ID": ""}, "ALIBABA_CLOUD_ACCESS_KEY_ID", id="no key, acs"
        ),
        pytest.param(["-p", "dms", "hi"], {"DMS_INSTANCE_ID": ""}, "DMS_INSTANCE_ID", id="no instance"),
        pytest.param(["-p", "dms", "hi"], {"DMS_INSTANCE_ID": "x"}, "DMS_INSTANCE_ID", id="an instance of letters"),
        pytest.param(["-p", "dashscope-app", "hi"], {}, "application's id", id="no application"),
        pytest.param(["-p", "nobody", "hi"], {}, "nobody", id="an unknown provider"),
        pytest.param(["--base-url", "http://127.0.0.1:1", "hi"], {}, "has no address", id="echo elsewhere"),
        pytest.param(["-p", "openai", "--base-url", "http://127.0.0.1:1/v1", "hi"], {}, "openai: ", id="nobody there"),
        pytest.param(["   "], {}, "nothing was asked", id="only spaces"),
        pytest.param([], {}, "nothing was asked", id="nothing on standard input"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_with_exit_code_two(
    arguments: list[str],
    environment: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in {**KEYS, **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["masking", "chat", "--names", "off", *arguments])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(SystemExit) as ended:
        main()
    out, error = capfd.readouterr()

    assert ended.value.code == 2
    assert says in error
    assert out == ""
    assert len(error.strip().splitlines()) == 1 or "Usage" in error


def test_an_error_of_the_provider_is_one_line_and_its_words_are_masked(server: Server) -> None:
    server.answer = lambda seen: whole({"error": {"message": f"bad\n{PROMPT}", "code": "invalid_value"}}, 400)
    done = run(*reached("openai", server), PROMPT)

    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "invalid_value" in done.stderr
    assert f"bad {MASKED}" in done.stderr
    assert "13800138000" not in done.stderr


def test_a_stream_that_breaks_says_what_came_and_exits_with_two(server: Server) -> None:
    def chunk(text: str) -> bytes:
        return data({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})

    server.answer = lambda seen: sse(chunk("Hi "), chunk("<PHONE_NUMBER_1> and"), chunk(" more"), cut_after=2)
    done = run(*reached("openai", server), PROMPT)

    assert done.returncode == 2
    assert done.stdout == "Hi 13800138000 and\n"
    assert len(done.stderr.strip().splitlines()) == 1


class Terminal:
    """A process at a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        pty = pytest.importorskip("pty", reason="only POSIX has terminals of this kind")
        self.end, other = pty.openpty()
        env = {**os.environ, **KEYS, "TERM": "dumb"}
        self.process = subprocess.Popen(
            [*CHAT, *arguments], stdin=other, stdout=other, stderr=other, env=env, start_new_session=True
        )
        os.close(other)
        self.seen = ""

    def wait_for(self, text: str, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        raw = b""
        already = self.seen
        while text not in self.seen:
            left = until - time.monotonic()
            assert left > 0, self.seen
            if select.select([self.end], [], [], left)[0]:
                try:
                    raw += os.read(self.end, 4096)
                except OSError:  # the other side is gone
                    break
                self.seen = already + raw.decode("utf-8", "ignore")
        assert text in self.seen
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, and again while nothing happens: between its prompt and its wait `input` does not see the first."""
        for _ in range(30):
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                continue
            return

    def close(self) -> int:
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            os.close(self.end)


def test_a_dialogue_is_one_conversation_and_ends_with_ctrl_d(server: Server) -> None:
    terminal = Terminal(*reached("openai", server))
    terminal.wait_for("> ")
    terminal.type(PROMPT + "\n")
    terminal.wait_for(f"“{PROMPT}” (1)")
    terminal.wait_for("> ")
    terminal.type("再打13800138000，不打13900139000\n")
    terminal.wait_for("“再打13800138000，不打13900139000” (3)")
    terminal.wait_for("> ")
    terminal.type("\x04")

    assert terminal.close() == 0
    last: Any = json.loads(server.seen[-1].body)["messages"]
    assert last[0]["content"] == MASKED
    assert last[1]["content"] == f"“{MASKED}” (1)"
    assert last[2]["content"] == "再打<PHONE_NUMBER_1>，不打<PHONE_NUMBER_2>"


def test_ctrl_c_stops_the_answer_and_then_the_conversation(server: Server) -> None:
    pause = threading.Event()

    def chunk(text: str) -> bytes:
        return data({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})

    server.answer = lambda seen: sse(chunk("Begun. "), chunk("Never said."), pause=pause)
    terminal = Terminal(*reached("openai", server))
    terminal.wait_for("> ")
    terminal.type("hi\n")
    terminal.wait_for("Begun.")
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("(stopped)")
    pause.set()
    terminal.wait_for("> ")
    terminal.interrupt()

    assert terminal.close() == 0


def test_ctrl_c_at_a_single_question_exits_with_two(server: Server) -> None:
    pause = threading.Event()
    server.answer = lambda seen: sse(data({"choices": [{"index": 0, "delta": {"content": "Begun. "}}]}), pause=pause)
    process = subprocess.Popen(
        [*CHAT, *reached("openai", server), "hi"],
        env={**os.environ, **KEYS}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.read(6)
    process.send_signal(signal.SIGINT)
    rest, error = process.communicate(timeout=30)
    pause.set()

    assert process.returncode == 2
    assert (first + rest).decode().startswith("Begun.")
    assert error.decode().strip() == "stopped"
