"""DMS ChatWithDesensitize(SSE) and RDS AI ChatMessages, as chat completions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from masking.gateway.chat import Asked, choice_of, compact, text, usage_of
from masking.gateway.operations import check, dms_parameters, parameters
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing

__all__ = ["Dms", "RdsAi"]

_EVENTS = "text/event-stream;charset=utf-8"
_JSON = "application/json;charset=utf-8"
_SAME = {
    "Model": "model", "Messages": "messages", "Stop": "stop", "MaxTokens": "max_tokens", "Seed": "seed",
    "Temperature": "temperature", "TopP": "top_p", "TopK": "top_k", "PresencePenalty": "presence_penalty",
    "EnableThinking": "enable_thinking", "ThinkingBudget": "thinking_budget", "Logprobs": "logprobs",
    "TopLogprobs": "top_logprobs", "EnableSearch": "enable_search", "SearchOptions": "search_options",
    "EnableCodeInterpreter": "enable_code_interpreter", "VlHighResolutionImages": "vl_high_resolution_images",
    "ModalitiesList": "modalities",
}  # fmt: skip
_EMBEDDED = {"AudioJson": "audio", "Tools": "tools"}


class Dms:
    """ChatWithDesensitize: one document; ChatWithDesensitizeSSE: events, but for Stream=false."""

    def ask(self, outgoing: Outgoing) -> Asked:
        given = dms_parameters(outgoing)
        if "Input" in given or "Dimensions" in given:
            raise Refused(400, "InvalidParameter", "Input: embeddings are not served by this upstream")
        body = {name: given[wire] for wire, name in _SAME.items() if given.get(wire) is not None}
        for wire, name in _EMBEDDED.items():
            if given.get(wire):
                body[name] = _json(wire, given[wire])
        if given.get("ToolChoice"):
            choice = given["ToolChoice"]
            body["tool_choice"] = _json("ToolChoice", choice) if choice.lstrip().startswith("{") else choice
        if given.get("ResponseFormat"):
            body["response_format"] = {"type": given["ResponseFormat"]}
        stream = outgoing.action.endswith("SSE") and given.get("Stream") is not False
        if stream and given.get("IncludeUsage"):
            body["stream_options"] = {"include_usage": True}
        return Asked(body, _DmsSpeaker(stream=stream), stream)


class _DmsSpeaker:
    def __init__(self, *, stream: bool) -> None:
        self.content_type = _EVENTS if stream else _JSON
        self._head = {"RequestId": str(uuid4()).upper(), "Success": True}
        self._number = 0

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, reason = choice_of(answer, "message")
        said: dict[str, Any] = {"Role": "assistant", "Content": text(message, "content")}
        if text(message, "reasoning_content"):
            said["ReasoningContent"] = text(message, "reasoning_content")
        usage = usage_of(answer)
        names = {"input_tokens": "PromptTokens", "output_tokens": "CompletionTokens", "total_tokens": "TotalTokens"}
        data = {
            "Created": str(answer.get("created") or int(time.time())),
            "Model": text(answer, "model"),
            "StatusCode": "200",
            "Choices": [{"FinishReason": reason or "stop", "Message": said}],
            "Usage": {names[name]: str(count) for name, count in usage.items()},
        }
        return compact({**self._head, "Data": data}).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        # `Data` is text in the SDK's model: the chunk as JSON in a string.
        self._number += 1
        data = compact({**self._head, "Data": compact(chunk)})
        yield f"id:{self._number}\nevent:message\ndata:{data}\n\n".encode()

    def end(self) -> Iterator[bytes]:
        yield from ()


class RdsAi:
    """ChatMessages: always events, as the vendor's samples have it; the conversation is kept here."""

    def ask(self, outgoing: Outgoing) -> Asked:
        check(outgoing)
        if outgoing.action != "ChatMessages":
            raise Refused(404, "InvalidAction.NotFound", "this upstream keeps no tasks that could be stopped")
        given = parameters(outgoing)
        inputs = _json("Inputs", given["Inputs"]) if given.get("Inputs") else {}
        body: dict[str, Any] = {"messages": [{"role": "user", "content": given["Query"]}]}
        if text(inputs, "ModelId"):
            body["model"] = text(inputs, "ModelId")
        if text(inputs, "EnableThinking"):
            body["enable_thinking"] = text(inputs, "EnableThinking").lower() == "true"
        conversation = given.get("ConversationId") or str(uuid4())
        return Asked(body, _RdsAiSpeaker(conversation), stream=True, conversation=conversation)


class _RdsAiSpeaker:
    content_type = _EVENTS

    def __init__(self, conversation: str) -> None:
        self._head = {
            "RequestId": str(uuid4()).upper(),
            "ConversationId": conversation,
            "MessageId": str(uuid4()),
            "TaskId": str(uuid4()),
            "Mode": "chat",
            "CreatedAt": int(time.time()),
        }
        self._number = 0

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, _ = choice_of(answer, "message")
        return self._event("message", text(message, "content")) + self._event("finish", "")

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        said = text(choice_of(chunk, "delta")[0], "content")
        if said:
            yield self._event("message", said)

    def end(self) -> Iterator[bytes]:
        yield self._event("finish", "")

    def _event(self, kind: str, said: str) -> bytes:
        self._number += 1
        data = compact({**self._head, "Event": kind, "Answer": said})
        return f"id:{self._number}\nevent:message\ndata:{data}\n\n".encode()


def _json(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Refused(400, "InvalidParameter", f"{name}: not JSON") from None
