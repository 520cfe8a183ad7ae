"""The session of an exchange: new, or found again by what names the conversation.

Where a client sends the whole history again (OpenAI chat, Anthropic, Gemini, Ollama, DMS, generation), nothing needs to
be kept: the history is masked again, and the same values get the same placeholders. Where the service keeps the
history, the session is kept beside it, by the name that the service itself gives the conversation:

    any request           header x-masking-session
    RDS AI                ConversationId of the request; of the reply for a new conversation
    Model Studio app      input.session_id; output.session_id of the reply
    OpenAI responses      previous_response_id or conversation; every reply has an id of its own

A name counts for the client who is asking, and for the category: who names another client's conversation begins a new
one.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from masking.core.descriptor import Descriptor
from masking.core.errors import ConflictError
from masking.core.framing import Sse
from masking.core.lane import Stream
from masking.core.session import Session
from masking.gateway.incoming import Incoming
from masking.vault import Vault

__all__ = ["Conversation", "Counting", "Naming", "Unmasked", "naming"]

_HEADER: Final = "x-masking-session"
_LONGEST = 512  # characters of a conversation's name
_ATTEMPTS = 32
_PAUSE = 0.004  # seconds, times the attempts that there were
_CROWDS = tuple(Lock() for _ in range(64))
_SHORT = 64  # characters of a string that is remembered as unchanged
_REMEMBERED = 256  # strings
_FIRST = 256 * 1024  # bytes of a reply in which the conversation's name is looked for


@dataclass(frozen=True, slots=True)
class Naming:
    """What names a conversation: `name` in the request, "" for a new one; `paths` are where the reply names it."""

    name: str = ""
    kind: str = ""
    paths: tuple[tuple[str, ...], ...] = ()

    @property
    def is_kept(self) -> bool:
        """Whether the session is kept after the exchange."""
        return bool(self.name or self.paths)


def naming(request: Incoming, descriptor: Descriptor) -> Naming:
    """How this request's conversation is named."""
    given = request.headers.get(_HEADER, "")
    if given:
        return Naming(given[:_LONGEST], "header")
    if descriptor.id == "aliyun.rdsai.chat_messages":
        fields = {**request.parameters, **dict(parse_qsl(request.body.decode("latin-1")))}
        return Naming(fields.get("ConversationId", "")[:_LONGEST], "rdsai", (("ConversationId",),))
    if descriptor.id.startswith("dashscope.app"):
        return Naming(_text(request.body, "input", "session_id"), "dashscope", (("output", "session_id"),))
    if descriptor.id == "openai.responses" and request.path.endswith("/responses"):
        whole = _text(request.body, "conversation") or _text(request.body, "conversation", "id")
        if whole:
            return Naming(whole, "conversation")
        before = _text(request.body, "previous_response_id")
        return Naming(before, "response", (("response", "id"), ("id",)))
    return Naming()


def _text(body: bytes, *path: str) -> str:
    try:
        doc: Any = orjson.loads(body)
    except ValueError:
        return ""  # the turn refuses it
    return _at(doc, path)


def _at(doc: Any, path: tuple[str, ...]) -> str:
    for step in path:
        doc = doc.get(step) if isinstance(doc, dict) else None
    return doc[:_LONGEST] if isinstance(doc, str) else ""


class Conversation:
    """One exchange of a conversation: its session, and where that is kept. `watches` says whether the reply's name of
    the conversation is still to come.

    Methods block where the vault does.
    """

    def __init__(self, vault: Vault, owner: str, category: str, naming: Naming) -> None:
        self._vault = vault
        self._owner = owner
        self._category = category
        self._naming = naming
        self._session: Session | None = None
        self.watches = naming.kind != "header" and bool(naming.paths)
        self._sse = Sse()
        self._seen = 0
        self._document = bytearray()

    def masked(self, new_session: Callable[[], Session], mask: Callable[[Session], Any]) -> Any:
        """What `mask` makes with the conversation's session. It is called anew when another turn of the conversation
        saved its session in between, so that both have the same placeholders. Raises VaultError."""
        try:
            return self._masked(new_session, mask)
        except ConflictError:
            pass
        # A crowd on one conversation: one after the other here, and by chance among several gateways.
        with _CROWDS[hash((self._owner, self._naming.name)) % len(_CROWDS)]:
            for attempt in range(_ATTEMPTS - 1):
                try:
                    return self._masked(new_session, mask)
                except ConflictError:
                    time.sleep(random.random() * _PAUSE * attempt)  # noqa: S311 - no secret
            return self._masked(new_session, mask)

    def _masked(self, new_session: Callable[[], Session], mask: Callable[[Session], Any]) -> Any:
        self.close()
        session = self._session = new_session()
        name = self._naming.name
        stored = self._vault.load(self._owner, self._key(name)) if name else None
        if stored is not None:
            session.load(stored.entries)
        made = mask(session)
        if name and self._naming.kind != "response":
            self._save(name, session, stored.entries if stored else {}, stored.version if stored else 0)
        return made

    def _save(self, name: str, session: Session, before: Mapping[str, str], version: int) -> None:
        entries = session.entries()
        if entries != dict(before):
            self._vault.save(self._owner, self._key(name), entries, version)

    @property
    def is_named(self) -> bool:
        """Whether there may be a session to go on with."""
        return bool(self._naming.name)

    def watch(self, chunk: bytes) -> None:
        """Look for the conversation's name in a piece of the reply's events, and keep the session under it before the
        client can name it. Raises VaultError."""
        self._seen += len(chunk)
        for frame in self._sse.feed(chunk):
            if frame.data is not None and self.watches:
                self._look(frame.data)
        if self._seen > _FIRST:
            self.watches = False

    def watch_whole(self, part: bytes) -> None:
        """As `watch`, for a piece of a reply that is one document."""
        self._document += part
        self._look(bytes(self._document))
        if len(self._document) > _FIRST:
            self.watches = False

    def _look(self, data: bytes) -> None:
        if self._session is None:
            return
        try:
            doc = orjson.loads(data)
        except ValueError:
            return
        name = next((found for path in self._naming.paths if (found := _at(doc, path))), "")
        if not name:
            return
        self.watches = False
        if name == self._naming.name and self._naming.kind != "response":
            return
        for _ in range(_ATTEMPTS):
            stored = self._vault.load(self._owner, self._key(name))
            try:
                # The newest conversation of this name counts: its placeholders are what the answer holds.
                self._save(name, self._session, stored.entries if stored else {}, stored.version if stored else 0)
                return
            except ConflictError:
                continue

    def _key(self, name: str) -> str:
        return f"{self._category}/{self._naming.kind}:{name}"

    def close(self) -> None:
        """Forget the values, here; what is kept is kept."""
        if self._session is not None:
            self._session.close()
            self._session = None


class Counting:
    """A session that counts what it finds: rules and entities, never values."""

    __slots__ = ("_same", "_session", "entities", "rules", "streams")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rules: Counter[str] = Counter()
        self.entities: Counter[str] = Counter()
        self.streams: list[Stream] = []
        self._same: set[tuple[str, bool]] = set()

    @property
    def withheld(self) -> int:
        """Characters of the answer that wait now, in all its lanes."""
        return sum([len(getattr(one, "waiting", "")) for one in self.streams if one.held])

    @property
    def redacted(self) -> Mapping[str, int]:
        """New values that were redacted in the answer, by entity."""
        return self._session.redacted

    def mask(self, text: str) -> str:
        masked = self._session.masked(text)
        for finding in masked.findings:
            self.rules[finding.rule] += 1
            self.entities[finding.entity] += 1
        return masked.text

    def is_word(self, name: str) -> bool:
        return self._session.is_word(name)

    def restore(self, text: str, *, json: bool = False) -> str:
        # What an event says beside its text it says in every event: names of models, roles. The session's table is
        # whole before the reply begins, so what was the same once is the same again.
        known = (text, json)
        if known in self._same:
            return text
        said = self._session.restore(text, json=json)
        if said == text and len(text) <= _SHORT and len(self._same) < _REMEMBERED:
            self._same.add(known)
        return said

    def stream_object(self, *, json: bool = False) -> Stream:
        made = self._session.stream_object(json=json)
        self.streams.append(made)
        return made


class Unmasked:
    """A session that masks nothing: where the configuration allows NeedDesensitization=false."""

    __slots__ = ()

    def mask(self, text: str) -> str:
        return text

    def is_word(self, name: str) -> bool:
        del name
        return True

    def restore(self, text: str, *, json: bool = False) -> str:
        del json
        return text

    def stream_object(self, *, json: bool = False) -> Stream:
        del json
        return _Straight()


class _Straight:
    __slots__ = ()
    held = False

    def feed(self, text: str) -> str:
        return text

    def flush(self) -> str:
        return ""
