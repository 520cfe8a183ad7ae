"""Every SDK, in every way that reaches it, against the echo model on loopback: one table.

A row is an SDK, a way (the transport under it, `masker.wrap_client` around it, `masker.wrap` around its function) and
whether it blocks. What an SDK has no way for is said where the table is made.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar
from urllib.parse import unquote_plus

import anthropic
import dashscope
import ollama
import openai
import pytest
from echo_server import Server, serving
from google import genai
from google.genai import types
from tea import tea_config

import masking.httpx
import masking.httpx2
from masking import Masker, Session, echo

# What google-genai does to aiohttp.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

T = TypeVar("T")
Way = Literal["transport", "wrap_client", "decorator"]
Turns = list[Any]

VALUES = ("13800138000", "zhang.san@example.com")
PROMPT = "电话13800138000，邮箱 zhang.san@example.com。"
MASKED = "电话<PHONE_NUMBER_1>，邮箱 <EMAIL_ADDRESS_1>。"
USER = {"role": "user", "content": PROMPT}
SAID = echo.answer([USER])
CALL = "调用send，打13800138000"
DONE = "已打13800138000"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "打给13800138000"}},
}
FUNCTION = {"name": "send", "description": "打给13800138000", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
NONE: dict[str, Any] = {"api_key": "none", "max_retries": 0}


@dataclass(frozen=True)
class Sdk:
    """How one SDK is called. `stream` is the method that streams, where it is another one than `method`."""

    client: Callable[[str, Any], Any]
    method: str
    ask: Callable[[Turns, bool, bool], tuple[tuple[Any, ...], dict[str, Any]]]
    """(turns, streams, with the tool) -> arguments"""
    whole: Callable[[Any], str]
    piece: Callable[[Any], str]
    stream: str = ""
    cumulative: bool = False
    http: Callable[[Masker], Any] | None = None
    """The client's transport that masks; None: the SDK takes none."""
    calls: Callable[[Any], list[Any]] | None = None
    """The arguments of the calls in a whole answer, parsed; None: the API has no tools."""
    results: Callable[[Any], Turns] | None = None
    """A whole answer that calls, and the tool's result, as turns."""
    opaque: tuple[str, ...] = ()


def openai_ask(turns: Turns, streams: bool, tool: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (), {"model": "echo", "messages": turns, "stream": streams} | ({"tools": [TOOL]} if tool else {})


def openai_results(reply: Any) -> Turns:
    message = reply.choices[0].message
    return [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": DONE}]


def anthropic_ask(turns: Turns, streams: bool, tool: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    tools = [{"name": "send", "description": FUNCTION["description"], "input_schema": SCHEMA}]
    asked = {"model": "m", "max_tokens": 64, "messages": turns, "stream": streams}
    return (), asked | ({"tools": tools} if tool else {})


def anthropic_results(reply: Any) -> Turns:
    result = {"type": "tool_result", "tool_use_id": reply.content[0].id, "content": DONE}
    return [{"role": "assistant", "content": reply.content}, {"role": "user", "content": [result]}]


def anthropic_piece(event: Any) -> str:
    return event.delta.text if event.type == "content_block_delta" and event.delta.type == "text_delta" else ""


def gemini_ask(turns: Turns, streams: bool, tool: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    contents = [types.UserContent(turn["content"]) if isinstance(turn, dict) else turn for turn in turns]
    declared = types.FunctionDeclaration(
        name="send", description=str(FUNCTION["description"]), parameters_json_schema=SCHEMA
    )
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])]) if tool else None
    return (), {"model": "echo", "contents": contents, "config": config}


def gemini_results(reply: Any) -> Turns:
    answered = types.Part.from_function_response(name="send", response={"result": DONE})
    return [reply.candidates[0].content, types.UserContent(answered)]


def gemini_client(url: str, http: Any) -> Any:
    named = {} if http is None else {"httpx_async_client" if hasattr(http, "aclose") else "httpx_client": http}
    return genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url, **named))


def gemini_text(reply: Any) -> str:
    parts = [part for one in reply.candidates or () for part in (one.content and one.content.parts) or ()]
    return "".join(part.text or "" for part in parts)


def ollama_results(reply: Any) -> Turns:
    return [reply.message, {"role": "tool", "tool_name": "send", "content": DONE}]


def generation_ask(turns: Turns, streams: bool, tool: bool, **more: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    asked: dict[str, Any] = {"model": "m", "messages": turns, "result_format": "message", "api_key": "none", **more}
    return (), asked | ({"stream": True} if streams else {}) | ({"tools": [TOOL]} if tool else {})


def generation_results(reply: Any) -> Turns:
    message = reply.output.choices[0].message
    return [dict(message), {"role": "tool", "tool_call_id": message.tool_calls[0]["id"], "content": DONE}]


def generation_text(reply: Any) -> str:
    return str(reply.output.choices[0].message.content)


def dashscope_client(url: str, http: Any) -> Any:
    dashscope.base_http_api_url = f"{url}/api/v1"
    return dashscope


def tea(product: str) -> Callable[[str, Any], Any]:
    return lambda url, http: pytest.importorskip(f"{product}.client").Client(tea_config(url))


def tea_ask(product: str, whole: str, stream: str, fill: Callable[[Turns], dict[str, Any]]) -> Any:
    def ask(turns: Turns, streams: bool, tool: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
        models = pytest.importorskip(f"{product}.models")
        if not streams:
            return (getattr(models, whole)(**fill(turns)),), {}
        runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
        return (getattr(models, stream)(**fill(turns)), runtime), {}

    return ask


DMS, RDS = "alibabacloud_dms_enterprise20181101", "alibabacloud_rdsai20250507"
SYNC: dict[str, Sdk] = {
    "openai": Sdk(
        lambda url, http: openai.OpenAI(base_url=f"{url}/v1", http_client=http, **NONE),
        "chat.completions.create",
        openai_ask,
        lambda reply: reply.choices[0].message.content,
        lambda event: "".join(choice.delta.content or "" for choice in event.choices),
        http=lambda masker: masking.httpx2.client(masker.session, masker.descriptors),
        calls=lambda reply: [json.loads(call.function.arguments) for call in reply.choices[0].message.tool_calls],
        results=openai_results,
    ),
    "openai.responses": Sdk(
        lambda url, http: openai.OpenAI(base_url=f"{url}/v1", http_client=http, **NONE),
        "responses.create",
        lambda turns, streams, tool: ((), {"model": "echo", "input": turns, "stream": streams}),
        lambda reply: reply.output_text,
        lambda event: event.delta if event.type == "response.output_text.delta" else "",
        http=lambda masker: masking.httpx2.client(masker.session, masker.descriptors),
    ),
    "anthropic": Sdk(
        lambda url, http: anthropic.Anthropic(base_url=url, http_client=http, **NONE),
        "messages.create",
        anthropic_ask,
        lambda reply: reply.content[0].text,
        anthropic_piece,
        http=lambda masker: masking.httpx2.client(masker.session, masker.descriptors),
        calls=lambda reply: [block.input for block in reply.content],
        results=anthropic_results,
    ),
    "google-genai": Sdk(
        gemini_client,
        "models.generate_content",
        gemini_ask,
        gemini_text,
        gemini_text,
        stream="models.generate_content_stream",
        http=lambda masker: masking.httpx2.client(masker.session, masker.descriptors),
        calls=lambda reply: [call.args for call in reply.function_calls],
        results=gemini_results,
    ),
    "ollama": Sdk(
        lambda url, http: ollama.Client(host=url, transport=http),
        "chat",
        openai_ask,
        lambda reply: reply.message.content,
        lambda event: event.message.content or "",
        http=lambda masker: masking.httpx.MaskingTransport(masker.session, masker.descriptors),
        calls=lambda reply: [call.function.arguments for call in reply.message.tool_calls],
        results=ollama_results,
    ),
    # dashscope is on requests and aiohttp, Tea on requests and aiohttp: no transport reaches them.
    "dashscope.generation": Sdk(
        dashscope_client,
        "Generation.call",
        generation_ask,
        generation_text,
        generation_text,
        cumulative=True,
        calls=lambda reply: [
            json.loads(call["function"]["arguments"]) for call in reply.output.choices[0].message.tool_calls
        ],
        results=generation_results,
    ),
    "dashscope.generation, incremental": Sdk(
        dashscope_client,
        "Generation.call",
        lambda *asked: generation_ask(*asked, incremental_output=True),
        generation_text,
        generation_text,
    ),
    "dashscope.application": Sdk(
        dashscope_client,
        "Application.call",
        lambda turns, streams, tool: ((), {"app_id": "a", "messages": turns, "api_key": "none", "stream": streams}),
        lambda reply: reply.output.text,
        lambda event: event.output.text,
        cumulative=True,
    ),
    "dashscope.application, incremental": Sdk(
        dashscope_client,
        "Application.call",
        lambda turns, streams, tool: (
            (),
            {"app_id": "a", "messages": turns, "api_key": "none", "stream": streams, "incremental_output": True},
        ),
        lambda reply: reply.output.text,
        lambda event: event.output.text,
    ),
    "dms": Sdk(
        tea(DMS),
        "chat_with_desensitize",
        tea_ask(
            DMS,
            "ChatWithDesensitizeRequest",
            "ChatWithDesensitizeSSERequest",
            lambda turns: {"instance_id": 1, "messages": turns, "model": "qwen-plus"},
        ),
        lambda reply: reply.body.data.choices[0].message.content,
        lambda event: json.loads(event.body.data)["choices"][0]["delta"].get("content", ""),
        stream="chat_with_desensitize_ssewith_sse",
        opaque=("runtime",),
    ),
    # ChatMessages answers as a stream only.
    "rdsai": Sdk(
        tea(RDS),
        "chat_messages_with_sse",
        tea_ask(RDS, "ChatMessagesRequest", "ChatMessagesRequest", lambda turns: {"query": turns[-1]["content"]}),
        lambda reply: "",
        lambda event: event.body.answer or "",
        stream="chat_messages_with_sse",
        opaque=("runtime",),
    ),
}


def asynchronous(name: str) -> Sdk | None:
    from dataclasses import replace

    sdk = SYNC[name]
    if name.startswith("openai"):
        return replace(
            sdk,
            client=lambda url, http: openai.AsyncOpenAI(base_url=f"{url}/v1", http_client=http, **NONE),
            http=lambda masker: masking.httpx2.async_client(masker.session, masker.descriptors),
        )
    if name == "anthropic":
        return replace(
            sdk,
            client=lambda url, http: anthropic.AsyncAnthropic(base_url=url, http_client=http, **NONE),
            http=lambda masker: masking.httpx2.async_client(masker.session, masker.descriptors),
        )
    if name == "google-genai":
        return replace(
            sdk,
            method="aio.models.generate_content",
            stream="aio.models.generate_content_stream",
            http=lambda masker: masking.httpx2.async_client(masker.session, masker.descriptors),
        )
    if name == "ollama":
        return replace(
            sdk,
            client=lambda url, http: ollama.AsyncClient(host=url, transport=http),
            http=lambda masker: masking.httpx.AsyncMaskingTransport(masker.session, masker.descriptors),
        )
    if name.startswith("dashscope.generation"):
        return replace(sdk, method="AioGeneration.call")
    if name == "dms":
        return replace(sdk, method="chat_with_desensitize_async", stream="chat_with_desensitize_ssewith_sse_async")
    if name == "rdsai":
        return replace(sdk, method="chat_messages_with_sse_async", stream="chat_messages_with_sse_async")
    return None  # Application has no asynchronous twin


@dataclass
class Case:
    """A row at work: it runs coroutines on a loop of its own, so that all rows read alike."""

    sdk: Sdk
    way: Way
    server: Server
    masker: Masker
    sessions: list[Session] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def function(self, *, streams: bool, bare: bool = False) -> Callable[..., Any]:
        sdk = self.sdk
        path = sdk.stream if streams and sdk.stream else sdk.method
        http = None
        if self.way == "transport" and not bare:
            assert sdk.http is not None
            http = sdk.http(self.masker)
        client = sdk.client(self.server.url, http)
        self.clients += [client, http]
        if bare or self.way == "transport":
            return found(client, path)
        if self.way == "wrap_client":
            return found(self.masker.wrap_client(client), path)
        return self.masker.wrap(found(client, path), opaque=sdk.opaque if streams else ())

    def run(self, result: Any) -> Any:
        return self.loop.run_until_complete(result) if inspect.isawaitable(result) else result

    def close(self) -> None:
        for client in self.clients:
            for one in (client, getattr(client, "aio", None), getattr(client, "_client", None)):
                if one is None or isinstance(one, ModuleType):
                    continue
                close = getattr(one, "aclose", None) or getattr(one, "close", None)
                if close is not None:
                    self.run(close())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def whole(self, turns: Turns, *, tool: bool = False) -> Any:
        args, named = self.sdk.ask(turns, False, tool)
        return self.run(self.function(streams=False)(*args, **named))

    def events(self, turns: Turns, *, tool: bool = False, bare: bool = False) -> Any:
        args, named = self.sdk.ask(turns, True, tool)
        stream = self.run(self.function(streams=True, bare=bare)(*args, **named))
        return _Bridge(stream, self.loop) if hasattr(stream, "__anext__") or hasattr(stream, "__aiter__") else stream

    def text(self, pieces: list[str]) -> str:
        return pieces[-1] if self.sdk.cumulative else "".join(pieces)

    def arrived(self) -> str:
        """All that the server was sent, decoded; nothing of it may be a value."""
        assert self.server.seen
        said = "\n".join(unquote_plus(path) + "\n" + decoded(body) for path, _, body in self.server.seen)
        assert not [value for value in VALUES if value in said]
        return said


class _Bridge:
    """An asynchronous stream read from a test that blocks."""

    def __init__(self, stream: AsyncIterator[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._run = loop.run_until_complete

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._run(_next(self._stream))
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        close: Any = getattr(self._stream, "aclose", None) or getattr(self._stream, "close")  # noqa: B009
        self._run(close())


async def _next(stream: AsyncIterator[T]) -> T:
    return await anext(stream)


def decoded(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        form = unquote_plus(body.decode())
        return form + json.loads(f'"{form}"') if "\\u" in form and '"' not in form else form


def found(node: Any, path: str) -> Callable[..., Any]:
    for name in path.split("."):
        node = getattr(node, name)
    function: Callable[..., Any] = node
    return function


WAYS: tuple[Way, ...] = ("transport", "wrap_client", "decorator")
ROWS = {
    f"{name}, {way}, {how}": (sdk, way)
    for name in SYNC
    for how, sdk in (("sync", SYNC[name]), ("async", asynchronous(name)))
    for way in WAYS
    if sdk is not None and (way != "transport" or sdk.http is not None)
}


def rows(*, fits: Callable[[Sdk], bool] = lambda sdk: True, but: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    names = [name for name, (sdk, _) in ROWS.items() if fits(sdk) and not name.startswith(but)]
    return pytest.mark.parametrize("row", names)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def case(row: str, server: Server, patterns: Masker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setattr(dashscope, "base_http_api_url", dashscope.base_http_api_url)  # put back afterwards
    sdk, way = ROWS[row]
    made = Case(sdk, way, server, patterns)
    made.loop.set_exception_handler(lambda loop, context: None)  # dashscope forgets connections of broken streams
    opened = patterns.session

    def session() -> Session:
        made.sessions.append(opened())
        return made.sessions[-1]

    monkeypatch.setattr(patterns, "session", session)
    yield made
    made.close()


def answers_whole(sdk: Sdk) -> bool:
    return not sdk.method.startswith("chat_messages")


@rows(fits=answers_whole)
def test_a_whole_answer_is_masked_on_the_wire_and_restored(case: Case) -> None:
    reply = case.whole([USER])

    assert case.sdk.whole(reply) == SAID
    assert MASKED in case.arrived()
    assert all(session._closed for session in case.sessions) or case.way == "transport"


@rows()
def test_a_stream_is_restored_token_by_token(case: Case) -> None:
    pause = case.server.pause = threading.Event()
    case.server.pause_after = -3
    texts: list[str] = []
    for event in case.events([USER]):
        piece = case.sdk.piece(event)
        if piece and not texts:
            assert not case.server.ended.is_set(), "the first piece came after the server's last"
            pause.set()
        if piece:
            texts.append(piece)
    said = echo.answer([USER])

    assert case.text(texts) == said
    assert len(texts) > 3
    assert MASKED in case.arrived()
    assert case.sessions
    assert case.sessions[-1]._closed


@rows(fits=lambda sdk: sdk.calls is not None)
def test_a_tool_is_called_and_answered(case: Case) -> None:
    asked = {"role": "user", "content": CALL}
    assert case.sdk.calls is not None
    assert case.sdk.results is not None
    first = case.whole([asked], tool=True)
    second = case.whole([asked, *case.sdk.results(first)], tool=True)

    assert case.sdk.calls(first) == [{"text": CALL}]
    assert DONE in case.sdk.whole(second)
    assert "<PHONE_NUMBER_1>" in case.arrived()


def outcome(case: Case, *, bare: bool) -> Any:
    """How a stream ends: the type of the error, or the statuses that the SDK reports in its objects."""
    statuses: list[Any] = []
    try:
        for event in case.events([USER], bare=bare):
            statuses = [getattr(event, "status_code", None)]
    except Exception as error:
        return type(error)
    return statuses


@rows()
def test_an_error_before_the_stream_is_the_sdks_own(case: Case) -> None:
    refused = {
        "error": {"message": "no", "code": 400, "status": "X"},
        "code": "X",
        "message": "no",
        "Code": "X",
        "Message": "no",
    }
    case.server.answer = lambda body: echo.Reply(400, "application/json", (json.dumps(refused).encode(),))

    assert outcome(case, bare=False) == outcome(case, bare=True)
    assert all(session._closed for session in case.sessions)


# Without a client of ours google-genai is on aiohttp, whose error is another one.
@rows(but=("google-genai, transport, async",))
def test_a_connection_that_breaks_within_the_stream_is_the_sdks_own_error(case: Case) -> None:
    case.server.cut_after = 3

    assert outcome(case, bare=False) == outcome(case, bare=True)
    assert all(session._closed for session in case.sessions)


# google-genai leaves the response open that its stream reads from: the transport's session goes when that is collected.
@rows(but=("google-genai, transport",))
def test_a_stream_that_is_left_early_frees_its_session(case: Case) -> None:
    stream = case.events([USER])
    next(iter(stream))
    stream.close()

    assert case.sessions
    assert all(session._closed for session in case.sessions)


# As above: google-genai leaves the response open.
@pytest.mark.parametrize(
    "row", [name for name in ROWS if name.endswith("async") and not name.startswith("google-genai, transport")]
)
def test_a_task_that_is_cancelled_within_a_stream_frees_its_session(case: Case) -> None:
    pause = case.server.pause = threading.Event()
    case.server.pause_after = 4
    args, named = case.sdk.ask([USER], True, False)

    async def read(began: asyncio.Event) -> None:
        stream = case.function(streams=True)(*args, **named)
        async for _ in await stream if inspect.isawaitable(stream) else stream:
            began.set()

    async def cancelled() -> bool:
        began = asyncio.Event()
        task = asyncio.create_task(read(began))
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    try:
        assert case.run(cancelled())
    finally:
        pause.set()
    assert case.sessions
    assert all(session._closed for session in case.sessions)


@rows(fits=lambda sdk: sdk.method == "chat.completions.create")
def test_several_choices_are_restored_each_by_itself(case: Case) -> None:
    texts = ["", "", ""]
    args, named = case.sdk.ask([USER], True, False)
    stream = case.run(case.function(streams=True)(*args, **named, n=3))
    for event in _Bridge(stream, case.loop) if hasattr(stream, "__anext__") else stream:
        for choice in event.choices:
            texts[choice.index] += choice.delta.content or ""

    assert texts == [SAID] * 3
    case.arrived()


def test_the_page_about_apis_names_tests_and_descriptors_that_exist(patterns: Masker) -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs" / "reference" / "apis.md").read_text("utf-8")
    here = Path(__file__).read_text("utf-8")
    named = re.findall(r"`(tests/\w+\.py)::(test_\w+)`", page)
    shown = re.findall(r"\| `(test_\w+)` \|", page)
    descriptors = {one.id for one in patterns.descriptors}

    assert named
    assert [test for file, test in named if f"def {test}(" not in (root / file).read_text("utf-8")] == []
    assert [test for test in shown if f"def {test}(" not in here] == []
    assert set(re.findall(r"`((?:aliyun|dashscope|openai|anthropic|gemini|ollama)\.[a-z_.]+)`", page)) <= descriptors
    assert {name.partition(",")[0].partition(".")[0] for name in SYNC} - set(re.findall(r"\w+", page)) == {
        "google-genai"
    }
