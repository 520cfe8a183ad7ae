"""The front door: a category made ready to mask, wrap calls and build clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from masking.core.answers import Answers
from masking.core.entity import Entity, ManyModel
from masking.core.errors import ConfigurationError, ModelError, RuleError
from masking.core.finding import Finding
from masking.core.placeholder import Grammar
from masking.core.plan import Plan
from masking.core.rule import Category, ModelSource, PatternSource, PresidioSource, Rule, SpacySource
from masking.core.scan import Detect, Scanner
from masking.core.sentences import Find
from masking.core.session import LITERAL, Masked, Operator, Session
from masking.files import read_category, read_descriptors

if TYPE_CHECKING:
    import httpx

    from masking.core.descriptor import Descriptors
    from masking.shadow import Shadow

__all__ = ["Masker", "detector"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C")
Frame = TypeVar("Frame")  # pyarrow's RecordBatch or Table

_LEAST_KEY = 16  # bytes
_TOGETHER = 1024  # texts that models see together ...
_TOGETHER_LONG = 1 << 20  # ... or characters, which bounds the memory
_SESSION = ("placeholder", "surrogate")
"""The operators that a session has by itself."""


class Masker:
    """Masks text by a category: `Masker("UserInfo")`.

    `category` is the name of a shipped category, the path of a YAML file, a Category, or several of these, whose rules
    then count together, earlier ones first. With `names="off"` the rules that need a model are left out; otherwise a
    model that is not installed is refused here. `providers` are the caller's own provider descriptors, YAML files or
    folders of them, beside those that ship. `answers` says what is done with an answer besides restoring. With `key`
    (16 bytes or more, secret) a value has the same placeholder in every session and on every machine. `shadow` is a
    candidate category that reads along and only tells where it differs: `masking.shadow`.

    Immutable, and shared between threads. Raises ConfigurationError, RuleError, ProviderError or ModelError.
    """

    def __init__(
        self,
        category: str | Path | Category | Sequence[str | Path | Category],
        *,
        names: Literal["on", "off"] = "on",
        providers: Iterable[str | Path] = (),
        answers: Answers | None = None,
        key: bytes | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        if names not in ("on", "off"):
            raise ConfigurationError("names is 'on' or 'off'")
        if key is not None and len(key) < _LEAST_KEY:
            raise ConfigurationError(f"the key has {len(key)} bytes; give at least {_LEAST_KEY}")
        self._key = key
        self._policy = answers or Answers()
        whole = _joined(category)
        self.category = whole if names == "on" else _without_models(whole)
        _require_models(self.category)
        self._scanner = _scanner(self.category)
        # With names off as well: a session that was masked with them can still be restored.
        self._grammar = Grammar((*whole.entities, LITERAL))
        self._plan: Plan | None = None
        self._reader: Scanner | None = None
        given = [providers] if isinstance(providers, (str, Path)) else list(providers)
        self._descriptors = read_descriptors(*given) if given else None
        self._surrogates = frozenset(rule.id for rule in self.category.rules if rule.request.name == "surrogate")
        self._operators = {
            rule.id: _operator(rule) for rule in self.category.rules if rule.request.name not in _SESSION
        }

        self._seen: Callable[[str, Sequence[Finding]], None] | None = None
        if shadow is not None:
            candidate = _joined(shadow.candidate)
            candidate = candidate if names == "on" else _without_models(candidate)
            _require_models(candidate)
            self._seen = partial(shadow.look, self._scanner, _scanner(candidate))

    def __repr__(self) -> str:
        return f"Masker({self.category.name!r})"

    @property
    def descriptors(self) -> Descriptors:
        """The provider descriptors in use: the caller's own and those that ship; `masking.httpx2` wants them."""
        return self._descriptors or read_descriptors()

    @property
    def is_keyed(self) -> bool:
        """Whether a value has the same placeholder in every session."""
        return self._key is not None

    def scan(self, text: str) -> list[Finding]:
        """What the category finds in `text`: findings in order, offsets in characters. Raises TypeError for no str."""
        if not isinstance(text, str):
            raise TypeError(f"only str can be scanned, not {type(text).__name__}; decode bytes first")
        return self._scanner.scan(text)

    def is_word(self, text: str) -> bool:
        """Whether a text is one plain word in small letters in which only a model sees something, as in `enum`: such an
        object key may stay."""
        return self._scanner.is_word(text)

    def scan_many(self, texts: Iterable[str]) -> Iterator[list[Finding]]:
        """As `scan` for each text, in order, and quicker as `mask_many` is; reads ahead as that does.

        Raises TypeError for what is no str, by its place.
        """
        if isinstance(texts, str):
            raise TypeError("scan_many takes many texts; scan takes one")
        return (findings for block in _blocks(texts) for findings in self._scanner.scan_many(block))

    def mask(self, text: str) -> Masked:
        """One text masked, without a session: nothing can be restored afterwards. Raises TypeError for no str."""
        if not isinstance(text, str):
            raise TypeError(f"only str can be masked, not {type(text).__name__}; decode bytes first")
        found = self._scanner.scan(text)
        if not found and self._seen is None and not self._grammar.possible_in(text):
            return Masked(text, ())
        with self.session() as session:
            return session.masked(text, found)

    def mask_many(
        self,
        texts: Iterable[str],
        *,
        sessions: Iterable[Session] | None = None,
        entries: MutableMapping[str, str] | None = None,
    ) -> Iterator[Masked]:
        """As `mask` for each text, in order, and quicker: a text that comes again is scanned once, and name models see
        many texts together.

        Takes any iterable (a list, a column of pandas or polars, the lines of a file) and reads at most 1024 texts, or
        some million characters, ahead of what it has given. With `sessions`, one of this masker for each text, equal to
        `session.masked(text)` one after another: a session is given for every text of its conversation. Without, and
        with a key, `entries` takes up the table, placeholder to value, which is secret.

        Raises TypeError for what is no str, by its place; ConfigurationError for `entries` without a key.
        """
        if isinstance(texts, str):
            raise TypeError("mask_many takes many texts; mask takes one")
        if entries is not None and (self._key is None or sessions is not None):
            raise ConfigurationError(
                "entries are taken up only with a key, and not from sessions, which have their own: without a key "
                "<PERSON_1> is somebody else in every text"
            )
        return self._mask_many(texts, sessions, entries)

    def _mask_many(
        self,
        texts: Iterable[str],
        sessions: Iterable[Session] | None,
        entries: MutableMapping[str, str] | None,
    ) -> Iterator[Masked]:
        given = iter(sessions) if sessions is not None else None
        for block in _blocks(texts):
            scanned = self._scanner.scan_many(block)
            if given is not None:
                for text, findings in zip(block, scanned, strict=True):
                    session = next(given, None)
                    if session is None:
                        raise ConfigurationError("there are fewer sessions than texts; give one for each text")
                    yield session.masked(text, findings)
                continue
            masked: dict[str, Masked] = {}
            for text, findings in zip(block, scanned, strict=True):
                if text not in masked:
                    with self.session() as alone:
                        masked[text] = alone.masked(text, findings)
                        if entries is not None:
                            entries.update(alone.entries())
                yield masked[text]

    def map_batches(
        self,
        batch: Frame,
        *,
        text: Iterable[str] = (),
        opaque: Iterable[str] = (),
        entries: MutableMapping[str, str] | None = None,
    ) -> Frame:
        """A pyarrow RecordBatch or Table with its texts masked: the same rows, schema and metadata.

        Every string is text, unless `opaque` names its path (`model`, `messages[*].role`); with `text`, only what these
        paths name. A row is a conversation of its own. Columns in which nothing is found are not copied. See
        `masking.batch.arrow.map_batches` for the rest. Raises UnmaskableError, naming the column or row.
        """
        from masking.batch.arrow import map_batches

        made: Frame = map_batches(self, batch, text=text, opaque=opaque, entries=entries)
        return made

    def session(self, *, key: bytes | None = None) -> Session:
        """A new conversation; close it, or use it as a context manager, and its values are forgotten.

        With `key`, placeholders are determined by it instead of by the masker's own. Raises ConfigurationError.
        """
        if key is not None and len(key) < _LEAST_KEY:
            raise ConfigurationError(f"the key has {len(key)} bytes; give at least {_LEAST_KEY}")
        return Session(
            self._scanner,
            self._grammar,
            self._operators,
            self._answers,
            names=self._sentences,
            answers=self._policy,
            surrogates=self._surrogates,
            key=key or self._key,
            seen=self._seen,
        )

    def _answers(self) -> Plan:
        """The rules that look at answers, made ready when the first answer comes."""
        if self._plan is None:
            self._plan = Plan(self.category)
        return self._plan

    def _sentences(self) -> Find | None:
        """What finds names in the sentences of an answer; None where no rule of the category does."""
        if self._reader is None:
            rules = tuple(
                rule
                for rule in self.category.rules
                if rule.answer == "redact" and not isinstance(rule.source, PatternSource)
            )
            self._reader = Scanner(replace(self.category, rules=rules), detector, _presidio)
        return self._reader.scan if self._reader.category.rules else None

    @overload
    def wrap(self, function: F, /, *, session: Session | None = None, opaque: Iterable[str] = ()) -> F: ...
    @overload
    def wrap(self, /, *, session: Session | None = None, opaque: Iterable[str] = ()) -> Callable[[F], F]: ...
    def wrap(self, function: Any = None, /, *, session: Session | None = None, opaque: Iterable[str] = ()) -> Any:
        """Mask what goes into a function that calls a model, and restore what comes out; see `masking.decorator`.

        Works on functions, coroutines, generators and async generators. Each call has a session of its own unless
        `session` is given. `opaque` names parameters that are handed over untouched. The wrapped function raises
        UnmaskableError when an argument cannot be made safe.
        """
        from masking.decorator import wrapped

        def wrap(function: F) -> F:
            return wrapped(function, self.session, self.descriptors, session=session, opaque=opaque)

        return wrap if function is None else wrap(function)

    def wrap_client(self, client: C, /, *, session: Session | None = None, opaque: Iterable[str] = ()) -> C:
        """A stand-in for an SDK's client, class or module, whose calls are masked and whose answers are restored.

        For SDKs that `client` does not reach: dashscope, Alibaba Cloud's Tea clients. It follows attributes, but is no
        instance of the client's class; see `masking.decorator.proxy`. Each call has a session of its own unless
        `session` is given. `opaque` names parameters, and fields of Tea models, that are handed over untouched. Calls
        raise UnmaskableError when an argument cannot be made safe.
        """
        from masking.decorator.proxy import proxy

        return cast("C", proxy(client, self.session, self.descriptors, session=session, opaque=opaque))

    def client(self, **options: Any) -> httpx.Client:
        """An `httpx.Client` whose requests are masked and whose answers are restored; options as httpx has them.

        `transport` becomes the transport underneath. For SDKs on httpx2 there is `masking.httpx2.client`.
        """
        from masking import httpx as hook

        return hook.client(self.session, self.descriptors, **options)

    def async_client(self, **options: Any) -> httpx.AsyncClient:
        """As `client`, asynchronous."""
        from masking import httpx as hook

        return hook.async_client(self.session, self.descriptors, **options)


def _joined(given: str | Path | Category | Sequence[str | Path | Category]) -> Category:
    many = [given] if isinstance(given, (str, Path, Category)) else list(given)
    if not many:
        raise ConfigurationError("name at least one category")
    read = [one if isinstance(one, Category) else read_category(one) for one in many]
    rules: dict[str, Rule] = {}
    for category in read:
        for rule in category.rules:
            rules.setdefault(rule.id, rule)
    name = "+".join(one.name for one in read)
    return replace(read[0], name=name, rules=tuple(rules.values()))


def _scanner(category: Category) -> Scanner:
    return Scanner(category, detector, _presidio, _together)


def _without_models(category: Category) -> Category:
    return replace(category, rules=tuple(rule for rule in category.rules if not isinstance(rule.source, ModelSource)))


def _require_models(category: Category) -> None:
    needed = dict.fromkeys(rule.source.model for rule in category.rules if isinstance(rule.source, ModelSource))
    if not needed:
        return
    from masking import models

    here = {model.name for model in models.installed()}
    missing = [name for name in needed if not models.is_folder(name) and name not in here]
    if missing:
        raise ModelError(
            f"category {category.name} needs {' and '.join(missing)}: models that are not installed on this machine; "
            f"run `masking models install {' '.join(missing)}`, or leave names out with names='off'"
        )
    for rule in category.rules:
        if isinstance(rule.source, ModelSource) and models.is_folder(rule.source.model):
            _check_labels(rule, rule.source, models.labels_of(rule.source.model))


def _check_labels(rule: Rule, source: ModelSource, known: Sequence[str]) -> None:
    """A label that the model's config does not have would never find anything, and nobody would know."""
    strange = sorted(source.labels - set(known))
    if strange:
        raise RuleError(
            f"labels: the model has no {' and no '.join(strange)}; it has {', '.join(known)}",
            file=rule.file,
            line=rule.line,
            subject=f"rule {rule.id}",
        )


def detector(source: ModelSource | PresidioSource | SpacySource) -> Detect:
    """The detector that a rule's source names, loaded now. Raises ModelError or ConfigurationError."""
    match source:
        case ModelSource():
            from masking import models

            return models.load(source.model).find
        case PresidioSource():
            from masking import presidio

            return presidio.recogniser(source)
        case SpacySource():
            from masking import presidio

            return presidio.spacy_pipeline(source).find


def _together(source: ModelSource | SpacySource) -> Callable[[Sequence[str]], Sequence[Sequence[Entity]]] | None:
    """What finds the names of many texts at once, where the model can."""
    if isinstance(source, SpacySource):
        from masking import presidio

        return presidio.spacy_pipeline(source).find_many
    from masking import models

    model = models.load(source.model)
    return model.find_many if isinstance(model, ManyModel) else None


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in blocks that are worked on together. Raises TypeError for what is no str."""
    block: list[str] = []
    long = 0
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"only str can be masked, and number {place} (from 0) is {type(text).__name__}")
        block.append(text)
        long += len(text)
        if len(block) >= _TOGETHER or long >= _TOGETHER_LONG:
            yield block
            block, long = [], 0
    if block:
        yield block


def _presidio(sources: Sequence[PresidioSource]) -> Callable[[str], Sequence[tuple[int, Entity]]]:
    """All of Presidio's recognisers that a category names, as one detector. Raises ConfigurationError."""
    from masking import presidio

    return presidio.recognisers(sources)


def _operator(rule: Rule) -> Operator:
    """Ours, or Presidio's: its names are in lower case, ours in upper case, so none hides another."""
    from masking.core import operator  # brings pydantic

    try:
        if rule.request.name in operator.NAMES:
            return operator.make(rule.request, environ.__getitem__)
        from masking import presidio

        given = operator.resolved(rule.request, environ.__getitem__)
        return presidio.operator(given, (*_SESSION, *operator.NAMES))
    except ConfigurationError as error:
        raise RuleError(f"request: {error}", file=rule.file, line=rule.line, subject=f"rule {rule.id}") from None
