"""From what a rule names to recognisers made ready: Presidio's own classes, a user's classes, Presidio's YAML files.

A name without a dot is a class of presidio_analyzer.predefined_recognizers; a dotted one is a class (or a recogniser
already made) in a module that can be imported; one that ends in .yaml or .yml is a file that Presidio itself reads,
`file.yaml#ENTITY` only the recognisers of one entity in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from masking.core.entity import Entity
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.phone import Phones
from masking.core.rule import PresidioSource
from masking.presidio.bank import Foreign, Grouped, Patterned, Runner
from masking.presidio.window import Span

__all__ = ["engine", "file_recognisers", "is_file", "recognisers", "runner"]

_VALID: Final = 1
_SUFFIXES: Final = (".yaml", ".yml")


def recognisers(source: PresidioSource) -> list[Any]:
    """The recognisers that a source names, made for its language; more than one only from a file.

    Raises ConfigurationError when there is no such class, module or file, or it cannot be made.
    """
    name, language = source.recogniser, source.language
    if is_file(name):
        path, _, entity = name.partition("#")
        made = [
            one
            for one in file_recognisers(path)
            if one.supported_language == language and (not entity or entity in one.supported_entities)
        ]
        if not made:
            what = f"for {entity} " if entity else ""
            raise ConfigurationError(f"{path} has no recogniser {what}in the language {language!r}")
        return made
    if "." in name:
        return [_custom(name, language)]
    from presidio_analyzer import predefined_recognizers

    found = getattr(predefined_recognizers, name, None)
    if not isinstance(found, type):
        raise ConfigurationError(f"Presidio has no recogniser called {name}; your own class needs its module's name")
    return [_made(found, name, language)]


def is_file(name: str) -> bool:
    """Whether a source names one of Presidio's YAML files, perhaps with an entity."""
    return name.partition("#")[0].lower().endswith(_SUFFIXES)


def file_recognisers(path: str | Path) -> list[Any]:
    """The recognisers of one of Presidio's YAML files: a registry's configuration, or a list of pattern recognisers.

    Raises ConfigurationError when the file is not there or Presidio cannot make recognisers of it.
    """
    import yaml
    from presidio_analyzer.recognizer_registry import RecognizerRegistry, RecognizerRegistryProvider

    try:
        text = Path(path).read_text("utf-8")
        data = yaml.safe_load(text)
        if isinstance(data, dict) and "supported_languages" in data:
            return list(RecognizerRegistryProvider(conf_file=str(path)).create_recognizer_registry().recognizers)
        registry = RecognizerRegistry()
        for one in data["recognizers"]:
            registry.add_pattern_recognizer_from_dict(one)
    except OSError as error:
        raise ConfigurationError(f"cannot read Presidio's recogniser file {path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise ConfigurationError(f"{path}:{line}: is not YAML: {error.problem}") from None
    except Exception as error:  # noqa: BLE001 - Presidio checks with whatever exception comes first
        raise ConfigurationError(
            f"{path}: Presidio makes no recognisers of it: {type(error).__name__}: {error}"
        ) from None
    return list(registry.recognizers)


def runner(recogniser: Any) -> Runner:
    """A recogniser made ready: by our own matching where it is Presidio's that it uses, else as it is."""
    from presidio_analyzer import EntityRecognizer, PatternRecognizer
    from presidio_analyzer.predefined_recognizers import IbanRecognizer, PhoneRecognizer

    made = type(recogniser)
    # Context raises no score without lemmas, except for an empty word, which stands in every context.
    is_plain = (
        made.enhance_using_context is EntityRecognizer.enhance_using_context
        and not recogniser.score_thresholds
        and not any(word == "" for word in recogniser.context or ())
        and recogniser.is_loaded
    )
    if is_plain and isinstance(recogniser, PatternRecognizer) and recogniser.global_regex_flags:
        mangled = "_PatternRecognizer__analyze_patterns"
        if made.analyze is PatternRecognizer.analyze and getattr(made, mangled) is getattr(PatternRecognizer, mangled):
            return Patterned(recogniser)
        if made.analyze is IbanRecognizer.analyze:
            return Grouped(recogniser)
    is_phone = made.analyze is PhoneRecognizer.analyze and recogniser.leniency == _VALID
    if is_plain and is_phone and made._get_recognizer_result is PhoneRecognizer._get_recognizer_result:
        return _Phone(recogniser)
    return _Engine(recogniser)


def engine(recogniser: Any) -> Any:
    """A recogniser in an AnalyzerEngine of its own, without an NLP model."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    language = recogniser.supported_language
    registry = RecognizerRegistry(recognizers=[recogniser], supported_languages=[language])
    nothing = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "none"}])
    nothing.load()
    return AnalyzerEngine(registry=registry, nlp_engine=nothing, supported_languages=[language])


class _Phone(Runner):
    """Presidio's PhoneRecognizer, by the numbering plans."""

    def __init__(self, recogniser: Any) -> None:
        try:
            self.phones = self._phones = Phones(recogniser.supported_regions)
        except KeyError as error:
            raise ConfigurationError(f"libphonenumber has no region {error.args[0]!r}; use ISO 3166-1 codes") from None
        self.entity = recogniser.supported_entities[0]
        self._score = recogniser.SCORE

    def add(self, text: str, seen: bytes | None, open_: Sequence[int], found: list[Span]) -> None:
        self.judge(0, text, list(self._phones.find(text)), found)

    def judge(self, number: int, text: str, spans: Sequence[tuple[int, int]], found: list[Span]) -> None:
        score = self._score
        found += [(start, end, score) for start, end in spans]


class _Engine(Foreign):
    """Any other recogniser, in an engine of its own."""

    def __init__(self, recogniser: Any) -> None:
        self._engine = engine(recogniser)
        self._language = recogniser.supported_language
        self._name = recogniser.name

    def find(self, text: str) -> Sequence[Entity]:
        try:
            results = self._engine.analyze(text, language=self._language)
        except Exception as error:  # noqa: BLE001 - its message may hold the value
            raise UnmaskableError(f"Presidio's {self._name} failed with {type(error).__name__}") from None
        return [Entity(one.start, one.end, one.entity_type, one.score) for one in results if one.end > one.start]


def _custom(name: str, language: str) -> Any:
    from presidio_analyzer import EntityRecognizer

    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except ImportError as error:
        raise ConfigurationError(
            f"{name}: the module {module} cannot be imported ({error}); install it, or put it on PYTHONPATH"
        ) from None
    except AttributeError:
        raise ConfigurationError(f"{name}: the module {module} has nothing called {attribute}") from None
    if isinstance(found, EntityRecognizer):
        return found
    if not isinstance(found, type) or not issubclass(found, EntityRecognizer):
        raise ConfigurationError(f"{name} is neither a class derived from Presidio's EntityRecognizer nor one made")
    return _made(found, name, language)


def _made(found: Any, name: str, language: str) -> Any:
    try:
        return found(supported_language=language)
    except Exception as error:  # noqa: BLE001 - a constructor may raise anything
        raise ConfigurationError(
            f"Presidio's {name} cannot be made with supported_language={language!r}: {type(error).__name__}"
        ) from None
