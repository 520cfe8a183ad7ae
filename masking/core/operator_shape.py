"""Characters by kind, so that a digit takes the place of a digit, and a Chinese character that of a Chinese one."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable
from typing import Final

__all__ = ["DIGITS", "HAN", "LOWER", "UPPER", "Pick", "table_of", "type_true"]

Pick = Callable[[str], str]
"""Draws one character of a table."""

UPPER: Final = string.ascii_uppercase
LOWER: Final = string.ascii_lowercase
DIGITS: Final = string.digits

HAN: Final = (
    "安白北辰晨成川春大东方芳丰峰福光广海禾和宏华辉嘉佳家江金锦景静九久开可昆兰乐礼立林岭龙绿明木南宁平千青清秋泉仁荣瑞"
    "三山上深生石书舒双水顺松素棠天田桐万文西溪夏小心新星兴秀雪雅言阳一怡英永友雨玉远月云泽知之中竹子"
)
"""Common characters of names and places."""

_FULL_WIDTH: Final = 0xFEE0
_TABLES: Final = (
    HAN,
    "абвгдежзиклмнопрстуфхцчшэюя",
    "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ",
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろ",
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロ",
    "가나다라마바사아자차하고노도로모보소오조",
    *("".join(chr(ord(one) + _FULL_WIDTH) for one in table) for table in (DIGITS, UPPER, LOWER)),
)
_BLOCKS: Final = (
    ("CJK UNIFIED IDEOGRAPH", 0),
    ("CJK COMPATIBILITY IDEOGRAPH", 0),
    ("CYRILLIC SMALL", 1),
    ("CYRILLIC CAPITAL", 2),
    ("GREEK SMALL", 3),
    ("GREEK CAPITAL", 4),
    ("HIRAGANA", 5),
    ("KATAKANA", 6),
    ("HANGUL", 7),
    ("FULLWIDTH DIGIT", 8),
    ("FULLWIDTH LATIN CAPITAL", 9),
    ("FULLWIDTH LATIN SMALL", 10),
)


def table_of(character: str) -> str:
    """The characters that may take a character's place; empty where it may stay: punctuation, symbols, blanks."""
    if character.isascii():
        if character.isdigit():
            return DIGITS
        if character.isalpha():
            return UPPER if character.isupper() else LOWER
        return ""
    category = unicodedata.category(character)
    if category[0] in "PSZ":
        return ""
    name = unicodedata.name(character, "")
    for block, table in _BLOCKS:
        if name.startswith(block):
            return _TABLES[table]
    if category[0] == "N":
        return DIGITS
    # Letters of every other script, combining marks, private characters: nothing of them stays.
    return UPPER if category == "Lu" else LOWER


def type_true(value: str, pick: Pick) -> str:
    """A text of the same kinds of characters in the same places; what has no kind (see `table_of`) stays."""
    return "".join(pick(table) if (table := table_of(one)) else one for one in value)
