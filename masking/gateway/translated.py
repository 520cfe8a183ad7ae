"""An OpenAI-compatible server behind another API: asked in its own words, its answer spelled in the client's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import orjson

from masking.core.errors import ConflictError, UnmaskableError
from masking.core.framing import Sse
from masking.gateway.chat import Asked, Translation, choice_of, text
from masking.gateway.refusal import Refused, Shape, document
from masking.gateway.settings import TRANSLATED
from masking.gateway.translate_anthropic import Anthropic
from masking.gateway.translate_dashscope import DashScope
from masking.gateway.translate_openapi import Dms, RdsAi
from masking.gateway.upstream import Outgoing, Reply, Upstream, UpstreamBroke
from masking.vault import Vault

__all__ = ["Translated", "translation"]

_TRANSLATIONS: dict[str, tuple[Translation, Shape]] = {
    "dms": (Dms(), "openapi"),
    "rdsai": (RdsAi(), "openapi"),
    "dashscope": (DashScope(), "dashscope"),
    "anthropic": (Anthropic(), "anthropic"),
}
_ROUNDS = 50  # what the service itself keeps of a conversation
_LIMIT = 64 * 1024 * 1024  # bytes of a whole answer
_LIMIT_ERROR = 64 * 1024


def translation(name: str) -> tuple[Translation, Shape]:
    """The translation of an API, one of `settings.TRANSLATED`, and the shape of its errors."""
    assert name in TRANSLATED
    return _TRANSLATIONS[name]


class Translated:
    """Speaks the client's API; asks `upstream`, which speaks OpenAI's. `model` is asked for whatever the client names.

    `vault` keeps the masked history of conversations, where the client's API leaves that to the service.
    """

    def __init__(self, upstream: Upstream, translation: tuple[Translation, Shape], *, model: str, vault: Vault) -> None:
        self._upstream = upstream
        self._translation, self._shape = translation
        self._model = model
        self._vault = vault

    async def send(self, outgoing: Outgoing) -> Reply:
        asked = self._translation.ask(outgoing)
        before: list[Any] = []
        if asked.conversation:
            before = await asyncio.to_thread(self._history, outgoing.owner, asked.conversation)
        body = asked.body
        body["messages"] = [*before, *body["messages"]]
        body["model"] = self._model or body.get("model") or ""
        if not body["model"]:
            raise Refused(400, "MissingModel", "name a model; this upstream has no own one")
        body["stream"] = asked.stream
        if not asked.stream:
            body.pop("stream_options", None)
        headers = {"content-type": "application/json", "accept": "application/json"}
        if "user-agent" in outgoing.headers:
            headers["user-agent"] = outgoing.headers["user-agent"]
        path = "/chat/completions"
        sent = Outgoing("POST", path, "", headers, json.dumps(body).encode(), target=path, owner=outgoing.owner)
        reply = await self._upstream.send(sent)
        if reply.status >= 400:
            return await self._error(reply)
        return _TranslatedReply(self, reply, asked, outgoing.owner)

    async def _error(self, reply: Reply) -> Reply:
        raw = bytearray()
        try:
            async for chunk in reply.chunks():
                raw += chunk
                if len(raw) > _LIMIT_ERROR:
                    break
        except UpstreamBroke:
            raw.clear()
        finally:
            reply.close()
        try:
            doc = orjson.loads(raw)
        except ValueError:
            doc = None
        what = text(doc, "error", "message") or text(doc, "message") or "the upstream refused this"
        code = text(doc, "error", "code") or text(doc, "error", "type") or text(doc, "code") or "UpstreamError"
        # 429 and retry-after stay what they are: the client's SDK waits by them.
        return _Document(reply.status, document(self._shape, Refused(reply.status, code, what)), reply.headers)

    def _history(self, owner: str, conversation: str) -> list[Any]:
        stored = self._vault.load(owner, f"history:{conversation}")
        return json.loads(stored.entries["messages"]) if stored is not None else []

    async def remember(self, asked: Asked, owner: str, answer: str) -> None:
        """Keep a finished round. Raises VaultError."""
        if asked.conversation:
            await asyncio.to_thread(self._remember, asked, owner, answer)

    def _remember(self, asked: Asked, owner: str, answer: str) -> None:
        name = f"history:{asked.conversation}"
        messages = [*asked.body["messages"], {"role": "assistant", "content": answer}][-2 * _ROUNDS :]
        entries = {"messages": json.dumps(messages)}
        for _ in range(8):
            stored = self._vault.load(owner, name)
            try:
                self._vault.save(owner, name, entries, stored.version if stored is not None else 0)
                return
            except ConflictError:
                continue


class _Document:
    content_type = "application/json"

    def __init__(self, status: int, doc: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.headers = headers
        self._doc = doc

    async def chunks(self) -> AsyncIterator[bytes]:
        yield json.dumps(self._doc).encode()

    def close(self) -> None:
        """Nothing is open."""


class _TranslatedReply:
    def __init__(self, translated: Translated, reply: Reply, asked: Asked, owner: str) -> None:
        self._translated = translated
        self._reply = reply
        self._asked = asked
        self._owner = owner
        self._said: list[str] = []
        self.status = reply.status
        self.content_type = asked.speaker.content_type
        self.headers = reply.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        media = self._reply.content_type.partition(";")[0].strip().lower()
        try:
            if media == "text/event-stream":
                async for event in self._events():
                    yield event
            else:
                yield await self._whole()
        except UnmaskableError:
            raise UpstreamBroke("is longer than the limit") from None
        await self._translated.remember(self._asked, self._owner, "".join(self._said))

    async def _events(self) -> AsyncIterator[bytes]:
        sse, speaker = Sse(), self._asked.speaker
        finished = False
        async for chunk in self._reply.chunks():
            for frame in sse.feed(chunk):
                data = (frame.data or b"").strip()
                if not data:
                    continue
                if data == b"[DONE]":
                    finished = True
                    continue
                doc = _read(data)
                delta, reason = choice_of(doc, "delta")
                finished = finished or bool(reason)
                self._said.append(text(delta, "content"))
                for event in speaker.events(doc):
                    yield event
        if not finished:
            raise UpstreamBroke("ended before its last event")
        for event in speaker.end():
            yield event

    async def _whole(self) -> bytes:
        raw = bytearray()
        async for chunk in self._reply.chunks():
            raw += chunk
            if len(raw) > _LIMIT:
                raise UpstreamBroke("is longer than the limit")
        doc = _read(bytes(raw))
        self._said.append(text(choice_of(doc, "message")[0], "content"))
        return self._asked.speaker.whole(doc)

    def close(self) -> None:
        self._reply.close()


def _read(data: bytes) -> dict[str, Any]:
    try:
        doc = orjson.loads(data)
    except ValueError:
        raise UpstreamBroke("is not the API's") from None
    if not isinstance(doc, dict):
        raise UpstreamBroke("is not the API's")
    if isinstance(doc.get("error"), dict | str):
        raise UpstreamBroke("ended in an error of the upstream's own")
    return doc
