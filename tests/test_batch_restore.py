"""What a vault keeps comes back, row for row; without one nothing does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from running import redis_server
from test_batch import MOBILES, batch, chat, quiet, write

from masking.cli.batch import command
from masking.vault import new_key

MAIL = "zhang.san@example.com"


@pytest.fixture(params=["sqlite", "redis"])
def vault(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("MASKING_VAULT_KEYS", new_key())
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'vault.db'}"
        return
    with redis_server(tmp_path) as server:
        yield server.url


def restored(tmp_path: Path, vault: str, *more: str) -> dict[str, object]:
    arguments = ["restore", str(tmp_path / "out"), "-o", str(tmp_path / "back"), "--vault", vault, "--json", *more]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    summary: dict[str, object] = json.loads(result.stdout)
    return summary


@pytest.mark.parametrize("workers", [1, 2])
def test_every_format_comes_back(tmp_path: Path, vault: str, workers: int) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [chat(n) for n in range(30)] + [chat(30, f"<PERSON_1> 写信到{MAIL}")]
    write(tmp_path / "in" / "chats.jsonl", rows)
    (tmp_path / "in" / "chats.json").write_text(json.dumps(rows), "utf-8")
    (tmp_path / "in" / "notes.txt").write_text(f"call {MOBILES[3]}\nor write to {MAIL}\n", "utf-8")
    (tmp_path / "in" / "rows.csv").write_text(f'id,said\n1,"{MAIL}"\n2,"a, b"\n', "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in" / "chats.parquet")
    quiet(tmp_path / "in", "-o", tmp_path / "out", "--vault", vault, "-w", workers)
    for name in ("chats.jsonl", "chats.json", "notes.txt", "rows.csv"):
        assert MAIL not in (tmp_path / "out" / name).read_text("utf-8")
    summary = restored(tmp_path, vault)
    assert "unknown" not in summary["totals"]["findings"]  # type: ignore[index]
    back = tmp_path / "back"
    assert [json.loads(line) for line in (back / "chats.jsonl").read_text("utf-8").splitlines()] == rows
    assert json.loads((back / "chats.json").read_text("utf-8")) == rows
    assert (back / "notes.txt").read_text("utf-8") == (tmp_path / "in" / "notes.txt").read_text("utf-8")
    assert (back / "rows.csv").read_text("utf-8") == (tmp_path / "in" / "rows.csv").read_text("utf-8").replace(
        '"z', "z"
    ).replace('m"', "m")
    assert pq.read_table(back / "chats.parquet").equals(pq.read_table(tmp_path / "in" / "chats.parquet"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = [path for path in files if path.relative_to(tmp_path).parts[0] not in ("in", "out", "back")]
    assert kept
    assert all(MAIL.encode() not in path.read_bytes() for path in kept)


def test_by_conversation_each_has_entries_of_its_own(tmp_path: Path, vault: str) -> None:
    rows = [
        {"conversation_id": name, "conversation": [{"role": "user", "content": f"打{MOBILES[at]}"}]}
        for at, name in enumerate("abab")
    ]
    write(tmp_path / "in" / "x.jsonl", rows)
    quiet(tmp_path / "in", "-o", tmp_path / "out", "--vault", vault, "--mapping", "conversation")
    restored(tmp_path, vault, "--mapping", "conversation")
    assert [json.loads(line) for line in (tmp_path / "back" / "x.jsonl").read_text("utf-8").splitlines()] == rows


def test_another_owner_gets_nothing_back(tmp_path: Path, vault: str) -> None:
    write(tmp_path / "in" / "x.jsonl", [chat(0)])
    quiet(tmp_path / "in", "-o", tmp_path / "out", "--vault", vault)
    summary = restored(tmp_path, vault, "--owner", "somebody else")
    assert summary["totals"]["findings"] == {"unknown": 1}  # type: ignore[index]
    assert MOBILES[0] not in (tmp_path / "back" / "x.jsonl").read_text("utf-8")


def test_a_vault_for_what_cannot_be_restored_is_refused(tmp_path: Path, vault: str) -> None:
    source = write(tmp_path / "x.jsonl", [chat(0)])
    result = batch(source, "-o", tmp_path / "out", "--vault", vault, "--mapping", "irreversible", "--names", "off")
    assert "irreversible" in str(result.exception)
    result = batch(source, "-o", tmp_path / "out2", "--vault", vault, "--mapping", "conversation", "--names", "off")
    assert "--conversation" in str(result.exception)
