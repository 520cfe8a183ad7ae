"""Masks personal data in text on its way to a language model, and restores it in the streamed answer.

from masking import Masker

masker = Masker("UserInfo")
"""

from masking.core.answers import Answers
from masking.core.errors import (
    ConfigurationError,
    MaskingError,
    ModelError,
    ProviderError,
    RestoreError,
    RuleError,
    UnmaskableError,
)
from masking.core.finding import Finding
from masking.core.rule import Category
from masking.core.session import Masked, Session
from masking.core.stream import Stream
from masking.masker import Masker
from masking.shadow import Shadow

__all__ = [
    "Answers",
    "Category",
    "ConfigurationError",
    "Finding",
    "Masked",
    "Masker",
    "MaskingError",
    "ModelError",
    "ProviderError",
    "RestoreError",
    "RuleError",
    "Session",
    "Shadow",
    "Stream",
    "UnmaskableError",
]

__version__ = "0.1.0"
