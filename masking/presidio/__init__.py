"""Presidio and spaCy, run where a rule or an operator names them; importing them takes seconds, so nothing else does.

Presidio's recognisers give Presidio's own findings, at another speed (bank.py says how); its operators run as
presidio-anonymizer defines them. The other way round, `recognizer` and `placeholder` put a masker and a session into
Presidio's engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masking.core.entity import Entity
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.rule import Category, OperatorSpec, PresidioSource, SpacySource
from masking.core.scan import Detect
from masking.core.session import Operator, Session

if TYPE_CHECKING:
    from masking.presidio.adapter import Scans
    from masking.presidio.pipeline import Pipeline

__all__ = [
    "category",
    "entities",
    "operator",
    "placeholder",
    "recogniser",
    "recognisers",
    "recognizer",
    "spacy_pipeline",
]


def category(file: str | Path | None = None, *, language: str = "en", score: float = 0.0) -> Category:
    """The recognisers of one of Presidio's YAML files as a category, or without a file Presidio's default ones.

    Each rule has the name and the entity of its recogniser; `score` is the least that counts (Presidio's own default
    is 0). Recognisers that need an NLP model are left out: a rule with `spacy` runs those. Raises ConfigurationError
    when the file cannot be read, has no recogniser in the language, or an entity cannot be a placeholder's name.
    """
    from masking.presidio.selection import category as made

    return made(file, language=language, score=score)


def entities(names: Any) -> Category:
    """A category that finds nothing and lends its sessions the names of entities, for placeholders of Presidio's.

    `names` is a Presidio AnalyzerEngine, or the names themselves.
    """
    from masking.presidio.selection import entities as made

    return made(names)


def recognizer(masker: Scans, *, language: str = "en") -> Any:
    """A presidio_analyzer EntityRecognizer that finds what a masker finds, for `registry.add_recognizer`.

    Its entities are those of the masker's category. Presidio runs a recogniser for one language: add one for each.
    """
    from masking.presidio.adapter import recognizer as made

    return made(masker, language=language)


def placeholder(session: Session) -> Any:
    """A presidio_anonymizer Operator class that replaces by a session's placeholders: `add_anonymizer(placeholder(s))`.

    Its name is `placeholder`. An entity that the session's category does not have is refused with UnmaskableError;
    `entities` lends a category those of Presidio.
    """
    from masking.presidio.adapter import placeholder as made

    return made(session)


def recogniser(source: PresidioSource) -> Detect:
    """The recognisers that one source names; see `recognisers`."""
    find = recognisers([source])

    def detect(text: str) -> list[Entity]:
        return [entity for _, entity in find(text)]

    return detect


def recognisers(sources: Sequence[PresidioSource]) -> Callable[[str], list[tuple[int, Entity]]]:
    """What several sources find in a text, each finding with its source's number; one gate serves them all.

    The findings are those of each recogniser in an AnalyzerEngine of its own with a NoOpNlpEngine. Raises
    ConfigurationError when a source names nothing, or what it names cannot be made.
    """
    return _bank(tuple(sources))


@lru_cache(maxsize=64)
def _bank(sources: tuple[PresidioSource, ...]) -> Callable[[str], list[tuple[int, Entity]]]:
    from masking.presidio.bank import Bank
    from masking.presidio.source import recognisers as made
    from masking.presidio.source import runner

    owners: list[int] = []
    runners = []
    for index, source in enumerate(sources):
        for one in made(source):
            owners.append(index)
            runners.append(runner(one))
    find = Bank(runners).find
    if owners == list(range(len(owners))):
        return find
    return lambda text: [(owners[index], entity) for index, entity in find(text)]


def spacy_pipeline(source: SpacySource) -> Pipeline:
    """The spaCy pipeline that a rule names: an installed package, or a folder that `nlp.to_disk` wrote.

    Raises ConfigurationError when it is not on this machine; nothing is downloaded.
    """
    from masking.presidio.pipeline import pipeline

    return pipeline(source.pipeline)


_NOT_IN_FILES = frozenset({"custom", "surrogate_ahds"})


def operator(spec: OperatorSpec, others: Iterable[str] = ("placeholder",)) -> Operator:
    """One of presidio-anonymizer's operators (replace, redact, mask, hash, encrypt, keep) with its parameters.

    Raises ConfigurationError for an operator that it does not have, naming `others` too, or parameters that it refuses.
    """
    from presidio_anonymizer.entities import InvalidParamError
    from presidio_anonymizer.operators import OperatorsFactory

    # `custom` takes a Python function, the other one a paid service.
    known: dict[str, Any] = {
        name: made for name, made in OperatorsFactory().get_anonymizers().items() if name not in _NOT_IN_FILES
    }
    if spec.name not in known:
        names = ", ".join((*others, *sorted(known)))
        raise ConfigurationError(f"no operator is called {spec.name!r}; there are {names}")
    made = known[spec.name]()
    parameters = dict(spec.parameters)
    try:
        made.validate({**parameters, "entity_type": "ENTITY"})
        made.operate("0", {**parameters, "entity_type": "ENTITY"})  # what only shows when a value comes, such as a salt
    except (InvalidParamError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"operator {spec.name}: Presidio refuses its parameters: {error}") from None

    def operate(value: str, entity: str) -> str:
        try:
            replaced = made.operate(value, {**parameters, "entity_type": entity})
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the value must not leave, nor be in the message
            raise UnmaskableError(f"operator {spec.name} failed on a {entity} with {type(error).__name__}") from None
        return str(replaced)

    return operate
