"""RDS AI: ChatMessages and ChatMessagesTaskStop (API version 2025-05-07).

Source: https://help.aliyun.com/zh/rds/apsaradb-rds-for-mysql/api-rdsai-2025-05-07-chatmessages
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal, TypeVar

import httpx

from masking.clients.answer import Answer, Choice, Event, text_of
from masking.clients.auth import Credentials
from masking.clients.chat import AsyncChat, Chat
from masking.clients.errors import ParameterError
from masking.clients.exchange import Exchange, Failure
from masking.clients.memory import Ids, Memory, Said
from masking.clients.openapi import OpenApi, failure
from masking.clients.parameter import Parameters, given, parameter, read
from masking.clients.prepared import ClosableSession, Masks, Prepared
from masking.clients.sending import Retry

__all__ = ["AsyncRdsAI", "RdsAI", "RdsAIParameters"]

A = TypeVar("A", bound=Answer)

_VERSION = "2025-05-07"
_CENTRAL = ("cn-hangzhou", "cn-beijing", "cn-shanghai", "cn-shenzhen", "cn-guangzhou", "cn-wulanchabu")
_FILE = ("TransferMethod", "Type", "UploadFileId")
_INPUTS = (
    "custom_agent_id",
    "enable_thinking",
    "language",
    "model_id",
    "region_id",
    "resume_call_id",
    "think_effort",
    "timezone",
    "tool_approval_mode",
    "workspace_id",
)


class RdsAIParameters(Parameters):
    """Parameters of ChatMessages. Those from `CustomAgentId` on travel inside `Inputs`."""

    query: str | None = parameter("Query", "required: the question", text=True)
    conversation_id: str | None = parameter("ConversationId", "a conversation that the service keeps")
    parent_message_id: str | None = parameter("ParentMessageId", "the message that this one follows")
    event_mode: Literal["inline", "separate"] | None = parameter(
        "EventMode", "`inline`: tools and documents within the answer; `separate`: events of their own"
    )
    files: list[dict[str, str]] | None = parameter("Files", "uploaded files: TransferMethod, Type, UploadFileId")
    custom_agent_id: str | None = parameter("CustomAgentId", "an agent of your own")
    enable_thinking: bool | None = parameter("EnableThinking", "whether the model thinks first")
    language: str | None = parameter("Language", "such as zh-cn or en-us")
    model_id: str | None = parameter("ModelId", "which model answers")
    region_id: str | None = parameter("RegionId", "the instances' region")
    resume_call_id: str | None = parameter("ResumeCallId", "a tool call that was approved")
    think_effort: str | None = parameter("ThinkEffort", "how hard it thinks, such as high")
    timezone: str | None = parameter("Timezone", "such as Asia/Shanghai")
    tool_approval_mode: Literal["read_only", "manual", "auto"] | None = parameter(
        "ToolApprovalMode", "which tools run without being asked for"
    )
    workspace_id: str | None = parameter("WorkspaceId", "a workspace")


class _RdsAI(OpenApi):
    """What both kinds of client share."""

    done_marker: ClassVar[bool] = False

    def __init__(
        self,
        *,
        region: str = "cn-hangzhou",
        credentials: Credentials | None = None,
        endpoint: str | None = None,
        end_events: Collection[str] = ("finish",),
        masker: Masks | None = None,
        timeout: float | httpx.Timeout | None = None,
        retry: Retry | None = None,
        user_agent: str | None = None,
        transport: Any = None,
    ) -> None:
        """`endpoint` is the region's if left out; `end_events` are the names by which a stream says that it is over.

        Only `finish` is known to be one, from the vendor's published samples; an event that asks for approval of a
        tool call ends a stream, too. Raises ParameterError.
        """
        super().__init__(
            endpoint or _endpoint(region),
            credentials,
            masker=masker,
            timeout=timeout,
            retry=retry,
            user_agent=user_agent,
            transport=transport,
        )
        self._end_events = frozenset(end_events)

    def prepare(self, values: Mapping[str, Any], *, stream: bool) -> Prepared:
        """ChatMessages, plain. Raises ParameterError."""
        model = read(RdsAIParameters, values)
        if model.query is None:
            raise ParameterError("give a question", parameter="Query")
        wanted = given(model, values)
        inputs = {
            wire: str(wanted.pop(wire)).lower() if wire == "EnableThinking" else wanted.pop(wire)
            for wire in [str(type(model).model_fields[name].alias) for name in _INPUTS]
            if wire in wanted
        }
        if any(set(file) - set(_FILE) for file in wanted.get("Files", ())):
            raise ParameterError(f"Files: each has {', '.join(_FILE)}, and nothing else", parameter="Files")
        if inputs:
            wanted["Inputs"] = inputs
        return self._prepared("ChatMessages", _VERSION, wanted, stream=stream)

    def failure(self, doc: Mapping[str, Any]) -> Failure | None:
        """The error in a document or an event, if it is one."""
        found = failure(doc)
        if found is None and text_of(doc, "Event") == "error":
            return Failure("", text_of(doc, "Answer"), text_of(doc, "RequestId"))
        return found

    def answer(self, doc: Mapping[str, Any]) -> Answer:
        """A whole answer."""
        return _read(Answer, doc, "stop")

    def event(self, doc: Mapping[str, Any]) -> Event:
        """One event; what kind it is stands in `raw["Event"]`."""
        is_last = text_of(doc, "Event") in self._end_events or bool(text_of(doc, "ApprovalStatus"))
        return _read(Event, doc, "stop" if is_last else "")

    def _exchange(self, values: Mapping[str, Any], session: ClosableSession | None, *, stream: bool) -> Exchange:
        return Exchange(self, self.prepare(values, stream=stream), self._parties(session))

    def _stopping(self, task_id: str, workspace_id: str | None) -> Exchange:
        wanted = {"TaskId": task_id} | ({"WorkspaceId": workspace_id} if workspace_id else {})
        return Exchange(self, self._prepared("ChatMessagesTaskStop", _VERSION, wanted), None)

    def _said(self, said: Said) -> dict[str, Any]:
        if not isinstance(said, str):
            raise ParameterError("RdsAI takes one text at a time, and keeps the others itself", parameter="Query")
        return {"query": said}

    def _memory(self) -> Memory:
        return Ids(conversation_id="conversation_id", parent_message_id="message_id")


class RdsAI(_RdsAI, Chat):
    """RDS AI's assistant."""

    def stop(self, task_id: str, *, workspace_id: str | None = None) -> Answer:
        """End a task that is running (ChatMessagesTaskStop); the result stands in `raw["Result"]`."""
        return self._ask(self._stopping(task_id, workspace_id))


class AsyncRdsAI(_RdsAI, AsyncChat):
    """As RdsAI, asynchronous."""

    async def stop(self, task_id: str, *, workspace_id: str | None = None) -> Answer:
        """As `RdsAI.stop`."""
        return await self._ask(self._stopping(task_id, workspace_id))


def _endpoint(region: str) -> str:
    return "rdsai.aliyuncs.com" if region in _CENTRAL else f"rdsai.{region}.aliyuncs.com"


def _read(kind: type[A], doc: Mapping[str, Any], reason: str) -> A:
    # Tools and documents that have events of their own are not part of the answer; they stay in `raw`.
    is_text = text_of(doc, "Event") in ("", "message")
    return kind(
        (Choice(content=text_of(doc, "Answer") if is_text else "", finish_reason=reason),),
        request_id=text_of(doc, "RequestId"),
        conversation_id=text_of(doc, "ConversationId"),
        message_id=text_of(doc, "MessageId"),
        task_id=text_of(doc, "TaskId"),
        raw=doc,
    )
