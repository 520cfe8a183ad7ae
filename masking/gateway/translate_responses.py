"""OpenAI's responses, as chat completions. Source: https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from masking.gateway.chat import Asked, Memory
from masking.gateway.given import Given, body_of
from masking.gateway.refusal import Refused
from masking.gateway.response import Response
from masking.gateway.upstream import Outgoing

__all__ = ["Responses"]

_CODE = "unsupported_parameter"
_NUMBERS = {"max_output_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p"}
_TEXTS = ("user", "safety_identifier", "prompt_cache_key", "service_tier")
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_ECHOED = (
    "instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "previous_response_id", "reasoning",
    "store", "temperature", "text", "tool_choice", "tools", "top_p", "truncation", "user",
)  # fmt: skip


class Responses:
    """Text, images in the request, functions, JSON mode; rounds are kept under the ids of their responses."""

    def ask(self, outgoing: Outgoing) -> Asked:
        if outgoing.tail.rstrip("/") != "/responses":
            raise Refused(404, "unknown_route", "behind this upstream there are responses alone: it counts no tokens")
        given = body_of(outgoing, code=_CODE)
        echoed = {name: value for name in _ECHOED if (value := given.take(name)) is not None}
        body: dict[str, Any] = {"model": given.text("model"), "messages": _messages(given)}
        body |= given.same(_NUMBERS)
        body |= {name: value for name in _TEXTS if (value := given.text(name))}
        _configure(body, given)
        _offer(body, given)
        stream = given.flag("stream") is True
        given.skip("stream_options", "metadata")  # metadata is the service's to keep; the response repeats it
        made = f"resp_{uuid4().hex}"
        memory = _memory(given, made)
        given.only("truncation", ["disabled"], "nothing is cut off here; leave it out")
        # There is nothing sealed to include: thoughts are in the response as they are.
        given.only("include", [["reasoning.encrypted_content"]])
        instructions = given.text("instructions")
        given.end()
        if stream:
            body["stream_options"] = {"include_usage": True}
        before = [{"role": "system", "content": instructions}] if instructions else []
        return Asked(body, Response(made, body["model"], echoed, stream=stream), stream, memory, before)


def _memory(given: Given, made: str) -> Memory:
    conversation = given.take("conversation")
    name = conversation if isinstance(conversation, str) else given.object("conversation")
    if isinstance(name, Given):
        name = name.text("id")
    previous, kept = given.text("previous_response_id"), given.flag("store") is not False
    if name and previous:
        raise given.refused("previous_response_id", "goes without conversation")
    if name:
        return Memory(f"conversation:{name}", f"conversation:{name}")
    unknown = Refused(400, "previous_response_not_found", "previous_response_id: no such response is kept here")
    return Memory(previous, made if kept else "", unknown=unknown)


def _messages(given: Given) -> list[dict[str, Any]]:
    asked = given.take("input")
    if isinstance(asked, str):
        return [{"role": "user", "content": asked}]
    messages: list[dict[str, Any]] = []
    for item in given.objects("input"):
        _add(messages, item)
    if not messages:
        raise given.refused("input", "text, or a list with something in it, is required")
    return messages


def _add(messages: list[dict[str, Any]], item: Given) -> None:
    """An item is a message; calls belong to the assistant's message before them."""
    kind = item.text("type") or "message"
    item.skip("id", "status")
    match kind:
        case "message":
            role = item.text("role")
            if role not in _ROLES:
                raise item.refused("role", "user, assistant, system or developer")
            messages.append({"role": _ROLES[role], "content": _content(item)})
        case "function_call":
            function = {"name": item.text("name"), "arguments": item.text("arguments") or "{}"}
            call = {"id": item.text("call_id"), "type": "function", "function": function}
            last = messages[-1] if messages and messages[-1]["role"] == "assistant" else None
            if last is None:
                last = {"role": "assistant", "content": None}
                messages.append(last)
            last.setdefault("tool_calls", []).append(call)
        case "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item.text("call_id"), "content": _content(item, "output")})
        case "reasoning":
            item.skip("summary", "content", "encrypted_content")  # of an earlier turn
        case _:
            raise item.refused("type", f"this upstream takes no item of type {kind[:60]}")


def _content(item: Given, name: str = "content") -> Any:
    content = item.take(name)
    if content is None or isinstance(content, str):
        return content or ""
    parts: list[dict[str, Any]] = []
    for part in item.objects(name):
        match part.text("type"):
            case "input_text" | "output_text" | "text":
                part.skip("annotations", "logprobs")
                parts.append({"type": "text", "text": part.text("text")})
            case "refusal":
                parts.append({"type": "text", "text": part.text("refusal")})
            case "input_image" if name == "content":
                image = {"url": part.text("image_url")}
                if detail := part.text("detail"):
                    image["detail"] = detail
                parts.append({"type": "image_url", "image_url": image})
            case kind:
                raise part.refused("type", f"this upstream takes no part of type {kind[:60]} here")
    plain = all(part["type"] == "text" for part in parts)
    return "\n".join(part["text"] for part in parts) if plain else parts


def _configure(body: dict[str, Any], given: Given) -> None:
    reasoning = given.object("reasoning")
    if reasoning is not None:
        reasoning.skip("summary", "generate_summary")  # thoughts are told in any case
        if effort := reasoning.text("effort"):
            body["reasoning_effort"] = effort
    spelled = given.object("text")
    if spelled is None:
        return
    if verbosity := spelled.text("verbosity"):
        body["verbosity"] = verbosity
    form = spelled.object("format")
    if form is None:
        return
    match form.text("type"):
        case "json_object":
            body["response_format"] = {"type": "json_object"}
        case "json_schema":
            schema: dict[str, Any] = {"name": form.text("name") or "answer", "schema": form.mapping("schema")}
            if (strict := form.flag("strict")) is not None:
                schema["strict"] = strict
            if about := form.text("description"):
                schema["description"] = about
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        case "" | "text":
            pass
        case _:
            raise form.refused("type", "text, json_object or json_schema")


def _offer(body: dict[str, Any], given: Given) -> None:
    tools = [_tool(tool) for tool in given.objects("tools")]
    parallel, choice = given.flag("parallel_tool_calls"), given.take("tool_choice")
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise given.refused("tool_choice", "auto, none, required, or a function")
    elif choice is not None:
        chosen = given.object("tool_choice")
        assert chosen is not None
        match chosen.text("type"):
            case "function":
                choice = {"type": "function", "function": {"name": chosen.text("name")}}
            case "allowed_tools":
                choice = chosen.text("mode") or "auto"
                names = {tool.text("name") for tool in chosen.objects("tools") if tool.text("type") == "function"}
                tools = [tool for tool in tools if tool["function"]["name"] in names]
            case _:
                raise chosen.refused("type", "function or allowed_tools")
    if tools:
        body["tools"] = tools
        body |= {"tool_choice": choice} if choice is not None else {}
        body |= {"parallel_tool_calls": parallel} if parallel is not None else {}


def _tool(tool: Given) -> dict[str, Any]:
    if tool.text("type") != "function":
        raise tool.refused("type", "this upstream has no tools of its own; offer functions")
    function: dict[str, Any] = {"name": tool.text("name"), "parameters": tool.mapping("parameters")}
    if about := tool.text("description"):
        function["description"] = about
    if (strict := tool.flag("strict")) is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}
