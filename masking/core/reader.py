"""What streams are made on: compiled where that was built (`make setup` does so where there is a C compiler), else in
Python. Both say the same; `MASKING_COMPILED=0` in the environment asks for the one in Python.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

from masking.core import plain

__all__ = ["COMPILED", "Beginning", "Classes", "Known", "Lane", "Net", "Reader", "Shaped", "last"]

_made = plain
with suppress(ImportError):
    built = import_module("masking.core.compiled")
    if all(hasattr(built, name) for name in plain.__all__):  # else it was built from another version
        _made = built

COMPILED: Final = _made is not plain
"""Whether streams run compiled."""

if TYPE_CHECKING:
    from masking.core.plain import Beginning, Classes, Known, Lane, Net, Reader, Shaped, last
else:
    Classes, Known, Lane, Net = _made.Classes, _made.Known, _made.Lane, _made.Net
    Beginning, Reader, Shaped, last = _made.Beginning, _made.Reader, _made.Shaped, _made.last
