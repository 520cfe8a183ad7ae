"""Streams of other packages, where they are installed, driven as our own are: `feed` a token, take what it says.

None is a dependency. Each class below is as little as makes the package's own stream look so; what a package needs per
token (an event, a lock, a result object) is its cost and counts. Versions that were tried: gheim 0.1.11,
llm-redact-proxy 1.12.1, argus-redact 0.8.22, fastguard 1.1.0, llm-shield-proxy 1.7.0, langchain 1.4.7.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["BATCHES", "REDACTORS", "RESTORERS", "Batch", "Peer", "Ready", "presidio_engine"]


def presidio_engine(pipeline: str = "") -> Any:
    """Presidio's AnalyzerEngine with all default English recognisers: with a spaCy pipeline, or the pattern recognisers
    alone. The list of suffixes is the one that ships."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider, NoOpNlpEngine

    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=()).__call__
    if pipeline:
        models = [{"lang_code": "en", "model_name": pipeline}]
        provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
        return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    nothing = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    nothing.load()
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    return AnalyzerEngine(registry=registry, nlp_engine=nothing, supported_languages=["en"])


@dataclass(frozen=True)
class Ready:
    """A peer made ready: what makes one stream, and the placeholders that it knows, in the order of the values."""

    make: Callable[[], Any]
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """One package's stream; `prepare` takes the values that it shall restore."""

    name: str
    package: str
    prepare: Callable[[Sequence[str]], Ready]

    def ready(self, values: Sequence[str] = ()) -> Ready | str:
        """The peer, or why it cannot be measured here."""
        try:
            version(self.package)
        except PackageNotFoundError:
            return "not installed"
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
        try:
            ready = self.prepare(values)
            for token in ("Hello", " world", "."):
                ready.make().feed(token)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other rows still count
            return f"{type(error).__name__}: its interface has changed"
        return ready

    @property
    def release(self) -> str:
        return version(self.package)


class _Generated:
    """A stream that is a generator over tokens: `all` runs it."""

    def __init__(self, run: Callable[[Sequence[str]], Iterator[str]]) -> None:
        self.all = run

    def feed(self, text: str) -> str:
        return "".join(self.all([text]))


class _Result:
    """A stream whose `feed` gives an object with the text in it."""

    def __init__(self, inner: Any) -> None:
        self._feed = inner.feed

    def feed(self, text: str) -> str:
        said: str = self._feed(text).downstream_text
        return said


class _Delta:
    """A stream whose `feed` has another name."""

    def __init__(self, feed: Callable[[str], str]) -> None:
        self.feed = feed


class _Events:
    """Middleware that changes events of a model's message as they pass, one piece of middleware after the other."""

    def __init__(self, transformers: Sequence[Any]) -> None:
        self._process = [one.process for one in transformers]

    def feed(self, text: str) -> str:
        delta = {"type": "text-delta", "text": text}
        payload = {"event": "content-block-delta", "index": 0, "delta": delta}
        event = {"method": "messages", "params": {"data": (payload, {"run_id": "1"})}}
        for process in self._process:
            process(event)
        return delta["text"]


def _numbered(form: str, values: Sequence[str]) -> dict[str, str]:
    return {form.format(number): value for number, value in enumerate(values, 1)}


def _gheim(values: Sequence[str]) -> Ready:
    stream = importlib.import_module("gheim.core.stream")
    entries = _numbered("<PHONE_{}>", values)
    return Ready(lambda: stream.StreamDeanonymizer(entries), tuple(entries))


def _llm_redact(values: Sequence[str]) -> Ready:
    vault = importlib.import_module("llm_redact.vault").InMemoryVault()
    rehydrate = importlib.import_module("llm_redact.rehydrate")
    placeholders = tuple(vault.placeholder_for("PHONE", value) for value in values)
    return Ready(lambda: rehydrate.StreamingRehydrator(vault, fuzzy=True), placeholders)


def _argus(values: Sequence[str]) -> Ready:
    streaming = importlib.import_module("argus_redact.streaming")
    entries = _numbered("PHONE-{:05}", values)
    return Ready(lambda: streaming.StreamingRestorer(entries, strategy="none"), tuple(entries))


def _fastguard(values: Sequence[str]) -> Ready:
    package = importlib.import_module("fastguard")
    vault = package.PIIVault()
    vault.reverse_map.update(_numbered("[PHONE_{}]", values))
    return Ready(lambda: _Generated(package.StreamingGuardrail(vault).process_stream), tuple(vault.reverse_map))


def _llm_shield(values: Sequence[str]) -> Ready:
    vault = importlib.import_module("llm_shield_proxy.engines.vault").Vault(synthetic=False)
    streaming = importlib.import_module("llm_shield_proxy.streaming.streaming")
    placeholders = tuple(vault.get_or_create_token(value, "PHONE") for value in values)
    return Ready(lambda: _Delta(streaming.SSERehydrationBuffer(vault).process_delta_text), placeholders)


def _langchain(*kinds: str) -> Callable[[Sequence[str]], Ready]:
    def prepare(_: Sequence[str]) -> Ready:
        pii = importlib.import_module("langchain.agents.middleware.pii")
        rules = [pii.PIIMiddleware(kind, apply_to_output=True) for kind in kinds]
        return Ready(lambda: _Events([make() for rule in rules for make in rule.transformers]))

    return prepare


def _argus_redactor(_: Sequence[str]) -> Ready:
    streaming = importlib.import_module("argus_redact.streaming")
    return Ready(lambda: _Result(streaming.StreamingRedactor(salt=b"benchmark", lang=["zh", "en"], strict_input=False)))


RESTORERS = (
    Peer("gheim", "gheim", _gheim),
    Peer("llm-redact, tolerant", "llm-redact-proxy", _llm_redact),
    Peer('argus, strategy "none"', "argus-redact", _argus),
    Peer("fastguard", "fastguard", _fastguard),
    Peer("llm-shield", "llm-shield-proxy", _llm_shield),
)
REDACTORS = (
    Peer("langchain, 1 rule", "langchain", _langchain("email")),
    Peer("langchain, 5 rules", "langchain", _langchain("email", "credit_card", "ip", "mac_address", "url")),
    Peer("argus StreamingRedactor", "argus-redact", _argus_redactor),
)


Texts = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class Batch:
    """One package that masks whole texts; `load` gives what masks many. What it finds is its own affair."""

    name: str
    package: str
    load: Callable[[], Texts]

    def ready(self) -> Texts | str:
        """What masks many texts, or why it cannot be measured here."""
        try:
            version(self.package)
        except PackageNotFoundError:
            return "not installed"
        warnings.simplefilter("ignore")
        try:
            mask = self.load()
            mask(["Hello world."])
        except Exception as error:  # noqa: BLE001 - whatever it is, the other rows still count
            return f"{type(error).__name__}: its interface has changed"
        return mask


def _datafog() -> Texts:
    redact = importlib.import_module("datafog").redact
    return lambda texts: [redact(text).redacted_text for text in texts]


def _fastscrub() -> Texts:
    many: Texts = importlib.import_module("fastscrub").scrub_list
    return lambda texts: many(list(texts))


def _argus_texts() -> Texts:
    redact = importlib.import_module("argus_redact").redact
    return lambda texts: [redact(text, lang=["zh", "en"], mode="fast")[0] for text in texts]


BATCHES = (
    Batch("argus-redact, zh+en, fast", "argus-redact", _argus_texts),
    Batch("datafog, 7 kinds", "datafog", _datafog),
    Batch("fastscrub (C++), 17 kinds", "fastscrub", _fastscrub),
)
