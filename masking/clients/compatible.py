"""Chat completions in OpenAI's form: Model Studio's compatible mode, and every other server that speaks it.

Sources: https://platform.openai.com/docs/api-reference/chat/create and, for the vendor's additions,
https://help.aliyun.com/zh/model-studio/qwen-api-reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import httpx

from masking.clients.answer import Answer, Event, choices_of, objects, text_of
from masking.clients.auth import api_key as auth_of
from masking.clients.chat import AsyncChat, Chat
from masking.clients.dashscope import usage
from masking.clients.errors import ParameterError
from masking.clients.exchange import Exchange, Failure
from masking.clients.options import Options
from masking.clients.parameter import Messages, Number, Parameters, given, parameter, read
from masking.clients.prepared import ClosableSession, Masks, Prepared
from masking.clients.sending import Retry, base_url

__all__ = ["AsyncOpenAICompatible", "CompatibleParameters", "OpenAICompatible"]

A = TypeVar("A", bound=Answer)

_BASE_URL = "https://dashscope.aliyuncs.com/compatible-mode/v1"


class CompatibleParameters(Parameters):
    """Parameters of chat completions. Ranges are OpenAI's; a server may allow less."""

    model: str | None = parameter("model", "required: which model answers")
    messages: Messages | None = parameter(
        "messages", "required: the turns so far, each with role and content", text=True
    )
    temperature: Number | None = parameter("temperature", "how freely words are chosen", "[0, 2]", ge=0, le=2)
    top_p: Number | None = parameter("top_p", "nucleus sampling", "(0, 1]", gt=0, le=1)
    n: int | None = parameter("n", "how many answers", "1..128", ge=1, le=128)
    max_tokens: int | None = parameter("max_tokens", "length of the answer in tokens", ">= 1", ge=1)
    max_completion_tokens: int | None = parameter(
        "max_completion_tokens", "as `max_tokens`, with thinking", ">= 1", ge=1
    )
    stop: str | list[str] | None = parameter("stop", "where to end", text=True)
    seed: int | None = parameter("seed", "same seed, same answer, as far as the model can")
    presence_penalty: Number | None = parameter("presence_penalty", "less or more repetition", "[-2, 2]", ge=-2, le=2)
    frequency_penalty: Number | None = parameter("frequency_penalty", "less or more repetition", "[-2, 2]", ge=-2, le=2)
    logit_bias: dict[str, Number] | None = parameter("logit_bias", "tokens to prefer or to avoid")
    logprobs: bool | None = parameter("logprobs", "whether log probabilities are told")
    top_logprobs: int | None = parameter("top_logprobs", "of how many candidates; Qwen: up to 5", "0..20", ge=0, le=20)
    response_format: dict[str, Any] | None = parameter("response_format", "text, json_object or json_schema", text=True)
    tools: list[dict[str, Any]] | None = parameter("tools", "functions that the model may call", text=True)
    tool_choice: str | dict[str, Any] | None = parameter("tool_choice", "which it must call")
    parallel_tool_calls: bool | None = parameter("parallel_tool_calls", "whether it may call several at once")
    user: str | None = parameter("user", "the end user, as the caller knows him", text=True)
    stream_options: dict[str, Any] | None = parameter("stream_options", '{"include_usage": true} unless given')
    enable_thinking: bool | None = parameter("enable_thinking", "vendor: whether a thinking model thinks first")
    thinking_budget: int | None = parameter("thinking_budget", "vendor: length of the thinking in tokens", ">= 1", ge=1)
    top_k: int | None = parameter("top_k", "vendor: how many candidates; 0 or over 100: all", ">= 0", ge=0)
    repetition_penalty: Number | None = parameter("repetition_penalty", "vendor: 1.0 is none", "> 0", gt=0)
    enable_search: bool | None = parameter("enable_search", "vendor: whether the model may search the web")
    search_options: dict[str, Any] | None = parameter("search_options", "vendor: how it searches", text=True)
    extra: dict[str, Any] | None = parameter("extra", "further members of the body", text=True)


class _Compatible(Options):
    """What both kinds of client share."""

    done_marker: ClassVar[bool] = True

    def __init__(
        self,
        *,
        api_key: str | Callable[[], str] | None = None,
        base_url: str = _BASE_URL,
        masker: Masks | None = None,
        timeout: float | httpx.Timeout | None = None,
        retry: Retry | None = None,
        user_agent: str | None = None,
        transport: Any = None,
    ) -> None:
        """`api_key` is that of DASHSCOPE_API_KEY if left out; `base_url` ends before `/chat/completions`.

        `transport` is an httpx transport, plain if left out. Raises ParameterError.
        """
        super().__init__(auth_of(api_key), masker=masker, timeout=timeout, retry=retry, transport=transport)
        self._base = _base(base_url)
        self._user_agent = user_agent or "masking-pipeline"

    def prepare(self, values: Mapping[str, Any], *, stream: bool) -> Prepared:
        """The request, plain. Raises ParameterError."""
        model = read(CompatibleParameters, values)
        wanted = given(model, values)
        for name in ("model", "messages"):
            if not wanted.get(name):
                raise ParameterError(f"give {name}", parameter=name)
        document = {"model": wanted.pop("model"), "messages": wanted.pop("messages")}
        options = wanted.pop("stream_options", None)
        document |= {**wanted, **wanted.get("extra", {})}
        document.pop("extra", None)
        if stream:
            document |= {"stream": True, "stream_options": options or {"include_usage": True}}
        headers = {
            "Host": httpx.URL(self._base).netloc.decode("ascii"),
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
            "authorization": "",  # keeps its place for the key
            "accept": "application/json",  # for streams, too: the body decides
            "content-type": "application/json",
            "user-agent": self._user_agent,
        }
        return Prepared(f"{self._base}/chat/completions", tuple(headers.items()), document=document, spaced=False)

    def failure(self, doc: Mapping[str, Any]) -> Failure | None:
        """The error in a document or an event, if it is one: OpenAI's shape, or Model Studio's own."""
        error = doc.get("error")
        request_id = text_of(doc, "request_id") or text_of(doc, "id")
        if isinstance(error, Mapping):
            return Failure(text_of(error, "code") or text_of(error, "type"), text_of(error, "message"), request_id)
        if isinstance(error, str) and error:
            return Failure("", error, request_id)
        if text_of(doc, "code") and "choices" not in doc:
            return Failure(text_of(doc, "code"), text_of(doc, "message"), request_id)
        return None

    def answer(self, doc: Mapping[str, Any]) -> Answer:
        """A whole answer."""
        return _read(Answer, doc, "message")

    def event(self, doc: Mapping[str, Any]) -> Event:
        """One event."""
        return _read(Event, doc, "delta")

    def _exchange(self, values: Mapping[str, Any], session: ClosableSession | None, *, stream: bool) -> Exchange:
        plain = self.prepare(values, stream=stream)
        return Exchange(self, plain, self._parties(session), choices=plain.document.get("n", 1))


class OpenAICompatible(_Compatible, Chat):
    """Chat completions of an OpenAI-compatible server."""


class AsyncOpenAICompatible(_Compatible, AsyncChat):
    """As OpenAICompatible, asynchronous."""


def _base(given: str) -> str:
    return base_url(given, "/v1")


def _read(kind: type[A], doc: Mapping[str, Any], part: str) -> A:
    choices = choices_of(objects(doc, "choices"), part)
    return kind(choices, request_id=text_of(doc, "id"), model=text_of(doc, "model"), usage=usage(doc), raw=doc)
