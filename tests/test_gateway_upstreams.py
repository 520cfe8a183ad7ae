"""Behind the gateway: the API itself over HTTP, signed anew; a server that speaks OpenAI's API, translated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import pytest
from echo_server import Server as EchoServer
from echo_server import serving as echoing
from gateway_server import serving
from tea import tea_config

from masking.core.acs3 import Received, verify
from masking.gateway import Server

PHONE = "13800138000"
PROMPT = f"我的手机号是{PHONE}。"
USER = {"role": "user", "content": PROMPT}
PLACEHOLDER = "<PHONE_NUMBER_1>"
SECRET = "upstreamSecret0001"


@pytest.fixture
def upstream() -> Iterator[EchoServer]:
    with echoing() as server:
        yield server


def sent(upstream: EchoServer) -> str:
    return "\n".join(unquote_plus(path) + "\n" + unquote_plus(body.decode()) for path, _, body in upstream.seen)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UP_ID", "upstreamId")
    monkeypatch.setenv("UP_SECRET", SECRET)
    monkeypatch.setenv("UP_KEY", "upstream-key")


def tea(server: Server) -> Any:
    return tea_config(server.url)


def dms(server: Server, **options: Any) -> tuple[Any, list[Any]]:
    client = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client(tea(server))
    models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    options = {"instance_id": 1, "messages": [USER], "model": "qwen-plus", **options}
    whole = client.chat_with_desensitize(models.ChatWithDesensitizeRequest(**options)).body
    request = models.ChatWithDesensitizeSSERequest(**options)
    return whole, [event.body for event in client.chat_with_desensitize_ssewith_sse(request, runtime)]


def rds(server: Server, query: str, conversation: str | None = None) -> list[Any]:
    client = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(tea(server))
    models = pytest.importorskip("alibabacloud_rdsai20250507.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    request = models.ChatMessagesRequest(query=query, conversation_id=conversation)
    return [event.body for event in client.chat_messages_with_sse(request, runtime)]


@pytest.mark.usefixtures("keys")
def test_a_masked_request_is_signed_anew(upstream: EchoServer) -> None:
    pair = {"id": {"env": "UP_ID"}, "secret": {"env": "UP_SECRET"}}
    own = {"api": "dms", "url": upstream.url, "access_key": pair}
    with serving(upstreams={"own": own}, routes={"dms": {"upstream": "own"}}) as server:
        whole, events = dms(server)

    assert PROMPT in whole.data.choices[0].message.content
    assert "".join(json.loads(event.data)["choices"][0]["delta"].get("content", "") for event in events) == (
        whole.data.choices[0].message.content
    )
    assert PLACEHOLDER in sent(upstream)
    assert PHONE not in sent(upstream)
    for path, headers, body in upstream.seen:
        received = Received("POST", "/", path.partition("?")[2], headers, body)
        from calendar import timegm
        from time import strptime

        now = timegm(strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ"))
        assert verify(received, {"upstreamId": SECRET}.get, now) == "upstreamId"


@pytest.mark.usefixtures("keys")
def test_the_upstreams_key_takes_the_place_of_the_clients(upstream: EchoServer) -> None:
    openai = pytest.importorskip("openai")
    own = {"api": "openai", "url": f"{upstream.url}/v1", "key": {"env": "UP_KEY"}}
    with (
        serving(upstreams={"own": own}, routes={"openai": {"upstream": "own"}}) as server,
        openai.OpenAI(api_key="mine", base_url=f"{server.url}/v1") as client,
    ):
        stream = client.chat.completions.create(model="m", messages=[USER], stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert PROMPT in text
    path, headers, _ = upstream.seen[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer upstream-key"
    assert PHONE not in sent(upstream)


@pytest.fixture
def translated(upstream: EchoServer) -> Iterator[Server]:
    own = {"api": "openai", "url": f"{upstream.url}/v1", "model": "qwen-plus"}
    routes = {name: {"upstream": "own"} for name in ("dms", "rdsai", "dashscope", "anthropic")}
    with serving(upstreams={"own": own}, routes=routes) as server:
        yield server
    assert PHONE not in sent(upstream)
    assert {path for path, _, _ in upstream.seen} == {"/v1/chat/completions"}


def test_dms_from_a_chat_completion(translated: Server) -> None:
    whole, events = dms(translated, temperature="0.5", need_desensitization=True, desensitization_rule="UserInfo")

    assert PROMPT in whole.data.choices[0].message.content
    deltas = [json.loads(event.data)["choices"][0]["delta"].get("content") or "" for event in events]
    assert "".join(deltas) == whole.data.choices[0].message.content
    assert len(deltas) > 5


def test_rds_ai_from_a_chat_completion_keeps_the_conversation(translated: Server, upstream: EchoServer) -> None:
    first = rds(translated, PROMPT)
    name = first[0].conversation_id
    second = rds(translated, f"再说一遍{PHONE}，另有13900139000。", name)
    texts = ["".join(event.answer for event in events if event.event == "message") for events in (first, second)]

    assert PROMPT in texts[0]
    assert PHONE in texts[1]
    assert "13900139000" in texts[1]
    assert second[0].conversation_id == name
    said = json.loads(upstream.seen[1][2])["messages"]
    assert [turn["role"] for turn in said] == ["user", "assistant", "user"]
    assert said[0]["content"] == f"我的手机号是{PLACEHOLDER}。"
    assert said[2]["content"] == f"再说一遍{PLACEHOLDER}，另有<PHONE_NUMBER_2>。"


@pytest.mark.parametrize("incremental", [None, True, False])
def test_model_studio_applications_from_a_chat_completion(translated: Server, incremental: bool | None) -> None:
    dashscope = pytest.importorskip("dashscope")
    options: dict[str, Any] = {"api_key": "none", "base_address": f"{translated.url}/api/v1", "app_id": "a"}
    whole = dashscope.Application.call(**options, prompt=PROMPT)
    kind = {} if incremental is None else {"incremental_output": incremental}
    items = list(dashscope.Application.call(**options, prompt=PROMPT, stream=True, **kind))
    again = dashscope.Application.call(**options, prompt="再说一遍", session_id=whole.output.session_id)
    texts = [item.output.text for item in items]

    assert [item.status_code for item in items] == [200] * len(items)
    assert PROMPT in whole.output.text
    assert ("".join(texts) if incremental else texts[-1]) == whole.output.text
    assert [item.output.finish_reason for item in items] == ["null"] * (len(items) - 1) + ["stop"]
    assert again.output.session_id == whole.output.session_id
    assert "3 条消息" in again.output.text


@pytest.mark.parametrize("incremental", [True, False])
def test_generation_from_a_chat_completion(translated: Server, incremental: bool) -> None:
    dashscope = pytest.importorskip("dashscope")
    options: dict[str, Any] = {
        "api_key": "none", "base_address": f"{translated.url}/api/v1", "model": "qwen-plus", "messages": [USER],
        "result_format": "message", "enable_thinking": True,
    }  # fmt: skip
    whole = dashscope.Generation.call(**options)
    items = list(dashscope.Generation.call(**options, stream=True, incremental_output=incremental))
    texts = [item.output.choices[0].message.content for item in items]

    assert PROMPT in whole.output.choices[0].message.content
    assert ("".join(texts) if incremental else texts[-1]) == whole.output.choices[0].message.content


@pytest.mark.parametrize("incremental", [True, False])
def test_a_multimodal_conversation_from_a_chat_completion(
    translated: Server, upstream: EchoServer, incremental: bool
) -> None:
    dashscope = pytest.importorskip("dashscope")
    image = "https://example.com/a.png"
    options: dict[str, Any] = {
        "api_key": "none", "base_address": f"{translated.url}/api/v1", "model": "qwen-vl-plus",
        "messages": [{"role": "user", "content": [{"image": image}, {"text": PROMPT}]}],
    }  # fmt: skip
    whole = dashscope.MultiModalConversation.call(**options)
    items = list(dashscope.MultiModalConversation.call(**options, stream=True, incremental_output=incremental))
    texts = ["".join(part["text"] for part in item.output.choices[0].message.content) for item in items]
    sent = json.loads(upstream.seen[0][2])["messages"][0]["content"]

    assert PROMPT in whole.output.choices[0].message.content[0]["text"]
    assert PROMPT in ("".join(texts) if incremental else texts[-1])
    assert sent[0] == {"type": "image_url", "image_url": {"url": image}}
    assert sent[1] == {"type": "text", "text": f"我的手机号是{PLACEHOLDER}。"}


def test_tool_calls_of_generation_from_a_chat_completion(translated: Server) -> None:
    dashscope = pytest.importorskip("dashscope")
    stream = dashscope.Generation.call(
        api_key="none", base_address=f"{translated.url}/api/v1", model="qwen-plus", result_format="message",
        messages=[{"role": "user", "content": f"调用send {PHONE}"}], stream=True, incremental_output=False,
        tools=[{"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}],
    )  # fmt: skip
    call = list(stream)[-1].output.choices[0].message.tool_calls[0]

    assert call["function"]["name"] == "send"
    assert json.loads(call["function"]["arguments"]) == {"text": f"调用send {PHONE}"}


def test_anthropic_from_a_chat_completion(translated: Server) -> None:
    anthropic = pytest.importorskip("anthropic")
    tools = [{"name": "send", "input_schema": {"type": "object"}}]
    with anthropic.Anthropic(api_key="none", base_url=translated.url) as client:
        whole = client.messages.create(model="m", max_tokens=99, messages=[USER], system="Be short.")
        with client.messages.stream(model="m", max_tokens=99, messages=[USER]) as stream:
            text = "".join(stream.text_stream)
        said = [{"role": "user", "content": f"call send {PHONE}"}]
        with client.messages.stream(model="m", max_tokens=99, messages=said, tools=tools) as stream:
            called = stream.get_final_message()

    assert PROMPT in whole.content[0].text
    assert PROMPT in text
    assert called.stop_reason == "tool_use"
    assert called.content[0].input == {"text": f"call send {PHONE}"}
