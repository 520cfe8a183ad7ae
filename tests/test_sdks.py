"""Vendors' own SDKs through the masking transports: openai (responses), anthropic, google-genai, ollama, over loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anthropic
import ollama
import openai
import pytest
from echo_server import Server, serving
from google import genai
from google.genai import types

import masking.httpx
import masking.httpx2
from masking import echo
from masking.core.descriptor import Descriptors, load
from masking.core.samples import session_of

ROOT = Path(__file__).parents[1]
DESCRIPTORS = Descriptors(load(path.read_text("utf-8"), path.name) for path in (ROOT / "providers").glob("*.yaml"))
VALUES = {"<PERSON_1>": "张三", "<EMAIL_ADDRESS_1>": "zhang.san@example.com"}
PROMPT = "我是张三，邮箱 zhang.san@example.com。"
MASKED = "我是<PERSON_1>，邮箱 <EMAIL_ADDRESS_1>。"
SAID = echo.answer([{"role": "user", "content": PROMPT}])
CALL = "调用send，给张三"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string", "description": "写给张三"}}}


def new_session() -> Any:
    return session_of(VALUES)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def arrived(server: Server) -> str:
    """All that the server was sent, decoded; nothing of it may be a value."""
    assert server.seen
    said = [
        unquote(path) + (json.dumps(json.loads(body), ensure_ascii=False) if body else "")
        for path, _, body in server.seen
    ]
    assert not any(value in text for text in said for value in VALUES.values())
    return "\n".join(said)


# OpenAI responses


@pytest.fixture
def gpt(server: Server) -> Iterator[openai.OpenAI]:
    with (
        masking.httpx2.client(new_session, DESCRIPTORS) as http,
        openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", http_client=http) as client,
    ):
        yield client


def test_openai_responses_are_restored(gpt: openai.OpenAI, server: Server) -> None:
    answer = gpt.responses.create(model="m", instructions="帮助张三", input=PROMPT, reasoning={"summary": "auto"})

    assert answer.output_text == SAID
    assert answer.instructions == "帮助张三"
    assert answer.output[0].summary[0].text == f"The user says: {PROMPT}"
    assert MASKED in arrived(server)


def test_openai_responses_stream_pieces_and_repeat_them_whole(gpt: openai.OpenAI, server: Server) -> None:
    with gpt.responses.stream(model="m", input=PROMPT, reasoning={"summary": "auto"}) as stream:
        events = list(stream)
        final = stream.get_final_response()
    by_type: dict[str, list[Any]] = {}
    for event in events:
        by_type.setdefault(event.type, []).append(event)

    assert "".join(event.delta for event in by_type["response.output_text.delta"]) == SAID
    assert by_type["response.output_text.done"][0].text == SAID
    thought = "".join(event.delta for event in by_type["response.reasoning_summary_text.delta"])
    assert thought == f"The user says: {PROMPT}"
    assert final.output_text == SAID
    assert [event.sequence_number for event in events] == list(range(len(events)))
    arrived(server)


def test_openai_responses_call_tools(gpt: openai.OpenAI, server: Server) -> None:
    tools: Any = [
        {"type": "function", "name": "send", "description": "写信给张三", "parameters": SCHEMA, "strict": False}
    ]
    first = gpt.responses.create(model="m", input=CALL, tools=tools)
    call: Any = first.output[0]
    with gpt.responses.stream(model="m", input=CALL, tools=tools) as stream:
        deltas = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]

    assert json.loads(call.arguments) == json.loads("".join(deltas)) == {"text": CALL}

    result = {"type": "function_call_output", "call_id": call.call_id, "output": "已发给张三"}
    again: Any = [{"role": "user", "content": CALL}, call.model_dump(exclude_none=True), result]
    second = gpt.responses.create(model="m", input=again, tools=tools)
    assert "已发给张三" in second.output_text
    arrived(server)


# Anthropic


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    with (
        masking.httpx2.client(new_session, DESCRIPTORS) as http,
        anthropic.Anthropic(api_key="none", base_url=server.url, http_client=http) as client,
    ):
        yield client


def test_anthropic_messages_are_restored_and_thinking_is_not(claude: anthropic.Anthropic, server: Server) -> None:
    answer = claude.messages.create(
        model="m",
        max_tokens=2048,
        system=[{"type": "text", "text": "帮助张三"}],
        messages=[{"role": "user", "content": PROMPT}],
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    thinking, text = answer.content

    assert isinstance(thinking, anthropic.types.ThinkingBlock)
    assert isinstance(text, anthropic.types.TextBlock)
    assert text.text == SAID
    # Signed by the provider, so it stays as it came.
    assert thinking.thinking == f"The user says: {MASKED}"

    history: Any = [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": "你好"},
    ]
    claude.messages.create(model="m", max_tokens=64, messages=history)
    sent = json.loads(server.seen[1][2])["messages"][1]["content"][0]
    assert (sent["thinking"], sent["signature"]) == (thinking.thinking, thinking.signature)
    arrived(server)


def test_anthropic_streams_text_thinking_and_calls(claude: anthropic.Anthropic, server: Server) -> None:
    tools: Any = [{"name": "send", "description": "写信给张三", "input_schema": SCHEMA}]
    with claude.messages.stream(model="m", max_tokens=64, messages=[{"role": "user", "content": PROMPT}]) as stream:
        said = list(stream.text_stream)
    with claude.messages.stream(
        model="m", max_tokens=64, messages=[{"role": "user", "content": CALL}], tools=tools
    ) as stream:
        block: Any = stream.get_final_message().content[0]

    assert "".join(said) == SAID
    assert len(said) > 3
    assert block.input == {"text": CALL}

    result = {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "已发给张三"}]}
    again: Any = [
        {"role": "user", "content": CALL},
        {"role": "assistant", "content": [{"type": "tool_use", "id": block.id, "name": "send", "input": block.input}]},
        {"role": "user", "content": [result]},
    ]
    answer: Any = claude.messages.create(model="m", max_tokens=64, messages=again, tools=tools)
    assert "已发给张三" in answer.content[0].text
    arrived(server)


def test_anthropic_counts_the_tokens_of_masked_text(claude: anthropic.Anthropic, server: Server) -> None:
    count = claude.messages.count_tokens(model="m", messages=[{"role": "user", "content": PROMPT}])

    assert count.input_tokens == len(list(echo.tokens(MASKED)))
    arrived(server)


def test_anthropic_raises_its_own_error_for_a_refusal(claude: anthropic.Anthropic, server: Server) -> None:
    schema: Any = {"type": "object", "properties": {"张三": {"type": "string"}}}
    with pytest.raises(anthropic.BadRequestError, match="object key") as caught:
        claude.messages.create(
            model="m", max_tokens=64, messages=[{"role": "user", "content": "hi"}],
            tools=[{"name": "send", "input_schema": schema}],
        )  # fmt: skip

    assert "张三" not in str(caught.value)
    assert server.seen == []


@pytest.mark.anyio
async def test_anthropic_streams_asynchronously(server: Server) -> None:
    async with (
        masking.httpx2.async_client(new_session, DESCRIPTORS) as http,
        anthropic.AsyncAnthropic(api_key="none", base_url=server.url, http_client=http) as client,
        client.messages.stream(model="m", max_tokens=64, messages=[{"role": "user", "content": PROMPT}]) as stream,
    ):
        said = [piece async for piece in stream.text_stream]

    assert "".join(said) == SAID
    arrived(server)


# Gemini


@pytest.fixture(params=[pytest.param(masking.httpx, id="httpx"), pytest.param(masking.httpx2, id="httpx2")])
def gemini(request: pytest.FixtureRequest, server: Server) -> Iterator[genai.Client]:
    hook: Any = request.param
    with hook.client(new_session, DESCRIPTORS) as http:
        options = types.HttpOptions(base_url=server.url, httpx_client=http)
        client = genai.Client(api_key="none", http_options=options)
        yield client
        client.close()


def test_gemini_answers_and_streams(gemini: genai.Client, server: Server) -> None:
    config = types.GenerateContentConfig(
        system_instruction="帮助张三", thinking_config=types.ThinkingConfig(include_thoughts=True)
    )
    whole = gemini.models.generate_content(model="echo", contents=PROMPT, config=config)
    parts = [
        part
        for chunk in gemini.models.generate_content_stream(model="echo", contents=PROMPT, config=config)
        for candidate in chunk.candidates or ()
        for part in (candidate.content and candidate.content.parts) or ()
    ]

    assert whole.text == SAID
    assert "".join(part.text or "" for part in parts if not part.thought) == SAID
    assert "".join(part.text or "" for part in parts if part.thought) == f"The user says: {PROMPT}"
    assert MASKED in arrived(server)


def test_gemini_calls_tools(gemini: genai.Client, server: Server) -> None:
    function = types.FunctionDeclaration(name="send", description="写信给张三", parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[function])])
    whole = gemini.models.generate_content(model="echo", contents=CALL, config=config)
    chunks = list(gemini.models.generate_content_stream(model="echo", contents=CALL, config=config))
    answered = gemini.models.generate_content(
        model="echo",
        config=config,
        contents=[
            types.UserContent(CALL),
            whole.candidates[0].content,  # type: ignore[index,list-item]
            types.UserContent(types.Part.from_function_response(name="send", response={"result": "已发给张三"})),
        ],
    )

    assert [call.args for call in whole.function_calls or ()] == [{"text": CALL}]
    assert [call.args for chunk in chunks for call in chunk.function_calls or ()] == [{"text": CALL}]
    assert "已发给张三" in (answered.text or "")
    assert '"c2VhbGVk"' in arrived(server)  # the signature went back as it came


def test_a_growing_json_array_is_restored_item_by_item(server: Server) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
    with (
        masking.httpx.client(new_session, DESCRIPTORS) as client,
        client.stream("POST", f"{server.url}/v1beta/models/echo:streamGenerateContent", json=body) as reply,
    ):
        pieces = list(reply.iter_raw())
    items = json.loads(b"".join(pieces))

    assert "".join(item["candidates"][0]["content"]["parts"][0]["text"] for item in items) == SAID
    assert len(pieces) > 3
    arrived(server)


# Ollama


def masked_ollama(server: Server) -> ollama.Client:
    return ollama.Client(host=server.url, transport=masking.httpx.MaskingTransport(new_session, DESCRIPTORS))


def test_ollama_answers_and_streams(server: Server) -> None:
    with masked_ollama(server) as client:
        messages = [{"role": "user", "content": PROMPT}]
        whole = client.chat(model="echo", messages=messages, think=True)
        stream = list(client.chat(model="echo", messages=messages, think=True, stream=True))
        generated = "".join(piece.response for piece in client.generate(model="echo", prompt=PROMPT, stream=True))

    assert whole.message.content == generated == SAID
    assert whole.message.thinking == f"The user says: {PROMPT}"
    assert "".join(piece.message.content or "" for piece in stream) == SAID
    assert "".join(piece.message.thinking or "" for piece in stream) == f"The user says: {PROMPT}"
    assert MASKED in arrived(server)


def test_ollama_calls_tools(server: Server) -> None:
    tools: Any = [{"type": "function", "function": {"name": "send", "description": "写信给张三", "parameters": SCHEMA}}]
    with masked_ollama(server) as client:
        messages: list[Any] = [{"role": "user", "content": CALL}]
        stream = list(client.chat(model="echo", messages=messages, tools=tools, stream=True))
        calls = [call for piece in stream for call in piece.message.tool_calls or ()]
        messages += [
            {"role": "assistant", "tool_calls": calls},
            {"role": "tool", "tool_name": "send", "content": "已发给张三"},
        ]
        answer = client.chat(model="echo", messages=messages, tools=tools)

    assert [call.function.arguments for call in calls] == [{"text": CALL}]
    assert "已发给张三" in (answer.message.content or "")
    arrived(server)


def test_ollama_raises_its_own_error_for_a_refusal(server: Server) -> None:
    with masked_ollama(server) as client, pytest.raises(ollama.ResponseError, match="token numbers") as caught:
        client.generate(model="echo", prompt="hi", context=[1, 2])

    assert caught.value.status_code == 400
    assert server.seen == []


@pytest.mark.anyio
async def test_ollama_streams_asynchronously(server: Server) -> None:
    transport = masking.httpx.AsyncMaskingTransport(new_session, DESCRIPTORS)
    async with ollama.AsyncClient(host=server.url, transport=transport) as client:
        stream = await client.chat(model="echo", messages=[{"role": "user", "content": PROMPT}], stream=True)
        said = "".join([piece.message.content or "" async for piece in stream])

    assert said == SAID
    arrived(server)
