"""One conversation's table of placeholders and values."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from threading import Lock
from types import TracebackType
from typing import overload

from masking.core.answers import Answers
from masking.core.beside import beside
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.finding import Finding, resolve
from masking.core.form import forms
from masking.core.jsonstream import JsonStream
from masking.core.links import Links
from masking.core.literals import Literals, LiteralStream
from masking.core.placeholder import Grammar, canonical
from masking.core.plan import Plan, mark
from masking.core.reader import COMPILED
from masking.core.redacting import RedactingStream
from masking.core.remembering import RememberingStream
from masking.core.repeat import Values
from masking.core.rule import OperatorSpec
from masking.core.scan import Scanner
from masking.core.sentences import Find, SentenceStream
from masking.core.stream import Stream, StreamedText, astreamed, streamed

__all__ = ["LITERAL", "Masked", "Operator", "Operators", "Session"]

LITERAL = "LITERAL"
"""The entity of text that looks like a placeholder but was typed by the user: it is masked as a value of its own, so
that it can never stand for somebody's value, and comes back as it was typed."""

Operator = Callable[[str, str], str]
"""(value, entity) -> what stands in its place; irreversible as far as the session is concerned."""

Operators = Callable[[OperatorSpec], Operator]

_LARGEST = 10**18  # what keyed placeholders' numbers stay below


@dataclass(frozen=True, slots=True, repr=False)
class Masked:
    """A masked text and what was found in the original; its repr shows neither."""

    text: str
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Masked({len(self.text)} characters, {len(self.findings)} findings)"


class Session:
    """Masks the texts of one conversation and restores its answers; a value keeps its placeholder for the whole of it.

    Belongs to one conversation and never to two users: what it restores is whatever was masked in it. May be used from
    several threads. Closing it forgets every value; use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        scanner: Scanner,
        grammar: Grammar,
        operators: Mapping[str, Operator],
        plan: Callable[[], Plan] | None = None,
        *,
        names: Callable[[], Find | None] | None = None,
        answers: Answers = Answers(),  # noqa: B008 - frozen
        surrogates: Collection[str] = (),
        key: bytes | None = None,
        seen: Callable[[str, Sequence[Finding]], None] | None = None,
    ) -> None:
        """`plan` gives the rules that look at answers; without it answers are restored only. `names` gives what
        looks at their sentences, where `answers` ask for that. `surrogates` are the rules
        whose values get fakes. With `key` (16 bytes or more), placeholders and fakes are determined by it and the
        value, the same in every session. `seen` is told each text and what the category finds in it by itself."""
        self._seen = seen
        self._scanner = scanner
        self._plan = plan
        self._names = names
        self._answers = answers
        self._surrogates = surrogates
        self._key = key
        self._secret = key or b""  # one of its own is drawn when a surrogate needs it
        self._fakes: dict[str, str] = {}
        self._found = Values()
        self._strings = Literals()
        self._grammar = grammar
        self._operators = operators  # by rule id; a rule without one gets a placeholder
        self._lock = Lock()
        self._placeholders: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._redacted: Counter[str] | None = None  # made when an answer comes
        self._closed = False

    def __repr__(self) -> str:
        counts = ", ".join(f"{entity}: {count}" for entity, count in sorted(self._counts.items()))
        return f"<Session of {self._scanner.category.name} ({counts or 'empty'})>"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forget every value. Masking afterwards is refused; what is restored afterwards keeps its placeholders."""
        self._closed = True
        self._placeholders.clear()
        self._values.clear()
        self._counts.clear()
        self._fakes.clear()
        self._found = Values()
        self._strings.clear()

    def mask(self, text: str) -> str:
        """The text with every finding replaced.

        Raises TypeError when `text` is no str, UnmaskableError when the session is closed.
        """
        return self.masked(text).text

    def expect(self, text: str, scanned: Sequence[Finding]) -> None:
        """Look for the values of a text from now on, though it is not masked yet: what a later turn of a conversation
        that is all here already tells. `scanned` is what the session's own category finds in it.
        """
        if scanned:
            with self._lock:
                self._found.add(text, scanned)

    def masked(self, text: str, scanned: Sequence[Finding] | None = None) -> Masked:
        """As `mask`, with the findings: offsets in characters of `text`. Raises as `mask`.

        `scanned` is what the session's own category finds in `text`, where that is known already.
        """
        if not isinstance(text, str):
            raise TypeError(f"only str can be masked, not {type(text).__name__}; decode bytes first")
        if self._closed:
            raise UnmaskableError("this session is closed; open a new one with masker.session()")
        findings = self._scanner.scan(text) if scanned is None else scanned
        if self._seen is not None:
            self._seen(text, findings)
        with self._lock:
            if self._found:
                # A name that one turn tells is found in the next, in whatever sentence; never the other way round, so
                # that a conversation which is sent again is masked as it was.
                findings = self._scanner.mentioned(text, list(findings), self._found)
        literals = self._literals(text)
        if literals:
            found = [(finding, 1) for finding in findings]
            findings = resolve([*((literal, 0) for literal in literals), *found], text)
        return self._replaced(text, findings)

    def masked_together(self, texts: Sequence[str], scanned: Sequence[Sequence[Finding]]) -> list[Masked]:
        """As `masked` for each text, after `expect` for each of them: what one tells is found in all. Raises as that.

        Mostly no text mentions another's values, and none looks like a placeholder: that is told of all at once.
        """
        for text, findings in zip(texts, scanned, strict=True):
            self.expect(text, findings)
        with self._lock:
            quiet = self._found.are_alone(texts, scanned)
        quiet = quiet and not self._closed and not self.may_type(texts)
        masked: list[Masked] = []
        for text, findings in zip(texts, scanned, strict=True):
            if quiet:
                masked.append(self._replaced(text, findings))
                quiet = len(masked[-1].findings) == len(findings)  # else there are values that nobody looked for
            else:
                masked.append(self.masked(text, findings))
        return masked

    def may_type(self, texts: Sequence[str]) -> bool:
        """Whether any of the texts may hold the form of a placeholder: where none does, one in which nothing is found
        is masked already. Always true where somebody is told of texts.
        """
        return self._seen is not None or self._grammar.possible_in("\n".join(texts))

    def _replaced(self, text: str, findings: Sequence[Finding]) -> Masked:
        if not findings:
            return Masked(text, ())
        if self._plan is not None:
            findings = beside(text, findings, self._plan())
        with self._lock:
            self._found.add(text, [finding for finding in findings if finding.entity != LITERAL])
        pieces: list[str] = []
        at = 0
        for finding in findings:
            pieces += text[at : finding.start], self._replacement(text[finding.start : finding.end], finding, text)
            at = finding.end
        pieces.append(text[at:])
        return Masked("".join(pieces), tuple(findings))

    def is_word(self, name: str) -> bool:
        """Whether an object key is a plain word, `enum`, that may stay although a model would see a name in it.

        Not one that this conversation has told as a value.
        """
        if not self._scanner.is_word(name):
            return False
        with self._lock:
            return not (self._found and self._scanner.mentioned(name, [], self._found))

    def placeholder(self, value: str, entity: str) -> str:
        """The placeholder of a value that something else found, for instance Presidio.

        Raises UnmaskableError when the session is closed, or when its category does not have the entity: what it does
        not have cannot be restored.
        """
        if self._closed:
            raise UnmaskableError("this session is closed; open a new one with masker.session()")
        if entity not in self._grammar.entities:
            known = ", ".join(self._grammar.entities)
            raise UnmaskableError(f"{self._scanner.category.name} has no entity {entity}; it has {known}")
        return self._replacement(value, Finding(0, len(value), entity, 1.0, ""), value)

    @property
    def redacted(self) -> Mapping[str, int]:
        """How many new values were redacted in answers so far, by entity. It outlives closing: it holds no value."""
        return self._counter()

    def _counter(self) -> Counter[str]:
        with self._lock:
            if self._redacted is None:
                self._redacted = Counter()
            return self._redacted

    def restore(self, text: str, *, json: bool = False) -> str:
        """An answer with this session's placeholders restored and new values of the category's kinds redacted.

        Placeholders count in any form that `masking.core.placeholder` lists; what is redacted says
        `masking.core.redact`. With `json`, the text is JSON and stays so. Equal to one `feed` and a `flush` of
        `stream_object`. Raises TypeError when `text` is no str.
        """
        if not isinstance(text, str):
            raise TypeError(f"only str can be restored, not {type(text).__name__}; decode bytes first")
        return self.stream_object(json=json).whole(text)

    def stream_object(self, *, json: bool = False) -> Stream | JsonStream:
        """A stream to drive by hand: `feed(text) -> text`, `flush() -> text`; one per lane of an answer.

        With `json`, the lane's text is JSON, as tool arguments are.
        """
        if json:
            return JsonStream(self._stream, Stream(self._grammar, self._values, self._counts))
        return self._stream()

    def _stream(self) -> Stream:
        answers = self._answers
        links = Links(answers.hosts)
        plan = self._plan() if self._plan is not None and answers.redact else None
        own: Collection[str] = self._placeholders if answers.own == "keep" else ()
        if plan is None or not plan.looks:
            stream = Stream(self._grammar, self._values, self._counts, links)
        else:
            reading = RedactingStream if COMPILED else RememberingStream
            stream = reading(self._grammar, self._values, self._counts, plan, own, links, self._counter())
        if answers.names == "sentence" and answers.redact and self._names is not None:
            find = self._names()
            if find is not None:
                stream = SentenceStream(find, stream, self._grammar, plan, own, self._counter())
        if self._surrogates or answers.own == "redact":
            return LiteralStream(self._strings, stream)
        return stream

    @overload
    def stream(self, pieces: Iterable[str]) -> Iterator[str]: ...
    @overload
    def stream(self, pieces: AsyncIterable[str]) -> AsyncIterator[str]: ...
    def stream(self, pieces: StreamedText) -> Iterator[str] | AsyncIterator[str]:
        """Restored pieces of an answer that arrives in pieces; `for` or `async for`, as the pieces come.

        Joined, they equal `restore` of the joined input, however it was cut. Empty pieces are left out.
        """
        if isinstance(pieces, str):
            raise TypeError("stream takes the pieces of an answer; restore takes a whole text")
        if isinstance(pieces, AsyncIterable):
            return astreamed(self._stream(), pieces)
        return streamed(self._stream(), pieces)

    def entries(self) -> dict[str, str]:
        """A copy of the table, placeholder or fake to value: secret, for a store that is kept as the originals are."""
        with self._lock:
            return {**self._values, **{made: value for value, made in self._fakes.items()}}

    def load(self, entries: Mapping[str, str]) -> None:
        """Take over the entries of a former session of the same conversation.

        Raises ConfigurationError when one does not have the form of a placeholder of this category, or contradicts
        what this session already holds.
        """
        with self._lock:
            for placeholder, value in entries.items():
                if self._surrogates and not placeholder.startswith("<"):
                    self._fakes[value] = placeholder
                    self._strings.add(placeholder, value)
                    continue
                entity, number = self._parts(placeholder)
                if self._values.get(placeholder, value) != value:
                    raise ConfigurationError(f"{placeholder} stands for another value in this session already")
                self._values[placeholder] = value
                self._placeholders.setdefault(value, placeholder)
                self._counts[entity] = max(self._counts.get(entity, 0), number)
                if entity != LITERAL:
                    # As within one session: what a former turn told is found in the next, in whatever sentence.
                    self._found.add(value, [Finding(0, len(value), entity, 1.0, "remembered")])

    def _parts(self, placeholder: str) -> tuple[str, int]:
        entity, _, number = placeholder[1:-1].rpartition("_")
        known = entity in self._grammar.entities
        if not known or not number.isdecimal() or canonical(entity, int(number)) != placeholder:
            raise ConfigurationError(
                f"an entry is no placeholder of category {self._scanner.category.name}: "
                "load sessions that the same category wrote"
            )
        return entity, int(number)

    def _replacement(self, value: str, finding: Finding, text: str) -> str:
        operator = self._operators.get(finding.rule)
        if operator is not None:
            return operator(value, finding.entity)
        with self._lock:
            if finding.rule in self._surrogates:
                made = self._fakes.get(value) or self._fake(value, finding.entity, text)
                if made:
                    return made
            return self._placeholders.get(value) or self._placeholder(value, finding.entity)

    def _placeholder(self, value: str, entity: str) -> str:
        """A new placeholder; the lock is held."""
        if self._key is None:
            number = self._counts[entity] = self._counts.get(entity, 0) + 1
        else:
            number = _keyed(self._key, entity, value)
            while canonical(entity, number) in self._values:  # another value's: once in 10**18
                number += 1
            self._counts[entity] = _LARGEST
        placeholder = canonical(entity, number)
        self._placeholders[value] = placeholder
        self._values[placeholder] = value
        if self._answers.own == "redact" and entity != LITERAL and len(value) > 1:
            self._strings.add(value, mark(entity))
        return placeholder

    def _fake(self, value: str, entity: str, text: str) -> str:
        """A new surrogate, "" where no more can be made: a placeholder does as well. The lock is held."""
        from masking.core.surrogate import fake  # which few categories need

        number = 1 if self._key is not None else len(self._fakes) + 1

        def taken(one: str) -> bool:
            return one in self._strings or one in self._placeholders or one in self._fakes or one in text

        self._secret = self._secret or token_bytes(32)
        try:
            made = fake(value, entity, number, self._secret, taken)
        except UnmaskableError:
            return ""
        self._fakes[value] = made
        self._strings.add(made, value)
        return made

    def _literals(self, text: str) -> Sequence[Finding]:
        """Text that a model's answer could not be told from one of our placeholders by."""
        if not self._grammar.possible_in(text):
            return ()
        return [Finding(start, end, LITERAL, 1.0, "literal", True) for start, end in forms(self._grammar, text)]


def _keyed(key: bytes, entity: str, value: str) -> int:
    """The number of a keyed placeholder: HMAC-SHA256 (RFC 2104) of entity and value, as a number of up to 18 digits."""
    digest = hmac.digest(key, f"{entity}\0{value}".encode("utf-8", "surrogatepass"), sha256)
    return int.from_bytes(digest) % (_LARGEST - 1) + 1
