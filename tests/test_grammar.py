"""The quick look before a number never misses a form that the grammar accepts."""

from __future__ import annotations

from itertools import product

import pytest

from masking.core.form import forms
from masking.core.placeholder import Grammar

ENTITIES = ("PERSON", "US_SSN", "IP_ADDRESS", "ID", "X")
JOINTS = ("_", "\\_", "\\\\_", " ", "-", "%5f", "&#95;", "", "＿", "　", "－", "％５Ｆ")
BRACKETS = (
    ("<", ">"),
    ("&lt;", "&gt;"),
    ("\\u003c", "\\u003e"),
    ("%3C", "%3E"),
    ("[", "]"),
    ("{{", "}}"),
    ("＜", "＞"),
    ("<", ""),
    ("", ""),
)


def _wide(text: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


@pytest.mark.parametrize("entity", ENTITIES)
def test_where_a_form_is_found_it_was_possible(entity: str) -> None:
    grammar = Grammar(ENTITIES)
    found = 0
    for joint, (opener, closer), case in product(JOINTS, BRACKETS, (str.upper, str.lower, str.title, _wide)):
        text = f"so {opener}{case(entity)}{joint}17{closer} 说"
        if forms(grammar, text):
            found += 1
            assert grammar.possible_in(text), text
    assert found > 100
