"""`masking batch` on real files: what goes in, what comes out, what is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from masking.batch.shape import ANY, known
from masking.cli.batch import command

MOBILES = [f"138001380{number:02d}" for number in range(100)]
KEY = b"a key for tests, not a secret one"


def chat(number: int, text: str = "") -> dict[str, Any]:
    """A row as OpenAI's fine-tuning has it."""
    mobile = MOBILES[number % 100]
    said = text or (f"我的手机号是{mobile}。" if number % 3 == 0 else "会议改到下周三")
    return {
        "messages": [{"role": "user", "content": said}, {"role": "assistant", "content": f"好的 {number}"}],
        "n": number,
    }


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def batch(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)], prog_name="masking batch")


def quiet(*arguments: object) -> dict[str, Any]:
    """A run that goes well, and its summary."""
    result = batch(*arguments, "--names", "off", "--json")
    assert result.exit_code == 0, result.output
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "secret.key"
    path.write_bytes(KEY)
    return path


def test_chats_are_masked_row_for_row_and_the_rest_is_left_as_it_is(tmp_path: Path) -> None:
    source = write(tmp_path / "chats.jsonl", map(chat, range(90)))
    summary = quiet(source, "-o", tmp_path / "out")
    old = source.read_text("utf-8").splitlines()
    new = (tmp_path / "out" / "chats.jsonl").read_text("utf-8").splitlines()
    assert len(new) == len(old) == 90
    for number, (was, now) in enumerate(zip(old, new, strict=True)):
        if number % 3:
            assert now == was
        else:
            assert MOBILES[number] not in now
            assert "<PHONE_NUMBER_" in json.loads(now)["messages"][0]["content"]
            assert json.loads(now)["n"] == number
    assert summary["totals"]["findings"] == {"PHONE_NUMBER": 30}
    assert summary["totals"]["masked"] == 30


def test_with_a_key_a_value_has_one_placeholder_in_every_row_file_and_run(tmp_path: Path, key: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "in" / f"{name}.jsonl", [chat(0), chat(1), chat(0)])
    for run in ("one", "two"):
        quiet(tmp_path / "in", "-o", tmp_path / run, "--key-file", key)
    texts = {
        json.loads(line)["messages"][0]["content"]
        for run in ("one", "two")
        for name in ("a", "b")
        for line in (tmp_path / run / f"{name}.jsonl").read_text("utf-8").splitlines()
    }
    assert len(texts) == 2


def test_without_a_key_nothing_joins_two_runs_and_no_key_is_left(tmp_path: Path) -> None:
    source = write(tmp_path / "chats.jsonl", [chat(0), chat(0)])
    for run in ("one", "two"):
        quiet(source, "-o", tmp_path / run)
    one, two = ((tmp_path / run / "chats.jsonl").read_text("utf-8").splitlines() for run in ("one", "two"))
    assert one[0] == one[1]
    assert one[0] != two[0]
    assert not (tmp_path / "one" / "_masking" / "key").exists()


def test_irreversible_says_the_kind_and_nothing_else(tmp_path: Path) -> None:
    source = write(tmp_path / "chats.jsonl", [chat(0), chat(3)])
    quiet(source, "-o", tmp_path / "out", "--mapping", "irreversible")
    for line in (tmp_path / "out" / "chats.jsonl").read_text("utf-8").splitlines():
        assert json.loads(line)["messages"][0]["content"] == "我的手机号是<PHONE_NUMBER>。"


def test_by_conversation_numbers_begin_again_in_every_row(tmp_path: Path) -> None:
    source = write(tmp_path / "chats.jsonl", [chat(0), chat(3)])
    quiet(source, "-o", tmp_path / "out", "--mapping", "conversation")
    for line in (tmp_path / "out" / "chats.jsonl").read_text("utf-8").splitlines():
        assert json.loads(line)["messages"][0]["content"] == "我的手机号是<PHONE_NUMBER_1>。"


def test_rows_of_one_conversation_share_placeholders_wherever_they_lie_and_no_others_do(
    tmp_path: Path, key: Path
) -> None:
    rows = [
        {"conversation_id": name, "conversation": [{"role": "user", "content": f"打{MOBILES[0]}"}]} for name in "abab"
    ]
    quiet(write(tmp_path / "x.jsonl", rows), "-o", tmp_path / "out", "--mapping", "conversation", "--key-file", key)
    lines = (tmp_path / "out" / "x.jsonl").read_text("utf-8").splitlines()
    said = [json.loads(line)["conversation"][0]["content"] for line in lines]
    assert said[0] == said[2] != said[1] == said[3]


def test_the_manifest_tells_what_happened_and_no_value(tmp_path: Path, key: Path) -> None:
    source = write(tmp_path / "chats.jsonl", map(chat, range(9)))
    quiet(source, "-o", tmp_path / "out", "--key-file", key)
    text = (tmp_path / "out" / "_masking" / "manifest.json").read_text("utf-8")
    manifest = json.loads(text)
    (file,) = manifest["files"]
    assert file["input_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert file["output_sha256"] == hashlib.sha256((tmp_path / "out" / "chats.jsonl").read_bytes()).hexdigest()
    assert file["rows"] == 9
    assert file["findings"] == {"PHONE_NUMBER": 3}
    assert file["shape"] == "openai.chat"
    assert manifest["category"]["name"] == "UserInfo"
    assert len(manifest["category"]["sha256"]) == 64
    assert len(manifest["key"]) == 16
    assert not any(mobile in text for mobile in MOBILES)
    assert KEY.decode() not in text


def test_one_worker_and_two_write_the_same_bytes(tmp_path: Path, key: Path) -> None:
    source = write(tmp_path / "in" / "chats.jsonl", map(chat, range(9_000)))
    assert source.stat().st_size > 1 << 20
    for workers in (1, 2):
        quiet(source, "-o", tmp_path / f"out{workers}", "--key-file", key, "-w", workers)
    one, two = ((tmp_path / f"out{workers}" / "chats.jsonl").read_bytes() for workers in (1, 2))
    assert one == two


def test_a_finished_run_does_nothing_when_it_is_run_again_and_takes_new_files(tmp_path: Path, key: Path) -> None:
    write(tmp_path / "in" / "a.jsonl", [chat(0)])
    quiet(tmp_path / "in", "-o", tmp_path / "out", "--key-file", key)
    before = (tmp_path / "out" / "a.jsonl").stat()
    write(tmp_path / "in" / "b.jsonl", [chat(0), chat(3)])
    summary = quiet(tmp_path / "in", "-o", tmp_path / "out", "--key-file", key)
    after = (tmp_path / "out" / "a.jsonl").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert summary["totals"]["rows"] == 3
    assert (tmp_path / "out" / "b.jsonl").exists()


def test_the_command_runs_as_a_program(tmp_path: Path) -> None:
    source = write(tmp_path / "chats.jsonl", [chat(0)])
    program = "import sys; from masking.cli import main; sys.argv[0] = 'masking'; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "batch", str(source), "-o", str(tmp_path / "out"), "--names", "off"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 rows, 1 of them changed" in done.stdout


def test_compressed_files_stay_compressed(tmp_path: Path) -> None:
    source = tmp_path / "chats.jsonl.gz"
    source.write_bytes(gzip.compress("".join(json.dumps(chat(n)) + "\n" for n in range(9)).encode()))
    quiet(source, "-o", tmp_path / "out")
    text = gzip.decompress((tmp_path / "out" / "chats.jsonl.gz").read_bytes()).decode()
    assert len(text.splitlines()) == 9
    assert MOBILES[0] not in text


def test_the_reference_lists_every_shape() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "batch.md").read_text("utf-8")
    for shape in (*known(), ANY):
        assert f"| `{shape.name}` | {shape.about} |" in page


MAIL = "zhang.san@example.com"
ROWS: dict[str, list[dict[str, Any]]] = {
    "openai.batch": [
        {
            "custom_id": "r-1",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "m", "messages": [{"role": "user", "content": MAIL}]},
        },
        {
            "id": "b",
            "custom_id": "r-1",
            "response": {
                "status_code": 200,
                "request_id": "q",
                "body": {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": MAIL}}]},
            },
        },
    ],
    "wildchat": [
        {
            "conversation_hash": "0a",
            "model": "m",
            "conversation": [{"role": "user", "content": MAIL, "hashed_ip": "0b", "header": {"user-agent": MAIL}}],
            "turn": 1,
        }
    ],
    "lmsys": [
        {
            "conversation_id": "0a",
            "model": "m",
            "conversation": [{"role": "user", "content": MAIL}],
            "turn": 1,
            "openai_moderation": [{"flagged": False}],
        }
    ],
    "sharegpt": [
        {"id": "1", "conversations": [{"from": "human", "value": MAIL}, {"from": "gpt", "value": "hi"}]},
        {"conversations": [{"role": "user", "content": MAIL}]},
    ],
    "dashscope": [
        {
            "model": "qwen-plus",
            "input": {"messages": [{"role": "user", "content": MAIL}]},
            "parameters": {"result_format": "message", "tools": [{"function": {"description": MAIL}}]},
        },
        {"model": "qwen-plus", "input": {"prompt": MAIL}, "parameters": {}},
        {
            "request_id": "q",
            "output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": MAIL}}]},
            "usage": {"total_tokens": 1},
        },
        {"request_id": "q", "output": {"text": MAIL, "finish_reason": "stop"}, "usage": {"total_tokens": 1}},
    ],
    "langsmith": [
        {
            "id": "1",
            "trace_id": "1",
            "run_type": "llm",
            "name": "x",
            "start_time": "2026-01-01T00:00:00",
            "inputs": {"messages": [[{"kwargs": {"content": MAIL}}]]},
            "outputs": {"generations": [{"text": MAIL}]},
            "error": MAIL,
            "feedback_stats": {"user": {"comments": [MAIL]}},
        }
    ],
    "langfuse": [
        {
            "id": "1",
            "projectId": "p",
            "timestamp": "2026-01-01T00:00:00Z",
            "name": "chat",
            "userId": MAIL,
            "input": {"messages": [{"role": "user", "content": MAIL}]},
            "output": MAIL,
            "observations": [{"input": MAIL}],
        },
        {
            "id": "2",
            "traceId": "1",
            "type": "GENERATION",
            "startTime": "2026-01-01T00:00:00Z",
            "model": "m",
            "input": [{"role": "user", "content": MAIL}],
            "output": {"role": "assistant", "content": MAIL},
            "metadata": {"mail": MAIL},
        },
    ],
    "openai.preference": [
        {
            "input": {"messages": [{"role": "user", "content": MAIL}]},
            "preferred_output": [{"role": "assistant", "content": MAIL}],
            "non_preferred_output": [{"role": "assistant", "content": MAIL}],
        }
    ],
    "anthropic": [
        {
            "model": "m",
            "system": MAIL,
            "messages": [
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": MAIL},
                        {"type": "tool_use", "id": "t", "name": "f", "input": {"to": MAIL}},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": MAIL}]},
            ],
        }
    ],
    "openai.chat": [
        {
            "messages": [
                {"role": "system", "content": MAIL},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": MAIL},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                    ],
                },
            ]
        },
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": "f", "arguments": json.dumps({"to": MAIL})},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "content": MAIL},
            ]
        },
    ],
    "openai.completion": [
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": MAIL}}],
            "usage": {"total_tokens": 3},
        }
    ],
    "any": [{"question": MAIL, "answer": {"deep": [MAIL]}}],
}
KEPT = {
    "role",
    "type",
    "id",
    "model",
    "from",
    "method",
    "url",
    "run_type",
    "object",
    "finish_reason",
    "custom_id",
    "request_id",
}


def _strings(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value, name)
    elif isinstance(node, str):
        yield name, node


@pytest.mark.parametrize(("shape", "row"), [(name, row) for name, rows in ROWS.items() for row in rows])
def test_each_shape_is_known_by_its_rows_and_every_text_in_them_is_masked(
    tmp_path: Path, shape: str, row: dict[str, Any]
) -> None:
    summary = quiet(write(tmp_path / "x.jsonl", [row]), "-o", tmp_path / "out", "--mapping", "irreversible")
    assert summary["files"][0]["shape"] == shape
    text = (tmp_path / "out" / "x.jsonl").read_text("utf-8")
    assert MAIL not in text
    assert text.count("<EMAIL_ADDRESS>") == json.dumps(row).count(MAIL)
    kept = [(name, value) for name, value in _strings(row) if name in KEPT]
    assert [(name, value) for name, value in _strings(json.loads(text)) if name in KEPT] == kept


def test_every_shape_has_rows_to_prove_it() -> None:
    assert set(ROWS) == {shape.name for shape in (*known(), ANY)}
