"""A gateway every route of which leads to a server that has chat completions alone, and what arrived there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from echo_server import Server as Upstream
from gateway_server import serving
from talks import ID, KEY, SECRET

from masking import echo
from masking.gateway import Server

__all__ = [
    "CHAT", "FIRST", "MASKED", "OTHER", "PHONE", "SECOND", "arrived", "asked", "bytewise", "google", "ollama", "openai",
    "post", "translating",
]  # fmt: skip

PHONE, OTHER = "13800138000", "13900139000"
MASKED = "<PHONE_NUMBER_1>"
FIRST, SECOND = f"我的手机号是{PHONE}。", f"还有{OTHER}。"
CHAT = "/v1/chat/completions"
NAMES = ("dms", "rdsai", "dashscope", "anthropic", "gemini", "ollama", "openai", "compatible")


def bytewise(body: bytes) -> echo.Reply:
    """The echo model's answer, in chunks of five bytes."""
    made = echo.reply("POST", CHAT, {}, body)
    raw = b"".join(made.chunks)
    return replace(made, chunks=tuple(raw[at : at + 5] for at in range(0, len(raw), 5)))


@contextmanager
def translating(upstream: Upstream, folder: Path) -> Iterator[Server]:
    """The gateway; `folder` is for its secrets."""
    for name, value in {"key": KEY, "id": ID, "secret": SECRET}.items():
        (folder / name).write_text(value)
    pair = {"id": {"file": str(folder / "id")}, "secret": {"file": str(folder / "secret")}}
    own = {"api": "openai", "url": f"{upstream.url}/v1", "model": "qwen-plus", "chat_only": True}
    clients = [{"name": "shop", "keys": [{"file": str(folder / "key")}], "access_keys": [pair]}]
    routes = {name: {"upstream": "own"} for name in NAMES}
    with serving(upstreams={"own": own}, routes=routes, clients=clients) as server:
        yield server


def arrived(upstream: Upstream) -> str:
    """All that reached the upstream, without JSON's escapes."""
    return "\n".join(f"{path}\n{headers}\n{json.loads(body or b'0')}" for path, headers, body in upstream.seen)


def asked(upstream: Upstream, number: int = -1) -> dict[str, Any]:
    """A request as it arrived."""
    path, _, body = upstream.seen[number]
    assert path == CHAT
    found: dict[str, Any] = json.loads(body)
    return found


def google(server: Server) -> Any:
    return pytest.importorskip("google.genai").Client(api_key=KEY, http_options={"base_url": server.url})


def ollama(server: Server) -> Any:
    return pytest.importorskip("ollama").Client(host=server.url, headers={"authorization": f"Bearer {KEY}"})


def openai(server: Server) -> Any:
    return pytest.importorskip("openai").OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)


def post(server: Server, path: str, body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    return httpx.post(server.url + path, headers=headers, content=body if isinstance(body, bytes) else json.dumps(body))
