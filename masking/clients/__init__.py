"""Clients for the chat APIs of Alibaba Cloud, and for OpenAI-compatible servers; with a Masker they mask what leaves.

    client = DMS(instance_id, credentials=AccessKey(id, secret), masker=Masker("UserInfo"))
    answer = client.chat("我是张三", model="qwen-plus")
    for piece in client.stream("…", model="qwen-plus").text(): ...

The request is built plain, byte for byte as the vendor's SDK builds it; masked, as the descriptor of its route says;
and signed. Replies take the way back. Every class has an asynchronous twin: `AsyncDMS` …
"""

from masking.clients.answer import Answer, Choice, Event, ToolCall
from masking.clients.application import AppParameters, AsyncDashScopeApp, DashScopeApp
from masking.clients.auth import AccessKey, Acs3Auth, ApiKeyAuth, BearerToken
from masking.clients.chat import AsyncConversation, Conversation
from masking.clients.compatible import AsyncOpenAICompatible, CompatibleParameters, OpenAICompatible
from masking.clients.dms import DMS, AsyncDMS, DMSParameters, DMSStreamParameters
from masking.clients.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClientError,
    NotFoundError,
    ParameterError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StreamError,
    TransportError,
)
from masking.clients.generation import AsyncDashScopeGeneration, DashScopeGeneration, GenerationParameters
from masking.clients.rdsai import AsyncRdsAI, RdsAI, RdsAIParameters
from masking.clients.sending import Retry
from masking.clients.shell import AsyncEvents, Events

__all__ = [
    "DMS",
    "AccessKey",
    "Acs3Auth",
    "Answer",
    "ApiError",
    "ApiKeyAuth",
    "AppParameters",
    "AsyncConversation",
    "AsyncDMS",
    "AsyncDashScopeApp",
    "AsyncDashScopeGeneration",
    "AsyncEvents",
    "AsyncOpenAICompatible",
    "AsyncRdsAI",
    "AuthenticationError",
    "BadRequestError",
    "BearerToken",
    "Choice",
    "ClientError",
    "CompatibleParameters",
    "Conversation",
    "DMSParameters",
    "DMSStreamParameters",
    "DashScopeApp",
    "DashScopeGeneration",
    "Event",
    "Events",
    "GenerationParameters",
    "NotFoundError",
    "OpenAICompatible",
    "ParameterError",
    "PermissionDeniedError",
    "RateLimitError",
    "RdsAI",
    "RdsAIParameters",
    "Retry",
    "ServerError",
    "StreamError",
    "ToolCall",
    "TransportError",
]
