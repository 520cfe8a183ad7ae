"""What happens to an answer: a policy, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from masking.core.errors import ConfigurationError

__all__ = ["Answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is done with an answer besides restoring placeholders.

    `redact`: new values of kinds whose rules say `answer: redact` are redacted. `own`: a value of the conversation that
    the model writes in clear is kept, or redacted as well, names included. `hosts`: host names to which restored values
    may go inside links (`.example.com` allows all below it); elsewhere in links placeholders stay. `names`: with
    `sentence`, what models, spaCy and Presidio find is redacted too, and the reader waits for each sentence's end.
    """

    redact: bool = True
    own: Literal["keep", "redact"] = "keep"
    hosts: tuple[str, ...] = ()
    names: Literal["off", "sentence"] = "off"

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a word that is none of those listed."""
        for key, known in (("own", ("keep", "redact")), ("names", ("off", "sentence"))):
            if getattr(self, key) not in known:
                raise ConfigurationError(f"answers: {key} is {' or '.join(map(repr, known))}")
