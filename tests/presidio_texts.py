"""Texts in which Presidio's recognisers nearly or really find something, made from the recognisers' own patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from random import Random
from typing import Any

import phonenumbers

__all__ = ["phone_text", "run_text", "text_for", "value_of"]

_parser: Any = import_module("re._parser")
_is: Any = import_module("re._constants")

_WORDS = [
    "the",
    "a",
    "card",
    "number",
    "is",
    "please",
    "Call",
    "电话",
    "号码是",
    "证件号",
    "我的",
    "и",
    "номер",
    "é",
    "ñandú",
    "Straße",
    "山田さん",
    "주민",
    "phone",
    "iban",
    "tax",
    "ID",
    "no.",
    "für",
]
_BESIDE = [
    "",
    "",
    " ",
    " ",
    ", ",
    "。",
    "：",
    ":",
    "(",
    ")",
    '"',
    "-",
    "_",
    "/",
    ".",
    "\n",
    "\u3000",
    "\u00a0",
    "\t",
    "x",
    "9",
    "中",
    "é",
]
_ODD = [
    "ſ",
    "\u212a",
    "İ",
    "ı",
    "Ⅷ",
    "²",
    "\u0301",
    "\u200d",
    "\u200b",
    "ß",
    "\u212b",
    "𝟗",
    "٣",
    "９",
    "Ａ",
    "\ud800",
    "\x01",
    "\x0c",
    "\x1c",
    "\x85",
    "_",
]
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_NOT_DIGIT": "aZ -中_",
    "CATEGORY_SPACE": " \t\n\u3000",
    "CATEGORY_NOT_SPACE": "a7-中",
    "CATEGORY_WORD": "aZ09_中é",
    "CATEGORY_NOT_WORD": " -.。",
}


def text_for(random: Random, recogniser: Any) -> str:
    """One to three values of a recogniser, in English, Chinese and neither, some spoilt, some with odd characters."""
    pieces = [_filler(random)]
    for _ in range(random.choice((1, 1, 2, 3))):
        value = value_of(random, recogniser)
        if random.random() < 0.35:
            value = _spoilt(random, value)
        pieces += [random.choice(_BESIDE), value, random.choice(_BESIDE), _filler(random)]
    text = "".join(pieces)
    if random.random() < 0.15:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(_ODD) + text[at:]
    if random.random() < 0.04:
        text = re.sub("[0-9]", lambda digit: chr(ord(digit.group()) + 0xFEE0), text, count=random.randrange(1, 20))
    return text


def value_of(random: Random, recogniser: Any) -> str:
    """A text that one of the patterns matches, as far as look-arounds allow; one that Presidio confirms if it is lucky."""
    pattern = random.choice(recogniser.patterns)
    source = re.sub(r"\(\?i\)", "", pattern.regex)
    tree = _parser.parse(source, re.IGNORECASE | re.MULTILINE | re.DOTALL)
    value = ""
    for _ in range(random.choice((1, 12))):
        value = _sampled(random, tree, {})
        try:
            if recogniser.validate_result(value) and not recogniser.invalidate_result(value):
                break
        except Exception:
            continue
    return value


def phone_text(random: Random, numbers: Sequence[phonenumbers.PhoneNumber]) -> str:
    """Telephone numbers of all lands as people write them, some spoilt, among what looks like one."""
    parts = [
        _phone(random, numbers) if random.random() < 0.55 else random.choice(_PHONE_LIKE)
        for _ in range(random.randrange(1, 8))
    ]
    return random.choice(["", " ", ", ", "，"]).join(parts)


def run_text(random: Random) -> str:
    """Numbers of many lengths, whole and in groups, with anything between and beside them."""
    pieces = []
    for _ in range(random.randrange(1, 5)):
        pieces += [random.choice(_NEIGHBOURS), _grouped(random), random.choice(_NEIGHBOURS)]
        if random.random() < 0.3:
            pieces.append(_filler(random))
    text = "".join(pieces)
    if random.random() < 0.1:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice([*_ODD, "ı", "İ"]) + text[at:]
    if random.random() < 0.03:
        text = re.sub("[0-9]", lambda digit: chr(ord(digit.group()) + 0xFEE0), text, count=random.randrange(1, 9))
    return text


_NEIGHBOURS = [
    "", "", " ", " ", "\r\n", "。", "：", "，", "号", "é", "ß", "ñ", "a", "Z", "_", "x", "X", "😀", "%",
    "$", "€", "(", ")", "（", "）", "[", "]", "+", "＋", "-", "–", "—", "/", ".", ":", ",", ";", "#", "~", "～", "'", '"', "@", "\u0301", "\u200b",
    "\u00a0", "\u3000", "\t", "\n", "\x0c", "\x85", "((", "+(", "([", " - ", " ext 5", ";ext=9", ", x7", "доб 3", "interns",
]  # fmt: skip
_BETWEEN = ["-", " ", ".", "/", " - ", ") ", ", ", "\u00a0", "\u3000", "–", "~", ":", "  ", "（", "x"]
_GROUPS = [
    (3, 3, 4), (3, 2, 4), (4, 4, 4, 4), (4, 2, 2), (1, 2, 4), (2, 2, 2), (2, 2, 4), (5, 4), (3, 6), (1, 3, 1, 2), (3, 1, 3, 2), (2, 4, 4), (3, 4, 4),
    (3, 3, 3), (4, 6, 5), (2, 7), (1, 1, 1, 1), (4,), (4, 4), (1, 3, 3, 4), (4, 4, 4, 4, 2),
]  # fmt: skip
_LEADS = ["", "", "4", "5", "1", "9", "0", "20", "2026", "19", "12", "138", "192", "00", "+1", "+44", "+49", "+00", "+0", "0044", "011", "164"]  # fmt: skip


def _grouped(random: Random) -> str:
    kind = random.random()
    if kind < 0.35:
        digits = random.choice(_LEADS) + "".join(
            random.choices("0123456789", k=random.choice((1, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 25)))
        )
        return digits if kind < 0.3 else digits[:4] + random.choice(_BETWEEN) + digits[4:]
    sizes = random.choice(_GROUPS)
    lead = random.choice(_LEADS)
    groups = ["".join(random.choices("0123456789", k=size)) for size in sizes]
    if random.random() < 0.5:
        groups[0] = (lead + groups[0])[: max(len(groups[0]), len(lead))]
    if random.random() < 0.4:
        groups[1:2] = [f"{random.randrange(1, 13):02}"[-len(groups[1]) :]] if len(groups) > 1 else []
    parting = random.choice(_BETWEEN[:4]) if random.random() < 0.7 else None
    text = groups[0]
    for group in groups[1:]:
        text += (random.choice(_BETWEEN) if parting is None else parting) + group
    return f"({text}" if random.random() < 0.05 else text


_PHONE_LIKE = [
    "2024-11-21 08:00", "2011-11-22 10", "20111122 10:15:00", "12/03/2021", "5/6/7", "1640", "1650 a", "pp. 12-345(1234", "$", "%",
    "€5", "a", "é", "中", "电话", "10.0.0.1", "4111 1111 1111 1111", "1 2 3 4 5 6 7 8 9", "(12", "[3", "\n", "\u0301", "9" * 25, "1.2.3.4.5.6",
    "#", "+", "++", "12345678901", "123ext 7", "12 ext 3456789", "x", "tel:", "12-34-56-78-90", "０１２", "00", "011",
]  # fmt: skip
_PUNCTUATION = "-x‐–− 　()（）[].／/~,;#+＋＿"
_EXTENSIONS = [" ext. 5", " x123", "x12", "#4", " доб 77", ";ext=9", "~3", ",5", " - 12#", " int 5", "xx9", " anexo 7"]


def _phone(random: Random, numbers: Sequence[phonenumbers.PhoneNumber]) -> str:
    text: str = phonenumbers.format_number(random.choice(numbers), random.choice((0, 1, 2, 3)))
    kind = random.random()
    if kind < 0.3:
        text = "".join(random.choice("0123456789") if one.isdigit() and random.random() < 0.15 else one for one in text)
    elif kind < 0.4:
        text += random.choice(_EXTENSIONS)
    elif kind < 0.55:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(_PUNCTUATION) * random.randrange(1, 6) + text[at:]
    elif kind < 0.62:
        text = text.replace(" ", random.choice([".", "-", "/", "  ", "\u00a0", "—"]))
    elif kind < 0.66:
        text = "".join(chr(ord(one) + 0xFEE0) if one.isdigit() else one for one in text)
    return text


def _filler(random: Random) -> str:
    return random.choice(["", " "]).join(random.choice(_WORDS) for _ in range(random.randrange(4)))


def _spoilt(random: Random, value: str) -> str:
    if not value:
        return value
    at = random.randrange(len(value))
    return random.choice(
        (
            value[:at] + value[at + 1 :],
            value[:at] + random.choice("0123456789") + value[at + 1 :],
            value[:at] + random.choice("- ./_") + value[at:],
            value[:at] + value[at] + value[at:],
            value + value[-1],
            value.swapcase(),
            value.lower(),
            value.replace("-", " "),
        )
    )


def _sampled(random: Random, items: Any, groups: dict[int, str]) -> str:
    return "".join(_one(random, op, value, groups) for op, value in items)


def _one(random: Random, op: Any, value: Any, groups: dict[int, str]) -> str:
    if op is _is.LITERAL:
        one = chr(value)
        return one.swapcase() if random.random() < 0.1 and len(one.swapcase()) == 1 else one
    if op is _is.NOT_LITERAL:
        return random.choice("aB3 -")
    if op is _is.ANY:
        return random.choice("aB3 -中")
    if op is _is.IN:
        return _member(random, value)
    if op is _is.SUBPATTERN:
        groups[value[0] or 0] = text = _sampled(random, value[3], groups)
        return text
    if op is _is.BRANCH:
        return _sampled(random, random.choice(value[1]), groups)
    if op in (_is.MAX_REPEAT, _is.MIN_REPEAT):
        least, most, inside = value
        most = least + random.choice((0, 1, 2, 5, 20)) if most is _is.MAXREPEAT else most
        times = random.choice((least, least, most, random.randint(least, most)))
        return "".join(_sampled(random, inside, groups) for _ in range(min(times, 40)))
    if op is _is.GROUPREF:
        return groups.get(value, "-")
    if op is _is.ASSERT and value[0] < 0:
        return _sampled(random, value[1], groups)
    return ""


def _member(random: Random, items: Any) -> str:
    if items[0][0] is _is.NEGATE:
        return random.choice("aB3 -中#")
    op, value = random.choice(items)
    if op is _is.RANGE:
        return chr(random.randint(value[0], min(value[1], 0x2FFF)))
    if op is _is.CATEGORY:
        return random.choice(_CATEGORIES[str(value)])
    return chr(value)
