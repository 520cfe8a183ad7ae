"""Ollama's chat and generate, as chat completions. Source: https://docs.ollama.com/api"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from masking.gateway.chat import Asked, CallIds, Calls, Listing, Told, choice_of, compact, text, usage_of
from masking.gateway.given import Given, body_of
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing

__all__ = ["Ollama"]

_CODE = "invalid_parameter"
_NUMBERS = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "seed": "seed",
    "num_predict": "max_tokens", "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repetition_penalty",
}  # fmt: skip
# How Ollama's own machine runs a model: this upstream runs its own as it does.
_MACHINE = (
    "num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "numa", "use_mmap", "use_mlock",
    "low_vram",
)  # fmt: skip
_VERSION = "0.12.0"  # whose API this is
# The first bytes of images, in base64.
_IMAGES = {"iVBORw0KGgo": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp"}


class Ollama:
    """`/api/chat`, `/api/generate`, and the lists: `/api/tags` is the upstream's models, `/api/ps` none of them."""

    def ask(self, outgoing: Outgoing) -> Asked | Told | Listing:
        match outgoing.tail:
            case "/api/tags":
                return Listing(lambda models: {"models": list(map(_model, models))})
            case "/api/ps":
                return Told({"models": []})
            case "/api/version":
                return Told({"version": _VERSION})
            case "/api/chat" | "/api/generate":
                return _asked(outgoing)
        raise Refused(404, "unknown_route", "behind this upstream there are chat, generate and the list of models")


def _asked(outgoing: Outgoing) -> Asked | Told:
    given = body_of(outgoing, code=_CODE)
    given.skip("keep_alive")
    model, is_chat = given.text("model"), outgoing.tail == "/api/chat"
    said = _chat(given) if is_chat else _generate(given)
    body: dict[str, Any] = {"model": model, "messages": said}
    _configure(body, given)
    if is_chat:
        _offer(body, given)
    stream = given.flag("stream") is not False
    given.end()
    speaker = _Speaker(model, "message" if is_chat else "response", stream=stream)
    if not any(message["role"] != "system" for message in said):
        return Told(speaker.loaded())  # a model is loaded so, before it is asked
    if stream:
        body["stream_options"] = {"include_usage": True}
    return Asked(body, speaker, stream)


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    name, made = text(model, "id"), model.get("created")
    details = {"format": "", "family": text(model, "owned_by"), "parameter_size": "", "quantization_level": ""}
    since = _stamp(float(made) if isinstance(made, int) else 0.0)
    return {"name": name, "model": name, "modified_at": since, "size": 0, "digest": "", "details": details}


def _chat(given: Given) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    ids = CallIds()
    for message in given.objects("messages"):
        role, said = message.text("role"), message.text("content")
        message.skip("thinking")  # of an earlier turn
        calls = [_call(call, ids) for call in message.objects("tool_calls")]
        name, own = message.text("tool_name") or message.text("name"), message.text("tool_call_id")
        if role == "tool":
            made = ids.result(name, own)
            if not made:
                raise message.refused("tool_name", "answers a call that is not in messages")
            messages.append({"role": role, "tool_call_id": made, "content": said})
            continue
        if role not in ("system", "user", "assistant"):
            raise message.refused("role", "system, user, assistant or tool")
        turn = {"role": role, "content": _with_images(said, message)}
        messages.append({**turn, "tool_calls": calls} if calls else turn)
    return messages


def _generate(given: Given) -> list[dict[str, Any]]:
    system, prompt = given.text("system"), given.text("prompt")
    messages = [{"role": "system", "content": system}] if system else []
    said = _with_images(prompt, given)
    return [*messages, {"role": "user", "content": said}] if said else messages


def _call(call: Given, ids: CallIds) -> dict[str, Any]:
    call.skip("type")
    function = call.object("function")
    if function is None:
        raise call.refused("function", "an object is required")
    function.skip("index")
    name = function.text("name")
    spelled = {"name": name, "arguments": compact(function.mapping("arguments"))}
    return {"id": ids.call(name, call.text("id")), "type": "function", "function": spelled}


def _with_images(said: str, given: Given) -> Any:
    images = given.texts("images")
    if not images:
        return said
    parts: list[dict[str, Any]] = [{"type": "text", "text": said}]
    for image in images:
        kind = next((kind for begin, kind in _IMAGES.items() if image.startswith(begin)), "")
        if not kind:
            raise given.refused("images", "PNG, JPEG, GIF or WebP in base64")
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{image}"}})
    return parts


def _configure(body: dict[str, Any], given: Given) -> None:
    options = given.object("options")
    if options is not None:
        options.skip(*_MACHINE)
        body |= options.same(_NUMBERS)
        if body.get("max_tokens", 0) < 0:  # until it is done
            del body["max_tokens"]
        if stop := options.texts("stop"):
            body["stop"] = stop
    form = given.take("format")
    if form == "json":
        body["response_format"] = {"type": "json_object"}
    elif isinstance(form, dict):
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}
    elif form is not None:
        raise given.refused("format", "json, or a JSON schema")
    effort = given.take("think")
    if isinstance(effort, str):
        body["reasoning_effort"] = effort
    elif (thinks := given.flag("think")) is not None:
        body["enable_thinking"] = thinks


def _offer(body: dict[str, Any], given: Given) -> None:
    tools = given.take("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) and tool.get("function") for tool in tools):
        raise given.refused("tools", "a list of functions is required")
    if tools:
        body["tools"] = [{"type": "function", **tool} for tool in tools]


class _Speaker:
    """`part` is where the text stands: `message` of a chat, `response` of a generation."""

    def __init__(self, model: str, part: str, *, stream: bool) -> None:
        self.content_type = "application/x-ndjson" if stream else "application/json; charset=utf-8"
        self._model = model
        self._part = part
        self._begun = time.monotonic_ns()
        self._spoke = 0  # nanoseconds of that clock
        self._calls = Calls()
        self._reason = "stop"
        self._usage: dict[str, int] = {}

    def loaded(self) -> dict[str, Any]:
        """What Ollama says when it was asked nothing."""
        return {**self._said("", ""), "done": True, "done_reason": "load"}

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, reason = choice_of(answer, "message")
        self._usage, self._reason = usage_of(answer), reason or "stop"
        self._calls.add(message)
        said = self._said(text(message, "content"), text(message, "reasoning_content"), self._called())
        return compact({**said, **self._done()}).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._spoke = self._spoke or time.monotonic_ns()
        self._usage = usage_of(chunk) or self._usage
        delta, reason = choice_of(chunk, "delta")
        self._reason = reason or self._reason
        self._calls.add(delta)
        said, thought = text(delta, "content"), text(delta, "reasoning_content")
        if said or thought:
            yield _line({**self._said(said, thought), "done": False})

    def end(self) -> Iterator[bytes]:
        calls = self._called()
        if calls:
            yield _line({**self._said("", "", calls), "done": False})
        yield _line({**self._said("", ""), **self._done()})

    def _called(self) -> list[dict[str, Any]]:
        return [{"id": own, "function": {"name": name, "arguments": args}} for own, name, args in self._calls.objects()]

    def _said(self, said: str, thought: str, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        beside: dict[str, Any] = {"thinking": thought} if thought else {}
        if calls:
            beside["tool_calls"] = calls
        head: dict[str, Any] = {"model": self._model, "created_at": _stamp(time.time())}
        if self._part == "message":
            return {**head, "message": {"role": "assistant", "content": said, **beside}}
        return {**head, "response": said, **beside}

    def _done(self) -> dict[str, Any]:
        now = time.monotonic_ns()
        done: dict[str, Any] = {"done": True, "done_reason": "length" if self._reason == "length" else "stop"}
        done |= {"total_duration": now - self._begun, "load_duration": 0}
        if self._usage:
            done |= {"prompt_eval_count": self._usage["input_tokens"], "eval_count": self._usage["output_tokens"]}
        if self._spoke:
            done |= {"prompt_eval_duration": self._spoke - self._begun, "eval_duration": now - self._spoke}
        return done


def _line(document: Mapping[str, Any]) -> bytes:
    return f"{compact(document)}\n".encode()


def _stamp(seconds: float) -> str:
    whole, rest = divmod(int(seconds * 1_000_000), 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{rest:06d}Z"
