"""Lanes: text in pieces comes out whole, and no event is invented, dropped or reordered."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Masker
from masking.core.descriptor import load
from masking.core.document import Document
from masking.core.held import Held
from masking.core.lane import GenericLanes, Lanes
from masking.core.path import Close, Lane, compile_lanes, parse, spell
from masking.core.path import Path as Steps
from masking.core.samples import category_of
from masking.core.session import Session

PROVIDERS = Path(__file__).parents[1] / "providers"
CHAT = load((PROVIDERS / "openai.chat.yaml").read_text("utf-8"), "openai.chat.yaml")
APP = load((PROVIDERS / "dashscope.app.yaml").read_text("utf-8"), "dashscope.app.yaml")

VALUES = {"<PERSON_1>": "张三", "<PERSON_2>": 'Ann "Anny" Lee', "<EMAIL_ADDRESS_1>": "ann@example.com"}
MASKER = Masker(category_of(VALUES))

TEXTS = st.lists(
    st.sampled_from(
        ["<PERSON_1>", "<PERSON_2>", "<EMAIL_ADDRESS_1>", "<PERSON_3>", "<", "a ", "你好", "&lt;PERSON_1&gt;", "!"]
    )
).map("".join)


@pytest.fixture
def session() -> Iterator[Session]:
    with MASKER.session() as session:
        session.load(VALUES)
        yield session


def made(session: Session, *lanes: Lane, objects: bool = False, patience: int = 64) -> Lanes[Any]:
    return Lanes(session, lanes, compile_lanes(lanes, objects=objects), Document(), patience=patience)


def run(lanes: Lanes[Any], events: list[Any]) -> list[Held[Any]]:
    leaving = [held for number, event in enumerate(events) for held in lanes.feed(number, event)]
    return leaving + lanes.close()


def pieces(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


# paths


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a[*].b", ("a", None, "b")),
        ("a[*][*]", ("a", None, None)),
        ("[*].a", (None, "a")),
        ("a-b.c d", ("a-b", "c d")),
    ],
)
def test_a_path_is_read_and_spelled(text: str, steps: Steps) -> None:
    assert parse(text) == steps
    assert spell(steps) == text


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[0]", "a[?x]", "a[*]b", "a.[*]"])
def test_a_path_with_anything_more_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|brackets"):
        parse(text)


def slow(doc: Any, lane: Lane, number: int) -> list[tuple[tuple[Any, ...], str]]:
    """The pieces of one lane, found by interpreting its paths."""

    def look(node: Any, path: Steps, at: tuple[int, ...]) -> Iterator[tuple[Any, tuple[int, ...]]]:
        if not path:
            yield node, at
        elif path[0] is None:
            for position, item in enumerate(node) if type(node) is list else ():
                yield from look(item, path[1:], (*at, position))
        elif type(node) is dict and node.get(path[0]) is not None:
            yield from look(node[path[0]], path[1:], at)

    def told(path: Steps, at: tuple[int, ...]) -> Any:
        node, bound = doc, list(at)
        for step in path:
            if step is None:
                node = node[bound.pop(0)]
            else:
                node = node.get(step) if type(node) is dict else None
        return node

    return [
        ((number, *(told(key, at) for key in lane.key)), text)
        for text, at in look(doc, lane.text, ())
        if type(text) is str and all(told(path, at) == value for path, value in lane.when)
    ]


SHAPES = (
    Lane(parse("c[*].d.t"), key=(parse("c[*].i"), parse("id"))),
    Lane(parse("c[*].d.u"), key=(parse("c[*].i"),), when=((parse("c[*].k"), 1),)),
    Lane(parse("c[*].f[*].t"), key=(parse("c[*].i"), parse("c[*].f[*].i"))),
    Lane(parse("c[*].d")),
    Lane(parse("t"), when=((parse("k"), "x"),)),
    Lane(parse("l[*]")),
)
LEAF = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["x", "y"]))
NESTED = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["c", "d", "f", "t", "u", "i", "k", "l"]), inner)
    ),
)
EVENTS = st.dictionaries(st.sampled_from(["c", "d", "t", "k", "l", "id"]), NESTED)


@given(EVENTS)
def test_the_compiled_lanes_find_what_the_interpreted_paths_find(doc: Any) -> None:
    for objects in (False, True):
        found: list[Any] = []
        compile_lanes(SHAPES, objects=objects)(doc, found, [])
        expected = [piece for number, lane in enumerate(SHAPES) for piece in slow(doc, lane, number)]

        assert sorted(map(repr, ((key, text) for key, _, _, text in found))) == sorted(map(repr, expected))
        assert all(container[name] == text for _, container, name, text in found)


@pytest.mark.parametrize("event", [None, [], "text", 1, {}, {"choices": None}, {"choices": {}}, {"choices": [1, None]}])
def test_a_shape_that_does_not_fit_matches_nothing(event: Any) -> None:
    found: list[Any] = []
    CHAT.find(event, found, found)
    CHAT.find_in_objects(event, found, found)

    assert found == []


@pytest.mark.parametrize(
    ("value", "closes"),
    [
        ("stop", True),
        (True, True),
        (1, True),
        (["a"], True),
        (None, False),
        ("", False),
        (False, False),
        ("null", False),
    ],
)
def test_what_closes_a_lane(value: Any, closes: bool) -> None:
    found: list[Any] = []
    compile_lanes((Lane(parse("t"), close=(Close(parse("end")),)),))({"end": value}, [], found)

    assert bool(found) is closes


# the queue


def chat(index: int, text: str | None, reason: str | None = None, number: int = 0) -> dict[str, Any]:
    return {"id": number, "choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}]}


@given(TEXTS, TEXTS, st.lists(st.integers(0, 500), max_size=12), st.randoms(use_true_random=False), st.booleans())
def test_two_choices_at_once_come_out_whole_at_any_cuts(
    first: str, second: str, places: list[int], order: Any, ends: bool
) -> None:
    with MASKER.session() as session:
        session.load(VALUES)
        queues = [
            [chat(0, piece) for piece in pieces(first, places)],
            [chat(1, piece) for piece in pieces(second, places)],
        ]
        for index, queue in enumerate(queues):
            queue.extend([chat(index, None, "stop")] if ends else [])
        events = []
        while any(queues):
            events.append(order.choice([queue for queue in queues if queue]).pop(0))
        before = copy.deepcopy(events)
        left = run(Lanes(session, CHAT.lanes, CHAT.find, CHAT.event), events)

        assert [held.event for held in left] == list(range(len(events)))
        for index, text in enumerate((first, second)):
            said = [
                choice["delta"]["content"] or ""
                for held in left
                for choice in held.doc["choices"]
                if choice["index"] == index
            ]
            assert "".join(said) == session.restore(text)
        assert [held.changed for held in left] == [now != was for now, was in zip(events, before, strict=True)]


@given(TEXTS, st.lists(st.integers(0, 500), max_size=12))
def test_a_cumulative_stream_only_ever_goes_on_and_ends_whole(text: str, places: list[int]) -> None:
    with MASKER.session() as session:
        session.load(VALUES)
        ends = sorted(place % (len(text) + 1) for place in places)
        events = [{"output": {"text": text[:end], "finish_reason": "null"}} for end in ends]
        events.append({"output": {"text": text, "finish_reason": "stop"}})
        said = [held.doc["output"]["text"] for held in run(Lanes(session, APP.lanes, APP.find, APP.event), events)]

        assert len(said) == len(events)
        assert all(later.startswith(earlier) for earlier, later in pairwise(said))
        assert said[-1] == session.restore(text)


@given(TEXTS, st.lists(st.integers(0, 500), max_size=12))
def test_json_in_pieces_stays_json(text: str, places: list[int]) -> None:
    whole = json.dumps({"to": text}, ensure_ascii=False)
    events = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]}
        for piece in pieces(whole, places)
    ]
    with MASKER.session() as session:
        session.load(VALUES)
        left = run(Lanes(session, CHAT.lanes, CHAT.find, CHAT.event), events)
        said = "".join(held.doc["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for held in left)

        assert json.loads(said)["to"] == session.restore(text)


def test_an_event_waits_for_at_most_one_later_event_of_its_lane(session: Session) -> None:
    lanes = made(session, Lane(parse("t")))
    left = [[held.event for held in lanes.feed(number, {"t": piece})] for number, piece in enumerate("<PERSON_1>!")]

    assert left == [[], [0], [1], [2], [3], [4], [5], [6], [7], [8, 9], [10]]


def test_everything_later_queues_behind_a_waiting_event(session: Session) -> None:
    lanes = made(session, Lane(parse("t")))

    assert lanes.feed("opener", {"t": "a <"}) == []
    assert lanes.feed("comment") == []
    assert lanes.feed("other", {"usage": 3}) == []
    assert [held.event for held in lanes.feed("next", {"t": "b"})] == ["opener", "comment", "other", "next"]


def test_an_event_whose_tail_came_back_is_unchanged(session: Session) -> None:
    lanes = made(session, Lane(parse("t"), close=(Close(parse("end")),)))
    lanes.feed("one", {"t": "a <"})
    left = lanes.feed("two", {"end": True})

    assert [(held.event, held.doc, held.changed) for held in left] == [
        ("one", {"t": "a <"}, False),
        ("two", {"end": True}, False),
    ]


def test_a_lane_that_fell_silent_is_not_waited_for_for_ever(session: Session) -> None:
    lanes = made(session, Lane(parse("t")), Lane(parse("u")), patience=5)
    left = [len(lanes.feed(0, {"t": "a <"}))]
    left += [len(lanes.feed(number, {"u": "b"})) for number in range(1, 8)]

    assert left == [0, 0, 0, 0, 0, 6, 1, 1]


def test_a_choice_that_ends_closes_all_of_its_tool_calls(session: Session) -> None:
    def call(choice: int, number: int, text: str) -> Any:
        delta = {"tool_calls": [{"index": number, "function": {"arguments": text}}]}
        return {"choices": [{"index": choice, "delta": delta, "finish_reason": None}]}

    lanes: Lanes[Any] = Lanes(session, CHAT.lanes, CHAT.find, CHAT.event)
    left = [len(lanes.feed(0, call(choice, number, "a <"))) for choice in (0, 1) for number in (0, 1)]
    left += [len(lanes.feed(0, chat(choice, None, "stop"))) for choice in (1, 0)]

    assert left == [0, 0, 0, 0, 0, 6]


def test_a_tuple_is_read_but_not_written_to(session: Session) -> None:
    event = {"parts": ("<PERSON_1>", {"t": "<PERSON_1>."})}

    for lanes in (GenericLanes(session), made(session, Lane(parse("parts[*].t")), objects=True)):
        assert run(lanes, [copy.deepcopy(event)])[0].doc == {"parts": ("<PERSON_1>", {"t": "张三."})}


def test_a_lane_may_go_on_after_it_closed(session: Session) -> None:
    lanes = made(session, Lane(parse("t"), close=(Close(parse("end")),)))
    left = run(lanes, [{"t": "<PERSON", "end": 1}, {"t": "<PERSON_1>"}])

    assert [held.doc["t"] for held in left] == ["<PERSON", "张三"]


@pytest.mark.parametrize("key", [None, 1, "a", [1], {"a": 1}])
def test_any_json_value_may_be_a_key(session: Session, key: Any) -> None:
    lanes = made(session, Lane(parse("t"), key=(parse("k"),)))
    left = run(lanes, [{"t": "<PERSON", "k": key}, {"t": "_1>", "k": key}])

    assert "".join(held.doc["t"] for held in left) == "张三"


@pytest.mark.parametrize("text", [None, 1, True, ["a"], {"a": 1}])
def test_a_lane_whose_text_is_no_string_is_left_alone(session: Session, text: Any) -> None:
    event = {"t": text}
    (held,) = run(made(session, Lane(parse("t"))), [event])

    assert held.doc == {"t": text}
    assert not held.changed


def test_strings_outside_the_lanes_are_restored_whole(session: Session) -> None:
    opaque = Lanes(session, (Lane(parse("t")),), compile_lanes((Lane(parse("t")),)), Document([parse("id")]))
    (held,) = run(opaque, [{"t": "x", "id": "<PERSON_1>", "whole": ["<PERSON_1>", {"a": "<PERSON_2>"}], "n": 1}])

    assert held.doc == {"t": "x", "id": "<PERSON_1>", "whole": ["张三", {"a": 'Ann "Anny" Lee'}], "n": 1}
    assert held.changed


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "<PERSON_1>", "a ", "你", "<PERSON_2>", '"', "\ud800"]),
            st.sampled_from(["a", "<PERSON_1>", "id", "你", "", "\ud800"]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_what_stands_around_the_text_is_restored_in_every_event(
    events: list[tuple[str, str, bool, bool]],
) -> None:
    lane = Lane(parse("text"))

    def said(*, with_bytes: bool) -> list[Any]:
        with MASKER.session() as session:
            session.load(VALUES)
            lanes = made(session, lane)
            left: list[Held[Any]] = []
            for text, other, other_first, ascii_only in events:
                doc = {"other": other, "text": text} if other_first else {"text": text, "other": other}
                spelt = json.dumps(doc, ensure_ascii=ascii_only, separators=(",", ":")).encode("utf-8", "surrogatepass")
                left += lanes.feed(None, doc, raw=spelt if with_bytes else b"")
            return [held.doc for held in left + lanes.close()]

    assert said(with_bytes=True) == said(with_bytes=False)


def test_events_known_to_hold_nothing_are_not_walked(session: Session) -> None:
    lanes = made(session, Lane(parse("t")))
    (held,) = lanes.feed(0, {"t": "x", "whole": "<PERSON_1>"}, walk=False)

    assert held.doc["whole"] == "<PERSON_1>"


# modes


def auto(session: Session, texts: list[str]) -> list[str]:
    lanes = made(session, Lane(parse("t"), mode="auto"))
    return [held.doc["t"] for held in run(lanes, [{"t": text} for text in texts])]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        pytest.param(["Hi <PER", "SON_1>", "!"], ["Hi ", "张三", "!"], id="pieces"),
        pytest.param(
            ["Hi <PER", "Hi <PERSON_1>!", "Hi <PERSON_1>! Bye"], ["Hi ", "Hi 张三!", "Hi 张三! Bye"], id="repeats"
        ),
        pytest.param(["Hi", " <", "<PERSON_1>!"], ["Hi", " ", "<张三!"], id="pieces that begin alike"),
        pytest.param(["x<", "x<", "x<"], ["x<", "x<", "x<"], id="a field that every event repeats"),
        pytest.param(
            ["Hi <PER", "Hi <PERSON_1> and <PER", "Hi <PERSON_1> and <PER"],
            ["Hi ", "Hi 张三 and ", "Hi 张三 and <PER"],
            id="the last text twice",
        ),
        pytest.param(["Hi <PER", ""], ["Hi ", "<PER"], id="an empty last piece"),
    ],
)
def test_mode_auto_tells_pieces_from_repeats(session: Session, texts: list[str], said: list[str]) -> None:
    assert auto(session, texts) == said


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        pytest.param(["a <", "a <", "a <b"], ["a ", "a ", "a <b"], id="nothing new"),
        pytest.param(["a <", "b <PERSON_1>."], ["a <", "b 张三."], id="afresh"),
        pytest.param(["a <", ""], ["a <", ""], id="empty at the end"),
    ],
)
def test_a_cumulative_text_that_does_not_go_on_starts_afresh(
    session: Session, texts: list[str], said: list[str]
) -> None:
    lanes = made(session, Lane(parse("t"), mode="cumulative"))

    assert [held.doc["t"] for held in run(lanes, [{"t": text} for text in texts])] == said


# SDK objects


def test_openai_objects_are_rewritten_in_place(session: Session) -> None:
    from openai.types.chat import ChatCompletionChunk

    def chunk(delta: dict[str, Any], reason: str | None = None) -> Any:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return ChatCompletionChunk.model_validate(
            {"id": "c", "created": 1, "model": "m", "object": "chat.completion.chunk", "choices": choices}
        )

    events = [
        chunk({"reasoning_content": "is <PER"}),
        chunk({"reasoning_content": "SON_1>."}),
        chunk({"content": "Hi <"}),
        chunk({"content": "PERSON_1>"}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"<PERSON_2'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '>"'}}]}),
        chunk({}, "stop"),
    ]
    left = run(Lanes(session, CHAT.lanes, CHAT.find_in_objects, CHAT.event), events)

    assert [held.doc for held in left] == events
    deltas = [event.choices[0].delta for event in events]
    assert "".join(getattr(delta, "reasoning_content", "") for delta in deltas) == "is 张三."
    assert "".join(delta.content or "" for delta in deltas) == "Hi 张三"
    assert (
        "".join(call.function.arguments for delta in deltas for call in delta.tool_calls or ()) == r'"Ann \"Anny\" Lee"'
    )


def test_dashscope_objects_are_rewritten_in_place(session: Session) -> None:
    from dashscope.app.application_response import ApplicationOutput, ApplicationResponse

    def event(text: str, reason: str = "null") -> Any:
        return ApplicationResponse(
            status_code=200,
            request_id="r",
            code="",
            message="",
            output=ApplicationOutput(text=text, finish_reason=reason),
            usage=None,
        )

    events = [event("Hi <PER"), event("Hi <PERSON_1>,"), event("Hi <PERSON_1>, bye", "stop")]
    run(Lanes(session, APP.lanes, APP.find_in_objects, APP.event), events)

    assert [one.output.text for one in events] == ["Hi ", "Hi 张三,", "Hi 张三, bye"]


class Slotted:
    __slots__ = ("id", "text")

    def __init__(self, text: str) -> None:
        self.id = "<PERSON_1>"
        self.text = text


class Owner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.owner = self


@pytest.mark.parametrize("kind", [Slotted, Owner])
def test_any_object_can_be_an_event(session: Session, kind: Any) -> None:
    events = [kind("Hi <PER"), kind("SON_1>!")]
    run(GenericLanes(session), events)

    assert "".join(event.text for event in events) == "Hi 张三!"


@given(TEXTS, TEXTS, st.lists(st.integers(0, 500), max_size=12), st.randoms(use_true_random=False))
def test_generic_lanes_keep_choices_apart(first: str, second: str, places: list[int], order: Any) -> None:
    with MASKER.session() as session:
        session.load(VALUES)
        # A text in one piece before the cut ones, as answers have: pieces that do not repeat show the mode.
        queues = [
            [chat(index, piece) for piece in ("Well, ", "so: ", *pieces(text, places))]
            for index, text in enumerate((first, second))
        ]
        events = []
        while any(queues):
            events.append(order.choice([queue for queue in queues if queue]).pop(0))
        left = run(GenericLanes(session), events)

        assert [held.event for held in left] == list(range(len(events)))
        for index, text in enumerate((first, second)):
            said = [
                held.doc["choices"][0]["delta"]["content"] for held in left if held.doc["choices"][0]["index"] == index
            ]
            assert "".join(said) == session.restore("Well, so: " + text)


def test_generic_lanes_leave_repeated_ids_alone(session: Session) -> None:
    events = [{"id": "chat<PERSON_", "text": piece} for piece in ("a <PER", "SON_1>", ".")]
    left = run(GenericLanes(session), events)

    assert [held.doc["id"] for held in left] == ["chat<PERSON_"] * 3
    assert "".join(held.doc["text"] for held in left) == "a 张三."


# Streams that say something else than they were fed


class Redacting:
    """Holds every run of digits until it ends; eleven of them are a number, which it replaces."""

    def __init__(self) -> None:
        self._held = ""

    @property
    def held(self) -> bool:
        return bool(self._held)

    def feed(self, text: str) -> str:
        said, self._held = re.fullmatch(r"(.*?)(\d*)", self._held + text, re.DOTALL).groups()  # type: ignore[union-attr]
        return re.sub(r"(?<!\d)\d{11}(?!\d)", "[number]", said)

    def flush(self) -> str:
        said, self._held = self._held, ""
        return re.sub(r"\d{11}", "[number]", said) if len(said) == 11 else said


class Redactor:
    def restore(self, text: str, *, json: bool = False) -> str:
        stream = Redacting()
        return stream.feed(text) + stream.flush()

    def stream_object(self, *, json: bool = False) -> Redacting:
        return Redacting()


NUMBERS = st.lists(st.sampled_from(["13800138000", "1", "42 ", "138001380001", "call ", "。"])).map("".join)


@given(NUMBERS, st.lists(st.integers(0, 500), max_size=40), st.booleans())
def test_a_value_over_many_events_is_redacted_in_every_mode(text: str, places: list[int], closes: bool) -> None:
    wanted = Redactor().restore(text)
    end = [{"end": True}] if closes else []
    for mode in ("delta", "cumulative"):
        cut = pieces(text, places)
        given = cut if mode == "delta" else ["".join(cut[: number + 1]) for number in range(len(cut))]
        lane = Lane(parse("t"), mode=mode, close=(Close(parse("end")),))
        lanes: Lanes[Any] = Lanes(Redactor(), (lane,), compile_lanes((lane,)), Document())
        events = [*({"t": piece} for piece in given), *end]
        left = run(lanes, events)
        said = [held.doc["t"] for held in left if "t" in held.doc]

        assert [held.event for held in left] == list(range(len(events)))
        assert (said[-1] if mode == "cumulative" else "".join(said)) == wanted
        if mode == "cumulative":
            assert all(later.startswith(earlier) for earlier, later in pairwise(said))


def test_a_tail_that_is_a_value_is_redacted_when_patience_ends() -> None:
    lane, other = Lane(parse("t")), Lane(parse("u"))
    lanes: Lanes[Any] = Lanes(Redactor(), (lane, other), compile_lanes((lane, other)), Document(), patience=3)
    left = run(lanes, [{"t": "call 13800138000"}, *({"u": "x"} for _ in range(6))])

    assert left[0].doc == {"t": "call [number]"}


# JSON in strings


def nested(text: str, number: int = 0) -> dict[str, Any]:
    inner = json.dumps({"t": text, "n": 12345678901234567890123, "whole": "<PERSON_2>"})
    return {"data": json.dumps({"inner": inner, "n": number}), "other": "<PERSON_1>"}


@given(TEXTS, st.lists(st.integers(0, 500), max_size=12))
def test_lanes_lead_into_json_in_strings_in_strings(text: str, places: list[int]) -> None:
    lane = Lane(parse("data.inner.t"))
    opens = [compile_lanes((Lane(parse("data")),)), compile_lanes((Lane(parse("data.inner")),))]
    with MASKER.session() as session:
        session.load(VALUES)
        lanes: Lanes[Any] = Lanes(session, (lane,), compile_lanes((lane,)), Document(), opens=opens)
        left = run(lanes, [nested(piece, number) for number, piece in enumerate(pieces(text, places))])
        outer = [json.loads(held.doc["data"]) for held in left]
        inner = [json.loads(data["inner"]) for data in outer]

        assert "".join(data["t"] for data in inner) == session.restore(text)
        assert [data["n"] for data in outer] == list(range(len(outer)))
        assert {data["n"] for data in inner} == {12345678901234567890123}
        assert {data["whole"] for data in inner} == {VALUES["<PERSON_2>"]}
        assert {held.doc["other"] for held in left} == {"张三"}


@pytest.mark.parametrize(
    "text", ['{ "t" : "x",  "n":1.0 }', "[1, 2]", '{"t": "x"', "{", "plain", "", "12", '"x"', '{"t":"\\ud83d"}']
)
def test_a_string_that_was_opened_for_nothing_keeps_its_spelling(session: Session, text: str) -> None:
    lane = Lane(parse("data.t"))
    opens = [compile_lanes((Lane(parse("data")),))]
    lanes: Lanes[Any] = Lanes(session, (lane,), compile_lanes((lane,)), Document(), opens=opens)
    (held,) = run(lanes, [{"data": text, "other": "<PERSON_1>"}])

    assert held.doc == {"data": text, "other": "张三"}


def test_looking_for_lanes_leaves_an_event_as_it_is(session: Session) -> None:
    lane = Lane(parse("data.t"))
    lanes: Lanes[Any] = Lanes(
        session, (lane,), compile_lanes((lane,)), Document(), opens=[compile_lanes((Lane(parse("data")),))]
    )
    event = {"data": '{"t": "<PERSON_1>"}'}

    assert lanes.sees(event)
    assert event == {"data": '{"t": "<PERSON_1>"}'}
    assert not lanes.sees({"data": "{}"})
