"""Presidio and spaCy, run where a rule or an operator names them; importing them takes seconds, so nothing else does.

Presidio's recognisers run inside its own AnalyzerEngine, its operators as presidio-anonymizer defines them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from masking.core.entity import Entity
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.rule import OperatorSpec, PresidioSource, SpacySource
from masking.core.scan import Detect
from masking.core.session import Operator

__all__ = ["operator", "recogniser", "spacy_pipeline"]

_LONGEST = 50_000
"""Characters given to a spaCy pipeline at once; it refuses a million, and its memory grows with the text."""


_SEPARATORS = "\n。！？!?. ，, "


def recogniser(source: PresidioSource) -> Detect:
    """One of Presidio's recognisers by its class name, in an AnalyzerEngine of its own, with Presidio's scores.

    Raises ConfigurationError when Presidio has no recogniser of that name, or it cannot be made without arguments.
    """
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    made = getattr(predefined_recognizers, source.recogniser, None)
    if not isinstance(made, type):
        raise ConfigurationError(f"Presidio has no recogniser called {source.recogniser}")
    languages = [source.language]
    try:
        one = made(supported_language=source.language)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigurationError(
            f"Presidio's {source.recogniser} cannot be made with supported_language={source.language!r}: "
            f"{type(error).__name__}"
        ) from None
    registry = RecognizerRegistry(recognizers=[one], supported_languages=languages)
    nothing = NoOpNlpEngine(models=[{"lang_code": source.language, "model_name": "none"}])
    nothing.load()
    engine = AnalyzerEngine(registry=registry, nlp_engine=nothing, supported_languages=languages)

    def detect(text: str) -> list[Entity]:
        found = engine.analyze(text, language=source.language)
        return [Entity(one.start, one.end, one.entity_type, one.score) for one in found if one.end > one.start]

    return detect


def spacy_pipeline(source: SpacySource) -> Detect:
    """The named entities of a spaCy pipeline: an installed package's name, or a folder that `nlp.to_disk` wrote.

    Raises ConfigurationError when it is not on this machine; nothing is downloaded.
    """
    import spacy

    if not spacy.util.is_package(source.pipeline) and not Path(source.pipeline).is_dir():
        raise ConfigurationError(
            f"the spaCy pipeline {source.pipeline!r} is neither an installed package nor a folder; install it first"
        )
    nlp = spacy.load(source.pipeline)

    def detect(text: str) -> list[Entity]:
        found: list[Entity] = []
        start = 0
        while start < len(text):
            end = _cut(text, start)
            found += [
                Entity(start + one.start_char, start + one.end_char, one.label_, 1.0)
                for one in nlp(text[start:end]).ents
            ]
            start = end
        return found

    return detect


def operator(spec: OperatorSpec) -> Operator:
    """One of presidio-anonymizer's operators (replace, redact, mask, hash, encrypt, keep) with its parameters.

    Raises ConfigurationError for an operator that it does not have, or parameters that it refuses.
    """
    from presidio_anonymizer.entities import InvalidParamError
    from presidio_anonymizer.operators import OperatorsFactory

    known: dict[str, Any] = OperatorsFactory().get_anonymizers()
    if spec.name not in known:
        names = ", ".join(sorted({"placeholder", *known} - {"custom"}))
        raise ConfigurationError(f"no operator is called {spec.name!r}; there are {names}")
    made = known[spec.name]()
    parameters = dict(spec.parameters)
    try:
        made.validate({**parameters, "entity_type": "ENTITY"})
    except (InvalidParamError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"operator {spec.name}: Presidio refuses its parameters: {error}") from None

    def operate(value: str, entity: str) -> str:
        try:
            replaced = made.operate(value, {**parameters, "entity_type": entity})
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the value must not leave, nor be in the message
            raise UnmaskableError(f"operator {spec.name} failed on a {entity} with {type(error).__name__}") from None
        return str(replaced)

    return operate


def _cut(text: str, start: int) -> int:
    """The end of the stretch that begins at `start`: after a separator near the limit, if there is one."""
    limit = start + _LONGEST
    if limit >= len(text):
        return len(text)
    for separator in _SEPARATORS:
        at = text.rfind(separator, start + _LONGEST // 2, limit)
        if at > 0:
            return at + 1
    return limit
