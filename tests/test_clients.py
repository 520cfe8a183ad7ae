"""The clients: what leaves is masked, what comes back is restored, turns belong together, and DMS may mask as well."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients_server import KEY, Out, Seen, Server, data, pieces, serving, sse, whole
from hypothesis import given, settings
from hypothesis import strategies as st

import masking.clients
from masking import Masker, UnmaskableError
from masking.clients import (
    DMS,
    AccessKey,
    Acs3Auth,
    Answer,
    AppParameters,
    AsyncDMS,
    AsyncRdsAI,
    BearerToken,
    DashScopeApp,
    DashScopeGeneration,
    DMSParameters,
    Event,
    OpenAICompatible,
    ParameterError,
    RdsAI,
)

PHONE = "13800138000"
OTHER = "13900139000"
MAIL = "zhang.san@example.com"
TEXT = f"我的手机号是{PHONE}，谢谢"
NAMES = ("DMS", "RdsAI", "DashScopeApp", "DashScopeGeneration", "OpenAICompatible")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def made(name: str, url: str, masker: Masker | None, prefix: str = "", **more: Any) -> Any:
    kind = getattr(masking.clients, prefix + name)
    if name == "DMS":
        return kind(7, credentials=KEY, endpoint=url, masker=masker, **more)
    if name == "RdsAI":
        return kind(credentials=KEY, endpoint=url, masker=masker, **more)
    if name == "DashScopeApp":
        return kind("app-1", api_key="sk-fake", base_url=url, masker=masker, **more)
    path = "/compatible-mode/v1" if name == "OpenAICompatible" else ""
    return kind(api_key="sk-fake", base_url=url + path, masker=masker, **more)


def more(name: str) -> dict[str, Any]:
    if name == "DashScopeGeneration":
        return {"model": "qwen-plus", "result_format": "message"}
    return {"model": "qwen-plus"} if name in ("DMS", "OpenAICompatible") else {}


# One exchange


@pytest.mark.parametrize("name", NAMES)
def test_the_value_never_reaches_the_service_and_comes_back_whole(name: str, server: Server, patterns: Masker) -> None:
    with made(name, server.url, patterns) as client:
        answer = client.chat(TEXT, **more(name))

    assert TEXT in answer.text
    assert PHONE not in server.seen[0].everything
    assert "<PHONE_NUMBER_1>" in server.seen[0].everything


@pytest.mark.parametrize("name", NAMES)
def test_the_same_holds_for_a_stream(name: str, server: Server, patterns: Masker) -> None:
    with made(name, server.url, patterns) as client, client.stream(TEXT, **more(name)) as events:
        said = list(events.text())
        answer = events.answer()

    assert "".join(said) == answer.text
    assert TEXT in answer.text
    assert len(said) > 3
    assert PHONE not in server.seen[0].everything
    assert answer.finish_reason == "stop"


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_the_same_holds_for_the_asynchronous_twin(name: str, server: Server, patterns: Masker) -> None:
    async with made(name, server.url, patterns, "Async") as client:
        answer = await client.chat(TEXT, **more(name))
        said = [piece async for piece in client.stream(TEXT, **more(name)).text()]
        async with client.stream(TEXT, **more(name)) as events:
            whole_answer = await events.answer()

    assert TEXT in answer.text
    assert "".join(said) == answer.text == whole_answer.text
    assert not any(PHONE in seen.everything for seen in server.seen)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_masker_text_passes_as_it_is(name: str, server: Server) -> None:
    with made(name, server.url, None) as client:
        answer = client.stream(TEXT, **more(name)).answer()

    assert TEXT in answer.text
    assert PHONE in server.seen[0].everything


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_says_its_first_piece_before_the_last_one_is_sent(name: str, server: Server, patterns: Masker) -> None:
    rest = threading.Event()
    good = server.reply

    def paused(seen: Seen) -> Out:
        server.answer = None
        out = good(seen)
        out.pause = rest
        return out

    server.reply = paused  # type: ignore[method-assign]
    with made(name, server.url, patterns) as client:
        events = client.stream("先说一句", **more(name))
        first = next(events)
        waiting = not rest.is_set()
        rest.set()
        after = events.answer()

    assert waiting
    assert first.text
    assert after.text.startswith(first.text)
    assert first.raw


@pytest.mark.parametrize("name", NAMES)
def test_an_early_close_gives_the_connection_up(name: str, server: Server, patterns: Masker) -> None:
    rest = threading.Event()
    good = server.reply

    def endless(seen: Seen) -> Out:
        out = good(seen)
        return Out(chunks=[out.chunks[0], *[b":\n\n" * 50_000] * 100], content_type=out.content_type, pause=rest)

    server.reply = endless  # type: ignore[method-assign]
    with made(name, server.url, patterns) as client, client.stream("说吧", **more(name)) as events:
        next(events)
    rest.set()

    assert server.gone.wait(5)


def test_nothing_is_sent_before_the_first_event_is_asked_for(server: Server) -> None:
    with made("DMS", server.url, None) as client, client.stream("hi", model="m"):
        pass

    assert server.seen == []


# What is masked, and what is opaque


def test_credentials_and_ids_of_an_application_arrive_whole_and_texts_do_not(server: Server, patterns: Masker) -> None:
    with made("DashScopeApp", server.url, patterns) as client:
        client.chat(
            prompt=f"致电{PHONE}",
            messages=[{"role": "user", "content": f"邮箱{MAIL}"}],
            session_id=PHONE,
            memory_id=PHONE,
            biz_params={
                "note": f"客户{PHONE}",
                "user_defined_params": {"plug": {"phone": PHONE, "n": 3}},
                "user_defined_tokens": {"plug": {"user_token": f"t-{PHONE}"}},
            },
            rag_options={"pipeline_ids": [PHONE], "tags": [f"标签{PHONE}"], "metadata_filter": {"tel": PHONE}},
        )
    sent = server.seen[0].doc

    assert sent["input"]["session_id"] == sent["input"]["memory_id"] == PHONE
    assert sent["input"]["biz_params"]["user_defined_tokens"] == {"plug": {"user_token": f"t-{PHONE}"}}
    assert sent["parameters"]["rag_options"]["pipeline_ids"] == [PHONE]
    assert sent["input"]["messages"] == [
        {"role": "user", "content": "邮箱<EMAIL_ADDRESS_1>"},
        {"role": "user", "content": "致电<PHONE_NUMBER_1>"},
    ]
    assert sent["input"]["biz_params"]["note"] == "客户<PHONE_NUMBER_1>"
    assert sent["input"]["biz_params"]["user_defined_params"] == {"plug": {"phone": "<PHONE_NUMBER_1>", "n": 3}}
    assert sent["parameters"]["rag_options"]["tags"] == ["标签<PHONE_NUMBER_1>"]
    assert sent["parameters"]["rag_options"]["metadata_filter"] == {"tel": "<PHONE_NUMBER_1>"}


def test_every_text_parameter_of_dms_is_masked(server: Server, patterns: Masker) -> None:
    with made("DMS", server.url, patterns) as client:
        client.stream(
            [{"role": "user", "content": TEXT}], stop=[PHONE], input=f"in {PHONE}", parameters={"note": PHONE},
            search_options={"query": PHONE}, tools=[{"type": "function", "function": {"name": "f", "description": PHONE}}],
            model=PHONE,
        ).answer()  # fmt: skip
    sent = server.seen[0].parameters

    assert sent["Model"] == PHONE
    assert json.loads(sent["Stop"]) == ["<PHONE_NUMBER_1>"]
    assert json.loads(sent["Parameters"]) == {"note": "<PHONE_NUMBER_1>"}
    assert json.loads(sent["SearchOptions"]) == {"query": "<PHONE_NUMBER_1>"}
    assert json.loads(sent["Tools"])[0]["function"] == {"name": "f", "description": "<PHONE_NUMBER_1>"}
    assert sent["Input"] == "in <PHONE_NUMBER_1>"
    assert server.seen[0].key_id == KEY.id  # signed as it left, not as it was


def test_a_plugin_header_is_text(server: Server, patterns: Masker) -> None:
    with made("DashScopeGeneration", server.url, patterns) as client:
        client.chat("hi", model="qwen-plus", result_format="message", plugins={"search": {"for": PHONE}})

    assert json.loads(server.seen[0].headers["x-dashscope-plugin"]) == {"search": {"for": "<PHONE_NUMBER_1>"}}


def test_ids_of_rdsai_stay_and_a_stop_is_signed(server: Server, patterns: Masker) -> None:
    with made("RdsAI", server.url, patterns) as client:
        client.chat(f"查{PHONE}", conversation_id=PHONE, custom_agent_id=PHONE, language="zh-cn")
        stopped = client.stop("t-1", workspace_id="w")
    sent = server.seen[0].parameters

    assert sent["ConversationId"] == PHONE
    assert json.loads(sent["Inputs"])["CustomAgentId"] == PHONE
    assert sent["Query"] == "查<PHONE_NUMBER_1>"
    assert stopped.raw["Result"] == "stopped t-1"
    assert server.seen[1].key_id == KEY.id


def test_a_route_that_no_descriptor_knows_is_refused_before_anything_is_sent(server: Server, patterns: Masker) -> None:
    client = DashScopeGeneration(api_key="sk-fake", base_url=server.url + "/odd", masker=patterns)
    client.prepare = lambda values, *, stream: masking.clients.prepared.Prepared(  # type: ignore[method-assign]
        server.url + "/unknown", (), document={"model": "m", "parameters": {}}
    )
    with pytest.raises(UnmaskableError, match="no descriptor"):
        client.chat("hi")
    assert server.seen == []


# Every lane of every stream, however it is cut

PIECES = pieces("请拨 <PHONE_NUMBER_1>，好😀")
RESTORED = f"请拨 {PHONE}，好😀"


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


END = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def call(piece: str, **more: Any) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": 0, **more, "function": {"arguments": piece}}])


def output(**members: Any) -> dict[str, Any]:
    return {"output": {"session_id": "s", "finish_reason": "null", **members}, "usage": {}, "request_id": "r"}


def inner(doc: dict[str, Any]) -> dict[str, Any]:
    return {"RequestId": "R", "Success": True, "Data": json.dumps(doc)}


ARGUMENTS = pieces('{"to":"<PHONE_NUMBER_1>"}')
SO_FAR = ["".join(PIECES[: n + 1]) for n in range(len(PIECES))]
STOP = output(text="", finish_reason="stop")
LANES = [
    pytest.param("OpenAICompatible", [chunk(content=piece) for piece in PIECES] + [END], "text", RESTORED,
                 id="compatible: content"),
    pytest.param("OpenAICompatible", [chunk(reasoning_content=piece) for piece in PIECES] + [END], "reasoning", RESTORED,
                 id="compatible: thinking"),
    pytest.param("OpenAICompatible", [call(piece, id="call_1") for piece in ARGUMENTS] + [END], "arguments",
                 f'{{"to":"{PHONE}"}}', id="compatible: tool arguments"),
    pytest.param("DMS", [inner(chunk(content=piece)) for piece in PIECES] + [inner(END)], "text", RESTORED,
                 id="DMS: content in a string of JSON"),
    pytest.param("DMS", [{"Data": chunk(content=piece)} for piece in PIECES] + [{"Data": END}], "text", RESTORED,
                 id="DMS: Data an object"),
    pytest.param("DMS", [{"Data": piece} for piece in PIECES], "text", RESTORED, id="DMS: Data a text"),
    pytest.param("DMS", [inner(chunk(reasoning_content=piece)) for piece in PIECES] + [inner(END)], "reasoning",
                 RESTORED, id="DMS: thinking"),
    pytest.param("DMS", [inner(call(piece, id="c")) for piece in ARGUMENTS] + [inner(END)], "arguments",
                 f'{{"to":"{PHONE}"}}', id="DMS: tool arguments"),
    pytest.param("RdsAI", [{"Event": "message", "Answer": piece, "MessageId": "m"} for piece in PIECES]
                 + [{"Event": "finish", "Answer": "", "MessageId": "m"}], "text", RESTORED, id="RdsAi: answer"),
    pytest.param("DashScopeApp", [output(text=text) for text in SO_FAR] + [output(text=SO_FAR[-1], finish_reason="stop")],
                 "text", RESTORED, id="application: all text so far"),
    pytest.param("DashScopeApp+", [output(text=piece) for piece in PIECES] + [STOP], "text", RESTORED,
                 id="application: pieces"),
    pytest.param("DashScopeApp+", [output(workflow_message={
        "node_id": "LLM", "node_msg_seq_id": 0, "node_is_completed": piece == PIECES[-1],
        "message": {"role": "assistant", "content": piece}}) for piece in PIECES] + [STOP], "workflow", RESTORED,
        id="application: messages of a workflow's nodes"),
    pytest.param("DashScopeApp", [output(text="", thoughts=[{"thought": text}]) for text in SO_FAR]
                 + [output(text="", thoughts=[{"thought": SO_FAR[-1]}], finish_reason="stop")], "thought", RESTORED,
                 id="application: thoughts"),
    pytest.param("DashScopeGeneration+", [output(choices=[{"finish_reason": "null", "message": {"content": piece}}])
                 for piece in PIECES] + [output(choices=[{"finish_reason": "stop", "message": {"content": ""}}])],
                 "text", RESTORED, id="generation: pieces"),
    pytest.param("DashScopeGeneration", [output(choices=[{"finish_reason": "null", "message": {
        "content": "", "reasoning_content": text}}]) for text in SO_FAR]
        + [output(choices=[{"finish_reason": "stop", "message": {"content": "", "reasoning_content": SO_FAR[-1]}}])],
        "reasoning", RESTORED, id="generation: thinking, all so far"),
]  # fmt: skip


def read(name: str, body: bytes, cuts: list[int], masker: Masker) -> tuple[list[Event], Answer]:
    """What a client makes of a stream that arrives cut like this; no socket is needed for that."""
    client = made(name.rstrip("+"), "http://127.0.0.1:1", masker)
    values = {"incremental_output": True} if name.endswith("+") else {}
    said = {"query": PHONE} if name == "RdsAI" else {"prompt": PHONE}
    if not name.startswith("DashScopeApp") and name != "RdsAI":
        said = {"messages": [{"role": "user", "content": PHONE}], "model": "m"}  # type: ignore[dict-item]
    exchange = client._exchange(said | values, None, stream=True)
    exchange.open(200, "text/event-stream")
    events: list[Event] = []
    places = [0, *sorted(cuts), len(body)]
    for start, end in pairwise(places):
        events += exchange.feed(body[start:end])
    events += exchange.finish()
    assert exchange.error is None
    return events, exchange.answer()


def lane(events: list[Event], answer: Answer, which: str) -> str:
    match which:
        case "arguments":
            return answer.tool_calls[0].arguments
        case "workflow":
            return "".join(event.workflow_message["message"]["content"] for event in events if event.workflow_message)
        case "thought":
            return str(answer.thoughts[-1]["thought"])
    return str(getattr(answer, which))


@pytest.mark.parametrize(("name", "docs", "which", "expected"), LANES)
def test_a_lane_is_restored_whole_and_byte_by_byte(
    name: str, docs: list[dict[str, Any]], which: str, expected: str, patterns: Masker
) -> None:
    body = b"".join(data(doc, n) for n, doc in enumerate(docs, 1))
    for cuts in ([], list(range(1, len(body)))):
        events, answer = read(name, body, cuts, patterns)

        assert lane(events, answer, which) == expected
        assert len(events) == len(docs)
        assert [event.id for event in events] == [str(n) for n in range(1, len(docs) + 1)]


@pytest.mark.parametrize(("name", "docs", "which", "expected"), LANES)
@settings(max_examples=max(25, settings.default.max_examples // 3))  # for each of 15 lanes
@given(cuts=st.lists(st.integers(0, 4000), max_size=12), crlf=st.booleans(), ascii_only=st.booleans())
def test_a_lane_is_restored_however_it_is_cut(
    name: str, docs: list[dict[str, Any]], which: str, expected: str, patterns: Masker, cuts: list[int], crlf: bool,
    ascii_only: bool,
) -> None:  # fmt: skip
    body = b"".join(f"data: {json.dumps(doc, ensure_ascii=ascii_only)}\n\n".encode() for doc in docs)
    body = body.replace(b"\n", b"\r\n") if crlf else body
    events, answer = read(name, body, [cut % len(body) for cut in cuts], patterns)

    assert lane(events, answer, which) == expected


def test_calls_of_tools_go_both_ways(server: Server, patterns: Masker) -> None:
    tools = [{"type": "function", "function": {"name": "send", "parameters": {}}}]
    made_call = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": f'{{"to": "{PHONE}"}}'}}

    def answer(seen: Seen) -> Out:
        if len(server.seen) > 1:
            message: dict[str, Any] = {"role": "assistant", "content": "sent"}
        else:
            echoed = json.loads(json.dumps(made_call).replace(PHONE, "<PHONE_NUMBER_1>"))
            message = {"role": "assistant", "content": None, "tool_calls": [echoed]}
        return whole({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    server.answer = answer
    with made("OpenAICompatible", server.url, patterns) as client, client.conversation(model="m", tools=tools) as turns:
        asked = turns.chat(f"text {PHONE}")
        done = turns.chat([{"role": "tool", "tool_call_id": "call_1", "content": f"sent to {PHONE}"}])

    assert json.loads(asked.tool_calls[0].arguments) == {"to": PHONE}
    assert done.text == "sent"
    second = server.seen[1].doc["messages"]
    assert [message["role"] for message in second] == ["user", "assistant", "tool"]
    assert "<PHONE_NUMBER_1>" in second[1]["tool_calls"][0]["function"]["arguments"]
    assert PHONE not in server.seen[1].everything


def test_several_choices_are_told_apart(server: Server, patterns: Masker) -> None:
    def event(index: int, text: str, reason: str | None = None) -> bytes:
        return data({"id": "c", "choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}]})

    server.answer = lambda seen: sse(
        event(0, "a <PHONE_"), event(1, "b <PHO"), event(0, "NUMBER_1>"), event(1, "NE_NUMBER_1>"), event(0, "", "stop"),
        event(1, "", "length"), data("[DONE]"),
    )  # fmt: skip
    with made("OpenAICompatible", server.url, patterns) as client:
        answer = client.stream(PHONE, model="m", n=2).answer()

    assert [choice.content for choice in answer.choices] == [f"a {PHONE}", f"b {PHONE}"]
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "length"]


# Conversations


@pytest.mark.parametrize("name", NAMES)
def test_a_value_keeps_its_placeholder_over_the_turns(name: str, server: Server, patterns: Masker) -> None:
    with made(name, server.url, patterns) as client, client.conversation(**more(name)) as turns:
        first = turns.chat(f"A {PHONE}")
        second = turns.stream(f"B {OTHER} {PHONE}").answer()
        turns.chat(f"C {OTHER}")
        held = turns.session.entries()

    assert PHONE in first.text
    assert f"B {OTHER} {PHONE}" in second.text
    assert "B <PHONE_NUMBER_2> <PHONE_NUMBER_1>" in server.seen[1].everything
    assert "C <PHONE_NUMBER_2>" in server.seen[2].everything
    assert held == {"<PHONE_NUMBER_1>": PHONE, "<PHONE_NUMBER_2>": OTHER}
    assert turns.session.entries() == {}
    with pytest.raises(ParameterError, match="closed"):
        turns.chat("more")


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_an_asynchronous_conversation_is_the_same(name: str, server: Server, patterns: Masker) -> None:
    async with made(name, server.url, patterns, "Async") as client, client.conversation(**more(name)) as turns:
        await turns.chat(f"A {PHONE}")
        second = await turns.stream(f"B {OTHER} {PHONE}").answer()

    assert f"B {OTHER} {PHONE}" in second.text
    assert "B <PHONE_NUMBER_2> <PHONE_NUMBER_1>" in server.seen[1].everything


def test_ids_of_the_service_are_sent_along(server: Server) -> None:
    with made("RdsAI", server.url, None) as client, client.conversation(language="en-us") as turns:
        turns.chat("one")
        turns.stream("two").answer()
        turns.chat("three")
    sent = [seen.parameters for seen in server.seen]

    assert [one.get("ConversationId") for one in sent] == [None, "c-1", "c-1"]
    assert [one.get("ParentMessageId") for one in sent] == [None, "m-1", "m-2"]
    assert all(json.loads(one["Inputs"]) == {"Language": "en-us"} for one in sent)


def test_an_application_keeps_its_session(server: Server) -> None:
    with made("DashScopeApp", server.url, None) as client, client.conversation() as turns:
        turns.chat("one")
        turns.chat("two")

    assert [seen.doc["input"].get("session_id") for seen in server.seen] == [None, "s-1"]


def test_messages_are_sent_along_and_a_turn_that_failed_is_not(server: Server) -> None:
    client = made("DashScopeGeneration", server.url, None)
    with client, client.conversation(model="qwen-plus", result_format="message") as turns:
        turns.chat([{"role": "system", "content": "S"}, {"role": "user", "content": "one"}])
        server.answer = lambda seen: whole({"code": "InternalError", "message": "x"}, 500)
        with pytest.raises(masking.clients.ServerError):
            turns.chat("lost")
        left = turns.stream("left early")
        left.close()
        server.answer = None
        turns.stream("two").answer()

    assert [message["content"] for message in server.seen[-1].doc["input"]["messages"]] == [
        "S",
        "one",
        "“one” (2)",
        "two",
    ]


def test_sessions_of_single_calls_end_with_them_and_a_given_one_does_not(server: Server, patterns: Masker) -> None:
    opened: list[Any] = []

    class Watching:
        category = patterns.category

        def session(self) -> Any:
            opened.append(patterns.session())
            return opened[-1]

    with DMS(7, credentials=KEY, endpoint=server.url, masker=Watching()) as client, patterns.session() as session:
        client.chat(TEXT)
        client.stream(TEXT).close()
        client.chat(TEXT, session=session)
        kept = session.entries()

    assert len(opened) == 2
    assert [session.entries() for session in opened] == [{}, {}]
    assert kept == {"<PHONE_NUMBER_1>": PHONE}


# Delegation


def test_a_conversation_masked_here_and_sent_through_dms_comes_back_restored(server: Server, patterns: Masker) -> None:
    with (
        made("DMS", server.url, patterns, delegate="local+dms") as client,
        client.conversation(model="qwen-plus") as turns,
    ):
        first = turns.stream(TEXT).answer()
        second = turns.stream(f"又一次{PHONE}和{MAIL}", enable_thinking=True).answer()
    sent = [seen.parameters for seen in server.seen]

    assert TEXT in first.text
    assert f"又一次{PHONE}和{MAIL}" in second.text
    assert f"又一次{PHONE}和{MAIL}" in second.reasoning
    assert [one["NeedDesensitization"] for one in sent] == ["True", "True"]
    assert [one["DesensitizationRule"] for one in sent] == ["UserInfo", "UserInfo"]
    assert not any(PHONE in seen.everything or MAIL in seen.everything for seen in server.seen)


@pytest.mark.parametrize(
    ("delegate", "masked_here", "rule"),
    [("local", True, None), ("dms", False, "UserInfo"), ("local+dms", True, "UserInfo")],
)
def test_delegate_says_who_masks(
    delegate: Any, masked_here: bool, rule: str | None, server: Server, patterns: Masker
) -> None:
    with made("DMS", server.url, patterns, delegate=delegate) as client:
        answers = [client.chat(TEXT), client.stream(TEXT).answer()]

    for seen, answer in zip(server.seen, answers, strict=True):
        assert (PHONE not in seen.everything) == masked_here
        assert seen.parameters.get("DesensitizationRule") == rule
        assert TEXT in answer.text


def test_whatever_dms_puts_in_place_of_a_value_passes(server: Server, patterns: Masker) -> None:
    server.answer = lambda seen: sse(
        data(inner(chunk(content="tel 138****8000, <PHONE_NUM"))), data(inner(chunk(content="BER_1>, <PHONE_NUMBER_9>"))),
        data(inner(END)),
    )  # fmt: skip
    with made("DMS", server.url, patterns, delegate="local+dms") as client:
        answer = client.stream(TEXT).answer()

    assert answer.text == f"tel 138****8000, {PHONE}, <PHONE_NUMBER_9>"


@pytest.mark.parametrize(
    ("options", "call", "message"),
    [
        pytest.param({"delegate": "dms"}, {}, "category", id="no category to name"),
        pytest.param({"delegate": "local+dms", "category": "C"}, {}, "masker", id="nobody to mask here"),
        pytest.param({"delegate": "remote"}, {}, "delegate is", id="no such delegate"),
        pytest.param(
            {"delegate": "dms", "category": "C"},
            {"need_desensitization": False},
            "contradicts",
            id="the call contradicts",
        ),
        pytest.param({}, {"need_desensitization": True}, "DesensitizationRule: required", id="no rule by hand"),
    ],
)
def test_delegation_that_makes_no_sense_is_refused(options: dict[str, Any], call: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        DMS(7, credentials=KEY, endpoint="127.0.0.1:1", **options).chat("hi", **call)


def test_delegation_and_a_session_exclude_each_other(patterns: Masker) -> None:
    client = DMS(7, credentials=KEY, endpoint="127.0.0.1:1", delegate="dms", category="UserInfo")
    with patterns.session() as session, pytest.raises(ParameterError, match=r"local\+dms"):
        client.chat(TEXT, session=session)


def test_a_rule_of_the_call_wins_over_the_category(server: Server) -> None:
    with DMS(7, credentials=KEY, endpoint=server.url, delegate="dms", category="A") as client:
        client.chat("hi", desensitization_rule="B")
        client.chat("hi", DesensitizationRule="C", NeedDesensitization=True)

    assert [seen.parameters["DesensitizationRule"] for seen in server.seen] == ["B", "C"]


def test_a_category_may_say_itself_who_masks(server: Server, patterns: Masker) -> None:
    class Category:
        name = "UserInfo"
        delegate = "dms"

    class Delegating:
        category = Category()
        session = patterns.session

    with DMS(7, credentials=KEY, endpoint=server.url, masker=Delegating()) as client:
        client.chat(TEXT)
    with DMS(7, credentials=KEY, endpoint=server.url, masker=Delegating(), delegate="local") as client:
        client.chat(TEXT)

    assert [seen.parameters.get("DesensitizationRule") for seen in server.seen] == ["UserInfo", None]
    assert [PHONE in seen.everything for seen in server.seen] == [True, False]


# Credentials


def test_the_signature_serves_any_httpx_client_and_is_new_each_time(server: Server) -> None:
    headers = {"x-acs-action": "ChatMessages", "x-acs-version": "2025-05-07"}
    with httpx.Client(auth=Acs3Auth(KEY), headers=headers) as client:
        request = client.build_request("POST", server.url, params={"Query": "hi a,b*~"})
        statuses = [client.send(request).status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert [seen.key_id for seen in server.seen] == [KEY.id, KEY.id]
    assert len(server.nonces) == 2


def test_credentials_come_from_where_the_vendor_keeps_them(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY.id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY.secret)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-fake")
    with DMS(7, endpoint=server.url) as dms, DashScopeApp("a", base_url=server.url) as app:
        assert "hi" in dms.chat("hi").text
        assert "hi" in app.chat("hi").text
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    monkeypatch.delenv("DASHSCOPE_API_KEY")
    with pytest.raises(ParameterError, match="ALIBABA_CLOUD_ACCESS_KEY_ID"):
        DMS(7, endpoint=server.url)
    with pytest.raises(ParameterError, match="DASHSCOPE_API_KEY"):
        OpenAICompatible()


def test_keys_that_are_renewed_are_asked_for_each_time(server: Server) -> None:
    asked: list[int] = []

    def renewed() -> AccessKey:
        asked.append(1)
        return AccessKey(KEY.id, KEY.secret, f"token-{len(asked)}")

    with RdsAI(credentials=renewed, endpoint=server.url) as client:
        client.chat("one")
        client.chat("two")

    assert [seen.headers["x-acs-security-token"] for seen in server.seen] == ["token-1", "token-2"]
    assert [seen.headers["x-acs-credentials-provider"] for seen in server.seen] == ["static_sts"] * 2
    assert len(server.nonces) == 2


def test_a_bearer_token_is_sent_unsigned(server: Server) -> None:
    with RdsAI(credentials=BearerToken("b-1"), endpoint=server.url) as client:
        client.stream("hi").answer()
        client.chat("hi")

    assert [seen.headers["x-acs-bearer-token"] for seen in server.seen] == ["b-1", "b-1"]
    assert not any("authorization" in seen.headers for seen in server.seen)
    assert [seen.parameters.get("SignatureType") for seen in server.seen] == [None, "BEARERTOKEN"]


def test_nothing_that_is_printed_shows_a_key_or_a_text(server: Server, patterns: Masker) -> None:
    key = AccessKey("LTAIx", "topsecret")
    client = DMS(7, credentials=key, endpoint=server.url, masker=patterns)
    prepared = client.prepare({"messages": [{"role": "user", "content": TEXT}]}, stream=False)
    parameters = AppParameters(prompt=TEXT)
    answer = Answer((masking.clients.Choice(content=TEXT),))
    shown = " ".join(map(repr, (key, client, prepared, parameters, answer, answer.choices, client.conversation())))

    for secret in ("topsecret", PHONE, "手机"):
        assert secret not in shown
        assert secret not in str(parameters)


# Parameter objects


def test_a_parameter_object_is_as_good_as_names(server: Server) -> None:
    with DMS(7, credentials=KEY, endpoint=server.url) as client:
        client.chat(DMSParameters(messages=[{"role": "user", "content": "hi"}], temperature=0.5), seed=3)

    assert server.seen[0].parameters["Temperature"] == "0.5"
    assert server.seen[0].parameters["Seed"] == "3"


@pytest.mark.anyio
async def test_asynchronous_calls_run_beside_each_other(server: Server, patterns: Masker) -> None:
    import anyio

    answers: dict[str, str] = {}

    async def ask(client: AsyncRdsAI, number: str) -> None:
        answers[number] = (await client.chat(f"查{number}")).text

    client = AsyncRdsAI(credentials=KEY, endpoint=server.url, masker=patterns)
    async with client, anyio.create_task_group() as group:
        for last in range(8):
            group.start_soon(ask, client, f"1380013800{last}")

    assert len(answers) == 8
    assert all(number in text for number, text in answers.items())


@pytest.mark.anyio
async def test_a_cancelled_stream_gives_the_connection_up(server: Server, patterns: Masker) -> None:
    import anyio

    rest = threading.Event()
    good = server.reply

    def endless(seen: Seen) -> Out:
        out = good(seen)
        return Out(chunks=[out.chunks[0], *[b":\n\n" * 50_000] * 100], content_type=out.content_type, pause=rest)

    server.reply = endless  # type: ignore[method-assign]
    async with AsyncDMS(7, credentials=KEY, endpoint=server.url, masker=patterns) as client:
        with anyio.move_on_after(0.2) as scope:
            async with client.stream(TEXT) as events:
                async for _ in events:
                    pass
    rest.set()

    assert scope.cancelled_caught
    assert server.gone.wait(5)


@pytest.mark.parametrize("delegate", ["local", "dms", "local+dms"])
def test_a_category_file_says_who_masks(tmp_path: Path, server: Server, delegate: str) -> None:
    rule = "  - {id: m, entity: PHONE_NUMBER, pattern: '1[3-9]\\d{9}', hits: ['13800138000'], misses: ['1']}\n"
    head = f'category: Mine\nversion: "1"\nabout: {{en: Mine, zh: 我的}}\ndelegate: {delegate}\nrules:\n'
    (tmp_path / "Mine.yaml").write_text(head + rule, "utf-8")
    with DMS(7, credentials=KEY, endpoint=server.url, masker=Masker(tmp_path / "Mine.yaml")) as client:
        answer = client.chat("打13800138000")
    sent = server.seen[-1].everything

    assert ("13800138000" in sent) == (delegate == "dms")
    assert ("NeedDesensitization" in sent) == (delegate != "local")
    assert "13800138000" in answer.text
