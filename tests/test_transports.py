"""The transports: an unmodified openai SDK on both HTTP libraries, against a real server on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from echo_server import Server, serving

import masking.httpx
import masking.httpx2
from masking import Masker, echo
from masking.core.descriptor import Descriptors, load
from masking.core.errors import ConfigurationError
from masking.core.rulefile import load_category
from masking.core.session import Session

ROOT = Path(__file__).parents[1]
DESCRIPTORS = Descriptors(load(path.read_text("utf-8"), path.name) for path in (ROOT / "providers").glob("*.yaml"))
VALUES = {"PERSON": "张三", "EMAIL_ADDRESS": "zhang.san@example.com", "PHONE_NUMBER": "13800138000"}
MASKER = Masker(
    load_category(
        json.dumps(
            {
                "category": "Values",
                "version": "1",
                "about": {"en": "values"},
                "rules": [
                    {"id": f"value.{entity.lower()}", "entity": entity, "pattern": value.replace(".", r"\."),
                     "not_beside": "none", "hits": [value], "misses": ["-"]}
                    for entity, value in VALUES.items()
                ],
            }
        ),
        "values.yaml",
        {}.__getitem__,
    )
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


class Sessions:
    """Makes sessions and remembers whether all of them were closed."""

    def __init__(self) -> None:
        self.made: list[Session] = []
        self.closed: list[Session] = []

    def __call__(self) -> Session:
        session = MASKER.session()
        close = session.close

        def closing() -> None:
            self.closed.append(session)
            close()

        session.close = closing  # type: ignore[method-assign]
        self.made.append(session)
        return session

    @property
    def all_closed(self) -> bool:
        return bool(self.made) and all(session in self.closed for session in self.made)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


LIBRARIES = pytest.mark.parametrize(
    "hook", [pytest.param(masking.httpx, id="httpx"), pytest.param(masking.httpx2, id="httpx2")]
)


@pytest.fixture(params=[pytest.param(masking.httpx, id="httpx"), pytest.param(masking.httpx2, id="httpx2")])
def client(request: pytest.FixtureRequest, server: Server, sessions: Sessions) -> Iterator[openai.OpenAI]:
    hook: Any = request.param
    with (
        hook.client(sessions, DESCRIPTORS) as http,
        openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", http_client=http) as client,
    ):
        yield client


ASKED = [{"role": "user", "content": "我是张三，邮箱 zhang.san@example.com，电话13800138000。"}]
MASKED = "我是<PERSON_1>，邮箱 <EMAIL_ADDRESS_1>，电话<PHONE_NUMBER_1>。"
SAID = echo.answer(ASKED)


def assert_nothing_leaked(server: Server) -> None:
    assert server.seen
    for _, _, body in server.seen:
        decoded = json.dumps(json.loads(body), ensure_ascii=False) if body else ""
        assert not any(value in decoded for value in VALUES.values())


def test_an_answer_is_restored_and_nothing_leaks(client: openai.OpenAI, server: Server, sessions: Sessions) -> None:
    answer = client.chat.completions.create(model="m", messages=ASKED)

    assert answer.choices[0].message.content == SAID
    assert answer._request_id == "r-1"
    assert json.loads(server.seen[0][2])["messages"][0]["content"] == MASKED
    assert server.seen[0][1]["accept-encoding"] == "identity"
    assert server.seen[0][1]["authorization"] == "Bearer none"
    assert_nothing_leaked(server)
    assert sessions.all_closed


@pytest.mark.parametrize("thinks", [False, True])
def test_a_stream_is_restored(client: openai.OpenAI, server: Server, sessions: Sessions, thinks: bool) -> None:
    options: dict[str, Any] = {"extra_body": {"enable_thinking": True}} if thinks else {}
    chunks = list(client.chat.completions.create(model="m", messages=ASKED, stream=True, **options))
    thought = "".join(getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert thought == (f"The user says: {ASKED[0]['content']}" if thinks else "")
    assert {chunk.id for chunk in chunks} == {"chatcmpl-echo"}
    assert_nothing_leaked(server)
    assert sessions.all_closed


def test_two_choices_at_once_are_kept_apart(client: openai.OpenAI, server: Server) -> None:
    said = ["", ""]
    usage = None
    stream = client.chat.completions.create(
        model="m", messages=ASKED, n=2, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""

    assert said == [SAID, SAID]
    assert usage is not None


TOOLS: Any = [{"type": "function", "function": {"name": "send", "description": "写信给张三", "parameters": {}}}]


def test_tool_calls_are_restored_and_masked_again(client: openai.OpenAI, server: Server) -> None:
    asked: list[Any] = [{"role": "user", "content": "调用send，给张三"}]
    answer = client.chat.completions.create(model="m", messages=asked, tools=TOOLS)
    call: Any = (answer.choices[0].message.tool_calls or [])[0]

    assert json.loads(call.function.arguments) == {"text": "调用send，给张三"}

    asked += [answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sent to 张三"}]
    client.chat.completions.create(model="m", messages=asked, tools=TOOLS)
    assert len(server.seen) == 2
    assert_nothing_leaked(server)


def test_tool_calls_are_restored_in_a_stream(client: openai.OpenAI, server: Server) -> None:
    stream = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "调用send，给张三"}], tools=TOOLS, stream=True
    )
    calls = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)

    assert json.loads(arguments) == {"text": "调用send，给张三"}
    assert calls[0].function is not None
    assert calls[0].function.name == "send"


def test_an_error_reply_is_restored(client: openai.OpenAI, server: Server, sessions: Sessions) -> None:
    def answer(body: bytes) -> echo.Reply:
        quoted = json.loads(body)["messages"][0]["content"]
        error = {"error": {"message": f"bad: {quoted}", "type": "t", "param": None, "code": "c"}}
        return echo.Reply(400, "application/json", (json.dumps(error).encode(),))

    server.answer = answer
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="m", messages=ASKED)

    assert ASKED[0]["content"] in caught.value.message
    assert caught.value.code == "c"
    assert_nothing_leaked(server)
    assert sessions.all_closed


def test_a_compressed_reply_is_restored(client: openai.OpenAI, server: Server) -> None:
    server.compress = True

    assert client.chat.completions.create(model="m", messages=ASKED).choices[0].message.content == SAID
    chunks = client.chat.completions.create(model="m", messages=ASKED, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID


def test_a_stream_is_not_kept_until_its_end(client: openai.OpenAI, server: Server) -> None:
    server.pause = threading.Event()
    stream = client.chat.completions.create(model="m", messages=ASKED, stream=True)
    first = next(iter(stream))
    server.pause.set()
    rest = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert first.choices[0].delta.role == "assistant"
    assert rest == SAID


def test_closing_a_stream_early_closes_upstream_and_the_session(
    client: openai.OpenAI, server: Server, sessions: Sessions
) -> None:
    event = b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}).encode() + b"\n\n"
    server.answer = lambda body: echo.Reply(200, "text/event-stream", (event,) * 20_000)
    with client.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
        next(iter(stream))

    assert server.gone.wait(10)
    assert sessions.all_closed


def test_a_stream_that_breaks_says_what_it_held_and_then_breaks(
    client: openai.OpenAI, server: Server, sessions: Sessions
) -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"a <PERSON"}}]}\n\n'
    server.answer = lambda body: echo.Reply(200, "text/event-stream", (event, event))
    server.cut_after = 1
    stream = iter(client.chat.completions.create(model="m", messages=ASKED, stream=True))
    said = [next(stream).choices[0].delta.content]
    with pytest.raises((openai.APIError, httpx.RemoteProtocolError, httpx2.RemoteProtocolError)):
        next(stream)

    assert said == ["a <PERSON"]
    assert sessions.all_closed


def test_an_unknown_route_with_a_body_is_refused_and_not_retried(client: openai.OpenAI, server: Server) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="m", prompt="张三")

    assert (caught.value.code, caught.value.type) == ("unknown_route", "masking_refused")
    assert server.seen == []


def test_what_cannot_be_masked_is_refused_without_a_value(
    client: openai.OpenAI, server: Server, sessions: Sessions
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="m", messages=ASKED, extra_body={"x": {"张三": 1}})

    assert caught.value.code == "unmaskable"
    assert "张三" not in str(caught.value)
    assert server.seen == []
    assert sessions.all_closed


def test_a_request_without_a_body_passes(client: openai.OpenAI, server: Server) -> None:
    assert [model.id for model in client.models.list()] == ["echo"]
    with pytest.raises(openai.NotFoundError):  # the server's own answer
        client.files.list()
    assert [path for path, _, _ in server.seen] == ["/v1/models", "/v1/files"]


def test_errors_of_the_network_pass_unchanged(sessions: Sessions) -> None:
    with Server() as unused:
        port = unused.server_address[1]
    with masking.httpx.client(sessions, DESCRIPTORS) as client, pytest.raises(httpx.ConnectError):
        client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={"messages": []})

    assert sessions.all_closed


@pytest.mark.anyio
@LIBRARIES
async def test_the_asynchronous_client_does_the_same(hook: Any, server: Server, sessions: Sessions) -> None:
    async with (
        hook.async_client(sessions, DESCRIPTORS) as http,
        openai.AsyncOpenAI(api_key="none", base_url=f"{server.url}/v1", http_client=http) as client,
    ):
        answer = await client.chat.completions.create(model="m", messages=ASKED)
        assert answer.choices[0].message.content == SAID

        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(said) == SAID

        server.compress = True
        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == SAID
        server.compress = False

        with pytest.raises(openai.BadRequestError, match="no descriptor"):
            await client.images.generate(model="m", prompt="张三")

        event = b'data: {"choices":[{"index":0,"delta":{"content":"a <PERSON"}}]}\n\n'
        server.answer = lambda body: echo.Reply(200, "text/event-stream", (event, event))
        server.cut_after = 1
        pieces = aiter(await client.chat.completions.create(model="m", messages=ASKED, stream=True))
        assert (await anext(pieces)).choices[0].delta.content == "a <PERSON"
        with pytest.raises((openai.APIError, httpx.RemoteProtocolError, httpx2.RemoteProtocolError)):
            await anext(pieces)

        server.cut_after = 0
        server.answer = lambda body: echo.Reply(200, "text/event-stream", (event,) * 50_000)
        async with await client.chat.completions.create(model="m", messages=ASKED, stream=True) as early:
            await anext(aiter(early))

    assert server.gone.wait(10)
    assert_nothing_leaked(server)
    assert sessions.all_closed


@LIBRARIES
@pytest.mark.parametrize("incremental", [True, False])
def test_an_application_is_masked_on_its_own_route(
    hook: Any, server: Server, sessions: Sessions, incremental: bool
) -> None:
    body: Any = {"input": {"prompt": ASKED[0]["content"]}, "parameters": {"incremental_output": incremental}}
    with hook.client(sessions, DESCRIPTORS) as client:
        url = f"{server.url}/api/v1/apps/a/completion"
        whole = client.post(url, json=body).json()
        with client.stream("POST", url, json=body, headers={"x-dashscope-sse": "enable"}) as stream:
            lines = [line for line in stream.iter_lines() if line.startswith("data:")]
        refused = client.post(url, content=b"{")

    texts = [json.loads(line[5:])["output"]["text"] for line in lines]
    assert whole["output"]["text"] == SAID
    assert ("".join(texts) if incremental else texts[-1]) == SAID
    assert refused.status_code == 400
    assert refused.json()["code"] == "unmaskable"
    assert_nothing_leaked(server)
    assert sessions.all_closed


@LIBRARIES
def test_a_header_and_a_query_that_hold_text_are_masked(hook: Any, server: Server, sessions: Sessions) -> None:
    with hook.client(sessions, DESCRIPTORS) as client:
        url = f"{server.url}/api/v1/services/aigc/text-generation/generation"
        plugin = {"X-DashScope-Plugin": '{"note":"告诉张三"}'.encode(), "X-Other": "a"}
        client.post(url, json={"model": "m", "input": {"prompt": "hi"}}, headers=plugin)
        reply = client.post(f"{server.url}/?Query=13800138000", headers={"x-acs-action": "ChatMessages"})

    assert server.seen[0][1]["x-dashscope-plugin"].encode("latin-1").decode() == '{"note":"告诉<PERSON_1>"}'
    assert server.seen[0][1]["x-other"] == "a"
    assert reply.status_code == 400  # it is signed, so it may not change
    assert reply.json()["Code"] == "unmaskable"
    assert len(server.seen) == 1
    assert sessions.all_closed


def test_the_echo_model_runs_behind_the_mask_without_a_server(sessions: Sessions) -> None:
    transport = echo.EchoTransport()
    with masking.httpx.client(sessions, DESCRIPTORS, transport=transport) as http:
        client = openai.OpenAI(api_key="none", base_url="http://echo.example/v1", http_client=http)
        stream = client.chat.completions.create(model="m", messages=ASKED, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert said == SAID
    assert json.loads(transport.requests[0])["messages"][0]["content"] == MASKED


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        pytest.param({}, b'{"a": 1}', id="of known length"),
        pytest.param({}, iter([b'{"a"', b": 1}"]), id="in chunks"),
    ],
)
def test_a_body_arrives_whole_however_it_is_sent(
    server: Server, sessions: Sessions, headers: dict[str, str], content: Any
) -> None:
    with masking.httpx.client(sessions, DESCRIPTORS) as client:
        client.post(f"{server.url}/v1/chat/completions", content=content, headers=headers)

    assert server.seen[0][2] == b'{"a": 1}'
    assert "transfer-encoding" not in server.seen[0][1]


def test_an_unknown_compression_is_an_error_not_garbage(server: Server, sessions: Sessions) -> None:
    inner = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"content-encoding": "rot13"}, stream=httpx.ByteStream(b"n"))
    )
    with masking.httpx.client(sessions, DESCRIPTORS, transport=inner) as client, pytest.raises(httpx.DecodingError):
        client.post(f"{server.url}/v1/chat/completions", json={})

    assert sessions.all_closed


def test_a_fault_in_masking_sends_nothing(server: Server) -> None:
    def broken() -> Session:
        session = MASKER.session()
        session.close()  # a closed session refuses to mask
        return session

    with masking.httpx.client(broken, DESCRIPTORS) as client:
        reply = client.post(f"{server.url}/v1/chat/completions", json={"messages": ASKED})

    assert reply.status_code == 400
    assert server.seen == []


@LIBRARIES
def test_options_that_lead_around_the_mask_are_refused(hook: Any, sessions: Sessions) -> None:
    with pytest.raises(ConfigurationError, match="mounts"):
        hook.client(sessions, DESCRIPTORS, mounts={})
    with pytest.raises(ConfigurationError, match="proxy"):
        hook.client(sessions, DESCRIPTORS, transport=echo.EchoTransport(), proxy="http://127.0.0.1:1")
    with hook.client(sessions, DESCRIPTORS, timeout=3.0, verify=False, headers={"x": "y"}) as client:
        assert client.headers["x"] == "y"


def test_the_two_hooks_are_twins() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "twin.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_a_missing_httpx2_names_the_extra() -> None:
    code = "import sys; sys.modules['httpx2'] = None; import masking.httpx2"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)

    assert "pip install 'masking-pipeline[httpx2]'" in done.stderr
