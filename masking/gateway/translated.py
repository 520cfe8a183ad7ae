"""An OpenAI-compatible server behind another API: asked in its own words, its answer spelled in the client's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from masking.core.errors import UnmaskableError
from masking.core.framing import Sse
from masking.gateway.chat import Asked, Listing, Said, Stop, Told, Translation, as_chunk, choice_of, text
from masking.gateway.history import History
from masking.gateway.refusal import Refused, Shape, document
from masking.gateway.translate_anthropic import Anthropic
from masking.gateway.translate_dashscope import DashScope
from masking.gateway.translate_gemini import Gemini
from masking.gateway.translate_ollama import Ollama
from masking.gateway.translate_openapi import Dms, RdsAi
from masking.gateway.translate_responses import Responses
from masking.gateway.upstream import Outgoing, Reply, Upstream, UpstreamBroke
from masking.vault import Vault

__all__ = ["ChatOnly", "Translated", "translation"]

_TRANSLATIONS: dict[str, tuple[Translation, Shape]] = {
    "dms": (Dms(), "openapi"),
    "rdsai": (RdsAi(), "openapi"),
    "dashscope": (DashScope(), "dashscope"),
    "anthropic": (Anthropic(), "anthropic"),
    "gemini": (Gemini(), "gemini"),
    "ollama": (Ollama(), "ollama"),
    "openai": (Responses(), "openai"),
    "compatible": (Responses(), "openai"),
}
_LIMIT = 64 * 1024 * 1024  # bytes of a whole answer
_LIMIT_ERROR = 64 * 1024
_HEADERS = ("user-agent", "authorization", "openai-organization", "openai-project")
"""Of the client's; what is a credential goes no further than to an upstream that speaks the client's own API."""


def translation(name: str) -> tuple[Translation, Shape]:
    """The translation of an API, and the shape of its errors; that of OpenAI's own is of its responses."""
    return _TRANSLATIONS[name]


class ChatOnly:
    """A server of OpenAI's API that has no `/responses`: those go to `translated`, all else to `upstream`."""

    def __init__(self, upstream: Upstream, translated: Translated) -> None:
        self._upstream = upstream
        self._translated = translated

    async def prepare(self, outgoing: Outgoing) -> None:
        """Raises Refused for a response that cannot be translated."""
        if _is_response(outgoing):
            await self._translated.prepare(outgoing)

    async def send(self, outgoing: Outgoing) -> Reply:
        return await (self._translated if _is_response(outgoing) else self._upstream).send(outgoing)


def _is_response(outgoing: Outgoing) -> bool:
    return outgoing.tail.startswith("/responses")


class Translated:
    """Speaks the client's API; asks `upstream`, which speaks OpenAI's. `model` is asked for whatever the client names.

    `vault` keeps the masked history of conversations, where the client's API leaves that to the service.
    """

    def __init__(self, upstream: Upstream, translation: tuple[Translation, Shape], *, model: str, vault: Vault) -> None:
        self._upstream = upstream
        self._translation, self._shape = translation
        self._model = model
        self._history = History(vault)
        self._tasks: dict[tuple[str, str], _Answer] = {}

    async def prepare(self, outgoing: Outgoing) -> None:
        """Translate the request. Raises Refused for one that cannot be, VaultError where its history is not there."""
        asked = self._translation.ask(outgoing)
        kept: list[Any] = []
        match asked:
            case Stop(task, _):
                self._running(outgoing.owner, task)
            case Asked():
                body = asked.body
                before = await asyncio.to_thread(self._history.load, outgoing.owner, outgoing.category, asked.memory)
                kept = [*before, *body["messages"]]
                body["messages"] = [*asked.instructions, *kept]
                body["model"] = self._model or body.get("model") or ""
                if not body["model"]:
                    raise Refused(400, "MissingModel", "name a model; this upstream has no own one")
                body["stream"] = asked.stream
                if not asked.stream:
                    body.pop("stream_options", None)
        outgoing.prepared = asked, kept

    async def send(self, outgoing: Outgoing) -> Reply:
        if outgoing.prepared is None:
            await self.prepare(outgoing)
        asked, kept = outgoing.prepared
        match asked:
            case Told(doc):
                return _Document(200, doc)
            case Stop(task, doc):
                self._running(outgoing.owner, task).stop()
                return _Document(200, doc)
            case Listing():
                return await self._listed(outgoing, asked)
        body = json.dumps(asked.body).encode()
        reply = await self._upstream.send(_request(outgoing, "POST", "/chat/completions", body))
        if reply.status >= 400:
            return await self._error(reply)
        return _Answer(self, reply, asked, outgoing, kept)

    def _running(self, owner: str, task: str) -> _Answer:
        running = self._tasks.get((owner, task))
        if running is None:
            raise Refused(404, "InvalidTaskId.NotFound", "no such task is running at this gateway")
        return running

    async def _listed(self, outgoing: Outgoing, asked: Listing) -> Reply:
        reply = await self._upstream.send(_request(outgoing, "GET", "/models", b""))
        if reply.status >= 400:
            return await self._error(reply)
        try:
            found = _read(await _gathered(reply, _LIMIT)).get("data")
        except UpstreamBroke as broke:
            raise Refused(502, "upstream_broke", f"the upstream's reply {broke.what}") from None
        finally:
            reply.close()
        models = [model for model in found if text(model, "id")] if isinstance(found, list) else []
        if asked.name:
            models = [model for model in models if text(model, "id") == asked.name]
            if not models:
                raise Refused(404, "model_not_found", "the upstream has no such model")
        return _Document(200, asked.spell(models))

    async def _error(self, reply: Reply) -> Reply:
        try:
            doc = orjson.loads(await _gathered(reply, _LIMIT_ERROR))
        except (UpstreamBroke, ValueError):
            doc = None
        finally:
            reply.close()
        what = text(doc, "error", "message") or text(doc, "message") or "the upstream refused this"
        code = text(doc, "error", "code") or text(doc, "error", "type") or text(doc, "code") or "UpstreamError"
        own = document(self._shape, Refused(reply.status, code, what))
        if self._shape == "openai" and isinstance(doc, dict) and isinstance(doc.get("error"), dict):
            own = doc  # its own words already
        # 429 and retry-after stay what they are: the client's SDK waits by them.
        return _Document(reply.status, own, reply.headers)

    def begin(self, answer: _Answer, owner: str, task: str) -> None:
        """An answer may be stopped from now on."""
        if task:
            self._tasks[owner, task] = answer

    def end(self, owner: str, task: str) -> None:
        """It is over."""
        self._tasks.pop((owner, task), None)

    async def remember(self, asked: Asked, outgoing: Outgoing, messages: list[Any]) -> None:
        """Keep a finished round. Raises VaultError."""
        if asked.memory.after:
            await asyncio.to_thread(self._history.save, outgoing.owner, outgoing.category, asked.memory, messages)


def _request(outgoing: Outgoing, method: str, path: str, body: bytes) -> Outgoing:
    headers = {"accept": "application/json", **({"content-type": "application/json"} if body else {})}
    headers |= {name: outgoing.headers[name] for name in _HEADERS if name in outgoing.headers}
    return Outgoing(method, path, "", headers, body, target=path, owner=outgoing.owner, category=outgoing.category)


class _Document:
    content_type = "application/json"

    def __init__(self, status: int, doc: Mapping[str, Any], headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.status = status
        self.headers = headers or []
        self._doc = doc

    async def chunks(self) -> AsyncIterator[bytes]:
        yield json.dumps(self._doc).encode()

    def close(self) -> None:
        """Nothing is open."""


class _Answer:
    """`kept` are the messages that the answer is kept with."""

    def __init__(self, translated: Translated, reply: Reply, asked: Asked, outgoing: Outgoing, kept: list[Any]) -> None:
        self._translated = translated
        self._reply = reply
        self._asked = asked
        self._outgoing = outgoing
        self._kept = kept
        self._said = Said()
        self._is_stopped = False
        self.status = reply.status
        self.content_type = asked.speaker.content_type
        self.headers = reply.headers
        translated.begin(self, outgoing.owner, asked.task)

    def stop(self) -> None:
        """End it where it is, as if the model had."""
        self._is_stopped = True
        self._reply.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        speaker = self._asked.speaker
        try:
            if self._reply.content_type.partition(";")[0].strip().lower() == "text/event-stream":
                if not self._asked.stream:
                    raise UpstreamBroke("is a stream that nobody asked for")
                async for event in self._events():
                    yield event
            else:
                doc = await self._whole()
                if self._asked.stream:
                    for event in speaker.events(as_chunk(doc)):
                        yield event
        except UnmaskableError:
            raise UpstreamBroke("is longer than the limit") from None
        # Before its last words: the client may go on as soon as it has read them.
        await self._translated.remember(self._asked, self._outgoing, [*self._kept, self._said.message()])
        if self._asked.stream:
            for event in speaker.end():
                yield event
        else:
            yield speaker.whole(doc)

    async def _events(self) -> AsyncIterator[bytes]:
        sse, speaker = Sse(), self._asked.speaker
        finished = False
        try:
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
                    self._said.add(delta)
                    for event in speaker.events(doc):
                        yield event
                if self._is_stopped:
                    break
        except UpstreamBroke:
            if not self._is_stopped:
                raise
        if not finished and not self._is_stopped:
            raise UpstreamBroke("ended before its last event")

    async def _whole(self) -> dict[str, Any]:
        doc = _read(await _gathered(self._reply, _LIMIT))
        if not isinstance(doc.get("choices"), list) or not doc["choices"]:
            raise UpstreamBroke("is not the API's")
        self._said.add(choice_of(doc, "message")[0])
        return doc

    def close(self) -> None:
        self._translated.end(self._outgoing.owner, self._asked.task)
        self._reply.close()


async def _gathered(reply: Reply, limit: int) -> bytes:
    raw = bytearray()
    async for chunk in reply.chunks():
        raw += chunk
        if len(raw) > limit:
            raise UpstreamBroke("is longer than the limit")
    return bytes(raw)


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
