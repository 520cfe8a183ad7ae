"""Framing: whole, byte by byte and cut anywhere, the events are the same and their bytes are the input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.errors import UnmaskableError
from masking.core.framing import Codec, Frame, JsonArray, Ndjson, Sse

SSE = [
    pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="line feeds"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="carriage return and line feed"),
    pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="lone carriage returns"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"], id="line ends of two kinds"),
    pytest.param(b"data:a\n\n", [b"a"], id="no space after the colon"),
    pytest.param(b"data:  a\n\n", [b" a"], id="only one space belongs to the field"),
    pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="two data lines are one text"),
    pytest.param(b"data\n\n", [b""], id="data without a colon"),
    pytest.param(b"database: a\n\n", [None], id="another field that starts like data"),
    pytest.param(b"id: 1\nevent: x\nretry: 5\ndata: a\n\n", [b"a"], id="other fields"),
    pytest.param(b": ping\n\ndata: a\n\n", [None, b"a"], id="a comment is an event without data"),
    pytest.param(b"\n\n\ndata: a\n\n\n", [None, None, None, b"a", None], id="blank lines between events"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [b"a"], id="byte order mark"),
    pytest.param("data: 张三\n\n".encode(), ["张三".encode()], id="characters of several bytes"),
    pytest.param(b"data: a\x0bb\xc2\x85\xe2\x80\xa8\n\n", [b"a\x0bb\xc2\x85\xe2\x80\xa8"], id="no other line ends"),
    pytest.param(b"data: a\n\ndata: b", [b"a", b"b"], id="the last event has no blank line"),
    pytest.param(b"data: a\n\ndata: b\r", [b"a", b"b"], id="ends in a carriage return"),
    pytest.param(b"data: [DONE]\n\n", [b"[DONE]"], id="done"),
    pytest.param(b"", [], id="nothing"),
]


def read(codec: Codec, chunks: Sequence[bytes]) -> list[Frame]:
    return [frame for chunk in chunks for frame in codec.feed(chunk)] + codec.finish()


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@pytest.mark.parametrize(("data", "events"), SSE)
def test_server_sent_events_are_the_same_however_they_are_cut(data: bytes, events: list[bytes | None]) -> None:
    whole = read(Sse(), [data])

    assert [frame.data for frame in whole] == events
    assert b"".join(frame.raw for frame in whole) == data
    assert read(Sse(), [data[at : at + 1] for at in range(len(data))]) == whole


@given(
    st.lists(st.sampled_from([b"data: a", b"data:b", b"\n", b"\r", b"\r\n", b"\n\n", b": c", b"id: 1", "张".encode()])),
    st.lists(st.integers(0, 1000)),
)
def test_any_stream_is_the_same_at_any_cuts(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    whole = read(Sse(), [data])

    assert read(Sse(), cut(data, places)) == whole
    assert b"".join(frame.raw for frame in whole) == data


@given(st.lists(st.sampled_from([b'{"a":1}', b"\n", b"\r\n", b"  ", "张".encode()])), st.lists(st.integers(0, 1000)))
def test_any_ndjson_is_the_same_at_any_cuts(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    whole = read(Ndjson(), [data])

    assert read(Ndjson(), cut(data, places)) == whole
    assert b"".join(frame.raw for frame in whole) == data


@pytest.mark.parametrize(
    ("raw", "new", "expected"),
    [
        pytest.param(b"data: a\n\n", b"b", b"data: b\n\n", id="plain"),
        pytest.param(b"data:a\n\n", b"b", b"data:b\n\n", id="spacing is kept"),
        pytest.param(b"id: 1\r\ndata: a\r\n: c\r\n\r\n", b"b", b"id: 1\r\ndata: b\r\n: c\r\n\r\n", id="other lines"),
        pytest.param(b"data: a\ndata: b\nid: 1\n\n", b"c", b"data: c\nid: 1\n\n", id="several data lines become one"),
        pytest.param(b"data: a\n\n", b"b\nc", b"data: b\ndata: c\n\n", id="text of two lines"),
        pytest.param(b"data: a", b"b\nc", b"data: b\ndata: c", id="no line end at all"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", b"b", b"\xef\xbb\xbfdata: b\n\n", id="byte order mark"),
    ],
)
def test_a_rewritten_event_keeps_everything_but_its_data(raw: bytes, new: bytes, expected: bytes) -> None:
    (frame,) = read(Sse(), [raw])

    assert frame.replaced(new) == expected
    assert [again.data for again in read(Sse(), [expected])] == [new]


def test_a_rewritten_line_keeps_its_spacing() -> None:
    frames = read(Ndjson(), [b'  {"a": 1} \r\n\n{"b": 2}'])

    assert [frame.data for frame in frames] == [b'{"a": 1}', None, b'{"b": 2}']
    assert frames[0].replaced(b"{}") == b"  {} \r\n"
    assert frames[2].replaced(b"{}") == b"{}"


@pytest.mark.parametrize("codec", [Sse, Ndjson])
def test_an_event_without_an_end_is_refused_beyond_the_limit(codec: type[Sse] | type[Ndjson]) -> None:
    framing = codec(limit=100)
    framing.feed(b"data: " + b"x" * 90)

    with pytest.raises(UnmaskableError, match="100 bytes"):
        framing.feed(b"x" * 10)


def test_a_byte_at_a_time_costs_no_more_than_linear() -> None:
    framing = Sse()
    for _ in range(50_000):
        framing.feed(b"x")

    assert framing.finish()[0].raw == b"x" * 50_000


# JSON arrays

ARRAYS = [
    pytest.param(b'[{"a":1},\n{"b":[2]}]', [b'{"a":1}', b'{"b":[2]}', None], id="objects"),
    pytest.param(b'[{"a":"}]{[,"}]', [b'{"a":"}]{[,"}', None], id="brackets in strings"),
    pytest.param(b'[{"a":"\\"}\\\\"}]\n', [b'{"a":"\\"}\\\\"}', None], id="escaped quotes"),
    pytest.param(b'["x", ["y"], 1, null]', [b'"x"', b'["y"]', None], id="items of other kinds"),
    pytest.param(b"[]", [None], id="empty"),
    pytest.param(b"\xef\xbb\xbf \n[{}]", [b"{}", None], id="byte order mark and blanks"),
    pytest.param(b'{"error":{"code":400}}\n', [b'{"error":{"code":400}}'], id="no array is one event"),
    pytest.param(b"<html>", [b"<html>"], id="no JSON at all"),
    pytest.param(b'[{"a":1},{"b', [b'{"a":1}', b'{"b'], id="cut off"),
    pytest.param(b'[{"a":1},', [b'{"a":1}', None], id="cut off between items"),
    pytest.param('[{"a":"张三"}]'.encode(), ['{"a":"张三"}'.encode(), None], id="characters of several bytes"),
    pytest.param(b"", [], id="nothing"),
    pytest.param(b" \n", [None], id="blanks"),
]


@pytest.mark.parametrize(("data", "events"), ARRAYS)
def test_an_array_is_read_item_by_item_however_it_is_cut(data: bytes, events: list[bytes | None]) -> None:
    whole = read(JsonArray(), [data])
    single = read(JsonArray(), [data[at : at + 1] for at in range(len(data))])

    assert [frame.data for frame in whole] == events
    for frames in (whole, single):
        assert b"".join(frame.raw for frame in frames) == data
        assert [frame.data for frame in frames if frame.data is not None] == [data for data in events if data]


@given(
    st.lists(
        st.recursive(
            st.one_of(st.text(max_size=4), st.integers(), st.none()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(['"', "]", "a"]), inner, max_size=3)
            ),
        ),
        max_size=4,
    ),
    st.lists(st.integers(0, 1000)),
    st.sampled_from([None, 1]),
)
def test_any_array_is_the_same_at_any_cuts(items: list[object], places: list[int], indent: int | None) -> None:
    data = json.dumps(items, indent=indent).encode()
    frames = read(JsonArray(), cut(data, places))
    found = [json.loads(frame.data) for frame in frames if frame.data is not None]

    assert b"".join(frame.raw for frame in frames) == data
    assert found == [item for item in items if isinstance(item, (dict, list, str))]


def test_an_item_is_replaced_and_what_stands_between_items_stays() -> None:
    frames = read(JsonArray(), [b'[ {"a":1} ,\r\n{"b":2}\n]'])

    assert b"".join(frame.replaced(b"{}") if frame.data else frame.raw for frame in frames) == b"[ {} ,\r\n{}\n]"


def test_an_item_beyond_the_limit_is_refused() -> None:
    with pytest.raises(UnmaskableError, match="longer than 8"):
        JsonArray(limit=8).feed(b'[{"a":"aaaaaaaa')


def test_an_item_leaves_when_it_is_whole() -> None:
    codec = JsonArray()

    assert [len(codec.feed(piece)) for piece in (b"[", b'{"a":', b"1}", b",", b"{", b"}", b"]")] == [
        0,
        0,
        1,
        0,
        0,
        1,
        1,
    ]
