"""What can go wrong, by whose fault. No message ever carries a value that was found or was to be found.

MaskingError
  RuleError          the author of a rule file: file, line, rule
  SuiteError         the author of a suite or of a list of obligations: file, line, case
  ProviderError      the author of a provider descriptor: file, line, descriptor
  ModelError         a model that a category needs is missing or damaged on this machine
  ConfigurationError the caller named something that does not exist, or combined what does not go together
  UnmaskableError    this text or request cannot be made safe, so it does not leave
  RestoreError       the answer cannot be restored
  VaultError         the place where sessions are kept does not answer, so nothing that needs it may leave
    ConflictError    somebody else saved the same session in between: load it again
    LimitError       more sessions, or more values in one, than the limits allow
    SealError        what is kept there was not written with these keys, or was altered
"""

from __future__ import annotations

__all__ = [
    "ConfigurationError",
    "ConflictError",
    "LimitError",
    "MaskingError",
    "ModelError",
    "ProviderError",
    "RestoreError",
    "RuleError",
    "SealError",
    "SuiteError",
    "UnmaskableError",
    "VaultError",
]


class MaskingError(Exception):
    """Anything that this package raises on purpose; catch this to catch them all."""


class _FileError(MaskingError):
    """An error at a place in a YAML file: `file:line: subject: what`."""

    def __init__(self, what: str, *, file: str = "", line: int = 0, subject: str = "") -> None:
        self.what = what
        self.file = file
        self.line = line
        self.subject = subject
        place = f"{file}:{line}" if line else file
        super().__init__(": ".join(part for part in (place, subject, what) if part))


class RuleError(_FileError):
    """A rule file is wrong; says file, line (1-based), rule and what to do."""


class SuiteError(RuleError):
    """A suite of cases, or a list of obligations, is wrong; says file, line (1-based), case and what to do."""


class ProviderError(_FileError):
    """A provider descriptor is wrong; says file, line (1-based), descriptor and what to do."""


class ModelError(MaskingError):
    """A model is missing or damaged; names the command that installs it."""


class ConfigurationError(MaskingError):
    """The caller asked for something that does not exist or does not go together."""


class UnmaskableError(MaskingError):
    """This text cannot be made safe, so it does not leave; `where` says which part, never its content."""

    def __init__(self, what: str, *, where: str = "") -> None:
        self.what = what
        self.where = where
        super().__init__(f"{where}: {what}" if where else what)


class RestoreError(MaskingError):
    """The answer cannot be restored."""


class VaultError(MaskingError):
    """The vault does not answer or refuses; says which one, never a session's name or a value."""


class ConflictError(VaultError):
    """What was to be saved stands on a state that is no longer the newest: load again, mask again, save again."""


class LimitError(VaultError):
    """A session has too many values, or an owner too many sessions."""


class SealError(VaultError):
    """Bytes in a vault cannot be opened: another key wrote them, or somebody altered or exchanged them."""
