"""DMS: ChatWithDesensitize and ChatWithDesensitizeSSE (API version 2018-11-01), a chat that can mask at the service.

Source: https://help.aliyun.com/zh/dms/developer-reference/api-dms-enterprise-2018-11-01-chatwithdesensitize

What the service puts in place of a value, and whether it puts values back, is not public: nothing here assumes either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import httpx
from pydantic import model_validator

from masking.clients.answer import Answer, Choice, Event, choices_of, objects, text_of
from masking.clients.auth import Credentials
from masking.clients.chat import AsyncChat, Chat
from masking.clients.errors import ParameterError
from masking.clients.exchange import Exchange, Failure
from masking.clients.openapi import OpenApi, failure
from masking.clients.parameter import Messages, Number, Parameters, as_json, given, parameter, read
from masking.clients.prepared import ClosableSession, Masks, Prepared
from masking.clients.sending import Retry

__all__ = ["DMS", "AsyncDMS", "DMSParameters", "DMSStreamParameters", "Delegate"]

Delegate = Literal["local", "dms", "local+dms"]
"""Who masks: this package, the service, or both, this package first."""

_VERSION = "2018-11-01"
_ENDPOINT = "dms-enterprise.aliyuncs.com"  # for every region; dms-enterprise-vpc.aliyuncs.com within one
_JSON_TEXT = ("AudioJson", "Parameters", "Tools", "XDashScopeDataInspection")


class DMSParameters(Parameters):
    """Parameters of ChatWithDesensitize."""

    instance_id: int | None = parameter("InstanceId", "required: the instance whose masking rules apply", ">= 1", ge=1)
    messages: Messages | None = parameter("Messages", "the turns so far, each with role and content", text=True)
    model: str | None = parameter("Model", "which Qwen model answers")
    need_desensitization: bool | None = parameter("NeedDesensitization", "whether the service masks; false if left out")
    desensitization_rule: str | None = parameter(
        "DesensitizationRule", "the service's masking category, such as UserInfo", "required with NeedDesensitization"
    )
    temperature: Number | None = parameter("Temperature", "how freely words are chosen", "[0, 2)", ge=0, lt=2)
    top_p: Number | None = parameter("TopP", "nucleus sampling", "(0, 1]", gt=0, le=1)
    top_k: int | None = parameter("TopK", "how many candidates; 0 or over 100: all", ">= 0", ge=0)
    max_tokens: int | None = parameter("MaxTokens", "length of the answer in tokens", ">= 1", ge=1)
    seed: int | None = parameter(
        "Seed", "same seed, same answer, as far as the model can", "0..2147483647", ge=0, le=2**31 - 1
    )
    stop: list[str] | None = parameter("Stop", "texts where to end", text=True)
    presence_penalty: Number | None = parameter("PresencePenalty", "less or more repetition", "[-2, 2]", ge=-2, le=2)
    response_format: Literal["text", "json_object"] | None = parameter("ResponseFormat", "form of the answer")
    enable_thinking: bool | None = parameter("EnableThinking", "whether a thinking model thinks first")
    thinking_budget: int | None = parameter("ThinkingBudget", "length of the thinking in tokens", ">= 1", ge=1)
    logprobs: bool | None = parameter("Logprobs", "whether log probabilities are told")
    top_logprobs: int | None = parameter("TopLogprobs", "of how many candidates", "0..5", ge=0, le=5)
    enable_search: bool | None = parameter("EnableSearch", "whether the model may search the web")
    search_options: dict[str, Any] | None = parameter("SearchOptions", "how it searches", text=True)
    enable_code_interpreter: bool | None = parameter("EnableCodeInterpreter", "whether it may run code")
    vl_high_resolution_images: bool | None = parameter("VlHighResolutionImages", "whether images keep their size")
    modalities_list: list[str] | None = parameter("ModalitiesList", 'such as ["text", "audio"]', text=True)
    audio_json: str | dict[str, Any] | None = parameter("AudioJson", "voice and format", text=True)
    x_dash_scope_data_inspection: str | dict[str, Any] | None = parameter(
        "XDashScopeDataInspection", "content inspection on top of the usual"
    )

    @model_validator(mode="after")
    def _names_its_rule(self) -> Self:
        if self.need_desensitization and not self.desensitization_rule:
            raise ValueError("DesensitizationRule: required when NeedDesensitization is true; name a masking category")
        return self


class DMSStreamParameters(DMSParameters):
    """Parameters of ChatWithDesensitizeSSE."""

    include_usage: bool | None = parameter("IncludeUsage", "whether the last event counts tokens")
    stream: bool | None = parameter("Stream", "false: one document after all")
    tools: str | list[dict[str, Any]] | None = parameter("Tools", "functions that the model may call", text=True)
    tool_choice: str | None = parameter("ToolChoice", "which it must call", text=True)
    input: str | None = parameter("Input", "text to embed", text=True)
    dimensions: int | None = parameter("Dimensions", "of the embedding", ">= 1", ge=1)
    parameters: str | dict[str, Any] | None = parameter("Parameters", "further parameters of the model", text=True)


class _DMS(OpenApi):
    """What both kinds of client share."""

    done_marker: ClassVar[bool] = True

    def __init__(
        self,
        instance_id: int | None = None,
        *,
        credentials: Credentials | None = None,
        endpoint: str = _ENDPOINT,
        masker: Masks | None = None,
        delegate: Delegate | None = None,
        category: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        retry: Retry | None = None,
        user_agent: str | None = None,
        transport: Any = None,
    ) -> None:
        """`instance_id` counts for every call that does not give its own.

        `delegate` says who masks: `local` (default), `dms` or `local+dms`; `category` is then the service's name of the
        category, the masker's own if left out. With `dms` the text leaves unmasked. Raises ParameterError.
        """
        super().__init__(
            endpoint,
            credentials,
            masker=masker,
            timeout=timeout,
            retry=retry,
            user_agent=user_agent,
            transport=transport,
        )
        self._instance_id = instance_id
        # A masker, or its category, may say so itself.
        own = getattr(masker, "delegate", None) or getattr(getattr(masker, "category", None), "delegate", None)
        self._delegate: str = delegate or own or "local"
        self._category = _delegated(self._delegate, category, masker)
        if self._delegate == "dms":
            self._masker = None

    def prepare(self, values: Mapping[str, Any], *, stream: bool) -> Prepared:
        """The request, plain, byte for byte as the SDK's. Raises ParameterError."""
        if self._instance_id is not None and not {"instance_id", "InstanceId"} & values.keys():
            values = {**values, "instance_id": self._instance_id}
        if self._category is not None:
            values = {**values, **self._delegating(values, self._category)}
        model = read(DMSStreamParameters if stream else DMSParameters, values)
        if model.instance_id is None:
            raise ParameterError("give the instance whose masking rules apply", parameter="InstanceId")
        wanted = given(model, values)
        for name in _JSON_TEXT:
            if isinstance(wanted.get(name), list | dict):
                wanted[name] = as_json(wanted[name])
        form = {"Messages": wanted.pop("Messages")} if "Messages" in wanted else {}
        action = "ChatWithDesensitizeSSE" if stream else "ChatWithDesensitize"
        return self._prepared(action, _VERSION, wanted, form, stream=stream)

    def failure(self, doc: Mapping[str, Any]) -> Failure | None:
        """The error in a document or an event, if it is one: the operation's, or the model's within `Data`."""
        found = failure(doc)
        if found is not None:
            return found
        data = _data(doc)
        if not isinstance(data, Mapping):
            return None
        status = text_of(data, "StatusCode")
        if status and status != "200":
            number = int(status) if status.isdecimal() else 0
            return Failure(text_of(data, "Type"), text_of(data, "Message"), text_of(doc, "RequestId"), number)
        error = data.get("error")
        if isinstance(error, Mapping):
            return Failure(text_of(error, "code"), text_of(error, "message"), text_of(doc, "RequestId"))
        return None

    def answer(self, doc: Mapping[str, Any]) -> Answer:
        """A whole answer."""
        data = _data(doc)
        return Answer(
            _choices(data),
            request_id=text_of(doc, "RequestId"),
            model=text_of(data, "Model") or text_of(data, "model"),
            usage=_usage(data),
            raw=doc,
        )

    def event(self, doc: Mapping[str, Any]) -> Event:
        """One event. `Data` may be JSON in a string, an object, or text: what the service sends is not public."""
        data = _data(doc)
        is_text = isinstance(data, str) and data != "[DONE]"
        return Event(
            (Choice(content=data),) if is_text else _choices(data),
            request_id=text_of(doc, "RequestId"),
            model=text_of(data, "Model") or text_of(data, "model"),
            usage=_usage(data),
            raw=doc,
            open_ended=is_text or data == "[DONE]",
        )

    def _delegating(self, values: Mapping[str, Any], category: str) -> dict[str, Any]:
        if values.get("need_desensitization", values.get("NeedDesensitization")) is False:
            raise ParameterError(
                "NeedDesensitization: false contradicts the client's delegate; leave it out",
                parameter="NeedDesensitization",
            )
        own = values.get("desensitization_rule") or values.get("DesensitizationRule")
        given_here = {"need_desensitization", "NeedDesensitization", "desensitization_rule", "DesensitizationRule"}
        wanted = {"NeedDesensitization": True, "DesensitizationRule": own or category}
        names = {"NeedDesensitization": "need_desensitization", "DesensitizationRule": "desensitization_rule"}
        # One spelling of each name: both together would be two parameters.
        return {
            names[wire] if names[wire] in given_here & values.keys() else wire: value for wire, value in wanted.items()
        }

    def _exchange(self, values: Mapping[str, Any], session: ClosableSession | None, *, stream: bool) -> Exchange:
        if session is not None and self._delegate == "dms":
            raise ParameterError(
                "delegate='dms' masks at the service, not in a session; use 'local+dms' for both", parameter="session"
            )
        return Exchange(self, self.prepare(values, stream=stream), self._parties(session))


class DMS(_DMS, Chat):
    """DMS's chat: `chat` is ChatWithDesensitize, `stream` is ChatWithDesensitizeSSE."""


class AsyncDMS(_DMS, AsyncChat):
    """As DMS, asynchronous."""


def _delegated(delegate: str, category: str | None, masker: Masks | None) -> str | None:
    """The service's category; None when the service does not mask."""
    if delegate not in ("local", "dms", "local+dms"):
        raise ParameterError("delegate is 'local', 'dms' or 'local+dms'", parameter="delegate")
    if delegate == "local":
        return None
    if delegate == "local+dms" and masker is None:
        raise ParameterError("delegate='local+dms' masks here first: pass masker=Masker(…)", parameter="masker")
    name = category or (str(masker.category.name) if masker is not None else "")
    if not name or "+" in name:
        raise ParameterError(
            "name the one category that the service masks by: category='UserInfo'", parameter="category"
        )
    return name


def _data(doc: Mapping[str, Any]) -> Any:
    """`Data`: an object, also where a string holds one; otherwise the string."""
    data = doc.get("Data")
    if isinstance(data, str) and data.lstrip().startswith("{"):
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return data
    return data


def _choices(data: Any) -> tuple[Choice, ...]:
    own = objects(data, "Choices")
    if not own:
        return choices_of(objects(data, "choices"), "delta")
    return tuple(
        Choice(
            position,
            text_of(choice, "Message", "Content"),
            text_of(choice, "Message", "ReasoningContent"),
            finish_reason=text_of(choice, "FinishReason").removeprefix("null"),
            role=text_of(choice, "Message", "Role"),
        )
        for position, choice in enumerate(own)
    )


def _usage(data: Any) -> dict[str, Any]:
    found = (data.get("Usage") or data.get("usage")) if isinstance(data, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}
