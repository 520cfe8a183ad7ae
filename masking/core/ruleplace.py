"""Where in a rule file something stands, and the errors that name it."""

from __future__ import annotations

from typing import NoReturn

from masking.core.errors import RuleError
from masking.core.yamltext import Lines

__all__ = ["Place"]


class Place:
    """Where in which file a rule stands; makes its errors."""

    def __init__(self, file: str, lines: Lines, path: tuple[str | int, ...], subject: str) -> None:
        self.file = file
        self.subject = subject
        self._lines = lines
        self._path = path

    def line(self, *path: str | int) -> int:
        """The line of a key below this place, from 1; that of the nearest key above where it is not written."""
        return self._lines.of(*self._path, *path)

    def refuse(self, key: str, what: str) -> NoReturn:
        """Raise the RuleError that `key` (`context.words.0`) is wrong."""
        subject = f"rule {self.subject}" if self.subject else ""
        path = (int(part) if part.isdecimal() else part for part in key.split("."))
        raise RuleError(f"{key}: {what}", file=self.file, line=self.line(*path), subject=subject)
