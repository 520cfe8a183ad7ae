"""A turn: what leaves is masked or refused, what comes back is restored, untouched bytes stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Masker
from masking.core.descriptor import Descriptor, load
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.samples import category_of
from masking.core.session import Session
from masking.core.turn import Turn

PROVIDERS = Path(__file__).parents[1] / "providers"
CHAT = load((PROVIDERS / "openai.chat.yaml").read_text("utf-8"), "openai.chat.yaml")
APP = load((PROVIDERS / "dashscope.app.yaml").read_text("utf-8"), "dashscope.app.yaml")
INCREMENTAL = load((PROVIDERS / "dashscope.app.incremental.yaml").read_text("utf-8"), "dashscope.app.incremental.yaml")
MODELS = load((PROVIDERS / "openai.models.yaml").read_text("utf-8"), "openai.models.yaml")
HEAD = "about: {en: a}\nsamples:\n  - {name: n, values: {}, response: {a: 1}, restored: {a: 1}}\n"
FORM = load(
    "id: form\nmatch: {query: {Action: Chat}}\n"
    "request: {body: form, json: [Messages], opaque: ['Messages[*].role'], query: [Query]}\n" + HEAD,
    "form.yaml",
)
SIGNED = load("id: signed\nmatch: {}\nsigned: acs3\nrequest: {body: json, query: [Query]}\n" + HEAD, "signed.yaml")
NDJSON = load(
    "id: nd\nmatch: {}\nstream: {framing: ndjson, lanes: [{text: message.content, close: done}]}\n" + HEAD, "nd.yaml"
)

LONG = "123456789012345678901234567890"
VALUES = {"<PERSON_1>": "张三", "<PHONE_NUMBER_1>": "13800138000", "<PERSON_2>": 'Ann "Anny" Lee'}
MASKER = Masker(category_of(VALUES))


@pytest.fixture
def session() -> Iterator[Session]:
    with MASKER.session() as session:
        session.load(VALUES)
        yield session


def reply(
    descriptor: Descriptor, session: Session, data: bytes, content_type: str, *, size: int = 0, status: int = 200
) -> bytes:
    turn = Turn(descriptor, session)
    turn.open(status, content_type)
    step = size or max(1, len(data))
    return b"".join(turn.receive(data[at : at + step]) for at in range(0, len(data), step)) + turn.close()


# requests


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        pytest.param('{"messages":[{"content":"我是张三"}]}', '{"messages":[{"content":"我是<PERSON_1>"}]}', id="text"),
        pytest.param('{"tomorrow": {"a": ["张三"]}}', '{"tomorrow":{"a":["<PERSON_1>"]}}', id="an unknown key"),
        pytest.param('{"a":"\\u5f20\\u4e09"}', '{"a":"<PERSON_1>"}', id="escaped in JSON"),
        pytest.param('{"a":13800138000}', '{"a":"<PHONE_NUMBER_1>"}', id="a number"),
        pytest.param('{"a":13800138000.0}', '{"a":"<PHONE_NUMBER_1>.0"}', id="a number with a fraction"),
        pytest.param('{"seed":13800138000}', '{"seed":13800138000}', id="an opaque number"),
        pytest.param('"张三"', '"<PERSON_1>"', id="a document that is one string"),
        pytest.param('["张三",1]', '["<PERSON_1>",1]', id="a document that is a list"),
        pytest.param('{ "a" : 1.50, "b":"x" }', '{ "a" : 1.50, "b":"x" }', id="nothing found: its own bytes"),
        pytest.param(f'{{"a":"张三","b":{LONG}}}', f'{{"a":"<PERSON_1>","b":{LONG}}}', id="a long integer stays whole"),
        pytest.param('{"a":"张三é"}', '{"a":"<PERSON_1>é"}', id="UTF-8 stays UTF-8"),
        pytest.param("", "", id="no body"),
    ],
)  # fmt: skip
def test_every_string_that_is_not_opaque_is_masked(session: Session, body: str, masked: str) -> None:
    assert Turn(CHAT, session).request(body.encode()).decode() == masked


TEXT = st.lists(st.sampled_from([*VALUES.values(), "a", " ", "é", "1", "<PERSON_1>"]), max_size=3).map("".join)
DOCUMENTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(13800138000),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["messages", "content", "tool_calls", "x"]), TEXT), inner, max_size=3
        ),
    ),
    max_leaves=12,
)


@given(DOCUMENTS, st.booleans())
def test_no_value_leaves_in_any_document(doc: object, ascii_only: bool) -> None:
    body = json.dumps(doc, ensure_ascii=ascii_only).encode()
    with MASKER.session() as session:
        turn = Turn(CHAT, session)
        try:
            masked = turn.request(body)
        except UnmaskableError:
            return
        said = json.dumps(json.loads(masked), ensure_ascii=False)

        assert not any(json.dumps(value, ensure_ascii=False)[1:-1] in said for value in VALUES.values())
        assert masked == body or json.loads(masked) != json.loads(body)


def test_ascii_json_stays_ascii(session: Session) -> None:
    masked = Turn(CHAT, session).request(b'{"a":"\\u5f20\\u4e09 \\u00e9"}')

    assert masked == b'{"a":"<PERSON_1> \\u00e9"}'


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        pytest.param('{"a": "张三", "n": 13800138000}', '{"a":"<PERSON_1>","n":"<PHONE_NUMBER_1>"}', id="walked"),
        pytest.param('{"a":  "x"}', '{"a":  "x"}', id="unchanged: its own spelling"),
        pytest.param('{"a": "\\u5f20\\u4e09"}', '{"a":"<PERSON_1>"}', id="escapes inside"),
        pytest.param('{"a": "张三', '{"a": "<PERSON_1>', id="cut short: text"),
        pytest.param('{"a": "\\u5f20\\u4e09', '{"a": "<PERSON_1>', id="cut short with escapes"),
        pytest.param('{"a": "\\u00e9', '{"a": "\\u00e9', id="cut short, nothing found"),
        pytest.param("张三", "<PERSON_1>", id="no JSON at all"),
        pytest.param("13800138000", "<PHONE_NUMBER_1>", id="a number as text"),
        pytest.param("", "", id="empty"),
    ],
)
def test_json_in_a_string_is_opened_and_closed_again(session: Session, arguments: str, masked: str) -> None:
    def body(text: str) -> dict[str, object]:
        return {"messages": [{"tool_calls": [{"function": {"name": "f", "arguments": text}}]}]}

    assert json.loads(Turn(CHAT, session).request(json.dumps(body(arguments)).encode())) == body(masked)


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("data:image/png;base64,iVBORw0KGgo=", True),
        ("DATA:image/png;base64,iVBORw0KGgo=", True),
        ("data:text/plain;base64,张三", False),
        ("data:text/plain,张三", False),
        ("data:text/plain;name=张三;base64,aaaa", False),
        ("https://example.com/张三", False),
    ],
)
def test_only_a_data_url_in_base64_is_left_alone(session: Session, url: str, stays: bool) -> None:
    body = {"messages": [{"content": [{"image_url": {"url": url}}]}]}
    masked = json.loads(Turn(CHAT, session).request(json.dumps(body).encode()))

    assert (masked == body) is stays
    assert "张三" not in json.dumps(masked, ensure_ascii=False)


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        pytest.param(b"{", {}, "not JSON", id="cut short"),
        pytest.param(b"\xff{}", {}, "not JSON", id="not UTF-8"),
        pytest.param('{"a":"张三"}'.encode("gb18030"), {}, "not JSON", id="another encoding"),
        pytest.param(b'{"a":NaN}', {}, "not JSON", id="not a JSON number"),
        pytest.param(b'{"a":"\\ud83d"}', {}, "not JSON", id="a lone surrogate"),
        pytest.param(b'{"a":1,"a":2}', {}, "twice", id="duplicate key"),
        pytest.param(b'{"x":[{"a":1,"\\u0061":2}]}', {}, "twice", id="duplicate key, spelled differently"),
        pytest.param('{"张三":1}'.encode(), {}, "object key", id="a key that would be masked"),
        pytest.param(b'{"13800138000":1}', {}, "object key", id="a number as a key"),
        pytest.param(b"[" * 5000 + b"]" * 5000, {}, "not JSON|deep", id="nested too deep"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, {}, "deep", id="nested too deep to walk"),
        pytest.param(b"{}", {"content-type": "application/xml"}, "content type", id="another content type"),
        pytest.param(b"{}", {"content-type": "multipart/form-data; boundary=x"}, "content type", id="an upload"),
        pytest.param(b"{}", {"content-type": "application/json; charset=gbk"}, "UTF-8", id="another charset"),
        pytest.param(b"{}", {"content-encoding": "gzip"}, "compressed", id="compressed"),
        pytest.param(
            b'{"messages":[{"tool_calls":[{"function":{"arguments":"{\\"a\\":1,\\"a\\":2}"}}]}]}',
            {},
            "twice",
            id="duplicate key in a string of JSON",
        ),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(
    session: Session, body: bytes, headers: dict[str, str], says: str
) -> None:
    with pytest.raises(UnmaskableError, match=says) as caught:
        Turn(CHAT, session).request(body, headers)

    assert "张三" not in str(caught.value)
    assert "13800138000" not in str(caught.value)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", "application/x+json", ""]
)
def test_json_by_any_name_is_masked(session: Session, content_type: str) -> None:
    assert Turn(CHAT, session).request('{"a":"张三"}'.encode(), {"content-type": content_type}) == b'{"a":"<PERSON_1>"}'


def test_a_body_where_none_is_expected_is_refused(session: Session) -> None:
    assert Turn(MODELS, session).request(b"") == b""
    with pytest.raises(UnmaskableError, match="takes no body"):
        Turn(MODELS, session).request(b"{}")


def test_a_form_is_masked_field_by_field(session: Session) -> None:
    body = (
        "Messages=%5B%7B%22role%22%3A%22user%22%2C%22content%22%3A%22%E5%BC%A0%E4%B8%89+%2B%22%7D%5D"
        "&Note=%E5%BC%A0%E4%B8%89&Empty="
    )
    masked = Turn(FORM, session).request(body.encode(), {"content-type": "application/x-www-form-urlencoded"}).decode()

    assert parse_qs(masked, keep_blank_values=True) == {
        "Messages": ['[{"role":"user","content":"<PERSON_1> +"}]'],
        "Note": ["<PERSON_1>"],
        "Empty": [""],
    }


@pytest.mark.parametrize("body", [b"a", b"a=%ff", b"a=1&a=2", "a=张三".encode()])
def test_a_form_that_cannot_be_read_without_doubt_is_refused(session: Session, body: bytes) -> None:
    with pytest.raises(UnmaskableError):
        Turn(FORM, session).request(body)


def test_a_listed_query_parameter_is_masked_and_any_other_is_refused(session: Session) -> None:
    turn = Turn(FORM, session)

    assert turn.query("") == ""
    assert turn.query("Action=Chat&Query=x+y") == "Action=Chat&Query=x+y"
    assert parse_qs(turn.query("Action=Chat&Query=%E5%BC%A0%E4%B8%89%20%26")) == {
        "Action": ["Chat"],
        "Query": ["<PERSON_1> &"],
    }
    with pytest.raises(UnmaskableError, match="query parameter"):
        turn.query("Action=%E5%BC%A0%E4%B8%89")


def test_a_signed_request_leaves_unchanged_or_not_at_all(session: Session) -> None:
    turn = Turn(SIGNED, session)

    assert turn.request(b'{"a": 1}') == b'{"a": 1}'
    with pytest.raises(UnmaskableError, match="acs3"):
        turn.request('{"a":"张三"}'.encode())
    with pytest.raises(UnmaskableError, match="acs3"):
        turn.query("Query=13800138000")


def test_a_signed_request_may_change_where_it_is_signed_afterwards(session: Session) -> None:
    turn = Turn(SIGNED, session, signer="acs3")

    assert turn.request('{"a":"张三"}'.encode()) == b'{"a":"<PERSON_1>"}'
    assert turn.query("Query=13800138000") == "Query=%3CPHONE_NUMBER_1%3E"
    with pytest.raises(UnmaskableError, match="acs3"):
        Turn(SIGNED, session, signer="acs4").query("Query=13800138000")


QUERY = load(
    "id: query\nmatch: {}\nrequest: {query: {text: [Query], json: [Inputs, 'Inputs.deep'], opaque: [key, Inputs.Id]}}\n"
    + HEAD,
    "query.yaml",
)


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        pytest.param({"Query": "张三 a+b&c=d%2B"}, {"Query": "<PERSON_1> a+b&c=d%2B"}, id="text"),
        pytest.param({"Inputs": '{"a":"张三"}'}, {"Inputs": '{"a":"<PERSON_1>"}'}, id="JSON"),
        pytest.param({"Inputs": '{"Id":"张三","b":1}'}, {"Inputs": '{"Id":"张三","b":1}'}, id="opaque in JSON"),
        pytest.param(
            {"Inputs": '{"deep":"[\\"张三\\"]"}'}, {"Inputs": '{"deep":"[\\"<PERSON_1>\\"]"}'}, id="JSON in it"
        ),
        pytest.param({"Inputs": "张三{"}, {"Inputs": "<PERSON_1>{"}, id="JSON that does not parse is text"),
        pytest.param({"key": "张三", "Query": "张三"}, {"key": "张三", "Query": "<PERSON_1>"}, id="opaque"),
        pytest.param({"Query": ""}, {"Query": ""}, id="empty"),
    ],
)
def test_a_query_is_masked_parameter_by_parameter(
    session: Session, given: dict[str, str], masked: dict[str, str]
) -> None:
    said = Turn(QUERY, session).query(urlencode(given))

    assert dict(parse_qsl(said, keep_blank_values=True)) == masked


@pytest.mark.parametrize("query", ["other=%E5%BC%A0%E4%B8%89", "%E5%BC%A0%E4%B8%89=1", "%E5%BC%A0%E4%B8%89"])
def test_a_query_that_holds_a_finding_elsewhere_is_refused(session: Session, query: str) -> None:
    with pytest.raises(UnmaskableError, match="query parameter") as caught:
        Turn(QUERY, session).query(query)

    assert "张三" not in str(caught.value)


def test_headers_that_the_descriptor_names_are_masked(session: Session) -> None:
    named = load("id: named\nmatch: {}\nrequest: {headers: [X-Note, X-Other]}\n" + HEAD, "named.yaml")
    turn = Turn(named, session)

    assert turn.headers({"x-note": "for 张三", "x-other": "b", "authorization": "张三"}) == {"x-note": "for <PERSON_1>"}
    assert Turn(CHAT, session).headers({"x-note": "张三"}) == {}


GUARDED = load(
    "id: guarded\nmatch: {}\nrequest:\n  opaque: [{path: 'a[*].data', when: {'a[*].type': base64}}]\n"
    "  tokens: ['input[*]']\n" + HEAD,
    "guarded.yaml",
)


@pytest.mark.parametrize(
    ("item", "masked"),
    [
        ({"type": "base64", "data": "张三"}, {"type": "base64", "data": "张三"}),
        ({"type": "text", "data": "张三"}, {"type": "text", "data": "<PERSON_1>"}),
        ({"data": "张三"}, {"data": "<PERSON_1>"}),
        ({"type": ["base64"], "data": "张三"}, {"type": ["base64"], "data": "<PERSON_1>"}),
    ],
)
def test_a_guarded_place_is_opaque_only_beside_the_value(
    session: Session, item: dict[str, str], masked: dict[str, str]
) -> None:
    body = Turn(GUARDED, session).request(json.dumps({"a": [item]}, ensure_ascii=False).encode())

    assert json.loads(body) == {"a": [masked]}


def test_text_as_token_numbers_is_refused(session: Session) -> None:
    turn = Turn(GUARDED, session)

    assert turn.request(b'{"input":["a"],"n":1}') == b'{"input":["a"],"n":1}'
    with pytest.raises(UnmaskableError, match="token numbers"):
        turn.request(b'{"input":[1,2]}')


# replies


@pytest.mark.parametrize(
    ("content_type", "data", "said"),
    [
        pytest.param("application/json", '{"a": "<PERSON_1>"}', '{"a":"\\u5f20\\u4e09"}', id="ASCII stays ASCII"),
        pytest.param("application/json", '{"a": "é <PERSON_1>"}', '{"a":"é 张三"}', id="a document"),
        pytest.param("application/json", '{ "a": "<PERSON_9>" }', '{ "a": "<PERSON_9>" }', id="nothing of ours"),
        pytest.param("application/problem+json", '{"detail":"<PERSON_1>é"}', '{"detail":"张三é"}', id="another JSON"),
        pytest.param("", '{"a":"<PERSON_1>é"}', '{"a":"张三é"}', id="no content type"),
        pytest.param("application/json", '{"a":"<PERSON_1>', '{"a":"张三', id="a document cut short is text"),
        pytest.param(
            "application/json",
            f'{{"b":{LONG},"a":"é<PERSON_1>"}}',
            f'{{"b":{LONG},"a":"\\u00e9\\u5f20\\u4e09"}}',
            id="a long integer stays whole",
        ),
        pytest.param("application/json", "", "", id="empty"),
        pytest.param("text/plain; charset=utf-8", "Dear <PERSON_1>!", "Dear 张三!", id="text"),
        pytest.param("text/html", "<p>&lt;PERSON_1&gt;", "<p>张三", id="a page"),
        pytest.param("application/pdf", "<PERSON_1>", "<PERSON_1>", id="anything else is untouched"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_reply_is_restored_by_its_content_type(
    session: Session, content_type: str, data: str, said: str, size: int
) -> None:
    assert reply(CHAT, session, data.encode(), content_type, size=size).decode() == said


def test_an_error_reply_is_restored_too(session: Session) -> None:
    data = b'{"error":{"message":"no such user: <PERSON_2>"}}'

    assert json.loads(reply(CHAT, session, data, "application/json", status=400)) == {
        "error": {"message": 'no such user: Ann "Anny" Lee'}
    }


@pytest.mark.parametrize("charset", ["gb18030", "utf-16", "latin-1", "no-such-charset"])
def test_text_is_restored_in_its_own_charset(session: Session, charset: str) -> None:
    known = charset if charset != "no-such-charset" else "utf-8"
    data = "Dear <PERSON_2>!".encode(known)
    said = reply(CHAT, session, data, f"text/plain; charset={charset}", size=1)

    assert said.decode(known) == 'Dear Ann "Anny" Lee!' or charset == "utf-16"


def test_bytes_that_are_no_text_pass_a_text_stream(session: Session) -> None:
    assert reply(CHAT, session, b"\xff <PERSON_1>. \xfe", "text/plain", size=1) == "\xff 张三. \xfe".encode().replace(
        b"\xc3\xbf", b"\xff"
    ).replace(b"\xc3\xbe", b"\xfe")


def test_a_reply_beyond_the_limit_is_refused(session: Session) -> None:
    turn = Turn(CHAT, session, limit=10)
    turn.open(200, "application/json")
    with pytest.raises(UnmaskableError, match="10 bytes"):
        turn.receive(b"x" * 11)


def test_a_reply_must_be_opened(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="open"):
        Turn(CHAT, session).receive(b"")


def test_data_known_to_hold_nothing_is_not_read(session: Session) -> None:
    turn = Turn(CHAT, session, maybe=lambda data: b"<" in data)
    turn.open(200, "application/json")

    assert turn.receive(b'{"a":"[PERSON_1]"}') + turn.close() == b'{"a":"[PERSON_1]"}'


# streams


def event(content: str, **more: object) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": content}, **more}]})


STREAM = (
    ": hello\r\n\r\n"
    f"id: 1\r\nevent: x\r\ndata:  {event('Hi')}\r\nretry: 3\r\n\r\n"
    f"data: {event(' <PERS')}\n\n"
    ": ping\n\n"
    f"data: {event('ON_1>,')}\n\n"
    'data: {"choices": [],\ndata:  "usage": {"total": 1}}\n\n'
    "data: <PERSON_1> is no JSON\n\n"
    "data: [DONE]\n\n"
)
SAID = (
    ": hello\r\n\r\n"
    f"id: 1\r\nevent: x\r\ndata:  {event('Hi')}\r\nretry: 3\r\n\r\n"
    f"data: {event(' ')}\n\n"
    ": ping\n\n"
    f"data: {event('张三,')}\n\n"
    'data: {"choices": [],\ndata:  "usage": {"total": 1}}\n\n'
    "data: 张三 is no JSON\n\n"
    "data: [DONE]\n\n"
)


def compact(text: str) -> str:
    return re.sub(
        r"data: (\{.*\})\n", lambda match: f"data: {json.dumps(json.loads(match[1]), separators=(',', ':'))}\n", text
    )


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 100])
def test_an_untouched_event_leaves_as_its_own_bytes(session: Session, size: int) -> None:
    said = reply(CHAT, session, STREAM.encode(), "text/event-stream; charset=utf-8", size=size).decode()
    expected = SAID.replace(f"data: {event(' ')}\n", compact(f"data: {event(' ')}\n"))
    expected = expected.replace(f"data: {event('张三,')}\n", compact(f"data: {event('张三,')}\n"))

    assert said == expected


@given(
    st.lists(st.sampled_from(["<PERSON_1>", "<PERSON_2>", "<", "a ", "你好", "😀", "é", "!"])).map("".join),
    st.lists(st.integers(0, 200), max_size=8),
    st.lists(st.integers(0, 5000), max_size=8),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_stream_is_the_same_for_all_cuts_of_its_text_and_its_bytes(
    text: str, places: list[int], cuts: list[int], ascii_only: bool, end: str
) -> None:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    events = [{"choices": [{"index": 0, "delta": {"content": text[a:b]}}]} for a, b in pairwise(bounds)]
    data = "".join(f"data: {json.dumps(one, ensure_ascii=ascii_only)}{end}{end}" for one in events).encode()
    with MASKER.session() as session:
        session.load(VALUES)
        turn = Turn(CHAT, session)
        turn.open(200, "text/event-stream")
        marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        said = b"".join(turn.receive(data[a:b]) for a, b in pairwise(marks)) + turn.close()
        lines = [line[6:] for line in said.decode().split("\n") if line.startswith("data: ")]

        assert len(lines) == len(events)
        assert "".join(json.loads(line)["choices"][0]["delta"]["content"] for line in lines) == session.restore(text)
        assert said == reply(CHAT, session, data, "text/event-stream")
        assert said.isascii() or not data.isascii()


def test_a_character_split_over_two_events_stays_split(session: Session) -> None:
    data = b"".join(
        b'data: {"choices":[{"index":0,"delta":{"content":"' + text + b'"}}]}\n\n'
        for text in (b"\\ud83d", b"\\ude00 <PERSON_1>.")
    )
    said = reply(CHAT, session, data, "text/event-stream")

    assert said == data.replace(b"<PERSON_1>", b"\\u5f20\\u4e09")


def test_ndjson_flows_line_by_line(session: Session) -> None:
    turn = Turn(NDJSON, session)
    turn.open(200, "application/x-ndjson")

    assert turn.receive(b'{"message": {"content": "Hi <PER"}, "done": false}\n') == b""
    assert turn.receive('{"message":{"content":"SON_1>é"},"done":false}\n'.encode()) == (
        b'{"message":{"content":"Hi "},"done":false}\n' + '{"message":{"content":"张三é"},"done":false}\n'.encode()
    )
    assert turn.receive(b'{"message": {"content": "<"}, "done": true}') == b""
    assert turn.close() == b'{"message": {"content": "<"}, "done": true}'


def test_a_stream_that_nobody_described_is_restored_all_the_same(session: Session) -> None:
    data = b'data: {"x":{"piece":"Hi"}}\n\ndata: {"x":{"piece":" <PER"}}\n\ndata: {"x":{"piece":"SON_2>"}}\n\n'
    said = reply(MODELS, session, data, "text/event-stream")

    assert said == data.replace(b" <PER", b" ").replace(b"SON_2>", b'Ann \\"Anny\\" Lee')


# DashScope applications, as the vendor's SDK sends and reads them


def test_an_application_call_of_the_vendors_sdk_keeps_its_spelling(session: Session) -> None:
    body = b'{"model": "", "parameters": {"incremental_output": true}, "input": {"prompt": "Who are you?"}}'

    assert Turn(INCREMENTAL, session).request(body, {"content-type": "application/json; charset=utf-8"}) == body


@pytest.mark.parametrize(("descriptor", "texts"), [
    pytest.param(APP, ["我", "我是<", "我是<PERSON_1>", "我是<PERSON_1>。", "我是<PERSON_1>。"], id="cumulative"),
    pytest.param(INCREMENTAL, ["我", "是<", "PERSON_1>", "。", ""], id="incremental"),
])  # fmt: skip
@pytest.mark.parametrize("size", [0, 1, 11])
def test_an_application_stream_keeps_ids_events_and_status_lines(
    session: Session, descriptor: Descriptor, texts: list[str], size: int
) -> None:
    def wire(texts: list[str]) -> str:
        reasons = ["null"] * (len(texts) - 1) + ["stop"]
        return "".join(
            f'id:{n}\nevent:result\n:HTTP_STATUS/200\ndata:{{"output":{{"session_id":"s","finish_reason":"{reason}",'
            f'"text":{json.dumps(text, ensure_ascii=False)}}},"usage":{{}},"request_id":"r"}}\n\n'
            for n, (text, reason) in enumerate(zip(texts, reasons, strict=True), 1)
        )

    said = reply(descriptor, session, wire(texts).encode(), "text/event-stream;charset=UTF-8", size=size).decode()
    cumulative = ["我", "我是", "我是张三", "我是张三。", "我是张三。"]
    pieces = ["我", "是", "张三", "。", ""]

    # An event that came in ASCII leaves in ASCII.
    assert said.replace(r"\u5f20\u4e09", "张三") == wire(cumulative if descriptor is APP else pieces)


def test_an_error_event_passes(session: Session) -> None:
    data = b'id:1\nevent:error\n:HTTP_STATUS/403\ndata:{"code":"AccessDenied","message":"No.","request_id":"r"}\n\n'

    assert reply(APP, session, data, "text/event-stream") == data


ARRAY = load(
    "id: arr\nmatch: {}\nstream: {framing: [json-array, sse], lanes: [{text: t, close: end}]}\n" + HEAD, "arr.yaml"
)


@pytest.mark.parametrize("size", [0, 1, 5])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('[{"t":"a <PER"}\n,\n{"t":"SON_1>"}]\n', '[{"t":"a "}\n,\n{"t":"\\u5f20\\u4e09"}]\n'),
        ('[{"t":"a <PER"},{"end":true}]', '[{"t":"a <PER"},{"end":true}]'),
        ('{"error":{"message":"bad <PERSON_1>"}}\n', '{"error":{"message":"bad \\u5f20\\u4e09"}}\n'),
        ('[{"t":"<PERSON_1>"},{"t":"cut <PERSON_1>', '[{"t":"\\u5f20\\u4e09"},{"t":"cut 张三'),
        ("[]", "[]"),
    ],
)
def test_an_array_that_grows_is_a_stream(session: Session, data: str, said: str, size: int) -> None:
    assert reply(ARRAY, session, data.encode(), "application/json; charset=UTF-8", size=size).decode() == said


def test_the_content_type_tells_events_from_an_array(session: Session) -> None:
    data = b'data: {"t":"<PERS"}\n\ndata: {"t":"ON_1>"}\n\n'

    assert rb"\u5f20\u4e09" in reply(ARRAY, session, data, "text/event-stream")


class Careful:
    """A session that knows by looking at bytes whether they may hold anything of its."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.asked: list[bytes] = []

    def possible(self, raw: bytes) -> bool:
        self.asked.append(raw)
        return b"PERSON" in raw

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)


def test_a_session_that_can_tell_is_asked_before_anything_is_walked(session: Session) -> None:
    careful = Careful(session)
    turn = Turn(CHAT, careful)  # type: ignore[arg-type]
    turn.open(200, "text/event-stream")
    quiet = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],"note":"x"}\n\n'
    said = turn.receive(quiet) + turn.receive(b'data: {"note":"<PERSON_1>"}\n\n') + turn.close()

    assert said == quiet + b'data: {"note":"\\u5f20\\u4e09"}\n\n'
    assert careful.asked == [quiet[6:-2], b'{"note":"<PERSON_1>"}']


def test_a_quiet_lane_is_read_even_where_the_bytes_hold_nothing(session: Session) -> None:
    turn = Turn(CHAT, session, maybe=lambda data: False)
    turn.open(200, "text/event-stream")
    said = turn.receive(f"data: {event('<PER')}\n\n".encode()) + turn.receive(f"data: {event('SON_1>')}\n\n".encode())

    assert rb"\u5f20\u4e09" in said + turn.close()


BESIDE = [
    # what the event says beside its lane, and whether it holds something to restore
    ({"note": "plain"}, False),
    ({"note": "<PHONE_NUMBER_1>"}, True),
    ({"note": "plain", "more": "<PHONE_NUMBER_1>"}, True),
    ({"note": 'a ": 1 <PHONE_NUMBER_1>'}, True),
    ({"note": 'a ": 1 plain'}, False),
    ({"note": 'a ": 13900139000'}, True),
    ({"note": 'a ": 2 plain'}, False),
    ({"text": "<PHONE_NUMBER_1>"}, True),
    ({"note": "hello"}, False),
    ({"13900139000": "plain"}, False),
    ({"number": 13900139000}, False),
    ({"number": 13900139001}, False),
]


@pytest.mark.parametrize("said", ["hello", "", "你好", "<PHONE_NUMBER_1>"])
def test_what_stands_beside_a_lane_is_looked_at_whenever_it_is_new(patterns: Masker, said: str) -> None:
    """What an event repeats is looked through once: the order and number of the events must not matter."""
    descriptor = patterns.descriptors.named("openai.chat")
    assert descriptor is not None

    def events() -> list[dict[str, Any]]:
        rows = [{**beside, "choices": [{"index": 0, "delta": {"content": said}}]} for beside, _ in BESIDE]
        return [*rows, *reversed(rows), *rows]

    def replied(*, alone: bool) -> list[bytes]:
        out, turn = [], None
        for document in events():
            if turn is None or alone:
                session = patterns.session()
                session.mask("13800138000")
                turn = Turn(descriptor, session)
                turn.open(200, "text/event-stream")
            frame = b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"
            out.append(turn.receive(frame) + (turn.close() if alone else b""))
        return out if alone else [*out, turn.close() if turn is not None else b""]

    together, alone = b"".join(replied(alone=False)), b"".join(replied(alone=True))
    beside = [
        [
            {key: value for key, value in json.loads(line[6:]).items() if key != "choices"}
            for line in raw.split(b"\n\n")
            if line
        ]
        for raw in (together, alone)
    ]

    assert beside[0] == beside[1]
    assert [one != was for one, (was, _) in zip(beside[0], BESIDE, strict=False)] == [changes for _, changes in BESIDE]
