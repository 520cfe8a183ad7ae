"""The other way round: our engine as one recogniser of Presidio's analyzer, our placeholders as an operator of its
anonymizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from masking.core.errors import UnmaskableError
from masking.core.finding import Finding
from masking.core.rule import Category
from masking.core.session import Session

__all__ = ["OPERATOR", "Scans", "placeholder", "recognizer"]

OPERATOR = "placeholder"
"""The name under which AnonymizerEngine knows the operator."""


class Scans(Protocol):
    """What finds: a Masker."""

    @property
    def category(self) -> Category: ...

    def scan(self, text: str) -> list[Finding]: ...


def recognizer(masker: Scans, *, language: str = "en") -> Any:
    """A presidio_analyzer EntityRecognizer that finds what a masker finds; entities are those of its category.

    Presidio runs a recogniser for one language: add one for each, they share the masker.
    """
    from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

    class MaskingRecognizer(EntityRecognizer):  # type: ignore[misc]
        def load(self) -> None:
            pass

        def analyze(self, text: str, entities: Sequence[str] | None, nlp_artifacts: Any = None) -> list[Any]:
            metadata = {
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            }
            return [
                RecognizerResult(
                    one.entity,
                    one.start,
                    one.end,
                    one.score,
                    analysis_explanation=AnalysisExplanation(
                        recognizer=self.name, original_score=one.score, pattern_name=one.rule
                    ),
                    recognition_metadata=dict(metadata),
                )
                for one in masker.scan(text)
                if not entities or one.entity in entities
            ]

    return MaskingRecognizer(
        supported_entities=list(masker.category.entities),
        supported_language=language,
        name=f"masking {masker.category.name} {language}",
    )


def placeholder(session: Session) -> Any:
    """A presidio_anonymizer Operator class, `placeholder` by name, that replaces by the placeholders of a session.

    An entity that the session's category does not have is refused by AnonymizerEngine with UnmaskableError, since its
    placeholder could not be restored; `masking.presidio.entities` lends a category the entities of Presidio.
    """
    from presidio_anonymizer.operators import Operator, OperatorType

    class Placeholder(Operator):  # type: ignore[misc]
        def operate(self, text: str = "", params: dict[str, Any] | None = None) -> str:
            return session.placeholder(text, (params or {}).get("entity_type", ""))

        def validate(self, params: dict[str, Any] | None = None) -> None:
            if not (params or {}).get("entity_type"):
                raise UnmaskableError("the operator placeholder needs an entity_type, which AnonymizerEngine gives it")

        def operator_name(self) -> str:
            return OPERATOR

        def operator_type(self) -> Any:
            return OperatorType.Anonymize

    return Placeholder
