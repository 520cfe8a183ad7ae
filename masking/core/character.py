"""What a character is to a pattern: which kind, which elements of a pattern take it, whether it identifies.

Patterns are read by the standard library's own parser, in the syntax that rules share (`masking.core.pattern`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

__all__ = ["ascii_taken_by", "forbids", "identifies", "kind", "limited", "named_by", "taken_by", "width"]

# An escape or a character class, which hold no repeat; or a repeat without an end.
_REPEAT = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|[+*]|\{[0-9]+,\}", re.DOTALL)
_HAN = re.compile(
    "[\u00b7\u2010-\u205e\u2e80-\u303f\u3100-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]|\\s"
)


def identifies(character: str) -> bool:
    """Whether a character can be the first of what is redacted: not Han, not Chinese punctuation, not a blank.

    A plate is redacted from its letter on, an address from its number: so Chinese prose never waits.
    """
    return _HAN.match(character) is None


def width(source: str) -> int:
    """The longest text in characters that a pattern can match; at least 2**31 when it is unlimited."""
    return int(_parser.parse(source, re.ASCII).getwidth()[1])


def limited(source: str, most: int) -> str:
    """The pattern with `{1,most}` for `+`, `{0,most}` for `*`, and `{n,most}` for `{n,}`."""
    return _REPEAT.sub(lambda found: found[0] if found[1] else _limit(found[0], most), source)


def _limit(repeat: str, most: int) -> str:
    least = {"+": 1, "*": 0}.get(repeat)
    least = int(repeat[1:-2]) if least is None else least
    return f"{{{least},{max(most, least)}}}"


def forbids(before: str, word: int) -> bool:
    """Whether a boundary word forbids a match right after a character of this kind."""
    match before:
        case "digit" | "number":
            return word == 1
        case "letter":
            return word == 2
        case "alnum" | "decimal":
            return word in (1, 2)
        case "word":
            return word in (1, 2, 3)
        case "any_letter":
            return word in (1, 2, 4)
    return False


def kind(character: str) -> int:
    if character.isascii():
        return 1 if character.isdigit() else 2 if character.isalpha() else 3 if character == "_" else 0
    return 4 if character.isalnum() else 0


def taken_by(item: Any, flags: int) -> Any:
    """Whether a character is one that an element of a pattern takes."""
    plain = _plain(item)
    if not flags & re.IGNORECASE:
        return plain
    return lambda character: any(
        plain(one) for one in (character, character.lower(), character.upper()) if len(one) == 1
    )


def ascii_taken_by(item: Any, flags: int) -> Collection[str]:
    """The characters of ASCII for which `taken_by` holds."""
    taken = _members(item)
    if not flags & re.IGNORECASE:
        return taken
    return [one for one in _ASCII if not taken.isdisjoint((one, one.lower(), one.upper()))]


def named_by(item: Any, flags: int) -> Collection[str] | None:
    """The characters outside ASCII that an element names, if it takes no others; None where it is to be asked."""
    code, argument = item
    if code is op.CATEGORY and argument in _CATEGORIES:
        return None if argument in _NEGATIVE else ()
    if code is op.LITERAL:
        if argument < 128:
            return ()
        return None if flags & re.IGNORECASE else (chr(argument),)
    if code is op.RANGE and argument[1] < 128:
        return ()
    if code is op.IN and not (argument and argument[0][0] is op.NEGATE):
        parts = [named_by(one, flags) for one in argument]
        return None if None in parts else [one for part in parts if part is not None for one in part]
    return None


def _members(item: Any) -> frozenset[str]:
    code, argument = item
    if code is op.LITERAL:
        return _ASCII & {chr(argument)}
    if code is op.NOT_LITERAL:
        return _ASCII - {chr(argument)}
    if code is op.ANY:
        return _ASCII - {"\n"}
    if code is op.IN:
        negated = bool(argument) and argument[0][0] is op.NEGATE
        taken = frozenset().union(*[_members(one) for one in argument if one[0] is not op.NEGATE])
        return _ASCII - taken if negated else taken
    if code is op.RANGE:
        low, high = argument
        return frozenset(map(chr, range(low, min(high + 1, 128))))
    return frozenset(filter(_plain(item), _ASCII))


def _plain(item: Any) -> Any:
    code, argument = item
    if code is op.LITERAL:
        return lambda character: ord(character) == argument
    if code is op.NOT_LITERAL:
        return lambda character: ord(character) != argument
    if code is op.ANY:
        return lambda character: character != "\n"
    if code is op.IN:
        negated = bool(argument) and argument[0][0] is op.NEGATE
        tests = [_plain(one) for one in argument if one[0] is not op.NEGATE]
        return lambda character: any(test(character) for test in tests) != negated
    if code is op.RANGE:
        low, high = argument
        return lambda character: len(character) == 1 and low <= ord(character) <= high
    if code is op.CATEGORY:
        return _CATEGORIES[argument]
    raise ValueError(f"a pattern element that no rule may use: {code}")


_ASCII: Final = frozenset(map(chr, range(128)))
_DIGITS: Final = frozenset("0123456789")
_SPACES: Final = frozenset(" \t\n\r\f\v")
_WORDS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_CATEGORIES: Final[dict[Any, Any]] = {
    op.CATEGORY_DIGIT: _DIGITS.__contains__,
    op.CATEGORY_NOT_DIGIT: lambda character: character not in _DIGITS,
    op.CATEGORY_SPACE: _SPACES.__contains__,
    op.CATEGORY_NOT_SPACE: lambda character: character not in _SPACES,
    op.CATEGORY_WORD: _WORDS.__contains__,
    op.CATEGORY_NOT_WORD: lambda character: character not in _WORDS,
}
_NEGATIVE: Final = frozenset({op.CATEGORY_NOT_DIGIT, op.CATEGORY_NOT_SPACE, op.CATEGORY_NOT_WORD})
