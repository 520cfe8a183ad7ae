"""The lanes catch an engine that breaks a promise, and find none broken: what a category finds, it masks, restores and
redacts, for texts that nobody wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking import Masker
from masking.core.errors import SuiteError, UnmaskableError
from masking.core.finding import Finding
from masking.core.session import Masked
from masking.policy import exchange
from masking.policy.result import CaseResult
from masking.policy.run import Policy, run_case
from masking.policy.runner import run_suites
from masking.policy.suite import VARIANTS, Case, Claim, Message, load_suite

MASKER = Masker("UserInfo", names="off")
TEXT = "客户打13800138000吧，mail a@example.com!"


def case_of(text: str, findings: list[Finding], **options: Any) -> Case:
    claims = tuple(Claim(text[one.start : one.end], (one.start, one.end), (one.entity,)) for one in findings)
    fields: dict[str, Any] = {
        "id": "a", "messages": (Message("user", text),), "categories": ("UserInfo",), "names": "off",
        "must_mask": claims, "must_keep": (), "masked": None, "round_trip": None, "variants": (), "known_gap": "",
        "suite": "s", "file": "s.yaml", "line": 1,
    }  # fmt: skip
    return Case(**{**fields, **options})


class BrokenStream:
    """A stream that does what `broken` says to each piece."""

    def __init__(self, stream: Any, broken: Callable[[str], str]) -> None:
        self._stream, self._broken = stream, broken

    def feed(self, text: str) -> str:
        said: str = self._stream.feed(self._broken(text))
        return said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def flush(self) -> str:
        said: str = self._stream.flush()
        return said


class BrokenSession:
    """A session with one method in the place of its own."""

    def __init__(self, session: Any, **instead: Callable[..., Any]) -> None:
        self._session, self._instead = session, instead

    def __getattr__(self, name: str) -> Any:
        if name in self._instead:
            return lambda *arguments, **options: self._instead[name](self._session, *arguments, **options)
        return getattr(self._session, name)

    def __enter__(self) -> BrokenSession:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()


class BrokenPolicy(Policy):
    """A policy whose masker gives broken sessions."""

    def __init__(self, **instead: Callable[..., Any]) -> None:
        super().__init__(MASKER)
        self._plain = MASKER
        self.masker = self  # type: ignore[assignment]
        self._broken = instead

    @property
    def category(self) -> Any:
        return self._plain.category

    def session(self) -> Any:
        return BrokenSession(self._plain.session(), **self._broken)


def lanes(policy: Policy, **options: Any) -> set[str]:
    case = case_of(TEXT, MASKER.scan(TEXT), **options)
    return {one.lane for one in run_case(case, policy).violations}


def masked_as_it_is(session: Any, text: str) -> Masked:
    return Masked(text, session.masked(text).findings)


def refuses(session: Any, text: str) -> Masked:
    raise UnmaskableError("no")


def cut_wrongly(session: Any, **options: Any) -> Any:
    return BrokenStream(session.stream_object(**options), lambda text: text if len(text) != 5 else text[:-1])


def restored_wrongly(session: Any, text: str, **options: Any) -> str:
    restored: str = session.restore(text, **options)
    return restored.replace("@", "#")


def test_an_engine_in_order_breaks_nothing() -> None:
    assert lanes(Policy(MASKER), must_keep=(Claim("客户"),), round_trip=True) == set()
    assert lanes(BrokenPolicy(), must_keep=(Claim("客户"),), round_trip=True) == set()


@pytest.mark.parametrize(
    ("instead", "lane"),
    [
        ({"masked": masked_as_it_is}, "text"),
        ({"masked": refuses}, "text"),
        ({"restore": restored_wrongly}, "stream"),
        ({"stream_object": cut_wrongly}, "stream"),
        ({"stream_object": cut_wrongly}, "answer"),
    ],
)
def test_an_engine_that_breaks_is_caught_in_its_lane(instead: dict[str, Callable[..., Any]], lane: str) -> None:
    assert lane in lanes(BrokenPolicy(**instead))


@pytest.mark.parametrize(
    ("function", "instead", "lane"),
    [
        ("sent", lambda session, messages: [message.text for message in messages], "json"),
        ("sent", lambda session, messages: [session.mask(message.text) + " " for message in messages], "json"),
        ("answered", lambda session, texts: list(texts), "json"),
        ("answered_in_events", lambda session, texts: list(texts), "events"),
        ("called", lambda session, messages: [message.text for message in messages], "tool"),
        ("called_back", lambda session, texts: list(texts), "tool"),
    ],
)
def test_a_wire_that_leaks_or_loses_is_caught(
    monkeypatch: pytest.MonkeyPatch, function: str, instead: Callable[..., Any], lane: str
) -> None:
    monkeypatch.setattr(exchange, function, instead)

    assert lane in lanes(Policy(MASKER))


def test_an_answer_that_is_not_redacted_is_caught() -> None:
    policy = Policy(MASKER)
    policy.plan.findings = lambda text: []  # type: ignore[method-assign]

    assert lanes(policy) == {"answer"}


def test_an_error_in_another_process_is_told_as_in_this_one() -> None:
    text = "suite: s\ncategory: UserInfo\nnames: off\ncases:\n- {id: a, text: b1, must_mask: [{value: b1, entity: NO}]}"

    with pytest.raises(SuiteError, match=r"s\.yaml:5: case a: must_mask: UserInfo has no entity NO"):
        run_suites([load_suite(text, "s.yaml")], workers=2)


PIECES = [
    "13800138000", "a@example.com", "李雷", "11010519491231002X", "4111 1111 1111 1111", "<PERSON_1>", "[PHONE_NUMBER_1]",
    "user.name+tag@example.org", "+1 212 555 0123", "192.0.2.7", "<", ">", "_1>", "<EMAIL", " ", "，", "\n", "电话", "call ",
    "2026-01-02", "v1.2.3", "京A12345", "密码", "“", "”", "(", ")", "\\", '"', "\u200b", "１３８００１３８０００", "%40", "&lt;", "-", "."
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join),
    st.sampled_from((None, *VARIANTS)),
)
def test_what_is_found_is_masked_restored_and_cut_alike_in_texts_that_nobody_wrote(text: str, variant: Any) -> None:
    findings = [one for one in MASKER.scan(text) if one.entity != "LITERAL"]
    variants = () if variant is None else (variant,)
    result: CaseResult = run_case(case_of(text, findings, variants=variants), Policy(MASKER))

    # In another way of writing something else may be found, but what comes back is what went, however it is cut.
    broken = [one for one in result.violations if not one.variant or "whole" in one.what or "original" in one.what]
    assert broken == []
