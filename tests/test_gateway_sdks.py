"""Unmodified SDKs at one port: what leaves is masked, what comes back is restored, streamed and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_server import Watched, serving
from tea import tea_config

from masking.gateway import Server

PHONE = "13800138000"
PROMPT = f"我的手机号是{PHONE}。"
USER = {"role": "user", "content": PROMPT}
PLACEHOLDER = "<PHONE_NUMBER_1>"


@pytest.fixture(scope="module")
def upstream() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def server(upstream: Watched) -> Iterator[Server]:
    with serving(upstream) as server:
        yield server


@pytest.fixture(autouse=True)
def _masked(request: pytest.FixtureRequest, upstream: Watched) -> Iterator[None]:
    """Whatever a test does: its request left masked."""
    upstream.seen.clear()
    yield
    if "lists" in request.fixturenames:
        return  # nothing of the user's travels with it
    assert PLACEHOLDER in upstream.text
    assert PHONE not in upstream.text


@pytest.mark.parametrize("base", ["/v1", "/compatible-mode/v1"])
def test_openai(server: Server, base: str) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key="none", base_url=server.url + base) as client:
        whole = client.chat.completions.create(model="m", messages=[USER])
        stream = list(client.chat.completions.create(model="m", messages=[USER], stream=True))
        answer = client.responses.create(model="m", input=PROMPT)
        events = list(client.responses.create(model="m", input=PROMPT, stream=True))
        models = list(client.models.list())

    assert PROMPT in whole.choices[0].message.content
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == whole.choices[0].message.content
    assert len(stream) > 5
    assert PROMPT in answer.output_text
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == answer.output_text
    assert models


def test_anthropic(server: Server) -> None:
    anthropic = pytest.importorskip("anthropic")
    with anthropic.Anthropic(api_key="none", base_url=server.url) as client:
        whole = client.messages.create(model="m", max_tokens=99, messages=[USER])
        with client.messages.stream(model="m", max_tokens=99, messages=[USER]) as stream:
            text = "".join(stream.text_stream)

    assert PROMPT in whole.content[0].text
    assert text == whole.content[0].text


def test_gemini(server: Server) -> None:
    genai = pytest.importorskip("google.genai")
    client = genai.Client(api_key="none", http_options={"base_url": server.url})
    try:
        whole = client.models.generate_content(model="m", contents=PROMPT)
        text = "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model="m", contents=PROMPT))
    finally:
        client.close()

    assert PROMPT in whole.text
    assert text == whole.text


def test_ollama(server: Server) -> None:
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(host=server.url)
    whole = client.chat(model="m", messages=[USER])
    text = "".join(part.message.content for part in client.chat(model="m", messages=[USER], stream=True))
    client.close()

    assert PROMPT in whole.message.content
    assert text == whole.message.content


@pytest.mark.parametrize("incremental", [None, True, False])
def test_model_studio_applications(server: Server, incremental: bool | None) -> None:
    dashscope = pytest.importorskip("dashscope")
    options: dict[str, Any] = {"api_key": "none", "base_address": f"{server.url}/api/v1", "app_id": "a"}
    whole = dashscope.Application.call(**options, prompt=PROMPT)
    kind = {} if incremental is None else {"incremental_output": incremental}
    items = list(dashscope.Application.call(**options, prompt=PROMPT, stream=True, **kind))
    texts = [item.output.text for item in items]

    assert [item.status_code for item in items] == [200] * len(items)
    assert PROMPT in whole.output.text
    assert ("".join(texts) if incremental else texts[-1]) == whole.output.text


@pytest.mark.parametrize("incremental", [True, False])
def test_model_studio_generation(server: Server, incremental: bool) -> None:
    dashscope = pytest.importorskip("dashscope")
    options: dict[str, Any] = {
        "api_key": "none", "base_address": f"{server.url}/api/v1", "model": "qwen-plus", "messages": [USER],
        "result_format": "message",
    }  # fmt: skip
    whole = dashscope.Generation.call(**options)
    items = list(dashscope.Generation.call(**options, stream=True, incremental_output=incremental))
    texts = [item.output.choices[0].message.content for item in items]

    assert PROMPT in whole.output.choices[0].message.content
    assert ("".join(texts) if incremental else texts[-1]) == whole.output.choices[0].message.content


@pytest.mark.parametrize("mode", ["full_thoughts", "agent_format", "message_format", "message_format_plus"])
def test_workflows_as_both_of_model_studios_clients_read_them(server: Server, mode: str) -> None:
    dashscope = pytest.importorskip("dashscope")
    options = {"has_thoughts": True, "flow_stream_mode": mode, "incremental_output": True}
    address = f"{server.url}/api/v1"
    old = list(
        dashscope.Application.call(
            api_key="none", base_address=address, app_id="a", prompt=PROMPT, stream=True, **options
        )
    )
    with dashscope.Client(api_key="none", base_url=address) as client:
        ask = client.apps.completions.create
        new = list(ask(app_id="a", prompt=PROMPT, stream=True, parameters=options))

    assert [item.text for item in new] == [item.output.get("text") for item in old]
    assert [item.workflow_message is None for item in new] == [not item.output.workflow_message for item in old]
    if mode == "message_format":
        assert PROMPT in "".join(item.workflow_message.message.content for item in new if item.workflow_message)
        # A boolean on the documented wire; the 2.x client raises on anything but a string.
        assert [one.output.workflow_message["node_is_completed"] for one in old[-3:-1]] == [False, True]
        assert [one.workflow_message.node_is_completed for one in new[-3:-1]] == ["false", "true"]


@pytest.fixture
def tea(server: Server) -> Any:
    return tea_config(server.url)


def test_dms(tea: Any) -> None:
    dms = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client(tea)
    models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    options = {"instance_id": 1, "messages": [USER], "need_desensitization": True, "desensitization_rule": "UserInfo"}
    whole = dms.chat_with_desensitize(models.ChatWithDesensitizeRequest(**options)).body
    request = models.ChatWithDesensitizeSSERequest(**options)
    events = [event.body for event in dms.chat_with_desensitize_ssewith_sse(request, runtime)]
    text = "".join(json.loads(event.data)["choices"][0]["delta"].get("content", "") for event in events)

    assert PROMPT in whole.data.choices[0].message.content
    assert text == whole.data.choices[0].message.content


def test_rds_ai(tea: Any) -> None:
    rds = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(tea)
    models = pytest.importorskip("alibabacloud_rdsai20250507.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    request = models.ChatMessagesRequest(query=PROMPT, conversation_id="c-1")
    events = [event.body for event in rds.chat_messages_with_sse(request, runtime)]

    assert PROMPT in "".join(event.answer for event in events if event.event == "message")
    assert events[-1].event == "finish"


def test_a_question_of_a_megabyte_in_the_url(tea: Any) -> None:
    rds = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(tea)
    models = pytest.importorskip("alibabacloud_rdsai20250507.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    long = "磁盘" * 55_000 + PROMPT
    events = [event.body for event in rds.chat_messages_with_sse(models.ChatMessagesRequest(query=long), runtime)]

    assert long in "".join(event.answer for event in events if event.event == "message")


def by_openai(server: Server) -> list[str]:
    with pytest.importorskip("openai").OpenAI(api_key="none", base_url=f"{server.url}/v1") as client:
        return [*(one.id for one in client.models.list()), client.models.retrieve("echo").id]


def by_anthropic(server: Server) -> list[str]:
    with pytest.importorskip("anthropic").Anthropic(api_key="none", base_url=server.url) as client:
        return [*(one.id for one in client.models.list()), client.models.retrieve("echo").id]


def by_gemini(server: Server) -> list[str]:
    client = pytest.importorskip("google.genai").Client(api_key="none", http_options={"base_url": server.url})
    try:
        return [*(one.name for one in client.models.list()), client.models.get(model="echo").name]
    finally:
        client.close()


def by_ollama(server: Server) -> list[str]:
    client = pytest.importorskip("ollama").Client(host=server.url)
    try:
        return [*(one.model for one in client.list().models), *(one.model for one in client.ps().models)]
    finally:
        client.close()


@pytest.mark.parametrize("lists", [by_openai, by_anthropic, by_gemini, by_ollama])
def test_models_are_listed_as_each_sdk_reads_them(server: Server, lists: Any) -> None:
    found = lists(server)

    assert found
    assert {name.removeprefix("models/").removesuffix(":latest") for name in found} == {"echo"}


def test_tokens_are_counted_of_the_masked_text(server: Server) -> None:
    anthropic, genai = pytest.importorskip("anthropic"), pytest.importorskip("google.genai")
    with anthropic.Anthropic(api_key="none", base_url=server.url) as client:
        counted = client.messages.count_tokens(model="m", messages=[USER]).input_tokens
    google = genai.Client(api_key="none", http_options={"base_url": server.url})
    total = google.models.count_tokens(model="m", contents=PROMPT).total_tokens
    google.close()

    assert counted == total > 0


@pytest.fixture(scope="module")
def named(upstream: Watched, userinfo: Any) -> Iterator[Server]:
    """With the models that find names."""
    del userinfo  # skips where they are not installed
    with serving(upstream, names="on") as server:
        yield server


def test_names_are_found_and_nobody_else_waits_for_them(named: Server, upstream: Watched) -> None:
    import threading

    import httpx

    long = f"我叫王小明，电话{PHONE}。" + "今天我们去北京的公园散步。" * 4_000
    body = {"model": "m", "messages": [{"role": "user", "content": long}]}
    answers: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{named.url}/v1/chat/completions", json=body, timeout=120))
    )
    asking.start()
    count = 0
    while asking.is_alive():
        httpx.get(f"{named.url}/healthz").raise_for_status()
        count += 1
    asking.join()

    assert long in answers[0].json()["choices"][0]["message"]["content"]
    assert "王小明" not in upstream.text
    assert "<PERSON_1>" in upstream.text
    assert count > 3
