"""Qwen text generation, Model Studio's native form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar

from masking.clients.answer import Answer, Choice, Event, choices_of, objects, text_of
from masking.clients.chat import AsyncChat, Chat
from masking.clients.dashscope import DashScope, failure, header_json, usage
from masking.clients.errors import ParameterError
from masking.clients.exchange import Exchange, Failure
from masking.clients.parameter import Messages, Number, Parameters, given, parameter, read
from masking.clients.prepared import ClosableSession, Prepared

__all__ = ["AsyncDashScopeGeneration", "DashScopeGeneration", "GenerationParameters"]

A = TypeVar("A", bound=Answer)

# In the SDK's order; what it does not name comes before them.
_NAMED = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "stop",
    "repetition_penalty",
    "presence_penalty",
    "result_format",
    "incremental_output",
    "enable_search",
    "tools",
    "tool_choice",
    "enable_thinking",
    "thinking_budget",
    "n",
    "logprobs",
    "top_logprobs",
    "search_options",
    "parallel_tool_calls",
    "response_format",
)


class GenerationParameters(Parameters):
    """Parameters of Qwen text generation."""

    model: str | None = parameter("model", "required: which model answers")
    prompt: str | None = parameter(
        "prompt", "what the user says; after `messages` it becomes a last user turn", text=True
    )
    messages: Messages | None = parameter("messages", "the turns so far, each with role and content", text=True)
    history: list[dict[str, Any]] | None = parameter("history", "turns in the older form: user and bot", text=True)
    result_format: Literal["text", "message"] | None = parameter("result_format", "`message` for tools and thinking")
    incremental_output: bool | None = parameter(
        "incremental_output",
        "true: pieces. Left out: all text so far each time. false: pieces, as the SDK asks for them",
    )
    enable_thinking: bool | None = parameter("enable_thinking", "whether a thinking model thinks first")
    thinking_budget: int | None = parameter("thinking_budget", "length of the thinking in tokens", ">= 1", ge=1)
    temperature: Number | None = parameter("temperature", "how freely words are chosen", "[0, 2)", ge=0, lt=2)
    top_p: Number | None = parameter("top_p", "nucleus sampling", "(0, 1]", gt=0, le=1)
    top_k: int | None = parameter("top_k", "how many candidates; 0 or over 100: all", ">= 0", ge=0)
    max_tokens: int | None = parameter("max_tokens", "length of the answer in tokens", ">= 1", ge=1)
    seed: int | None = parameter(
        "seed", "same seed, same answer, as far as the model can", "0..2147483647", ge=0, le=2**31 - 1
    )
    stop: str | list[str] | list[int] | list[list[int]] | None = parameter(
        "stop", "where to end: texts, or token numbers", text=True
    )
    repetition_penalty: Number | None = parameter("repetition_penalty", "1.0: none", "> 0", gt=0)
    presence_penalty: Number | None = parameter("presence_penalty", "less or more repetition", "[-2, 2]", ge=-2, le=2)
    n: int | None = parameter("n", "how many answers", "1..4", ge=1, le=4)
    logprobs: bool | None = parameter("logprobs", "whether log probabilities are told")
    top_logprobs: int | None = parameter("top_logprobs", "of how many candidates", "0..5", ge=0, le=5)
    enable_search: bool | None = parameter("enable_search", "whether the model may search the web")
    search_options: dict[str, Any] | None = parameter("search_options", "how it searches", text=True)
    tools: list[dict[str, Any]] | None = parameter("tools", "functions that the model may call", text=True)
    tool_choice: Literal["auto", "none"] | dict[str, Any] | None = parameter("tool_choice", "which it must call")
    parallel_tool_calls: bool | None = parameter("parallel_tool_calls", "whether it may call several at once")
    response_format: dict[str, Any] | None = parameter(
        "response_format", '{"type": "text"} or {"type": "json_object"}', text=True
    )
    plugins: str | dict[str, Any] | None = parameter("plugins", "sent as a header", text=True)
    data_inspection: str | dict[str, Any] | None = parameter("data_inspection", "content inspection, sent as a header")
    extra: dict[str, Any] | None = parameter("extra", "further members of `parameters`", text=True)


class _Generation(DashScope):
    """What both kinds of client share."""

    _client = "aigc"
    done_marker: ClassVar[bool] = False

    def prepare(self, values: Mapping[str, Any], *, stream: bool) -> Prepared:
        """The request, plain, byte for byte as the SDK's. Raises ParameterError."""
        model = read(GenerationParameters, values)
        wanted = given(model, values)
        name = wanted.get("model")
        if not name:
            raise ParameterError("give a model, such as qwen-plus", parameter="model")
        if not wanted.get("prompt") and "messages" not in wanted:
            raise ParameterError("give a prompt or messages", parameter="messages")
        merges = stream and wanted.get("incremental_output") is False
        if merges:
            wanted["incremental_output"] = True
        rest = wanted.get("extra", {}) | {key: wanted[key] for key in _NAMED if key in wanted}
        if name.startswith("qwen"):  # the SDK sends it first, or not at all
            rest = {"enable_search": True, **rest} if rest.pop("enable_search", False) else rest
        headers = {
            header: header_json(wanted[key])
            for key, header in (("data_inspection", "X-DashScope-DataInspection"), ("plugins", "X-DashScope-Plugin"))
            if key in wanted
        }
        return Prepared(
            f"{self._base}/services/aigc/text-generation/generation",
            self._dashscope_headers(stream=stream, merges=merges, more=headers),
            document={"model": name, "parameters": rest, "input": _input(wanted)},
        )

    def failure(self, doc: Mapping[str, Any]) -> Failure | None:
        """The error in a document or an event, if it is one."""
        return failure(doc)

    def answer(self, doc: Mapping[str, Any]) -> Answer:
        """A whole answer."""
        return _read(Answer, doc)

    def event(self, doc: Mapping[str, Any]) -> Event:
        """One event."""
        return _read(Event, doc)

    def _exchange(self, values: Mapping[str, Any], session: ClosableSession | None, *, stream: bool) -> Exchange:
        plain = self.prepare(values, stream=stream)
        parameters = plain.document["parameters"]
        repeats = parameters.get("incremental_output") is not True
        return Exchange(self, plain, self._parties(session), cumulative=repeats, choices=parameters.get("n", 1))


class DashScopeGeneration(_Generation, Chat):
    """Qwen text generation."""


class AsyncDashScopeGeneration(_Generation, AsyncChat):
    """As DashScopeGeneration, asynchronous."""


def _input(wanted: Mapping[str, Any]) -> dict[str, Any]:
    prompt = {"prompt": wanted["prompt"]} if wanted.get("prompt") else {}
    if "history" in wanted:
        return {"history": wanted["history"], **prompt}
    if "messages" not in wanted:
        return prompt
    last = [{"role": "user", "content": wanted["prompt"]}] if prompt else []
    return {"messages": [*wanted["messages"], *last]}


def _read(kind: type[A], doc: Mapping[str, Any]) -> A:
    output = doc.get("output")
    choices = choices_of(objects(output, "choices"), "message")
    if not choices:  # result_format text
        reason = text_of(output, "finish_reason")
        choices = (Choice(content=text_of(output, "text"), finish_reason="" if reason == "null" else reason),)
    return kind(choices, request_id=text_of(doc, "request_id"), usage=usage(doc), raw=doc)
