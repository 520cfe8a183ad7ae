"""Model Studio applications: agents, workflows, and their streams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator

from masking.clients.answer import Answer, Choice, Event, objects, text_of
from masking.clients.chat import AsyncChat, Chat
from masking.clients.dashscope import DashScope, failure, first_model, usage
from masking.clients.errors import ParameterError
from masking.clients.exchange import Exchange, Failure
from masking.clients.memory import Ids, Memory, Said
from masking.clients.parameter import Messages, Number, Parameters, given, parameter, read
from masking.clients.prepared import ClosableSession, Prepared

__all__ = ["AppParameters", "AsyncDashScopeApp", "DashScopeApp"]

A = TypeVar("A", bound=Answer)

_RAG_LISTS = ("pipeline_ids", "file_ids", "session_file_ids")
_RAG_MAPS = ("metadata_filter", "structured_filter")
_INPUT = ("session_id", "doc_reference_type", "doc_tag_codes", "memory_id", "biz_params", "image_list", "file_list")
# In the SDK's order; what it does not name comes before them.
_NAMED = ("temperature", "top_p", "top_k", "seed", "has_thoughts", "rag_options", "incremental_output")
_SAID = ("prompt", "messages", "history")


def _rag_options(options: dict[str, Any]) -> dict[str, Any]:
    for name, value in options.items():
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if name in _RAG_LISTS:
            fits = is_list
        elif name in _RAG_MAPS:
            fits = isinstance(value, dict)
        elif name == "tags":  # one text in the guide, a list in the reference
            fits = is_list or isinstance(value, str)
        else:
            raise ValueError(f"it has {', '.join((*_RAG_LISTS, *_RAG_MAPS, 'tags'))}, and nothing else")
        if not fits:
            raise ValueError(f"{name} has the wrong type")
    return options


class AppParameters(Parameters):
    """Parameters of an application's completion."""

    prompt: str | None = parameter(
        "prompt", "what the user says; after `messages` it becomes a last user turn", text=True
    )
    messages: Messages | None = parameter("messages", "the turns so far, each with role and content", text=True)
    history: list[dict[str, Any]] | None = parameter("history", "turns in the older form: user and bot", text=True)
    session_id: str | None = parameter("session_id", "a conversation that the service keeps: one hour, 50 rounds")
    memory_id: str | None = parameter("memory_id", "a long-term memory")
    doc_reference_type: Literal["simple", "indexed"] | None = parameter("doc_reference_type", "how sources are cited")
    doc_tag_codes: list[str] | None = parameter("doc_tag_codes", "documents to search, by tag", text=True)
    biz_params: dict[str, Any] | None = parameter(
        "biz_params",
        "a workflow's own variables; `user_defined_params` of plug-ins; `user_defined_tokens` are credentials, opaque",
        text=True,
    )
    image_list: list[str] | None = parameter("image_list", "addresses of images", text=True)
    file_list: list[str] | None = parameter("file_list", "addresses of files", text=True)
    temperature: Number | None = parameter("temperature", "how freely words are chosen", "[0, 2)", ge=0, lt=2)
    top_p: Number | None = parameter("top_p", "nucleus sampling", "(0, 1]", gt=0, le=1)
    top_k: int | None = parameter("top_k", "how many candidates; 0 or over 100: all", ">= 0", ge=0)
    seed: int | None = parameter(
        "seed", "same seed, same answer, as far as the model can", "0..2147483647", ge=0, le=2**31 - 1
    )
    max_tokens: int | None = parameter("max_tokens", "length of the answer in tokens", ">= 1", ge=1)
    has_thoughts: bool | None = parameter("has_thoughts", "whether steps, plug-in calls and nodes are told")
    rag_options: Annotated[dict[str, Any], AfterValidator(_rag_options)] | None = parameter(
        "rag_options",
        "knowledge bases: ids are opaque, `tags`, `metadata_filter` and `structured_filter` are text",
        "pipeline_ids, file_ids, session_file_ids, tags, metadata_filter, structured_filter",
        text=True,
    )
    incremental_output: bool | None = parameter(
        "incremental_output",
        "true: pieces. Left out: all text so far each time. false: pieces, as the SDK asks for them",
    )
    flow_stream_mode: Literal["full_thoughts", "agent_format", "message_format", "message_format_plus"] | None = (
        parameter("flow_stream_mode", "what a workflow streams")
    )
    extra: dict[str, Any] | None = parameter("extra", "further members of `parameters`", text=True)


class _Application(DashScope):
    """What both kinds of client share."""

    _client = "app"
    done_marker: ClassVar[bool] = False

    def __init__(self, app_id: str, **options: Any) -> None:
        """`app_id` is the application's id; further options as `DashScope` has them. Raises ParameterError."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", app_id):
            raise ParameterError("app_id is letters, digits, - and _ only", parameter="app_id")
        super().__init__(**options)
        self._app_id = app_id

    def prepare(self, values: Mapping[str, Any], *, stream: bool) -> Prepared:
        """The request, plain, byte for byte as the SDK's. Raises ParameterError."""
        model = read(AppParameters, values)
        wanted = given(model, values)
        wanted |= wanted.pop("extra", {})
        if not any(wanted.get(name) for name in _SAID):
            raise ParameterError("give a prompt or messages", parameter="prompt")
        merges = stream and wanted.get("incremental_output") is False
        if merges:
            wanted["incremental_output"] = True
        said: dict[str, Any] = {}
        if "messages" in wanted:
            last = [{"role": "user", "content": wanted["prompt"]}] if wanted.get("prompt") else []
            said["messages"] = [*wanted["messages"], *last]
        else:
            said |= {name: wanted[name] for name in ("history", "prompt") if wanted.get(name)}
        # The SDK leaves out what is empty, but for tags and memory.
        said |= {
            name: wanted[name]
            for name in _INPUT
            if name in wanted and (wanted[name] or name in ("doc_tag_codes", "memory_id"))
        }
        more = {name: value for name, value in wanted.items() if name not in (*_SAID, *_INPUT, *_NAMED)}
        rest = more | {name: wanted[name] for name in _NAMED if name in wanted}
        return Prepared(
            f"{self._base}/apps/{self._app_id}/completion",
            self._dashscope_headers(stream=stream, merges=merges),
            document={"model": "", "parameters": rest, "input": said},
        )

    def failure(self, doc: Mapping[str, Any]) -> Failure | None:
        """The error in a document or an event, if it is one."""
        return failure(doc)

    def answer(self, doc: Mapping[str, Any]) -> Answer:
        """A whole answer."""
        return _read(Answer, doc)

    def event(self, doc: Mapping[str, Any]) -> Event:
        """One event; `workflow_message` and `thoughts` are as they come."""
        return _read(Event, doc)

    def _exchange(self, values: Mapping[str, Any], session: ClosableSession | None, *, stream: bool) -> Exchange:
        plain = self.prepare(values, stream=stream)
        repeats = plain.document["parameters"].get("incremental_output") is not True
        return Exchange(self, plain, self._parties(session), cumulative=repeats)

    def _said(self, said: Said) -> dict[str, Any]:
        return {"prompt" if isinstance(said, str) else "messages": said}

    def _memory(self) -> Memory:
        return Ids(session_id="session_id")


class DashScopeApp(_Application, Chat):
    """An application of Model Studio."""


class AsyncDashScopeApp(_Application, AsyncChat):
    """As DashScopeApp, asynchronous."""


def _read(kind: type[A], doc: Mapping[str, Any]) -> A:
    output = doc.get("output")
    reason = text_of(output, "finish_reason")  # the text "null" until the last event
    message = output.get("workflow_message") if isinstance(output, Mapping) else None
    return kind(
        (Choice(content=text_of(output, "text"), finish_reason="" if reason == "null" else reason),),
        request_id=text_of(doc, "request_id"),
        model=first_model(doc),
        session_id=text_of(output, "session_id"),
        usage=usage(doc),
        thoughts=objects(output, "thoughts"),
        doc_references=objects(output, "doc_references"),
        workflow_message=message if isinstance(message, Mapping) else None,
        raw=doc,
    )
