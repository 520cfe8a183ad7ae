"""The surface that all clients share: `chat`, `stream`, `conversation`, blocking and not."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from masking.clients.answer import Answer
from masking.clients.errors import ParameterError
from masking.clients.memory import Said
from masking.clients.options import Options, values_of
from masking.clients.parameter import Parameters
from masking.clients.prepared import ClosableSession
from masking.clients.shell import AsyncClient, AsyncEvents, Client, Events

__all__ = ["AsyncChat", "AsyncConversation", "Chat", "Conversation"]


class Chat(Client):
    """A client that blocks. Parameters are those of the API, in snake case or by their wire names."""

    def chat(
        self, said: Said | Parameters | None = None, /, *, session: ClosableSession | None = None, **parameters: Any
    ) -> Answer:
        """One whole answer to a text, to messages, or to a parameter object.

        `session` keeps placeholders from one call to the next; without it each call has its own. Raises
        ParameterError, UnmaskableError, TransportError, ApiError or StreamError.
        """
        values = values_of(said, parameters, self._said)
        return self._ask(self._exchange(values, session, stream=False))

    def stream(
        self, said: Said | Parameters | None = None, /, *, session: ClosableSession | None = None, **parameters: Any
    ) -> Events:
        """As `chat`, as events. What cannot be sent raises here, everything else while the events are read."""
        values = values_of(said, parameters, self._said)
        return self._stream(self._exchange(values, session, stream=True))

    def conversation(self, **parameters: Any) -> Conversation:
        """Several turns in one session; `parameters` count for each of them."""
        return Conversation(self, parameters)


class AsyncChat(AsyncClient):
    """A client for asyncio. Parameters are those of the API, in snake case or by their wire names."""

    async def chat(
        self, said: Said | Parameters | None = None, /, *, session: ClosableSession | None = None, **parameters: Any
    ) -> Answer:
        """As `Chat.chat`."""
        values = values_of(said, parameters, self._said)
        return await self._ask(self._exchange(values, session, stream=False))

    def stream(
        self, said: Said | Parameters | None = None, /, *, session: ClosableSession | None = None, **parameters: Any
    ) -> AsyncEvents:
        """As `Chat.stream`: for `async for` and `async with`, without `await` before it."""
        values = values_of(said, parameters, self._said)
        return self._stream(self._exchange(values, session, stream=True))

    def conversation(self, **parameters: Any) -> AsyncConversation:
        """As `Chat.conversation`."""
        return AsyncConversation(self, parameters)


class _Turns:
    """What both kinds of conversation share."""

    def __init__(self, client: Options, parameters: dict[str, Any]) -> None:
        self._parameters = parameters
        self._memory = client._memory()
        self._session = client._session()
        self._said = client._said
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @property
    def session(self) -> ClosableSession | None:
        """Its placeholders; None when nothing is masked here."""
        return self._session

    def _values(self, said: Said | Parameters, parameters: dict[str, Any]) -> dict[str, Any]:
        if self._is_closed:
            raise ParameterError("this conversation is closed; begin a new one with client.conversation()")
        return {**self._parameters, **values_of(said, parameters, self._said)}

    def close(self) -> None:
        """Forget messages, ids and values."""
        self._is_closed = True
        self._memory.forget()
        if self._session is not None:
            self._session.close()


class Conversation(_Turns):
    """Several turns, one after the other: a value keeps its placeholder, the service keeps the thread."""

    def __init__(self, client: Chat, parameters: dict[str, Any]) -> None:
        super().__init__(client, parameters)
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def chat(self, said: Said | Parameters, /, **parameters: Any) -> Answer:
        """The next turn. One that fails is not remembered."""
        values = self._values(said, parameters)
        answer = self._client._ask(self._client._exchange(self._memory.recall(values), self._session, stream=False))
        self._memory.remember(values, answer)
        return answer

    def stream(self, said: Said | Parameters, /, **parameters: Any) -> Events:
        """The next turn, as events. It is remembered when it has been read to its end."""
        values = self._values(said, parameters)
        exchange = self._client._exchange(self._memory.recall(values), self._session, stream=True)
        return self._client._stream(exchange, lambda answer: self._memory.remember(values, answer))


class AsyncConversation(_Turns):
    """As Conversation, asynchronous; `close` needs no `await`."""

    def __init__(self, client: AsyncChat, parameters: dict[str, Any]) -> None:
        super().__init__(client, parameters)
        self._client = client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    async def chat(self, said: Said | Parameters, /, **parameters: Any) -> Answer:
        """The next turn. One that fails is not remembered."""
        values = self._values(said, parameters)
        exchange = self._client._exchange(self._memory.recall(values), self._session, stream=False)
        answer = await self._client._ask(exchange)
        self._memory.remember(values, answer)
        return answer

    def stream(self, said: Said | Parameters, /, **parameters: Any) -> AsyncEvents:
        """The next turn, as events. It is remembered when it has been read to its end."""
        values = self._values(said, parameters)
        exchange = self._client._exchange(self._memory.recall(values), self._session, stream=True)
        return self._client._stream(exchange, lambda answer: self._memory.remember(values, answer))
