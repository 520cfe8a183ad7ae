"""DMS ChatWithDesensitize and RDS AI ChatMessages: parameters in the query and in a form, an action in a header."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from masking.echo.model import MODEL, Manner, speak
from masking.echo.wire import CREATED, Reply, Request, whole

__all__ = ["act"]

_REQUEST_ID = "00000000-0000-4000-8000-00000000EC40"


def act(action: str, request: Request) -> Reply:
    """The reply of an operation; an unknown one is 404."""
    parameters = {**request.query, **request.document}
    match action:
        case "ChatWithDesensitize" | "ChatWithDesensitizeSSE":
            return _desensitized(parameters, request.manner, streams=action.endswith("SSE"))
        case "ChatMessages":
            return _chat_messages(parameters, request.manner)
        case "ChatMessagesTaskStop":
            return whole({"RequestId": _REQUEST_ID, "Result": "success"})
    return _error("InvalidAction.NotFound", "no such action", 404)


def _desensitized(parameters: Mapping[str, str], manner: Manner, *, streams: bool) -> Reply:
    try:
        messages = json.loads(parameters.get("Messages") or "[]")
    except ValueError:
        return _error("InvalidParameter", "Messages is not JSON", 400)
    if parameters.get("NeedDesensitization", "").lower() == "true" and not parameters.get("DesensitizationRule"):
        return _error("MissingDesensitizationRule", "DesensitizationRule is required", 400)
    spoken = speak(messages, thinks=parameters.get("EnableThinking", "").lower() == "true", manner=manner)
    head: dict[str, Any] = {"RequestId": _REQUEST_ID, "Success": True}
    if not streams or parameters.get("Stream", "").lower() == "false":
        message = {"Role": "assistant", "Content": spoken.text, "ReasoningContent": spoken.thought}
        data: dict[str, Any] = {
            "Created": str(CREATED),
            "Model": MODEL,
            "StatusCode": "200",
            "Choices": [{"FinishReason": "stop", "Message": message}],
            "Usage": {"PromptTokens": "1", "CompletionTokens": str(spoken.count), "TotalTokens": str(spoken.count + 1)},
        }
        return whole({**head, "Data": data})
    deltas: list[dict[str, Any]] = [{"reasoning_content": piece} for piece in spoken.tokens(spoken.thought)]
    deltas += [{"content": piece} for piece in spoken.tokens(spoken.text)]
    chunks: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunk: dict[str, Any] = {
        "id": "chatcmpl-echo",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
    }
    return _events({**head, "Data": json.dumps({**chunk, "choices": [choice]})} for choice in chunks)


def _chat_messages(parameters: Mapping[str, str], manner: Manner) -> Reply:
    if not parameters.get("Query"):
        return _error("MissingQuery", "Query is required", 400)
    spoken = speak([{"role": "user", "content": parameters["Query"]}], manner=manner)
    head = {
        "RequestId": _REQUEST_ID,
        "ConversationId": parameters.get("ConversationId") or "echo-conversation",
        "MessageId": "echo-message",
        "TaskId": "echo-task",
        "Mode": "chat",
        "CreatedAt": CREATED,
    }
    events = [{**head, "Event": "message", "Answer": piece} for piece in spoken.tokens(spoken.text)]
    return _events([*events, {**head, "Event": "finish", "Answer": ""}])


def _events(documents: Iterable[Mapping[str, Any]]) -> Reply:
    """ASCII, an empty line after every event, and no terminator: what the vendor's SDK reads."""
    chunks = [
        f"id:{number}\nevent:message\ndata:{json.dumps(document)}\n\n".encode()
        for number, document in enumerate(documents, 1)
    ]
    return Reply(200, "text/event-stream", tuple(chunks))


def _error(code: str, message: str, status: int) -> Reply:
    host = {"RequestId": _REQUEST_ID, "HostId": "echo", "Recommend": ""}
    return whole({**host, "Code": code, "Message": message}, status)
