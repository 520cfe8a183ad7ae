"""Every SDK, unmodified, as a client in the middle of a conversation: what the tests of the gateway talk through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

__all__ = ["ID", "KEY", "SECRET", "TALKS", "Dms", "Talk", "Told"]

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

    @classmethod
    def api(cls) -> str:
        """What it is listed under: the asynchronous client raises what the other one raises."""
        return cls.__name__.removeprefix("Async")

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

    path = "/api/v1"
    protocol = "native"

    def options(self) -> dict[str, Any]:
        address = f"{self.url}{self.path}"
        return {"api_key": self.key, "base_url": address, "protocol": self.protocol, "max_retries": 0}

    def client(self) -> Any:
        client = pytest.importorskip("dashscope").Client(**self.options())
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
            return "".join(item.choices[0].delta.content or "" for item in answer if item.choices)

        return self.remembered(text, ask)


class NewCompatible(NewChat):
    path, protocol = "/compatible-mode/v1", "openai"


class NewMessages(NewChat):
    path, protocol = "/apps/anthropic", "anthropic"


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


class Asynchronous(Talk):
    """Each turn in an event loop of its own."""

    def say(self, text: str, *, stream: bool) -> str:
        return asyncio.run(self.told(text, stream=stream))

    async def told(self, text: str, *, stream: bool) -> str:
        raise NotImplementedError

    async def recalled(self, text: str, say: Callable[[list[dict[str, Any]]], Coroutine[Any, Any, str]]) -> str:
        """As `remembered`."""
        self.history.append({"role": "user", "content": text})
        said = await say(self.history)
        self.history.append({"role": "assistant", "content": said})
        return said


class AsyncOpenAiChat(Asynchronous):
    async def told(self, text: str, *, stream: bool) -> str:
        openai = pytest.importorskip("openai")

        async def ask(history: list[dict[str, Any]]) -> str:
            async with openai.AsyncOpenAI(api_key=self.key, base_url=f"{self.url}/v1", max_retries=0) as client:
                answer = await client.chat.completions.create(model="m", messages=history, stream=stream)
                if not stream:
                    return str(answer.choices[0].message.content)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in answer])

        return await self.recalled(text, ask)


class AsyncAnthropic(Asynchronous):
    async def told(self, text: str, *, stream: bool) -> str:
        anthropic = pytest.importorskip("anthropic")

        async def ask(history: list[dict[str, Any]]) -> str:
            async with anthropic.AsyncAnthropic(api_key=self.key, base_url=self.url, max_retries=0) as client:
                if not stream:
                    whole = await client.messages.create(model="m", max_tokens=99, messages=history)
                    return str(whole.content[0].text)
                async with client.messages.stream(model="m", max_tokens=99, messages=history) as events:
                    return "".join([one async for one in events.text_stream])

        return await self.recalled(text, ask)


class AsyncOllama(Asynchronous):
    async def told(self, text: str, *, stream: bool) -> str:
        ollama = pytest.importorskip("ollama")

        async def ask(history: list[dict[str, Any]]) -> str:
            async with ollama.AsyncClient(host=self.url, headers={"authorization": f"Bearer {self.key}"}) as client:
                answer = await client.chat(model="m", messages=history, stream=stream)
                if not stream:
                    return str(answer.message.content)
                return "".join([part.message.content async for part in answer])

        return await self.recalled(text, ask)


class AsyncNewApplication(NewApplication, Asynchronous):
    say = Asynchronous.say

    async def told(self, text: str, *, stream: bool) -> str:
        dashscope = pytest.importorskip("dashscope")
        said = ""
        async with dashscope.AsyncClient(**self.options()) as client:
            ask = client.apps.completions.create
            answer = await ask(app_id="a", prompt=text, session_id=self.session, stream=stream)
            if not stream:
                self.session = answer.session_id
                return str(answer.text)
            async for item in answer:
                said += item.text
                self.session = item.session_id
        return said


class AsyncNewChat(NewApplication, Asynchronous):
    say = Asynchronous.say

    async def told(self, text: str, *, stream: bool) -> str:
        dashscope = pytest.importorskip("dashscope")

        async def ask(history: list[dict[str, Any]]) -> str:
            async with dashscope.AsyncClient(**self.options()) as client:
                answer = await client.chat.completions.create(model="qwen-plus", messages=history, stream=stream)
                if not stream:
                    return str(answer.choices[0].message.content)
                return "".join([item.choices[0].delta.content or "" async for item in answer if item.choices])

        return await self.recalled(text, ask)


class AsyncNewCompatible(AsyncNewChat):
    path, protocol = "/compatible-mode/v1", "openai"


class AsyncNewMessages(AsyncNewChat):
    path, protocol = "/apps/anthropic", "anthropic"


class AsyncDms(Tea, Asynchronous):
    say = Asynchronous.say

    async def told(self, text: str, *, stream: bool) -> str:
        dms = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client(self.config())
        models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
        runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()

        async def ask(history: list[dict[str, Any]]) -> str:
            options = {
                "instance_id": 1,
                "messages": history,
                "need_desensitization": True,
                "desensitization_rule": "UserInfo",
            }
            if not stream:
                whole = await dms.chat_with_desensitize_async(models.ChatWithDesensitizeRequest(**options))
                return str(whole.body.data.choices[0].message.content)
            said = ""
            request = models.ChatWithDesensitizeSSERequest(**options)
            async for event in dms.chat_with_desensitize_ssewith_sse_async(request, runtime):
                if not event.body.success:
                    raise Told(event.body.error_code)
                said += json.loads(event.body.data)["choices"][0]["delta"].get("content") or ""
            return said

        return await self.recalled(text, ask)


class AsyncRdsAi(Tea, Asynchronous):
    say = Asynchronous.say

    async def told(self, text: str, *, stream: bool) -> str:
        del stream  # the service answers in events alone
        rds = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(self.config())
        models = pytest.importorskip("alibabacloud_rdsai20250507.models")
        runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
        request = models.ChatMessagesRequest(query=text, conversation_id=self.session)
        said = ""
        async for event in rds.chat_messages_with_sse_async(request, runtime):
            if event.event == "error":
                raise Told("error")
            said += event.body.answer or "" if event.body.event == "message" else ""
            self.session = event.body.conversation_id
        return said


TALKS: list[type[Talk]] = [
    OpenAiChat, Compatible, OpenAiResponses, Anthropic, Gemini, Ollama, Application, Generation, NewApplication, NewChat,
    NewCompatible, NewMessages, Dms, RdsAi, AsyncOpenAiChat, AsyncAnthropic, AsyncOllama, AsyncNewApplication,
    AsyncNewChat, AsyncNewCompatible, AsyncNewMessages, AsyncDms, AsyncRdsAi,
]  # fmt: skip
