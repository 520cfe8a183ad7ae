"""DMS ChatWithDesensitize(SSE) and RDS AI ChatMessages, as chat completions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from masking.gateway.chat import Asked, Memory, Stop, choice_of, compact, text, usage_of
from masking.gateway.given import Given, asks
from masking.gateway.operations import check, dms_parameters, parameters
from masking.gateway.refusal import Refused
from masking.gateway.upstream import SIGNATURE, Outgoing

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
_UNTRANSLATED = {
    "Input": "embeddings are not served by this upstream",
    "Dimensions": "embeddings are not served by this upstream",
    "Parameters": "this upstream takes the parameters one by one",
    "XDashScopeDataInspection": "this upstream inspects nothing",
}
_KNOWN = SIGNATURE.union(
    _SAME, _EMBEDDED, _UNTRANSLATED, ("InstanceId", "NeedDesensitization", "DesensitizationRule"),
    ("Stream", "IncludeUsage", "ToolChoice", "ResponseFormat"),
)  # fmt: skip
_FACTS = ("Language", "RegionId", "Timezone")
"""Inputs of RDS AI that the model is told: the service's own assistant would know what to do with them."""


class Dms:
    """ChatWithDesensitize: one document; ChatWithDesensitizeSSE: events, but for Stream=false."""

    def ask(self, outgoing: Outgoing) -> Asked:
        given = dms_parameters(outgoing)
        for name, value in {**parameters(outgoing), **given}.items():
            if name in _UNTRANSLATED and asks(value):
                raise Refused(400, "InvalidParameter", f"{name}: {_UNTRANSLATED[name]}")
            if name not in _KNOWN and asks(value):
                raise Refused(
                    400, "InvalidParameter", f"{name[:60]}: not known, or nothing that this upstream could do"
                )
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

    def ask(self, outgoing: Outgoing) -> Asked | Stop:
        check(outgoing)
        given = Given({name: value for name, value in parameters(outgoing).items() if name not in SIGNATURE})
        # Whose workspace it is means nothing to this upstream, nor how the events of tools are told: it has none.
        given.skip("WorkspaceId", "EventMode")
        if outgoing.action == "ChatMessagesTaskStop":
            task = given.text("TaskId")
            given.end()
            return Stop(task, {"RequestId": str(uuid4()).upper(), "Result": "success"})
        spelled = given.text("Inputs")
        inputs = Given(_json("Inputs", spelled) if spelled else {}, "Inputs")
        inputs.skip("WorkspaceId", "ToolApprovalMode")
        body: dict[str, Any] = {"messages": [{"role": "user", "content": given.text("Query")}]}
        for name, theirs in {"ModelId": "model", "ThinkEffort": "reasoning_effort"}.items():
            if value := inputs.text(name):
                body[theirs] = value
        if thinks := inputs.text("EnableThinking"):
            body["enable_thinking"] = thinks.lower() == "true"
        facts = [f"{name}: {value}" for name in _FACTS if (value := inputs.text(name))]
        conversation = given.text("ConversationId") or str(uuid4())
        speaker = _RdsAiSpeaker(conversation)
        memory = Memory(conversation, conversation, given.text("ParentMessageId"), speaker.message)
        given.end()
        inputs.end()
        instructions = [{"role": "system", "content": "\n".join(facts)}] if facts else []
        return Asked(body, speaker, True, memory, instructions, speaker.task)


class _RdsAiSpeaker:
    content_type = _EVENTS

    def __init__(self, conversation: str) -> None:
        self.message, self.task = str(uuid4()), str(uuid4())
        self._head = {
            "RequestId": str(uuid4()).upper(),
            "ConversationId": conversation,
            "MessageId": self.message,
            "TaskId": self.task,
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
