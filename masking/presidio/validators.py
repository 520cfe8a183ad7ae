"""The validators of Presidio's that cost most, answered sooner with the same answer; the rest are asked themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from operator import mul
from typing import Any, Final

__all__ = ["Judge", "invalidator", "validator"]

Judge = Callable[[str], bool | None]

_DASH_AND_BLANK: Final = [("-", ""), (" ", "")]
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_WEIGHTS: Final = range(10, 0, -1)
_WEIGHED_ZEROS: Final = ord("0") * sum(_WEIGHTS) % 11
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOTTED: Final = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_WHOLE_LOCAL: Final = re.compile(r"[\w.+'!$%&*^`{|}~=-]+")
_NUMBERED: Final = {ord("A") + place: str(10 + place) for place in range(26)}
_SOCIAL: Final = re.compile(r"(?!000|666)[0-9]{3}([-. ]?)(?!00)[0-9]{2}\1(?!0000)[0-9]{4}")
_SOCIAL_DIGITS: Final = 9
_SAMPLES: Final = ("123456789", "987654320", "078051120")
_MOST_DOMAINS: Final = 4096


def validator(recogniser: Any) -> Judge | None:
    """What `validate_result` answers, or None where Presidio's base class would: that says nothing."""
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import (
        CreditCardRecognizer,
        EmailRecognizer,
        IbanRecognizer,
        NhsRecognizer,
    )

    own = type(recogniser).validate_result
    if own is PatternRecognizer.validate_result:
        return None
    if own is EmailRecognizer.validate_result:
        return _mail_domain
    asked: Judge = recogniser.validate_result
    if own is CreditCardRecognizer.validate_result and recogniser.replacement_pairs == _DASH_AND_BLANK:
        return _card(asked)
    if own is NhsRecognizer.validate_result and recogniser.replacement_pairs == _DASH_AND_BLANK:
        return _nhs(asked)
    if own is IbanRecognizer.validate_result and recogniser.replacement_pairs == _DASH_AND_BLANK:
        return _iban(asked, recogniser.BOSEOS)
    return asked


def invalidator(recogniser: Any) -> Judge | None:
    """What `invalidate_result` answers, or None where Presidio's base class would: that says nothing."""
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import IpRecognizer, UsSsnRecognizer

    own = type(recogniser).invalidate_result
    if own is PatternRecognizer.invalidate_result:
        return None
    asked: Judge = recogniser.invalidate_result
    if own is IpRecognizer.invalidate_result:
        # The `ipaddress` module takes four decimal bytes without leading zeros (RFC 6943, section 3.1.1).
        return lambda text: None if _DOTTED.fullmatch(text) else asked(text)
    if own is UsSsnRecognizer.invalidate_result:
        return lambda text: False if _is_social_security(text) else asked(text)
    return asked


def _card(asked: Judge) -> Judge:
    def passes(text: str) -> bool | None:
        """ISO/IEC 7812-1, annex B: the Luhn formula."""
        digits = text.replace("-", "").replace(" ", "")
        if not digits.isascii() or not digits.isdigit():
            return asked(text)
        codes = digits.encode()
        total = sum(codes[-1::-2]) + sum(codes[-2::-2].translate(_DOUBLED)) - ord("0") * len(codes)
        return total % 10 == 0

    return passes


def _nhs(asked: Judge) -> Judge:
    def passes(text: str) -> bool | None:
        """NHS Data Model and Dictionary, NHS NUMBER: weights of ten downwards, modulo eleven."""
        digits = text.replace("-", "").replace(" ", "")
        if len(digits) != len(_WEIGHTS) or not digits.isascii() or not digits.isdigit():
            return asked(text)
        weighed: int = sum(map(mul, digits.encode(), _WEIGHTS))
        return weighed % 11 == _WEIGHED_ZEROS

    return passes


def _iban(asked: Judge, is_exact: Any) -> Judge:
    def passes(text: str) -> bool | None:
        """ISO 13616-1, annex A: the rest by 97 of the number that letters and digits make."""
        plain = text.replace("-", "").replace(" ", "")
        if not (plain.isascii() and plain.isalnum() and plain.isupper()):
            return asked(text)
        # Most have letters in front only.
        rest = plain[4:] if plain[4:].isdigit() else plain[4:].translate(_NUMBERED)
        number = int(f"{rest}{plain[:2].translate(_NUMBERED)}00")
        if f"{98 - number % 97:0>2}" != plain[2:4]:
            return False
        of_country = None if is_exact else _of_country(plain[:2])
        return asked(text) if of_country is None else of_country(plain) is not None

    return passes


@cache
def _of_country(code: str) -> Any:
    """What matches an IBAN of a country, by Presidio's own list; None where it has none."""
    import regex
    from presidio_analyzer.predefined_recognizers.generic import iban_patterns

    pattern = iban_patterns.regex_per_country.get(code)
    return regex.compile(pattern, regex.DOTALL | regex.MULTILINE).match if pattern else None


def _is_social_security(text: str) -> bool:
    """Whether a number is one against which Presidio has nothing to say; those it may refuse are asked of it."""
    if _SOCIAL.fullmatch(text) is None:
        return False
    digits = text.replace(text[3], "") if len(text) > _SOCIAL_DIGITS else text
    return digits not in _SAMPLES and digits != digits[0] * _SOCIAL_DIGITS


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
