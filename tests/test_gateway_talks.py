"""Every SDK, unmodified, through whole talks: several turns, tools, and errors before and within a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from gateway_server import Watched, serving

from masking.echo import Manner
from masking.gateway import Server

PHONE, OTHER = "13800138000", "13900139000"
FIRST = f"我的手机号是{PHONE}。"
SECOND = f"另一个号码是{OTHER}，不是{PHONE}。"
MASKED = "另一个号码是<PHONE_NUMBER_2>，不是<PHONE_NUMBER_1>。"
KEY = "sk-gateway-0001"
ID, SECRET = "LTAIgateway", "gatewaySecret"


class Told(Exception):  # noqa: N818
    """An SDK that reports errors as items of the stream: the item's code."""


@dataclass
class Talk:
    """A client in the middle of a conversation. `say` gives the answer's text; it raises what the SDK raises."""

    url: str
    key: str = KEY
    secret: str = SECRET
    stack: ExitStack = field(default_factory=ExitStack)
    history: list[dict[str, Any]] = field(default_factory=list)
    session: Any = None

    def say(self, text: str, *, stream: bool) -> str:
        raise NotImplementedError

    def remembered(self, text: str, say: Callable[[list[dict[str, Any]]], str]) -> str:
        """For APIs to which the whole history is sent again."""
        self.history.append({"role": "user", "content": text})
        said = say(self.history)
        self.history.append({"role": "assistant", "content": said})
        return said


class OpenAiChat(Talk):
    path = "/v1"

    def say(self, text: str, *, stream: bool) -> str:
        openai = pytest.importorskip("openai")
        client = self.stack.enter_context(
            openai.OpenAI(api_key=self.key, base_url=f"{self.url}{self.path}", max_retries=0)
        )

        def ask(history: list[dict[str, Any]]) -> str:
            answer = client.chat.completions.create(model="m", messages=history, stream=stream)
            if not stream:
                return str(answer.choices[0].message.content)
            return "".join(chunk.choices[0].delta.content or "" for chunk in answer)

        return self.remembered(text, ask)


class Compatible(OpenAiChat):
    path = "/compatible-mode/v1"


class OpenAiResponses(Talk):
    def say(self, text: str, *, stream: bool) -> str:
        openai = pytest.importorskip("openai")
        client = self.stack.enter_context(openai.OpenAI(api_key=self.key, base_url=f"{self.url}/v1", max_retries=0))
        answer = client.responses.create(model="m", input=text, stream=stream, previous_response_id=self.session)
        if not stream:
            self.session = answer.id
            return str(answer.output_text)
        said = ""
        for event in answer:
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type == "response.completed":
                self.session = event.response.id
                assert event.response.output_text == said
            if event.type == "error":
                raise Told(event.code)
        return said


class Anthropic(Talk):
    def say(self, text: str, *, stream: bool) -> str:
        anthropic = pytest.importorskip("anthropic")
        client = self.stack.enter_context(anthropic.Anthropic(api_key=self.key, base_url=self.url, max_retries=0))

        def ask(history: list[dict[str, Any]]) -> str:
            if not stream:
                return str(client.messages.create(model="m", max_tokens=99, messages=history).content[0].text)
            with client.messages.stream(model="m", max_tokens=99, messages=history) as events:
                return "".join(events.text_stream)

        return self.remembered(text, ask)


class Gemini(Talk):
    def say(self, text: str, *, stream: bool) -> str:
        genai = pytest.importorskip("google.genai")
        if self.session is None:
            client = genai.Client(api_key=self.key, http_options={"base_url": self.url})
            self.stack.callback(client.close)
            self.session = client.chats.create(model="m")
        if not stream:
            return str(self.session.send_message(text).text)
        return "".join(chunk.text or "" for chunk in self.session.send_message_stream(text))


class Ollama(Talk):
    def say(self, text: str, *, stream: bool) -> str:
        ollama = pytest.importorskip("ollama")
        client = ollama.Client(host=self.url, headers={"authorization": f"Bearer {self.key}"})
        self.stack.callback(client.close)

        def ask(history: list[dict[str, Any]]) -> str:
            answer = client.chat(model="m", messages=history, stream=stream)
            return str(answer.message.content) if not stream else "".join(part.message.content for part in answer)

        return self.remembered(text, ask)


class Application(Talk):
    def say(self, text: str, *, stream: bool) -> str:
        dashscope = pytest.importorskip("dashscope")
        answer = dashscope.Application.call(
            api_key=self.key, base_address=f"{self.url}/api/v1", app_id="a", prompt=text, session_id=self.session,
            stream=stream, **({"incremental_output": True} if stream else {}),
        )  # fmt: skip
        said = ""
        for item in answer if stream else [answer]:
            if item.status_code != 200:
                raise Told(item.code)
            said += item.output.text
            self.session = item.output.session_id
        return said


class Generation(Talk):
    def say(self, text: str, *, stream: bool) -> str:
        dashscope = pytest.importorskip("dashscope")

        def ask(history: list[dict[str, Any]]) -> str:
            answer = dashscope.Generation.call(
                api_key=self.key, base_address=f"{self.url}/api/v1", model="qwen-plus", messages=history,
                result_format="message", stream=stream, **({"incremental_output": True} if stream else {}),
            )  # fmt: skip
            said = ""
            for item in answer if stream else [answer]:
                if item.status_code != 200:
                    raise Told(item.code)
                said += item.output.choices[0].message.content
            return said

        return self.remembered(text, ask)


class NewApplication(Talk):
    """dashscope's 2.x client."""

    def client(self) -> Any:
        dashscope = pytest.importorskip("dashscope")
        client = dashscope.Client(api_key=self.key, base_url=f"{self.url}/api/v1", max_retries=0)
        self.stack.callback(client.close)
        return client

    def say(self, text: str, *, stream: bool) -> str:
        answer = self.client().apps.completions.create(app_id="a", prompt=text, session_id=self.session, stream=stream)
        said = ""
        for item in answer if stream else [answer]:
            said += item.text
            self.session = item.session_id
        return said


class NewChat(NewApplication):
    def say(self, text: str, *, stream: bool) -> str:
        def ask(history: list[dict[str, Any]]) -> str:
            answer = self.client().chat.completions.create(model="qwen-plus", messages=history, stream=stream)
            if not stream:
                return str(answer.choices[0].message.content)
            return "".join(item.choices[0].delta.content or "" for item in answer)

        return self.remembered(text, ask)


class Tea(Talk):
    def config(self) -> Any:
        models = pytest.importorskip("alibabacloud_tea_openapi.models", reason="the vendor's SDKs are not installed")
        return models.Config(
            access_key_id=ID, access_key_secret=self.secret, protocol="http", region_id="cn-hangzhou",
            endpoint=self.url.removeprefix("http://"),
        )  # fmt: skip


class Dms(Tea):
    def say(self, text: str, *, stream: bool) -> str:
        dms = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client(self.config())
        models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
        runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()

        def ask(history: list[dict[str, Any]]) -> str:
            options = {
                "instance_id": 1,
                "messages": history,
                "need_desensitization": True,
                "desensitization_rule": "UserInfo",
            }
            if not stream:
                body = dms.chat_with_desensitize(models.ChatWithDesensitizeRequest(**options)).body
                return str(body.data.choices[0].message.content)
            said = ""
            for event in dms.chat_with_desensitize_ssewith_sse(
                models.ChatWithDesensitizeSSERequest(**options), runtime
            ):
                if not event.body.success:
                    raise Told(event.body.error_code)
                said += json.loads(event.body.data)["choices"][0]["delta"].get("content") or ""
            return said

        return self.remembered(text, ask)


class RdsAi(Tea):
    def say(self, text: str, *, stream: bool) -> str:
        del stream  # the service answers in events alone
        rds = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(self.config())
        models = pytest.importorskip("alibabacloud_rdsai20250507.models")
        runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
        request = models.ChatMessagesRequest(query=text, conversation_id=self.session)
        said = ""
        for event in rds.chat_messages_with_sse(request, runtime):
            if event.event == "error":
                raise Told("error")
            said += event.body.answer or "" if event.body.event == "message" else ""
            self.session = event.body.conversation_id
        return said


TALKS: list[type[Talk]] = [
    OpenAiChat, Compatible, OpenAiResponses, Anthropic, Gemini, Ollama, Application, Generation, NewApplication, NewChat,
    Dms, RdsAi,
]  # fmt: skip


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
    "Dms": ("ClientException", "SignatureDoesNotMatch"),
    "RdsAi": ("UnretryableException", "SignatureDoesNotMatch"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_error_before_the_answer_is_the_sdks_own(talk: Talk, upstream: Watched, stream: bool) -> None:
    talk.key, talk.secret = "sk-guessed-0002", "guessedSecret"
    kind, what = REFUSED[type(talk).__name__]
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
    "Gemini": "",
    "Ollama": "ResponseError",
    "Application": "Told",
    "Generation": "Told",
    "NewApplication": "",
    "NewChat": "",
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

    assert not isinstance(caught.value, AssertionError), caught.value
    assert PHONE not in str(caught.value)
    if BROKEN[kind.__name__]:
        assert type(caught.value).__name__ == BROKEN[kind.__name__], repr(caught.value)


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


# Asynchronous clients


@pytest.mark.anyio
async def test_asynchronous_clients(server: Server, upstream: Watched) -> None:
    openai, anthropic = pytest.importorskip("openai"), pytest.importorskip("anthropic")
    user = {"role": "user", "content": FIRST}
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        stream = await client.chat.completions.create(model="m", messages=[user], stream=True)
        by_openai = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    async with (
        anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url) as client,
        client.messages.stream(model="m", max_tokens=99, messages=[user]) as events,
    ):
        by_anthropic = "".join([text async for text in events.text_stream])
    config = Dms(server.url).config()
    dms = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client(config)
    models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    request = models.ChatWithDesensitizeSSERequest(
        instance_id=1, messages=[user], need_desensitization=True, desensitization_rule="UserInfo"
    )
    by_dms = ""
    async for event in dms.chat_with_desensitize_ssewith_sse_async(request, runtime):
        by_dms += json.loads(event.body.data)["choices"][0]["delta"].get("content") or ""

    assert [FIRST in text for text in (by_openai, by_anthropic, by_dms)] == [True] * 3
    assert PHONE not in upstream.text
