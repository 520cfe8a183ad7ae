"""The program's own log as JSON lines: time, level, logger, message, and what was given as `extra`.

    configure("INFO", "json")

An exception is told by its type and the place it came from. Its message is not: somebody else's exception may quote
what it choked on.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

import orjson

__all__ = ["Json", "Plain", "configure", "place_of"]

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LOGGERS = ("masking", "uvicorn", "uvicorn.error", "aiohttp", "asyncio")


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["at"] = place_of(record.exc_info[2])
        return orjson.dumps(line, default=_type_of, option=orjson.OPT_NON_STR_KEYS).decode()


class Plain(logging.Formatter):
    """Text for a terminal, with the same care for exceptions."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Type and place, without the message."""
        return f"  {ei[0].__name__ if ei[0] else '?'} at {place_of(ei[2])}"


def configure(level: str = "INFO", form: Literal["json", "text"] = "text", stream: TextIO | None = None) -> None:
    """Send the gateway's log and its libraries' to `stream`, standard error if left out; called again, it replaces."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if form == "json" else Plain())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler] if "." not in name else []
        logger.propagate = "." in name
        # A library at its most talkative shows headers and bodies.
        logger.setLevel(level if name == "masking" else max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def place_of(traceback: TracebackType | None) -> str:
    """Where an exception came from: file and line."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "?"


def _type_of(value: object) -> str:
    return f"<{type(value).__name__}>"
