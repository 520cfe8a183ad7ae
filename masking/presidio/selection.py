"""Presidio's recognisers as a category, for a Masker: its default ones, or those of one of its YAML files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from masking.core.errors import ConfigurationError
from masking.core.placeholder import ENTITY, LONGEST
from masking.core.rule import Category, OperatorSpec, PatternSource, PresidioSource, Rule
from masking.presidio.source import file_recognisers, recognisers

__all__ = ["category", "entities"]


def category(file: str | Path | None = None, *, language: str = "en", score: float = 0.0) -> Category:
    """The recognisers of one of Presidio's YAML files, or without a file those that Presidio itself starts with.

    Each rule has the name and the entity of its recogniser; `score` is the least that counts (Presidio's own default
    is 0). Recognisers that need an NLP model are left out: a rule with `spacy` runs those. Raises ConfigurationError
    when the file cannot be read, has no recogniser in the language, or an entity cannot be a placeholder's name.
    """
    from presidio_analyzer import PatternRecognizer, RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    if file is not None:
        path = Path(file).absolute()
        named = dict.fromkeys(
            entity
            for one in file_recognisers(path)
            if one.supported_language == language
            for entity in one.supported_entities
        )
        sources = [(entity, f"{path}#{entity}", entity) for entity in named]
        if not sources:
            raise ConfigurationError(f"{file} has no recogniser in the language {language!r}")
        return _category(path.stem, [_rule(*one, language, score) for one in sources], str(path))
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=[language])
    found = [
        type(one).__name__
        for one in registry.recognizers
        if isinstance(one, PatternRecognizer | PhoneRecognizer) and one.supported_language == language
    ]
    rules = [_rule(name, name, _entity(name, language), language, score) for name in dict.fromkeys(found)]
    return _category("Presidio", rules, "presidio-analyzer")


def entities(names: Any) -> Category:
    """A category that finds nothing and lends its sessions the names of entities, for placeholders of Presidio's.

    `names` is a Presidio AnalyzerEngine, or the names themselves.
    """
    given: Iterable[str] = names.get_supported_entities() if hasattr(names, "get_supported_entities") else names
    nothing = PatternSource(())
    rules = [_rule(name, name, name, "en", 0.0, nothing) for name in sorted(given)]
    return _category("PresidioEntities", rules, "presidio-analyzer")


def _entity(name: str, language: str) -> str:
    (one,) = recognisers(PresidioSource(name, language))
    entity: str = one.supported_entities[0]
    return entity


def _category(name: str, rules: list[Rule], file: str) -> Category:
    return Category(name, "1", {"en": "Presidio's recognisers", "zh": "Presidio 的识别器"}, tuple(rules), file)


def _rule(
    rule_id: str, recogniser: str, entity: str, language: str, score: float, source: PatternSource | None = None
) -> Rule:
    if not ENTITY.fullmatch(entity) or len(entity) > LONGEST:
        raise ConfigurationError(
            f"the entity {entity} cannot be a placeholder's name: upper-case words joined by _, at most {LONGEST} "
            "characters; name its recogniser in a rule with an entity of your own"
        )
    return Rule(
        id=rule_id,
        entity=entity,
        source=PresidioSource(recogniser, language) if source is None else source,
        score=score,
        request=OperatorSpec("placeholder"),
        answer="keep",
        about={},
        origin="presidio-analyzer",
        hits=(),
        misses=(),
        known_gaps=(),
        file="",
        line=0,
    )
