"""Whatever goes wrong: one exception tree, nothing sent twice, nothing lost, and no text in any message."""

from __future__ import annotations

import gzip
import json
import pickle
import socket
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from clients_server import KEY, Out, Server, data, serving, sse, whole
from hypothesis import given
from hypothesis import strategies as st
from test_clients import END, NAMES, PHONE, TEXT, chunk, inner, made, more, output

import masking.clients
from masking import Masker, MaskingError
from masking.clients import (
    DMS,
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClientError,
    DashScopeApp,
    DMSParameters,
    NotFoundError,
    OpenAICompatible,
    ParameterError,
    PermissionDeniedError,
    RateLimitError,
    RdsAI,
    Retry,
    ServerError,
    StreamError,
    TransportError,
)
from masking.clients.sending import retry_after
from masking.core.acs3 import SignatureError


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def drained(stream: Any) -> tuple[list[str], Exception | None]:
    """All that a stream says, and how it ends."""
    came: list[str] = []
    try:
        came.extend(stream.text())
    except ClientError as error:
        return came, error
    return came, None


# Errors that the service states

TREE = [
    pytest.param("DMS", {"Code": "InvalidParameter", "Message": "m", "RequestId": "R-1"}, 400, BadRequestError,
                 id="DMS: a wrong parameter"),
    pytest.param("DMS", {"Code": "SignatureDoesNotMatch", "Message": "m"}, 400, AuthenticationError, id="DMS: signature"),
    pytest.param("DMS", {"code": "Forbidden.RAM", "message": "m"}, 400, PermissionDeniedError, id="DMS: lower case"),
    pytest.param("DMS", {"Success": False, "ErrorCode": "InternalError", "ErrorMessage": "m"}, 200, ServerError,
                 id="DMS: failed under a good status"),
    pytest.param("DMS", {"Success": False, "ErrorMessage": "m"}, 200, BadRequestError, id="DMS: failed, no code"),
    pytest.param("DMS", {"Success": True, "Data": {"StatusCode": "429", "Type": "limit", "Message": "m"}}, 200,
                 RateLimitError, id="DMS: the model failed"),
    pytest.param("RdsAI", {"Code": "InvalidOrder", "Message": "m"}, 400, BadRequestError, id="RdsAi: order"),
    pytest.param("RdsAI", {"Code": "UserNotFound", "Message": "m"}, 404, NotFoundError, id="RdsAi: no such user"),
    pytest.param("RdsAI", {"Code": "TooManyRequests", "Message": "m"}, 429, RateLimitError, id="RdsAi: too many"),
    pytest.param("RdsAI", {"Code": "Throttling.User", "Message": "m"}, 400, RateLimitError, id="RdsAi: throttled by code"),
    pytest.param("DashScopeApp", {"code": "InvalidApiKey", "message": "m", "request_id": "r"}, 401, AuthenticationError,
                 id="application: key"),
    pytest.param("DashScopeApp", {"code": "AccessDenied", "message": "m", "request_id": "r"}, 403, PermissionDeniedError,
                 id="application: denied"),
    pytest.param("DashScopeGeneration", {"code": "InternalError", "message": "m"}, 500, ServerError,
                 id="generation: internal"),
    pytest.param("DashScopeGeneration", {"code": "InvalidParameter", "message": "m"}, 200, BadRequestError,
                 id="generation: an error under a good status"),
    pytest.param("OpenAICompatible", {"error": {"message": "m", "type": "t", "code": "invalid_api_key"}}, 401,
                 AuthenticationError, id="compatible: key"),
    pytest.param("OpenAICompatible", {"error": {"message": "m", "type": "invalid_request_error", "code": None}}, 400,
                 BadRequestError, id="compatible: a wrong request"),
    pytest.param("OpenAICompatible", {"code": "Arrearage", "message": "m", "request_id": "r"}, 400,
                 PermissionDeniedError, id="compatible: the native shape"),
    pytest.param("OpenAICompatible", {"error": "m"}, 503, ServerError, id="compatible: a bare text"),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("name", "doc", "status", "kind"), TREE)
def test_an_error_has_its_class_and_its_own_words(
    name: str, doc: dict[str, Any], status: int, kind: type[ApiError], stream: bool, server: Server
) -> None:
    server.answer = lambda seen: whole(doc, status)
    with made(name, server.url, None) as client, pytest.raises(ApiError) as caught:
        client.stream(TEXT, **more(name)).answer() if stream else client.chat(TEXT, **more(name))
    error = caught.value

    assert type(error) is kind
    assert isinstance(error, ClientError)
    assert isinstance(error, MaskingError)
    assert error.message == "m"
    assert " m " not in f" {error} ".replace("(", " ").replace(")", " ")
    assert error.status in (status, 429)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("out", "status"),
    [
        pytest.param(Out(502, [b"<html>Bad Gateway</html>"], "text/html"), 502, id="HTML"),
        pytest.param(Out(500, [], "application/json"), 500, id="nothing"),
        pytest.param(Out(400, [b"{'code':"], "application/json"), 400, id="broken JSON"),
        pytest.param(Out(404, [b"[1]"], "application/json"), 404, id="JSON that is no object"),
        pytest.param(Out(403, [data({"code": "AccessDenied", "message": "x"})], "text/event-stream"), 403, id="events"),
        pytest.param(Out(302, [], "text/plain", {"location": "/x"}), 302, id="another address"),
        pytest.param(Out(500, [b"x" * 3_000_000], "text/plain"), 500, id="megabytes"),
    ],
)
def test_an_error_of_any_shape_is_an_api_error(
    name: str, out: Out, status: int, server: Server, patterns: Masker
) -> None:
    server.answer = lambda seen: out
    with made(name, server.url, patterns) as client:
        for ask in (client.chat, lambda *a, **k: client.stream(*a, **k).answer()):
            with pytest.raises(ApiError) as caught:
                ask(TEXT, **more(name))
            assert caught.value.status == status
            assert "html" not in str(caught.value)


def test_the_words_of_the_service_are_restored_and_never_in_the_message(server: Server, patterns: Masker) -> None:
    server.answer = lambda seen: whole(
        {"Code": f"Bad {PHONE}", "Message": "no such <PHONE_NUMBER_1>", "RequestId": f"R {PHONE}"}, 400
    )
    with made("DMS", server.url, patterns) as client, pytest.raises(BadRequestError) as caught:
        client.chat(TEXT)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)

    assert caught.value.message == f"no such {PHONE}"
    assert PHONE not in shown
    assert caught.value.code == caught.value.request_id == ""  # they do not look like a code and an id


@pytest.mark.parametrize(
    "error",
    [
        TransportError("t", sent=False),
        StreamError("s", code="c", request_id="r"),
        RateLimitError("r", code="c", message="m", status=429, retry_after=2.0),
        ParameterError("p", parameter="n"),
        SignatureError("IncompleteSignature", "w", 404),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_to_another_process(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))

    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


# Streams that go wrong

HALF = chunk(content="half <PHONE_NUM")
BROKEN = [
    pytest.param("OpenAICompatible", [data(chunk(content="half"))], "half", id="compatible: no last event"),
    pytest.param("OpenAICompatible", [data(chunk(content="half")), data({"error": {"message": "m", "code": "c"}})], "half",
                 id="compatible: an error in an event"),
    pytest.param("OpenAICompatible", [data(chunk(content="half")), b"event: error\ndata: oh\n\n"], "half",
                 id="compatible: an event of errors"),
    pytest.param("DMS", [data(inner(chunk(content="half")))], "half", id="DMS: no last event"),
    pytest.param("DMS", [data(inner(chunk(content="half"))), data({"Success": False, "ErrorCode": "X"})], "half",
                 id="DMS: failed on the way"),
    pytest.param("RdsAI", [data({"Event": "message", "Answer": "half"})], "half", id="RdsAi: no finish"),
    pytest.param("RdsAI", [data({"Event": "message", "Answer": "half"}), data({"Event": "error"})], "half",
                 id="RdsAi: an error"),
    pytest.param("DashScopeApp", [data(output(text="half"))], "half", id="application: no stop"),
    pytest.param("DashScopeApp", [data(output(text="half")),
                                  b'id:2\nevent:error\n:HTTP_STATUS/403\ndata:{"code":"AccessDenied","message":"m"}\n\n'],
                 "half", id="application: event:error"),
    pytest.param("DashScopeApp", [data(output(text="half")), data({"code": "AccessDenied", "message": "m"}, 2, "result")],
                 "half", id="application: an error called a result"),
    pytest.param("DashScopeApp", [data(output(text="half")), data("[DONE]")], "half",
                 id="application: [DONE] where none belongs"),
    pytest.param("DashScopeApp", [data(output(text="half")), data("plain words")], "half", id="application: no JSON"),
    pytest.param("DashScopeApp", [data(output(text="half")), data([1, 2])], "half", id="application: no object"),
    pytest.param("DashScopeApp", [data(output(text="half")), data(output(text="half and", finish_reason="stop"))[:-9]],
                 "half", id="application: cut within the last event"),
    pytest.param("DashScopeApp", [data(output(text="half")), '数据data: {"output": {"text": "中'.encode()[:-1]], "half",
                 id="application: cut within a character"),
    pytest.param("DashScopeGeneration", [], "", id="generation: an empty stream"),
]  # fmt: skip


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(("name", "events", "said"), BROKEN)
def test_a_stream_that_is_not_whole_is_an_error_after_all_that_came(
    name: str, events: list[bytes], said: str, joined: bool, masked: bool, server: Server, patterns: Masker
) -> None:
    server.answer = lambda seen: sse(*([b"".join(events)] if joined else events))
    with made(name, server.url, patterns if masked else None) as client:
        came, error = drained(client.stream(TEXT, **more(name)))

    assert isinstance(error, StreamError)
    assert "".join(came) == said  # the error does not swallow what came before it
    assert "half" not in str(error)
    assert "plain words" not in str(error)


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "events", "said"), BROKEN)
async def test_an_asynchronous_stream_fails_the_same_way(
    name: str, events: list[bytes], said: str, server: Server, patterns: Masker
) -> None:
    server.answer = lambda seen: sse(*events)
    came: list[str] = []

    async def drain(client: Any) -> None:
        async for piece in client.stream(TEXT, **more(name)).text():
            came.append(piece)  # noqa: PERF401

    async with made(name, server.url, patterns, "Async") as client:
        with pytest.raises(StreamError):
            await drain(client)

    assert "".join(came) == said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("masked", [False, True])
def test_a_connection_that_breaks_says_what_came_and_then_fails(
    name: str, masked: bool, server: Server, patterns: Masker
) -> None:
    good = server.reply

    def breaking(seen: Any) -> Out:
        out = good(seen)
        out.cut_after = 3
        return out

    server.reply = breaking  # type: ignore[method-assign]
    with made(name, server.url, patterns if masked else None) as client:
        came, error = drained(client.stream("说三个字以上的话", **more(name)))

    assert isinstance(error, TransportError)
    assert error.sent
    assert "".join(came) == "“说三个字以上的话"[:9]
    assert len(server.seen) == 1


def test_a_connection_that_breaks_after_the_last_event_did_no_harm(server: Server) -> None:
    server.answer = lambda seen: Out(
        chunks=[data(output(text="all", finish_reason="stop")), b":\n\n"], content_type="text/event-stream", cut_after=1
    )
    with DashScopeApp("a", api_key="sk-fake", base_url=server.url) as client:
        assert client.stream("hi").answer().text == "all"


GOOD = [
    pytest.param("OpenAICompatible", [data(chunk(content="ok")), data(END)], id="compatible: no [DONE]"),
    pytest.param("OpenAICompatible", [data(chunk(content="ok")), data("[DONE]")], id="compatible: no finish, but [DONE]"),
    pytest.param("DMS", [data({"Data": "ok"})], id="DMS: texts end with the connection"),
    pytest.param("DMS", [data(inner(chunk(content="ok"))), data({"Data": "[DONE]"})], id="DMS: [DONE] as Data"),
    pytest.param("DMS", [data({"Data": {"Choices": [{"Message": {"Content": "ok"}, "FinishReason": "null"}]}}),
                         data({"Data": {"Choices": [{"Message": {"Content": ""}, "FinishReason": "stop"}]}})],
                 id="DMS: the shape of the whole answer"),
    pytest.param("DMS", [data({"Success": True, "Code": "200", "Data": json.dumps(chunk(content="ok"))}),
                         data({"Success": True, "Code": "200", "Data": json.dumps(END)})], id="DMS: a code that is good"),
    pytest.param("DashScopeApp", [data(output(text="ok", finish_reason="stop")).rstrip(b"\n")], id="no last empty line"),
    pytest.param("DashScopeApp", [b"\xef\xbb\xbf" + data(output(text="ok", finish_reason="stop"))], id="a byte order mark"),
    pytest.param("DashScopeApp", [b":hb\n", data(output(text="ok")), b":hb\n\n", data("[DONE]"),
                                  data(output(text="ok", finish_reason="stop"))], id="heartbeats, and [DONE] between"),
    pytest.param("DashScopeApp", [data({"output": None, "request_id": "r"}),
                                  data(output(text="ok", finish_reason="stop"))], id="an event without an output"),
    pytest.param("DashScopeApp", [b'data: {"output": {"text": "ok",\ndata: "finish_reason": "stop"}}\n\n'],
                 id="an event of two data lines"),
    pytest.param("DashScopeApp", [data(output(text="o")), data(output(text="k")), data(output(text="", finish_reason="stop"))],
                 id="pieces although all so far was asked for"),
    pytest.param("RdsAI", [data({"Event": "message", "Answer": "ok"}), data({"Event": "node", "Answer": "a tool"}),
                           data({"Event": "finish"})], id="RdsAi: events of other kinds"),
    pytest.param("RdsAI", [data({"Event": "message", "Answer": "ok"}),
                           data({"Event": "tool", "ApprovalStatus": "pending", "CallId": "c"})], id="RdsAi: an approval"),
]  # fmt: skip


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "events"), GOOD)
def test_an_odd_stream_is_read_for_what_it_is(
    name: str, events: list[bytes], masked: bool, server: Server, patterns: Masker
) -> None:
    server.answer = lambda seen: sse(*events)
    with made(name, server.url, patterns if masked else None) as client:
        assert client.stream(TEXT, **more(name)).answer().text == "ok"


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_where_a_document_was_expected_is_gathered_and_the_other_way_round(name: str, server: Server) -> None:
    outs: list[Out] = []
    good = server.reply

    def kept(seen: Any) -> Out:
        outs.append(good(seen))
        return outs[-1]

    with made(name, server.url, None) as client:
        server.reply = kept  # type: ignore[method-assign]
        streamed = client.stream("hi", **more(name)).answer()
        document = client.chat("hi", **more(name))
        server.reply = lambda seen: outs[0]  # type: ignore[method-assign]
        gathered = client.chat("hi", **more(name))
        server.reply = lambda seen: outs[1]  # type: ignore[method-assign]
        events = list(client.stream("hi", **more(name)))

    assert gathered.text == streamed.text == document.text == "".join(event.text for event in events)
    assert len(events) == 1 or name == "RdsAI"  # which always answers with events


def test_a_login_page_is_no_answer(server: Server) -> None:
    server.answer = lambda seen: Out(200, [b"<html>please log in</html>"], "text/html")
    with made("RdsAI", server.url, None) as client, pytest.raises(StreamError, match="login page"):
        client.chat(TEXT)


def test_a_compressed_reply_is_read(server: Server, patterns: Masker) -> None:
    body = gzip.compress(json.dumps({"output": {"text": "tel <PHONE_NUMBER_1>", "finish_reason": "stop"}}).encode())
    server.answer = lambda seen: Out(200, [body[:9], body[9:]], headers={"content-encoding": "gzip"})
    with made("DashScopeApp", server.url, patterns) as client:
        assert client.chat(TEXT).text == f"tel {PHONE}"
    server.answer = lambda seen: Out(200, [b"no gzip"], headers={"content-encoding": "gzip"})
    with made("DashScopeApp", server.url, patterns) as client, pytest.raises(TransportError, match="decompress"):
        client.chat(TEXT)


def test_an_event_without_an_end_is_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch, server: Server, patterns: Masker
) -> None:
    monkeypatch.setattr(masking.clients.exchange, "_LIMIT", 1000)
    server.answer = lambda seen: whole({"output": {"text": "x" * 2000, "finish_reason": "stop"}})
    with made("DashScopeApp", server.url, None) as client, pytest.raises(StreamError, match="longer than 1000 bytes"):
        client.chat("hi")
    long = [data(output(text="一句话。")), *[b"data: " + b"x" * 1_000_000] * 18]
    server.answer = lambda seen: Out(chunks=long, content_type="text/event-stream")
    for masker in (None, patterns):
        with made("DashScopeApp", server.url, masker) as client:
            came, error = drained(client.stream("hi"))
        assert came == ["一句话。"]
        assert isinstance(error, StreamError)
        assert "bytes" in str(error)


# The network


def test_a_refused_connection_has_sent_nothing_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("masking.clients.shell.time.sleep", waits.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with RdsAI(credentials=KEY, endpoint=f"http://127.0.0.1:{port}") as client, pytest.raises(TransportError) as caught:
        client.chat(TEXT)

    assert not caught.value.sent
    assert waits == [0.5, 1.0]
    assert PHONE not in "".join(traceback.format_exception(caught.value))


class Flaky(httpx.BaseTransport):
    """Fails as told, then answers."""

    def __init__(self, *failures: Exception | httpx.Response) -> None:
        self.failures = list(failures)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        failure = self.failures.pop(0) if self.failures else httpx.Response(200, json={"Answer": "ok"})
        if isinstance(failure, Exception):
            raise failure
        return failure


@pytest.mark.parametrize(
    ("failure", "retry", "requests", "raised"),
    [
        pytest.param(httpx.ConnectError("x"), None, 2, None, id="no connection: again"),
        pytest.param(httpx.ConnectTimeout("x"), None, 2, None, id="no connection in time: again"),
        pytest.param(httpx.ConnectError("x"), Retry(connects=0), 1, TransportError, id="no connection, told not to"),
        pytest.param(httpx.ReadTimeout("x"), None, 1, TransportError, id="silence: it may have arrived"),
        pytest.param(httpx.WriteError("x"), None, 1, TransportError, id="broken while sending: half may have arrived"),
        pytest.param(httpx.RemoteProtocolError("x"), Retry(replies=5), 1, TransportError, id="hung up without a word"),
        pytest.param(httpx.Response(429, headers={"retry-after": "2"}), None, 1, RateLimitError, id="429, not told to"),
        pytest.param(httpx.Response(429, headers={"retry-after": "2"}), Retry(replies=1), 2, None, id="429, told to"),
        pytest.param(httpx.Response(503), Retry(replies=1), 2, None, id="503, told to"),
        pytest.param(
            httpx.Response(429, headers={"retry-after": "900"}), Retry(replies=1), 1, RateLimitError, id="too long"
        ),
        pytest.param(httpx.Response(500), Retry(replies=1), 1, ServerError, id="500: it may have been done"),
    ],
)
def test_nothing_is_sent_twice_unless_that_does_no_harm(
    failure: Any, retry: Retry | None, requests: int, raised: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("masking.clients.shell.time.sleep", waits.append)
    flaky = Flaky(failure)
    client = RdsAI(credentials=KEY, transport=flaky, retry=retry)
    if raised is None:
        assert client.chat("hi").text == "ok"
        assert waits == [2.0 if getattr(failure, "headers", {}).get("retry-after") else 0.5]
    else:
        with pytest.raises(raised):
            client.chat("hi")
        assert waits == []
    nonces = [request.headers["x-acs-signature-nonce"] for request in flaky.requests]

    assert len(set(nonces)) == len(nonces) == requests


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"x-acs-retry-after": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "20"}, 0.02),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_service_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_an_error_carries_how_long_to_wait(server: Server) -> None:
    server.answer = lambda seen: whole({"Code": "Throttling.User"}, 400, x_acs_retry_after="2500")
    with made("DMS", server.url, None) as client, pytest.raises(RateLimitError) as caught:
        client.chat("hi")

    assert caught.value.retry_after == 2.5


def test_silence_longer_than_the_timeout_is_an_error_and_the_usual_one_is_long(server: Server) -> None:
    rest = threading.Event()
    server.answer = lambda seen: Out(
        chunks=[data(output(text="a")), b"x"], content_type="text/event-stream", pause=rest
    )
    with DashScopeApp("a", api_key="sk-fake", base_url=server.url, timeout=0.2) as client:
        stream = client.stream(TEXT)
        assert next(stream).text == "a"
        with pytest.raises(TransportError, match="silent") as caught:
            next(stream)
    rest.set()

    assert caught.value.sent
    assert masking.clients.sending.TIMEOUT.read == 300.0


def test_addresses_never_reach_a_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    with made("RdsAI", server.url, None) as client:
        client.chat(TEXT)

    assert PHONE not in caplog.text
    assert "Query" not in caplog.text


# Parameters

RANGES = [
    ("temperature", [0, 0.0, 1, 1.999], [-0.1, 2, 2.0, float("nan"), float("inf"), "1", True]),
    ("top_p", [0.001, 1, 1.0], [0, 0.0, 1.01, float("nan"), "0.5"]),
    ("top_k", [0, 100], [-1, 1.5, "1", True]),
    ("max_tokens", [1, 10**6], [0, -1, 1.0]),
    ("seed", [0, 2**31 - 1], [-1, 2**31, 1.0]),
    ("presence_penalty", [-2, 0.0, 2], [-2.1, 2.1]),
    ("thinking_budget", [1], [0, "1"]),
    ("top_logprobs", [0, 5], [-1, 6]),
    ("response_format", ["text", "json_object"], ["json", {"type": "text"}]),
    ("stop", [[], ["a"]], ["a", [1]]),
    ("enable_search", [True, False], ["true", 1, 0]),
    ("search_options", [{}, {"a": 1}], ["{}", []]),
    ("modalities_list", [["text"]], ["text"]),
    ("audio_json", ['{"a":1}', {"a": 1}], [1, []]),
    ("desensitization_rule", ["UserInfo"], [1, ["UserInfo"]]),
    ("instance_id", [1], [0, "1"]),
    ("messages", [[], [{"role": "user", "content": None}]], ["hi", [{}], [{"role": 1}], ["x"], [{"content": "x"}]]),
]


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(name, value, id=f"{name}={value}") for name, good, _ in RANGES for value in good]
)
def test_a_value_within_its_range_is_sent(name: str, value: Any) -> None:
    client = DMS(1, credentials=KEY)

    assert client.prepare({name: value}, stream=False).query


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(name, value, id=f"{name}={value}") for name, _, bad in RANGES for value in bad]
)
def test_a_value_outside_its_range_is_refused_by_name(name: str, value: Any) -> None:
    wire = str(DMSParameters.model_fields[name].alias)
    client = DMS(1, credentials=KEY)
    for spelled in (name, wire):
        with pytest.raises(ParameterError) as caught:
            client.prepare({spelled: value}, stream=False)
        assert caught.value.parameter.partition(".")[0] in (name, wire)
        assert str(caught.value).startswith(caught.value.parameter)


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=6))
def test_no_refusal_shows_what_was_given(secret: str) -> None:
    client = DMS(1, credentials=KEY)
    odd = "".join(f"{ord(character):04x}" for character in secret[:8]) + "!"  # a text that no message has by chance
    for values in (
        {"messages": [{"content": odd}]},
        {"messages": odd},
        {"response_format": odd},
        {"temperature": odd},
        {"stop": [1, odd]},
        {"search_options": {odd: float("nan")}},
        {"search_options": {"a": odd.encode()}},
        {"messages": [{"role": "user", "content": odd + "\ud800"}]},
        {"seed": odd},
    ):
        with pytest.raises(ParameterError) as caught:
            client.prepare(values, stream=False)
        assert odd not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        pytest.param(
            "DMS", {"temprature": 1}, "no such parameter; it has InstanceId, Messages", id="a slip of the pen"
        ),
        pytest.param("DMS", {"tools": []}, "no such parameter", id="a parameter of the stream only"),
        pytest.param("DMS", {"seed": 1, "Seed": 2}, "Seed: given twice", id="two spellings of one name"),
        pytest.param("DashScopeApp", {"rag_options": {"pipelines": []}}, "rag_options", id="an unknown option"),
        pytest.param("DashScopeApp", {"rag_options": {"file_ids": "f"}}, "file_ids has the wrong type", id="no list"),
        pytest.param("DashScopeApp", {"flow_stream_mode": "x"}, "full_thoughts", id="a mode that is none"),
        pytest.param("DashScopeApp", {"extra": {"temperature": 9}}, "has a name of its own", id="around the range"),
        pytest.param("DashScopeApp", {"prompt": None}, "give a prompt", id="nothing said"),
        pytest.param("DashScopeGeneration", {"model": None}, "give a model", id="no model"),
        pytest.param("DashScopeGeneration", {"n": 5}, "n: .*1..4", id="too many answers"),
        pytest.param("OpenAICompatible", {"model": None}, "give model", id="no model, compatible"),
        pytest.param("OpenAICompatible", {"temperature": 2.1}, r"\[0, 2\]", id="OpenAI's own range"),
        pytest.param("RdsAI", {"query": None}, "give a question", id="no question"),
        pytest.param("RdsAI", {"event_mode": "x"}, "inline", id="no such event mode"),
        pytest.param("RdsAI", {"files": [{"Path": "x"}]}, "UploadFileId", id="a file of another shape"),
    ],
)
def test_a_wrong_parameter_is_named_and_nothing_is_sent(
    name: str, values: dict[str, Any], message: str, server: Server
) -> None:
    with made(name, server.url, None) as client, pytest.raises(ParameterError, match=message):
        client.chat(**{**_said(name), **more(name), **values})

    assert server.seen == []


def _said(name: str) -> dict[str, Any]:
    if name == "RdsAI":
        return {"query": "hi"}
    return {"prompt": "hi"} if name == "DashScopeApp" else {"messages": [{"role": "user", "content": "hi"}]}


def test_what_cannot_be_used_is_refused_when_the_client_is_made() -> None:
    with pytest.raises(ParameterError, match="app_id"):
        DashScopeApp("../x", api_key="k")
    for key in ("", "a b", "k\n", "клю"):
        with pytest.raises(ParameterError, match="key"):
            OpenAICompatible(api_key=key)
    client = OpenAICompatible(api_key="k")
    client.close()
    with pytest.raises(ParameterError, match="closed"):
        client.chat("hi", model="m")
    with pytest.raises(ParameterError, match="one text"):
        RdsAI(credentials=KEY).chat([{"role": "user", "content": "hi"}])
