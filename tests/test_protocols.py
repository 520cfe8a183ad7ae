"""Every API that ships a descriptor, spoken to the echo model through a turn: masked there, restored here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

import pytest

from masking import Masker, echo
from masking.core.descriptor import Descriptors, Route, load
from masking.core.framing import FRAMINGS
from masking.core.samples import session_of
from masking.core.turn import Turn

ROOT = Path(__file__).parents[1]
DESCRIPTORS = Descriptors(load(path.read_text("utf-8"), path.name) for path in (ROOT / "providers").glob("*.yaml"))
VALUES = {"<PERSON_1>": "张三", "<PHONE_NUMBER_1>": "13800138000"}
PROMPT = "我是张三，电话13800138000。"
USER = {"role": "user", "content": PROMPT}
SAID = echo.answer([USER])
THOUGHT = f"The user says: {PROMPT}"
CALL = "调用send，给张三"
TOOL = {"type": "function", "function": {"name": "send", "description": "写信给张三"}}

Events = list[Any]


@dataclass(frozen=True)
class Exchange:
    """One request and what its answer must say: `text` reads it from the events, or from one document."""

    descriptor: str
    path: str
    body: Any
    text: Callable[[Events], str]
    says: str = SAID
    headers: dict[str, str] = field(default_factory=dict)


def joined(*path: Any) -> Callable[[Events], str]:
    """The texts at one place of the events, one after the other; `int` steps are positions."""

    def look(node: Any) -> str:
        for step in path:
            if isinstance(node, str) and isinstance(step, str):
                node = json.loads(node)
            if isinstance(node, list) and isinstance(step, int):
                node = node[step] if step < len(node) else None
            else:
                node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, str) else ""

    return lambda events: "".join(map(look, events))


def last(*path: Any) -> Callable[[Events], str]:
    read = joined(*path)
    return lambda events: next(filter(None, (read([event]) for event in reversed(events))), "")


def sse(headers: dict[str, str] | None = None) -> dict[str, str]:
    return {"x-dashscope-sse": "enable", **(headers or {})}


def acs(action: str) -> dict[str, str]:
    return {"x-acs-action": action, "x-acs-version": "2018-11-01", "content-type": "application/x-www-form-urlencoded"}


def app(mode: str = "", *, incremental: bool = False) -> dict[str, Any]:
    parameters: dict[str, Any] = {"incremental_output": True} if incremental else {}
    return {"input": {"prompt": PROMPT}, "parameters": parameters | ({"flow_stream_mode": mode} if mode else {})}


def generation(**parameters: Any) -> dict[str, Any]:
    said = CALL if "tools" in parameters else PROMPT
    return {"model": "m", "input": {"messages": [{"role": "user", "content": said}]}, "parameters": parameters}


CHAT, GENERATE = "/v1/chat/completions", "/api/v1/services/aigc/text-generation/generation"
APP, GEMINI = "/api/v1/apps/a/completion", "/v1beta/models/echo"
CONTENTS = [{"role": "user", "parts": [{"text": PROMPT}]}]
DMS = {"Messages": json.dumps([{"role": "system", "content": "帮助张三"}, USER], ensure_ascii=False)}
DMS_SAID = echo.answer([{"role": "system", "content": ""}, USER])
RDS = "/?" + urlencode({"Inputs": '{"RegionId":"cn-beijing"}', "Query": PROMPT})
WORKFLOW = ("output", "workflow_message", "message", "content")
ARGUMENTS = json.dumps({"text": CALL}, ensure_ascii=False)

EXCHANGES = {
    "chat": Exchange(
        "openai.chat", CHAT, {"messages": [USER], "stream": True}, joined("choices", 0, "delta", "content")
    ),
    "chat, whole": Exchange("openai.chat", CHAT, {"messages": [USER]}, joined("choices", 0, "message", "content")),
    "chat, a tool": Exchange(
        "openai.chat",
        CHAT,
        {"messages": [{"role": "user", "content": CALL}], "tools": [TOOL], "stream": True},
        joined("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
        ARGUMENTS,
    ),
    "completions": Exchange(
        "openai.completions", "/v1/completions", {"prompt": PROMPT, "stream": True}, joined("choices", 0, "text")
    ),
    "responses": Exchange(
        "openai.responses", "/v1/responses", {"input": PROMPT, "stream": True}, last("response", "output", 0, "content", 0, "text")
    ),
    "responses, pieces": Exchange(
        "openai.responses", "/v1/responses", {"input": PROMPT, "stream": True}, joined("delta")
    ),
    "responses, whole": Exchange(
        "openai.responses", "/v1/responses", {"input": PROMPT}, joined("output", 0, "content", 0, "text")
    ),
    "anthropic": Exchange(
        "anthropic.messages", "/v1/messages", {"messages": [USER], "stream": True}, joined("delta", "text")
    ),
    "anthropic, whole": Exchange(
        "anthropic.messages", "/v1/messages", {"messages": [USER]}, joined("content", 0, "text")
    ),
    "gemini": Exchange(
        "gemini.generate", f"{GEMINI}:streamGenerateContent?alt=sse", {"contents": CONTENTS},
        joined("candidates", 0, "content", "parts", 0, "text"),
    ),
    "gemini, an array": Exchange(
        "gemini.generate", f"{GEMINI}:streamGenerateContent", {"contents": CONTENTS},
        joined("candidates", 0, "content", "parts", 0, "text"),
    ),
    "gemini, whole": Exchange(
        "gemini.generate", f"{GEMINI}:generateContent", {"contents": CONTENTS},
        joined("candidates", 0, "content", "parts", 0, "text"),
    ),
    "ollama chat": Exchange("ollama.chat", "/api/chat", {"messages": [USER]}, joined("message", "content")),
    "ollama chat, whole": Exchange(
        "ollama.chat", "/api/chat", {"messages": [USER], "stream": False}, joined("message", "content")
    ),
    "ollama generate": Exchange("ollama.generate", "/api/generate", {"prompt": PROMPT}, joined("response")),
    "generation, repeated": Exchange(
        "dashscope.generation", GENERATE, generation(result_format="message"),
        last("output", "choices", 0, "message", "content"), headers=sse(),
    ),
    "generation, pieces": Exchange(
        "dashscope.generation.incremental", GENERATE, generation(result_format="message", incremental_output=True),
        joined("output", "choices", 0, "message", "content"), headers=sse(),
    ),
    "generation, thinking": Exchange(
        "dashscope.generation.incremental", GENERATE, generation(incremental_output=True, enable_thinking=True),
        joined("output", "choices", 0, "message", "reasoning_content"), THOUGHT, sse(),
    ),
    "generation, a tool": Exchange(
        "dashscope.generation.incremental", GENERATE, generation(incremental_output=True, tools=[TOOL]),
        joined("output", "choices", 0, "message", "tool_calls", 0, "function", "arguments"), ARGUMENTS, sse(),
    ),
    "generation, text": Exchange(
        "dashscope.generation", GENERATE, {"model": "m", "input": {"prompt": PROMPT}}, last("output", "text"), headers=sse()
    ),
    "generation, whole": Exchange(
        "dashscope.generation", GENERATE, generation(result_format="message"),
        joined("output", "choices", 0, "message", "content"),
    ),
    "app, repeated": Exchange("dashscope.app", APP, app(), last("output", "text"), headers=sse()),
    "app, pieces": Exchange(
        "dashscope.app.incremental", APP, app(incremental=True), joined("output", "text"), headers=sse()
    ),
    "app, whole": Exchange("dashscope.app", APP, app(), joined("output", "text")),
    "app, full_thoughts repeated": Exchange(
        "dashscope.app", APP, app("full_thoughts"),
        last("output", "thoughts", 1, "response", "nodeResult", "result"), headers=sse(),
    ),
    "app, full_thoughts pieces": Exchange(
        "dashscope.app.incremental", APP, app("full_thoughts", incremental=True),
        joined("output", "thoughts", 1, "response", "nodeResult", "result"), headers=sse(),
    ),
    "app, message_format": Exchange("dashscope.app", APP, app("message_format"), joined(*WORKFLOW), headers=sse()),
    "app, message_format_plus": Exchange(
        "dashscope.app.incremental", APP, app("message_format_plus", incremental=True),
        joined(*WORKFLOW, "result"), headers=sse(),
    ),
    "app, agent_format": Exchange(
        "dashscope.app.incremental", APP, app("agent_format", incremental=True), joined("output", "text"), headers=sse()
    ),
    "DMS": Exchange(
        "aliyun.dms.chat_with_desensitize", "/?InstanceId=1&Model=qwen-plus", DMS,
        joined("Data", "Choices", 0, "Message", "Content"), DMS_SAID, acs("ChatWithDesensitize"),
    ),
    "DMS, a stream": Exchange(
        "aliyun.dms.chat_with_desensitize_sse", "/?InstanceId=1&Model=qwen-plus", DMS,
        joined("Data", "choices", 0, "delta", "content"), DMS_SAID, acs("ChatWithDesensitizeSSE"),
    ),
    "DMS, thinking": Exchange(
        "aliyun.dms.chat_with_desensitize_sse", "/?EnableThinking=True", DMS,
        joined("Data", "choices", 0, "delta", "reasoning_content"), THOUGHT, acs("ChatWithDesensitizeSSE"),
    ),
    "DMS, messages in the URL": Exchange(
        "aliyun.dms.chat_with_desensitize_sse", "/?" + urlencode(DMS), {},
        joined("Data", "choices", 0, "delta", "content"), DMS_SAID, acs("ChatWithDesensitizeSSE"),
    ),
    "RDS AI": Exchange("aliyun.rdsai.chat_messages", RDS, {}, joined("Answer"), SAID, acs("ChatMessages")),
    "RDS AI, older signature": Exchange(
        "aliyun.rdsai.chat_messages", f"{RDS}&Action=ChatMessages&Timestamp=2026-01-02T03%3A04%3A05Z", {},
        joined("Answer"), SAID, {},
    ),
    "RDS AI, stop": Exchange(
        "aliyun.rdsai.chat_messages_task_stop", "/?TaskId=t&WorkspaceId=w", {}, joined("Result"), "success",
        acs("ChatMessagesTaskStop"),
    ),
}  # fmt: skip


def sent(exchange: Exchange) -> tuple[str, str, bytes]:
    """Path, query and body as an SDK would send them."""
    path, _, query = exchange.path.partition("?")
    if exchange.headers.get("x-acs-action") or "Action=" in query:
        return path, query, urlencode(exchange.body).encode()
    return path, query, json.dumps(exchange.body, ensure_ascii=False).encode()


def events(reply: echo.Reply, data: bytes) -> Events:
    kinds = {"text/event-stream": "sse", "application/x-ndjson": "ndjson"}
    if reply.content_type not in kinds:
        document = json.loads(data)
        return document if isinstance(document, list) else [document]
    codec = FRAMINGS[kinds[reply.content_type]]()
    frames = [*codec.feed(data), *codec.finish()]
    return [json.loads(frame.data) for frame in frames if frame.data not in (None, b"[DONE]")]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("size", [0, 1, 11])
def test_an_exchange_is_masked_and_restored(name: str, size: int) -> None:
    exchange = EXCHANGES[name]
    path, query, body = sent(exchange)
    route = Route("POST", "h", path, dict(parse_qsl(query)), exchange.headers, body)
    descriptor = DESCRIPTORS.pick(route)
    assert descriptor is not None
    assert descriptor.id == exchange.descriptor

    with session_of(VALUES) as session:
        turn = Turn(descriptor, session, signer=descriptor.signed or "")
        left = turn.request(body, exchange.headers), turn.query(query)
        wire = unquote_plus(left[0].decode()) + unquote_plus(left[1])
        assert not any(value in wire for value in VALUES.values())

        reply = echo.reply("POST", f"{path}?{left[1]}", exchange.headers, left[0])
        assert reply.status == 200
        turn.open(reply.status, reply.content_type)
        data = b"".join(reply.chunks)
        chunks = [data[at : at + size] for at in range(0, len(data), size)] if size else reply.chunks
        said = b"".join(map(turn.receive, chunks)) + turn.close()

    assert exchange.text(events(reply, said)) == exchange.says
    assert len(events(reply, said)) == len(events(reply, data))


OPPONENTS = {
    "one character at a time": echo.Manner(sizes=(1,)),
    "lower case": echo.Manner(mangle="lower", sizes=(1, 7)),
    "HTML": echo.Manner(mangle="html"),
    "Markdown": echo.Manner(mangle="markdown", sizes=(5, 1)),
    "other brackets": echo.Manner(mangle="brackets", sizes=(2,)),
    "full-width brackets": echo.Manner(mangle="wide", sizes=(4,)),
}


@pytest.mark.parametrize("opponent", OPPONENTS)
@pytest.mark.parametrize("name", EXCHANGES)
def test_an_opponent_neither_breaks_the_answer_nor_gets_a_number_through(
    name: str, opponent: str, patterns: Masker
) -> None:
    exchange = EXCHANGES[name]
    manner = dataclasses.replace(OPPONENTS[opponent], invents=" 他的电话是13900002222，")
    path, query, body = sent(exchange)
    descriptor = DESCRIPTORS.named(exchange.descriptor)
    assert descriptor is not None

    with patterns.session() as session:
        turn = Turn(descriptor, session, signer=descriptor.signed or "")
        masked, asked = turn.request(body, exchange.headers), turn.query(query)
        reply = echo.reply("POST", f"{path}?{asked}", exchange.headers, masked, manner)
        turn.open(reply.status, reply.content_type)
        said = b"".join(map(turn.receive, reply.chunks)) + turn.close()

    text = exchange.text(events(reply, said))
    assert "13900002222" not in text
    assert "13900002222" not in said.decode()
    if exchange.says != "success":
        assert "他的电话是" in text
        assert ("13800138000" in text) is ("13800138000" in exchange.says)


@pytest.mark.parametrize("name", [name for name, exchange in EXCHANGES.items() if "whole" not in name])
def test_what_it_streams_is_what_the_vendors_sdks_can_read(name: str) -> None:
    exchange = EXCHANGES[name]
    path, query, body = sent(exchange)
    reply = echo.reply("POST", f"{path}?{query}", exchange.headers, body)
    if reply.content_type != "text/event-stream":
        return
    is_native = exchange.descriptor.startswith(("dashscope", "aliyun"))

    assert reply == echo.reply("POST", f"{path}?{query}", exchange.headers, body)
    assert len(reply.chunks) > 3
    for chunk in reply.chunks:
        lines = chunk.decode("ascii").split("\n")
        assert lines[-2:] == ["", ""]
        assert sum(line.startswith("data:") for line in lines) == 1
        assert "\r" not in chunk.decode()
    assert (b"data: [DONE]\n\n" in reply.chunks) is exchange.descriptor.startswith(("openai.chat", "openai.comp"))
    if is_native:
        assert all(b"\nevent:" in chunk for chunk in reply.chunks)


def test_errors_of_the_openapi_products_are_json_objects() -> None:
    for action, query, code in (
        ("ChatMessages", "", "MissingQuery"),
        ("ChatWithDesensitize", "Messages=%5B", "InvalidParameter"),
        ("ChatWithDesensitize", "NeedDesensitization=True", "MissingDesensitizationRule"),
        ("Nothing", "", "InvalidAction.NotFound"),
    ):
        reply = echo.reply("POST", f"/?{query}", acs(action), b"")
        error = json.loads(b"".join(reply.chunks))

        assert 400 <= reply.status < 600
        assert error["Code"] == code
        assert {"RequestId", "HostId", "Message", "Recommend"} <= error.keys()


# The bytes of the vendor's own clients: query and form in their spelling, all parameters.

ALL_OF_DMS = (
    "AudioJson=%7B%22voice%22%3A%22Cherry%22%7D&DesensitizationRule=UserInfo&EnableSearch=False&InstanceId=1234567"
    "&MaxTokens=256&ModalitiesList=%5B%22text%22%5D&Model=qwen-plus&NeedDesensitization=True&PresencePenalty=0.0"
    "&SearchOptions=%7B%22search_strategy%22%3A%22%E6%A0%87%E5%87%86%22%7D&Seed=1&Stop=%5B%22%5Cn%22%2C%22END%22%5D"
    "&Temperature=1&TopP=0.5&XDashScopeDataInspection=%7B%22input%22%3A%22cip%22%7D"
)
AWKWARD = "Query=a+b%2Bc~d%2Ae%25f%26g%3Dh%2Fi%3Fj%23k%3Bl%2Cm%3An%40o%21p%27q%28r%29s%5Bt%5D%E4%B8%AD%0A%09z"


@pytest.mark.parametrize(
    ("action", "query", "body"),
    [
        pytest.param("ChatWithDesensitize", ALL_OF_DMS, "Messages=%5B%7B%22content%22%3A%22a%2Bb~%2A%22%7D%5D", id="DMS"),
        pytest.param("ChatWithDesensitize", "InstanceId=1", "", id="DMS without messages"),
        pytest.param("ChatWithDesensitizeSSE", "SearchOptions=%7B%7D&Stop=%5B%5D&Input=", "Messages=%5B%5D", id="empty"),
        pytest.param("ChatMessages", AWKWARD, "", id="every awkward character"),
        pytest.param("ChatMessagesTaskStop", "TaskId=t-1&WorkspaceId=w-1", "", id="stop"),
    ],
)  # fmt: skip
def test_a_signed_request_that_holds_nothing_keeps_its_bytes(action: str, query: str, body: str) -> None:
    descriptor = DESCRIPTORS.pick(Route("POST", "h", "/", dict(parse_qsl(query)), acs(action), body.encode()))
    assert descriptor is not None
    with session_of(VALUES) as session:
        turn = Turn(descriptor, session)  # signed already: any change would be refused

        assert turn.query(query) == query
        assert turn.request(body.encode(), acs(action)) == body.encode()


def test_a_question_in_the_query_is_spelled_as_it_is_signed() -> None:
    descriptor = DESCRIPTORS.named("aliyun.rdsai.chat_messages")
    assert descriptor is not None
    with session_of(VALUES) as session:
        said = Turn(descriptor, session, signer="acs3").query(AWKWARD + quote("张三"))

    # RFC 3986: a space is %20 in the canonical query, so it may be so on the wire.
    assert said == AWKWARD.replace("+", "%20").replace("~", "~") + "%3CPERSON_1%3E"


def test_forms_are_spelled_as_the_sdk_spells_them() -> None:
    descriptor = DESCRIPTORS.named("aliyun.dms.chat_with_desensitize")
    assert descriptor is not None
    form = urlencode({"Messages": '[{"role":"user","content":"张三 a+b~*"}]'}).encode()
    with session_of(VALUES) as session:
        said = Turn(descriptor, session, signer="acs3").request(form)

    content = "%22content%22%3A%22%3CPERSON_1%3E+a%2Bb~%2A%22"
    assert said.decode() == f"Messages=%5B%7B%22role%22%3A%22user%22%2C{content}%7D%5D"
