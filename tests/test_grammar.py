"""The quick look before a number never misses a form that the grammar accepts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.form import begin, form, forms
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
        if list(forms(grammar, text)):
            found += 1
            assert grammar.possible_in(text), text
    assert found > 100


PIECES = [*ENTITIES, *JOINTS, "1", "17", "0", "９", "<", "</", ">", "&lt;", "&gt;", "\\", "\\\\", "\\u003c", "{{", "}}", "［", "］",
          "per", "son", "so ", "说", "A", " ", "%3C", "call 138", "\ud800", "İ"]  # fmt: skip


@given(text=st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_forms_are_those_that_looking_everywhere_finds(text: str) -> None:
    grammar = Grammar(ENTITIES)

    assert list(forms(grammar, text)) == list(_everywhere(grammar, text))
    assert grammar.possible_in(text) or not list(_everywhere(grammar, text))


def _everywhere(grammar: Grammar, text: str) -> Iterator[tuple[int, int]]:
    at = begin(grammar.anywhere, text, 0)
    while at < len(text):
        end, placeholder = form(grammar, text, at, None, last=True) or (at, "")
        if placeholder:
            yield at, end
        at = begin(grammar.anywhere, text, end if placeholder else at + 1)
