"""The validators of Presidio's that cost most, answered sooner with the same answer; the rest are asked themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

__all__ = ["Judge", "invalidator", "validator"]

Judge = Callable[[str], bool | None]

_DASH_AND_BLANK: Final = [("-", ""), (" ", "")]
_DOUBLED: Final = {str(digit): sum(map(int, str(2 * digit))) for digit in range(10)}
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOTTED: Final = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_WHOLE_LOCAL: Final = re.compile(r"[\w.+'!$%&*^`{|}~=-]+")
_MOST_DOMAINS: Final = 4096


def validator(recogniser: Any) -> Judge | None:
    """What `validate_result` answers, or None where Presidio's base class would: that says nothing."""
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer

    own = type(recogniser).validate_result
    if own is PatternRecognizer.validate_result:
        return None
    if own is EmailRecognizer.validate_result:
        return _mail_domain
    asked: Judge = recogniser.validate_result
    if own is CreditCardRecognizer.validate_result and recogniser.replacement_pairs == _DASH_AND_BLANK:
        return _card(asked)
    return asked


def invalidator(recogniser: Any) -> Judge | None:
    """What `invalidate_result` answers, or None where Presidio's base class would: that says nothing."""
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import IpRecognizer

    own = type(recogniser).invalidate_result
    if own is PatternRecognizer.invalidate_result:
        return None
    asked: Judge = recogniser.invalidate_result
    if own is IpRecognizer.invalidate_result:
        # The `ipaddress` module takes four decimal bytes without leading zeros (RFC 6943, section 3.1.1).
        return lambda text: None if _DOTTED.fullmatch(text) else asked(text)
    return asked


def _card(asked: Judge) -> Judge:
    def passes(text: str) -> bool | None:
        """ISO/IEC 7812-1, annex B: the Luhn formula."""
        digits = text.replace("-", "").replace(" ", "")
        if not digits.isascii() or not digits.isdigit():
            return asked(text)
        total = sum(map(int, digits[-1::-2])) + sum(map(_DOUBLED.__getitem__, digits[-2::-2]))
        return total % 10 == 0

    return passes


def _mail_domain(address: str) -> bool:
    """Presidio's check of an e-mail address: its domain ends in a public suffix."""
    local, _, domain = address.rpartition("@")
    if not _WHOLE_LOCAL.fullmatch(local):
        # tldextract reads the address as a URL, in which these would end the host.
        return _has_suffix(address)
    key = hash(domain)
    known = _domains.get(key)
    if known is None:
        if len(_domains) >= _MOST_DOMAINS:
            _domains.clear()
        known = _domains[key] = _has_suffix(f"x@{domain}")
    return known


# By the process's own secret hash, so that no domain is kept.
_domains: dict[int, bool] = {}


def _has_suffix(address: str) -> bool:
    fqdn: str = _suffixes()(address).fqdn
    return fqdn != ""


@cache
def _suffixes() -> Any:
    import tldextract

    # Presidio's own extractor asks the network for a newer list when it first runs; the list in the package does.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
