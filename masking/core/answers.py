"""What happens to an answer: a policy, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is done with an answer besides restoring placeholders.

    `redact`: new values of kinds whose rules say `answer: redact` are redacted. `own`: a value of the conversation that
    the model writes in clear is kept, or redacted as well, names included. `hosts`: host names to which restored values
    may go inside links (`.example.com` allows all below it); elsewhere in links placeholders stay.
    """

    redact: bool = True
    own: Literal["keep", "redact"] = "keep"
    hosts: tuple[str, ...] = ()
