"""The outline of a pattern that is made of digits and separators: a pattern for forms of numbers.

Card, telephone and identity numbers differ in their digits and are alike in form: `202-999-9999`, where a 9 may be any
digit. What an outline matches in a form is found once for all numbers of that form; which of these numbers the pattern
takes, it says itself.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

__all__ = [
    "ANY_DIGIT",
    "DIGITS",
    "FIRST",
    "LEAST_DIGITS",
    "MOST_BEHIND",
    "SEPARATORS",
    "Outline",
    "constants",
    "members",
    "outline",
    "parser",
]

# The parser behind `re`, public as sre_parse until Python 3.11 and private since; a pattern that it shows otherwise
# than expected has no outline and no trigger, and is always looked at.
constants: Any
parser: Any
try:
    from re import _constants as constants  # type: ignore[attr-defined,no-redef]
    from re import _parser as parser  # type: ignore[attr-defined,no-redef]
except ImportError:  # pragma: no cover - a Python of another make
    constants = parser = None

DIGITS: Final = frozenset("0123456789")
SEPARATORS: Final = frozenset(" -./()+,:;#_")
FIRST: Final = DIGITS | {"(", "+"}
"""What a pattern with an outline begins with."""

MOST_BEHIND: Final = 1
"""Characters that may have to stand behind the digits and separators of an outline, as the X of some numbers."""

ANY_DIGIT: Final = "9"
"""The digit that stands for any in a form."""

LEAST_DIGITS: Final = 3
"""Digits that every outline takes at least."""

_MOST_BEGINS: Final = 4


class Outline(NamedTuple):
    """A pattern for forms, empty where there is none. `whole`: it is that of the whole pattern, which otherwise may end
    with more than digits and separators (an extension, a letter). A match begins with one of `begins`, if there are
    any."""

    source: str = ""
    whole: bool = False
    begins: tuple[str, ...] = ()


def outline(tree: Any) -> Outline:
    """The outline of a parsed pattern."""
    items = list(tree)
    while len(items) == 1 and items[0][0] is constants.SUBPATTERN:
        tree = items[0][1][3]
        items = list(tree)
    parts: list[str] = []
    for op, value in items:
        part = _widened(op, value)
        if part is None:
            break
        parts.append(part)
    made = "".join(parts)
    begun = tree[: len(parts)]
    first, obligatory = _first(begun)
    behind = int(tree.getwidth()[0]) - int(begun.getwidth()[0])
    if not obligatory or not first <= FIRST or behind > MOST_BEHIND or _digits(begun) < LEAST_DIGITS:
        return Outline()
    return Outline(made, len(parts) == len(items), _begins(items[: len(parts)]))


def _widened(op: Any, value: Any) -> str | None:
    """A part of a pattern that takes `ANY_DIGIT` wherever it takes a digit; None where it may take other characters."""
    if op is constants.LITERAL or op is constants.IN:
        found = {chr(value)} if op is constants.LITERAL else members(value)
        if not found or not found <= DIGITS | SEPARATORS:
            return None
        taken = found | {ANY_DIGIT} if found & DIGITS else found
        return "[" + "".join(one if one in DIGITS else f"\\{one}" for one in sorted(taken)) + "]"
    if op is constants.SUBPATTERN:
        return _all(value[3])
    if op is constants.BRANCH:
        ways = [_all(branch) for branch in value[1]]
        return None if None in ways else f"(?:{'|'.join(filter(None, ways))})" + ("?" if "" in ways else "")
    if op in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        least, most, inside = value
        part = _all(inside)
        if part is None:
            return None
        return f"(?:{part}){{{least},{'' if most is constants.MAXREPEAT else int(most)}}}" if part else ""
    return "" if op is constants.AT else None


def _all(items: Any) -> str | None:
    parts = [_widened(op, value) for op, value in items]
    return None if None in parts else "".join(filter(None, parts))


def _first(items: Any) -> tuple[frozenset[str], bool]:
    """The characters that a part made of digits and separators can begin with, and whether it has any."""
    found: frozenset[str] = frozenset()
    for op, value in items:
        obligatory = True
        if op is constants.LITERAL:
            found |= {chr(value)}
        elif op is constants.IN:
            found |= members(value) or frozenset()
        elif op is constants.AT:
            obligatory = False
        else:
            branches = value[1] if op is constants.BRANCH else [value[3] if op is constants.SUBPATTERN else value[2]]
            for some, has_any in map(_first, branches):
                found |= some
                obligatory = obligatory and has_any
            if op in (constants.MAX_REPEAT, constants.MIN_REPEAT) and value[0] == 0:
                obligatory = False
        if obligatory:
            return found, True
    return found, False


def _begins(items: Any) -> tuple[str, ...]:
    """What a part made of digits and separators can begin with, if that is little to look for."""
    found = [""]
    for op, value in items:
        more = _exact(op, value)
        if more is None or len(found) * len(more) > _MOST_BEGINS:
            break
        found = [one + other for one in found for other in more]
    return () if "" in found else tuple(sorted(found))


def _exact(op: Any, value: Any) -> list[str] | None:
    if op is constants.LITERAL:
        return [chr(value)]
    if op is constants.IN:
        return sorted(members(value) or ()) or None
    if op is constants.SUBPATTERN or op is constants.BRANCH:
        found: list[str] = []
        for branch in value[1] if op is constants.BRANCH else [value[3]]:
            some = [""]
            for inner, inside in branch:
                more = _exact(inner, inside)
                if more is None:
                    return None
                some = [one + other for one in some for other in more]
            found += some
        return found
    return None


def _digits(items: Any) -> int:
    """The fewest digits that a part made of digits and separators holds."""
    count = 0
    for op, value in items:
        if op is constants.LITERAL:
            count += chr(value) in DIGITS
        elif op is constants.IN:
            count += (members(value) or frozenset()) <= DIGITS
        elif op is constants.SUBPATTERN:
            count += _digits(value[3])
        elif op is constants.BRANCH:
            count += min(map(_digits, value[1]))
        elif op is not constants.AT:
            count += value[0] * _digits(value[2])
    return count


def members(items: Any) -> frozenset[str] | None:
    """The characters of a class, where they are few."""
    found: set[str] = set()
    for op, value in items:
        if op is constants.LITERAL:
            found.add(chr(value))
        elif op is constants.RANGE and value[1] - value[0] < len(DIGITS) + len(SEPARATORS):
            found.update(chr(code) for code in range(value[0], value[1] + 1))
        elif op is constants.CATEGORY and value is constants.CATEGORY_DIGIT:
            found |= DIGITS
        else:
            return None
    return frozenset(found)
