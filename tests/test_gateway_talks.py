"""Every SDK, unmodified, through whole talks: several turns, tools, and errors before and within a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gateway_server import Watched, serving
from talks import ID, KEY, SECRET, TALKS, Talk

from masking.echo import Manner
from masking.gateway import Server

PHONE, OTHER = "13800138000", "13900139000"
FIRST = f"我的手机号是{PHONE}。"
SECOND = f"另一个号码是{OTHER}，不是{PHONE}。"
MASKED = "另一个号码是<PHONE_NUMBER_2>，不是<PHONE_NUMBER_1>。"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", KEY)
    monkeypatch.setenv("SHOP_ID", ID)
    monkeypatch.setenv("SHOP_SECRET", SECRET)


CLIENTS = [
    {
        "name": "shop",
        "keys": [{"env": "SHOP_KEY"}],
        "access_keys": [{"id": {"env": "SHOP_ID"}, "secret": {"env": "SHOP_SECRET"}}],
    }
]


@pytest.fixture
def upstream() -> Watched:
    return Watched()


@pytest.fixture
def server(upstream: Watched, secrets: None) -> Iterator[Server]:
    del secrets
    with serving(upstream, clients=CLIENTS) as server:
        yield server


@pytest.fixture(params=TALKS, ids=lambda one: one.__name__)
def talk(request: pytest.FixtureRequest, server: Server) -> Iterator[Talk]:
    made: Talk = request.param(server.url)
    with made.stack:
        yield made


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_talk_of_several_turns(talk: Talk, upstream: Watched, stream: bool) -> None:
    first = talk.say(FIRST, stream=stream)
    second = talk.say(SECOND, stream=stream)
    third = talk.say(f"再说{PHONE}", stream=stream)

    assert FIRST in first
    assert SECOND in second
    assert f"再说{PHONE}" in third
    assert PHONE not in upstream.text
    assert OTHER not in upstream.text
    assert MASKED in unescaped(upstream.text)
    assert "再说<PHONE_NUMBER_1>" in unescaped(upstream.text)


def unescaped(text: str) -> str:
    """Without JSON's escapes, which some SDKs use."""
    return text if text.isascii() is False else text.encode("ascii").decode("unicode_escape")


# What the SDK of each API raises for a key that is not known here, and what the error says.
REFUSED = {
    "OpenAiChat": ("AuthenticationError", "invalid_api_key"),
    "Compatible": ("AuthenticationError", "invalid_api_key"),
    "OpenAiResponses": ("AuthenticationError", "invalid_api_key"),
    "Anthropic": ("AuthenticationError", "authentication_error"),
    "Gemini": ("ClientError", "UNAUTHENTICATED"),
    "Ollama": ("ResponseError", "API key"),
    "Application": ("Told", "InvalidApiKey"),
    "Generation": ("Told", "InvalidApiKey"),
    "NewApplication": ("AuthenticationError", "InvalidApiKey"),
    "NewChat": ("AuthenticationError", "InvalidApiKey"),
    "NewCompatible": ("AuthenticationError", "invalid_api_key"),
    "NewMessages": ("AuthenticationError", "invalid_api_key"),
    "Dms": ("ClientException", "SignatureDoesNotMatch"),
    "RdsAi": ("UnretryableException", "SignatureDoesNotMatch"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_error_before_the_answer_is_the_sdks_own(talk: Talk, upstream: Watched, stream: bool) -> None:
    talk.key, talk.secret = "sk-guessed-0002", "guessedSecret"
    kind, what = REFUSED[talk.api()]
    with pytest.raises(Exception) as caught:
        talk.say(FIRST, stream=stream)

    if (kind, stream) == ("ClientException", True):
        kind = "UnretryableException"  # Tea's own, where an operation streams
    assert type(caught.value).__name__ == kind
    assert what in str(caught.value) + str(getattr(caught.value, "code", ""))
    assert PHONE not in str(caught.value)
    assert not upstream.seen


# What it raises when the upstream's connection breaks in the middle of the answer.
BROKEN = {
    "OpenAiChat": "APIError",
    "Compatible": "APIError",
    "OpenAiResponses": "APIError",
    "Anthropic": "APIStatusError",
    "Gemini": "ServerError",
    "Ollama": "ResponseError",
    "Application": "Told",
    "Generation": "Told",
    "NewApplication": "DashScopeError",
    "NewChat": "DashScopeError",
    "NewCompatible": "DashScopeError",
    "NewMessages": "DashScopeError",
    "Dms": "Told",
    "RdsAi": "Told",
}


@pytest.mark.parametrize("kind", TALKS, ids=lambda one: one.__name__)
@pytest.mark.usefixtures("secrets")
def test_a_stream_that_breaks_is_an_error_and_never_a_whole_answer(kind: type[Talk]) -> None:
    with serving(Watched(manner=Manner(breaks_after=6)), clients=CLIENTS) as server:
        talk = kind(server.url)
        with talk.stack, pytest.raises(Exception) as caught:
            talk.say(FIRST, stream=True)

    assert PHONE not in str(caught.value)
    assert type(caught.value).__name__ == BROKEN[kind.api()], repr(caught.value)


# Tools

TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}}  # fmt: skip
CALL = f"call send {PHONE}"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_openai_calls_a_tool_and_reads_its_result(server: Server, upstream: Watched, stream: bool) -> None:
    openai = pytest.importorskip("openai")
    history: list[Any] = [{"role": "user", "content": CALL}]
    with openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        if stream:
            with client.chat.completions.stream(model="m", messages=history, tools=[TOOL]) as events:
                message = events.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(model="m", messages=history, tools=[TOOL]).choices[0].message
        call = message.tool_calls[0]
        history += [message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})]
        history += [{"role": "tool", "tool_call_id": call.id, "content": f"sent to {PHONE}"}]
        last = client.chat.completions.create(model="m", messages=history, tools=[TOOL]).choices[0].message.content

    assert json.loads(call.function.arguments) == {"text": CALL}
    assert f"sent to {PHONE}" in last
    assert PHONE not in upstream.text


def test_anthropic_calls_a_tool_and_reads_its_result(server: Server, upstream: Watched) -> None:
    anthropic = pytest.importorskip("anthropic")
    tools = [{"name": "send", "input_schema": {"type": "object"}}]
    history: list[Any] = [{"role": "user", "content": CALL}]
    with anthropic.Anthropic(api_key=KEY, base_url=server.url) as client:
        with client.messages.stream(model="m", max_tokens=99, messages=history, tools=tools) as events:
            message = events.get_final_message()
        call = message.content[0]
        history += [
            {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call.id, "content": f"sent to {PHONE}"}],
            },
        ]
        last = client.messages.create(model="m", max_tokens=99, messages=history, tools=tools).content[0].text

    assert call.input == {"text": CALL}
    assert last
    assert PHONE not in upstream.text


def test_gemini_calls_a_tool(server: Server, upstream: Watched) -> None:
    genai = pytest.importorskip("google.genai")
    client = genai.Client(api_key=KEY, http_options={"base_url": server.url})
    tools = [{"function_declarations": [{"name": "send", "parameters": {"type": "OBJECT"}}]}]
    try:
        chunks = list(client.models.generate_content_stream(model="m", contents=CALL, config={"tools": tools}))
    finally:
        client.close()
    calls = [call for chunk in chunks for call in chunk.function_calls or ()]

    assert [(call.name, call.args) for call in calls] == [("send", {"text": CALL})]
    assert PHONE not in upstream.text


def test_ollama_calls_a_tool(server: Server, upstream: Watched) -> None:
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(host=server.url, headers={"authorization": f"Bearer {KEY}"})
    parts = list(client.chat(model="m", messages=[{"role": "user", "content": CALL}], tools=[TOOL], stream=True))
    client.close()
    calls = [call.function for part in parts for call in part.message.tool_calls or ()]

    assert [(call.name, dict(call.arguments)) for call in calls] == [("send", {"text": CALL})]
    assert PHONE not in upstream.text


@pytest.mark.parametrize("incremental", [True, False])
def test_generation_calls_a_tool(server: Server, upstream: Watched, incremental: bool) -> None:
    dashscope = pytest.importorskip("dashscope")
    items = list(
        dashscope.Generation.call(
            api_key=KEY, base_address=f"{server.url}/api/v1", model="qwen-plus", result_format="message", tools=[TOOL],
            messages=[{"role": "user", "content": CALL}], stream=True, incremental_output=incremental,
        )
    )  # fmt: skip
    found = [call["function"] for item in items for call in item.output.choices[0].message.get("tool_calls") or ()]
    arguments = "".join(one.get("arguments", "") for one in found) if incremental else found[-1]["arguments"]

    assert json.loads(arguments) == {"text": CALL}
    assert PHONE not in upstream.text
