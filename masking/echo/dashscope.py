"""Model Studio: generation, and applications with the four ways in which workflows stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from masking.echo.model import Spoken, speak
from masking.echo.wire import Reply, Request, whole

__all__ = ["application", "generation"]

_IDS = {"session_id": "echo-session"}


def generation(request: Request) -> Reply:
    """`POST */services/aigc/text-generation/generation`."""
    given, options = _parts(request)
    tools = [tool.get("function", {}).get("name", "") for tool in options.get("tools") or ()]
    spoken = speak(_messages(given), tools, thinks=bool(options.get("enable_thinking")), manner=request.manner)
    as_text = options.get("result_format") == "text" or ("prompt" in given and "result_format" not in options)
    usage = {"input_tokens": 1, "output_tokens": spoken.count, "total_tokens": spoken.count + 1}
    reason = "tool_calls" if spoken.tool else "stop"

    def document(message: Mapping[str, Any], reason: str) -> dict[str, Any]:
        if as_text:
            output: dict[str, Any] = {"text": message["content"], "finish_reason": reason}
        else:
            output = {"choices": [{"finish_reason": reason, "message": {"role": "assistant", **message}}]}
        return {"output": output, "usage": usage, "request_id": "echo"}

    whole_message = _message(spoken.text, spoken.thought, spoken, spoken.json if spoken.tool else None)
    if not _streams(request):
        return whole(document(whole_message, reason))
    if options.get("incremental_output") is True:
        messages = [_message("", piece, spoken, None) for piece in spoken.tokens(spoken.thought)]
        messages += [_message(piece, "", spoken, None) for piece in spoken.tokens(spoken.text)]
        calls = spoken.tokens(spoken.json) if spoken.tool else iter(())
        messages += [_message("", "", spoken, piece, first=not number) for number, piece in enumerate(calls)]
        last: dict[str, Any] = {"content": ""}
    else:
        messages = [_message("", said, spoken, None) for said in accumulate(spoken.tokens(spoken.thought))]
        messages += [_message(said, spoken.thought, spoken, None) for said in accumulate(spoken.tokens(spoken.text))]
        last = whole_message
    return _events([*(document(message, "null") for message in messages), document(last, reason)])


def application(request: Request) -> Reply:
    """`POST */apps/ID/completion`."""
    given, options = _parts(request)
    spoken = speak(_messages(given), manner=request.manner)
    ids = {"session_id": str(given.get("session_id") or _IDS["session_id"])}
    if not _streams(request):
        return _whole({**ids, "text": spoken.text, "finish_reason": "stop"})
    pieces = list(spoken.tokens(spoken.text))
    incremental = options.get("incremental_output") is True
    texts = [*pieces, ""] if incremental else [*accumulate(pieces), spoken.text]
    mode = options.get("flow_stream_mode")
    if mode in ("message_format", "message_format_plus"):
        outputs: Iterable[dict[str, Any]] = _messages_of_nodes(pieces, plus=mode == "message_format_plus")
        last = {"text": spoken.text}
    elif mode == "full_thoughts":
        outputs = _nodes(texts[:-1])
        last = {"text": spoken.text}
    else:
        outputs = ({"text": text} for text in texts[:-1])
        last = {"text": texts[-1]}
    events = [{**ids, "finish_reason": "null", **output} for output in outputs]
    events.append({**ids, "finish_reason": "stop", **last})
    return _events([{"output": output, "usage": {}, "request_id": "echo"} for output in events])


def _parts(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    return request.document.get("input") or {}, request.document.get("parameters") or {}


def _streams(request: Request) -> bool:
    headers = request.headers
    return headers.get("x-dashscope-sse") == "enable" or "text/event-stream" in headers.get("accept", "")


def _messages(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    prompt = [{"role": "user", "content": given["prompt"]}] if given.get("prompt") else []
    return [*(given.get("messages") or []), *prompt]


def _message(text: str, thought: str, spoken: Spoken, arguments: str | None, *, first: bool = True) -> dict[str, Any]:
    """Later pieces of a call have neither name nor id."""
    message: dict[str, Any] = {"content": text}
    if spoken.thought:
        message["reasoning_content"] = thought
    if arguments is not None:
        function = {"name": spoken.tool if first else "", "arguments": arguments}
        call = {"index": 0, "id": "call_1" if first else "", "type": "function", "function": function}
        message["tool_calls"] = [call]
    return message


def _nodes(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """full_thoughts: nodes as JSON in strings, and their results as JSON in those."""
    yield {}
    start = _node("Start_1", "Start", "success", json.dumps({"ok": True}))
    for text in texts:
        # What a node has said so far is not closed yet, so neither is its JSON.
        result = json.dumps({"result": text}, ensure_ascii=False)
        yield {"thoughts": [start, _node("LLM_1", "LLM", "executing", result)]}


def _node(name: str, kind: str, status: str, result: str) -> dict[str, str]:
    node = {"nodeName": name, "nodeType": kind, "nodeStatus": status, "nodeId": name, "nodeExecTime": "0ms"}
    return {"response": json.dumps({**node, "nodeResult": result}, ensure_ascii=False)}


def _messages_of_nodes(pieces: list[str], *, plus: bool) -> Iterator[dict[str, Any]]:
    for number, piece in enumerate(pieces):
        content = json.dumps({"result": piece, "reasoningContent": ""}, ensure_ascii=False) if plus else piece
        yield {
            "workflow_message": {
                "node_id": "LLM_1",
                "node_name": "LLM",
                "node_type": "LLM",
                "node_status": "executing",
                "node_msg_seq_id": 0,
                "node_is_completed": number == len(pieces) - 1,
                "message": {"role": "assistant", "content": content},
            }
        }


def _whole(output: Mapping[str, Any]) -> Reply:
    return whole({"output": dict(output), "usage": {}, "request_id": "echo"})


def _events(documents: Iterable[Mapping[str, Any]]) -> Reply:
    """No space after the colons, ASCII, and no terminator: what the vendor's SDKs read."""
    chunks = [
        f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(document)}\n\n".encode()
        for number, document in enumerate(documents, 1)
    ]
    return Reply(200, "text/event-stream", tuple(chunks))
