"""`@masker.wrap`: what goes into a function is masked, what comes out is restored, the rest is left as it was."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import enum
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import dashscope
import openai
import pydantic
import pytest
from echo_server import Server, serving
from hypothesis import given
from hypothesis import strategies as st

from masking import ConfigurationError, Masker, Session, UnmaskableError

CATEGORY = """\
category: Small
version: "1"
about: {en: For these tests, zh: 测试}
rules:
  - {id: mobile, entity: PHONE_NUMBER, pattern: '1[3-9]\\d{9}', not_beside: digit, hits: ["13800138000"], misses: ["1"]}
  - {id: name, entity: PERSON, pattern: '王芳|"Ann"', not_beside: none, hits: ["王芳"], misses: ["1"]}
"""
VALUES = ("13800138000", "王芳", '"Ann"')
PROMPT = "我是王芳，电话13800138000"
MASKED = "我是<PERSON_1>，电话<PHONE_NUMBER_1>"


@pytest.fixture(scope="module")
def masker(tmp_path_factory: pytest.TempPathFactory) -> Masker:
    path: Path = tmp_path_factory.mktemp("rules") / "Small.yaml"
    path.write_text(CATEGORY, "utf-8")
    return Masker(path)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def sent(server: Server) -> str:
    """What the last request said, decoded."""
    return json.dumps(json.loads(server.seen[-1][2]), ensure_ascii=False)


class Message(pydantic.BaseModel):
    role: str
    content: str


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    text: str
    tags: tuple[str, ...] = ()


class Pair(NamedTuple):
    kind: str
    text: str


class Colour(enum.StrEnum):
    RED = "13800138000"


def record(masker: Masker, **options: Any) -> tuple[Callable[..., Any], list[Any]]:
    """A wrapped function that keeps what it was called with and answers with a placeholder."""
    seen: list[Any] = []

    def function(*args: Any, **kwargs: Any) -> str:
        seen.append((args, kwargs))
        return "<PERSON_1>!"

    return masker.wrap(**options)(function), seen


@pytest.mark.parametrize(
    ("given_", "arrives"),
    [
        pytest.param(PROMPT, MASKED, id="a string"),
        pytest.param([PROMPT, "x"], [MASKED, "x"], id="a list"),
        pytest.param(("x", PROMPT), ("x", MASKED), id="a tuple stays a tuple"),
        pytest.param(Pair("x", PROMPT), Pair("x", MASKED), id="a named tuple stays one"),
        pytest.param({"王芳的": {"deep": [(PROMPT,)]}}, None, id="a key cannot be masked"),
        pytest.param({"a": {"deep": [(PROMPT,)]}}, {"a": {"deep": [(MASKED,)]}}, id="nested"),
        pytest.param([{"role": "user", "content": PROMPT}], [{"role": "user", "content": MASKED}], id="messages"),
        pytest.param(
            [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}],
            [{"role": "user", "content": [{"type": "text", "text": MASKED}]}],
            id="content parts",
        ),
        pytest.param(
            [{"role": "assistant", "tool_calls": [{"id": "13800138000", "function": {"arguments": '{"n": "王芳"}'}}]}],
            [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "13800138000", "function": {"arguments": '{"n":"<PERSON_1>"}'}}],
                }
            ],
            id="tool calls: JSON inside, ids kept",
        ),
        pytest.param([Message(role="user", content=PROMPT)], [Message(role="user", content=MASKED)], id="pydantic"),
        pytest.param(Note(PROMPT, ("王芳",)), Note(MASKED, ("<PERSON_1>",)), id="frozen dataclass"),
        pytest.param({PROMPT}, {MASKED}, id="a set"),
        pytest.param(13800138000, "<PHONE_NUMBER_1>", id="a number that is a phone"),
        pytest.param(0.7, 0.7, id="a number"),
        pytest.param(None, None, id="None"),
        pytest.param(dt.date(2026, 1, 2), dt.date(2026, 1, 2), id="a date"),
        pytest.param(Colour.RED, Colour.RED, id="a member of an enumeration is a name"),
        pytest.param(len, len, id="a function"),
    ],
)
def test_every_string_of_an_argument_is_masked_in_a_copy(masker: Masker, given_: Any, arrives: Any) -> None:
    wrapped, seen = record(masker)
    before = repr(given_)
    if isinstance(given_, dict) and "王芳的" in given_:
        with pytest.raises(UnmaskableError, match="object key"):
            wrapped(given_)
        return

    for call in (lambda: wrapped(given_), lambda: wrapped(1, given_), lambda: wrapped(anything=given_)):
        wrapped_result = call()
        args, kwargs = seen[-1]
        arrived = [*args, *kwargs.values()][-1]

        assert arrived == arrives
        assert type(arrived) is type(arrives)
        assert repr(given_) == before
        assert wrapped_result in {"王芳!", "<PERSON_1>!"}


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(b"bytes", id="bytes"),
        pytest.param(object(), id="an object"),
        pytest.param(SimpleNamespace(text=PROMPT), id="a namespace"),
        pytest.param([{"role": "user", "content": object()}], id="an object inside messages"),
        pytest.param(iter([PROMPT]), id="an iterator"),
    ],
)
def test_what_cannot_be_looked_into_is_refused_unless_it_is_declared_opaque(masker: Masker, refused: Any) -> None:
    got: list[Any] = []

    def function(prompt: Any) -> None:
        got.append(prompt)

    with pytest.raises(UnmaskableError, match=r"function\(\), argument prompt: cannot look into") as caught:
        masker.wrap(function)(refused)
    assert "13800138000" not in str(caught.value)
    assert got == []
    masker.wrap(opaque=["prompt"])(function)(refused)
    assert got[0] is refused


def test_opaque_must_name_a_parameter(masker: Masker) -> None:
    with pytest.raises(ConfigurationError, match="promt"):
        masker.wrap(opaque=["promt"])(lambda prompt: prompt)


def test_a_call_that_does_not_fit_raises_its_own_type_error_before_anything_is_sent(masker: Masker) -> None:
    called: list[int] = []

    @masker.wrap
    def function(prompt: str) -> None:
        called.append(1)

    with pytest.raises(TypeError, match="missing a required argument"):
        function()  # type: ignore[call-arg]
    assert called == []


def test_a_method_keeps_its_self_and_a_wrapper_keeps_its_name(masker: Masker) -> None:
    class Bot:
        greeting = "王芳"

        @masker.wrap
        def ask(self, prompt: str) -> str:
            """Ask."""
            return f"{prompt} {self.greeting is Bot.greeting}"

    assert Bot().ask(PROMPT) == f"{PROMPT} True"
    assert (Bot.ask.__name__, Bot.ask.__doc__) == ("ask", "Ask.")


@pytest.mark.parametrize(
    ("result", "restored"),
    [
        pytest.param("Hi <PERSON_1>", "Hi 王芳", id="a string"),
        pytest.param({"a": ["<PERSON_1>", 1]}, {"a": ["王芳", 1]}, id="a dict"),
        pytest.param(("x", "[person_1]"), ("x", "王芳"), id="a tuple"),
        pytest.param(
            Message(role="assistant", content="<PERSON_1>"), Message(role="assistant", content="王芳"), id="pydantic"
        ),
        pytest.param(Note("<PERSON_1>"), Note("王芳"), id="a dataclass"),
        pytest.param(None, None, id="None"),
        pytest.param(7, 7, id="a number"),
    ],
)
def test_an_answer_is_restored_in_a_copy(masker: Masker, result: Any, restored: Any) -> None:
    before = repr(result)

    @masker.wrap
    def function(prompt: str) -> Any:
        return result

    @masker.wrap
    async def coroutine(prompt: str) -> Any:
        return result

    @masker.wrap
    def promises(prompt: str) -> Any:
        async def later() -> Any:
            return result

        return later()

    assert function(PROMPT) == restored
    assert asyncio.run(coroutine(PROMPT)) == restored
    assert asyncio.run(promises(PROMPT)) == restored
    assert repr(result) == before


def test_tool_arguments_in_an_answer_are_restored_with_json_escaping(masker: Masker) -> None:
    call = {"function": {"name": "save", "arguments": '{"who": "<PERSON_1>"}'}}
    cut = {"function": {"name": "save", "arguments": '{"who": "<PERSON_1>'}}

    @masker.wrap
    def ask(prompt: str) -> dict[str, Any]:
        return {"choices": [{"index": 0, "message": {"content": None, "tool_calls": [call, cut]}}]}

    whole, broken = (one["function"]["arguments"] for one in ask('"Ann"')["choices"][0]["message"]["tool_calls"])

    assert json.loads(whole) == {"who": '"Ann"'}
    assert broken == '{"who": "\\"Ann\\"'


cuts = st.lists(st.integers(1, 6), max_size=20)


def pieces_of(text: str, sizes: list[int]) -> Iterator[str]:
    at = 0
    for size in [*sizes, *[3] * len(text)]:
        if at < len(text):
            yield text[at : at + size]
            at += size


@given(cuts)
def test_generators_of_every_kind_restore_alike_however_the_answer_is_cut(masker: Masker, sizes: list[int]) -> None:
    answer = "<PERSON_1> <PHONE_NUMBER_1> [person_1] <PERSON_2> <PER"

    @masker.wrap
    def generator(prompt: str) -> Iterator[str]:
        yield from pieces_of(answer, sizes)

    @masker.wrap
    def returns(prompt: str) -> Iterator[str]:
        return pieces_of(answer, sizes)

    @masker.wrap
    async def agenerator(prompt: str) -> AsyncIterator[str]:
        for piece in pieces_of(answer, sizes):
            yield piece

    @masker.wrap
    async def areturns(prompt: str) -> AsyncIterator[str]:
        async def inner() -> AsyncIterator[str]:
            for piece in pieces_of(answer, sizes):
                yield piece

        return inner()

    async def collect() -> list[str]:
        one = "".join([piece async for piece in agenerator(PROMPT)])
        return [one, "".join([piece async for piece in await areturns(PROMPT)])]

    expected = "王芳 13800138000 王芳 <PERSON_2> <PER"
    assert ["".join(generator(PROMPT)), "".join(returns(PROMPT)), *asyncio.run(collect())] == [expected] * 4


@given(cuts)
def test_events_of_unknown_shape_are_restored_in_place_and_in_order(masker: Masker, sizes: list[int]) -> None:
    @masker.wrap
    def ask(prompt: str) -> Iterator[dict[str, Any]]:
        for number, piece in enumerate(pieces_of("a <PERSON_1> b <PHONE_NUMBER_1", sizes)):
            yield {"n": number, "id": "x-1", "part": {"text": piece}}

    events = list(ask(PROMPT))

    assert [event["n"] for event in events] == list(range(len(events)))
    assert "".join(event["part"]["text"] for event in events) == "a 王芳 b 13800138000"
    assert {event["id"] for event in events} == {"x-1"}


def test_a_cumulative_stream_is_recognised_by_its_texts(masker: Masker) -> None:
    whole = "Hi <PERSON_1>, ok"

    @masker.wrap
    def ask(prompt: str) -> Iterator[dict[str, Any]]:
        for end in range(1, len(whole) + 1):
            yield {"output": {"text": whole[:end], "finish_reason": "null" if end < len(whole) else "stop"}}

    texts = [event["output"]["text"] for event in ask(PROMPT)]

    assert texts[-1] == "Hi 王芳, ok"
    assert all("Hi 王芳, ok".startswith(text) for text in texts)
    assert len(texts) == len(whole)


def test_pairs_in_a_stream_stay_pairs(masker: Masker) -> None:
    @masker.wrap
    def ask(prompt: str) -> Iterator[Pair]:
        for piece in pieces_of("<PERSON_1>!", [2, 3]):
            yield Pair("text", piece)

    events = list(ask(PROMPT))

    assert all(type(event) is Pair and event.kind == "text" for event in events)
    assert "".join(event.text for event in events) == "王芳!"


@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_exception_inside_passes_unchanged_and_the_session_is_closed(masker: Masker, at: int) -> None:
    error = KeyError("mine")
    sessions: list[Session] = []
    opened = masker.session
    object.__setattr__(masker, "session", lambda: sessions.append(opened()) or sessions[-1])  # type: ignore[func-returns-value]
    try:

        @masker.wrap
        def generator(prompt: str) -> Iterator[str]:
            for number in range(5):
                if number == at:
                    raise error
                yield "<PERSON_1>"

        @masker.wrap
        def plain(prompt: str) -> str:
            raise error

        @masker.wrap
        async def coroutine(prompt: str) -> str:
            raise error

        for call in (lambda: list(generator(PROMPT)), lambda: plain(PROMPT), lambda: asyncio.run(coroutine(PROMPT))):
            with pytest.raises(KeyError) as caught:
                call()
            assert caught.value is error
            assert sessions[-1]._closed
            assert sessions[-1].entries() == {}
    finally:
        object.__delattr__(masker, "session")


def test_a_stream_closed_early_closes_what_it_read_from_and_forgets(masker: Masker) -> None:
    closed: list[str] = []
    kept = masker.session()

    def source() -> Iterator[str]:
        try:
            yield from ["<PERSON_1>", "b", "c"]
        finally:
            closed.append("source")

    returned = masker.wrap(lambda prompt: source())(PROMPT)
    assert next(returned) == "王芳"
    returned.close()
    assert closed == ["source"]

    with masker.wrap(session=kept)(lambda prompt: source())(PROMPT) as second:
        assert next(second) == "王芳"
    assert closed == ["source", "source"]
    assert kept.restore("<PERSON_1>") == "王芳", "a session of the caller's own outlives the call"
    kept.close()


def test_a_shared_session_keeps_placeholders_over_several_calls(masker: Masker) -> None:
    seen: list[str] = []
    with masker.session() as session:

        @masker.wrap(session=session)
        def ask(prompt: str) -> str:
            seen.append(prompt)
            return prompt

        assert ask("13900139000") == "13900139000"
        assert ask("13800138000 13900139000") == "13800138000 13900139000"

    assert seen == ["<PHONE_NUMBER_1>", "<PHONE_NUMBER_2> <PHONE_NUMBER_1>"]


# The real SDKs, against a real server.


def test_openai_calls_are_masked_and_their_replies_restored(masker: Masker, server: Server) -> None:
    client = openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0)
    create = masker.wrap(client.chat.completions.create)

    reply = create(model="echo", messages=[{"role": "user", "content": PROMPT}])

    assert isinstance(reply, openai.types.chat.ChatCompletion)
    assert PROMPT in (reply.choices[0].message.content or "")
    assert MASKED in sent(server)
    assert not [value for value in VALUES if value in sent(server)]


def test_openai_history_with_the_sdks_own_objects_keeps_its_placeholders(masker: Masker, server: Server) -> None:
    client = openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0)
    create = masker.wrap(client.chat.completions.create)
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    messages.append(create(model="echo", messages=messages).choices[0].message)
    messages.append({"role": "user", "content": "再说一次 13800138000"})

    create(model="echo", messages=messages)

    assert "王芳" not in sent(server)
    assert sent(server).count("<PHONE_NUMBER_1>") == 3
    assert PROMPT in messages[1].content


@pytest.mark.parametrize("count", [1, 3])
def test_openai_streams_are_restored_choice_by_choice(masker: Masker, server: Server, count: int) -> None:
    client = openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0)

    @masker.wrap
    def ask(messages: Any, **options: Any) -> Any:
        return client.chat.completions.create(model="echo", messages=messages, stream=True, **options)

    texts = [""] * count
    with ask([{"role": "user", "content": PROMPT}], n=count, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    for chunk in chunks:
        assert isinstance(chunk, openai.types.chat.ChatCompletionChunk)
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""

    assert all(PROMPT in text for text in texts)
    assert chunks[-1].usage is not None
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices].count("stop") == count


@pytest.mark.parametrize("streams", [False, True])
def test_openai_tool_calls_are_restored_as_json(masker: Masker, server: Server, *, streams: bool) -> None:
    client = openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0)
    tools: Any = [{"type": "function", "function": {"name": "save", "parameters": {"type": "object"}}}]

    @masker.wrap
    def ask(messages: Any, **options: Any) -> Any:
        return client.chat.completions.create(model="echo", messages=messages, tools=tools, **options)

    prompt = '调用save "Ann" 13800138000'
    reply = ask([{"role": "user", "content": prompt}], stream=streams)
    if streams:
        calls = [call for chunk in reply for choice in chunk.choices for call in choice.delta.tool_calls or ()]
        arguments = "".join(call.function.arguments for call in calls)
    else:
        arguments = reply.choices[0].message.tool_calls[0].function.arguments

    assert json.loads(arguments) == {"text": prompt}
    assert "Ann" not in sent(server)


def test_openai_async_streams_are_restored(masker: Masker, server: Server) -> None:
    async def conversation() -> str:
        async with openai.AsyncOpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0) as client:

            @masker.wrap
            async def ask(messages: Any) -> Any:
                return await client.chat.completions.create(model="echo", messages=messages, stream=True)

            stream = await ask([{"role": "user", "content": PROMPT}])
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    assert PROMPT in asyncio.run(conversation())
    assert MASKED in sent(server)


def test_an_openai_error_passes_unchanged(masker: Masker, server: Server) -> None:
    client = openai.OpenAI(api_key="none", base_url=f"{server.url}/nowhere", max_retries=0)

    with pytest.raises(openai.NotFoundError):
        masker.wrap(client.images.generate)(model="echo", prompt=PROMPT)


@pytest.fixture
def app(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{server.url}/api/v1")
    return dashscope.Application.call  # type: ignore[no-any-return]


def test_dashscope_calls_are_masked_and_their_replies_restored(masker: Masker, server: Server, app: Any) -> None:
    reply = masker.wrap(app)(app_id="a1", api_key="none", prompt=PROMPT)

    assert reply.status_code == 200
    assert PROMPT in reply.output.text
    assert MASKED in sent(server)
    assert not [value for value in VALUES if value in sent(server)]


@pytest.mark.parametrize("options", [{}, {"incremental_output": True}, {"incremental_output": False}])
def test_dashscope_streams_are_restored_whichever_way_they_count(
    masker: Masker, server: Server, app: Any, options: dict[str, bool]
) -> None:
    replies = list(masker.wrap(app)(app_id="a1", api_key="none", prompt=PROMPT, stream=True, **options))
    texts = [reply.output.text for reply in replies]
    text = "".join(texts) if options.get("incremental_output") else texts[-1]

    assert PROMPT in text
    assert text.count(PROMPT) == 1
    assert MASKED in sent(server)
    assert replies[-1].output.finish_reason == "stop"


def test_dashscope_messages_and_parameters_are_masked_too(masker: Masker, server: Server, app: Any) -> None:
    history = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "好的王芳"}]
    masker.wrap(app)(
        app_id="a1", api_key="none", messages=[*history, {"role": "user", "content": "13800138000?"}],
        biz_params={"user": "王芳", "phones": ["13800138000"]},
    )  # fmt: skip

    assert not [value for value in VALUES if value in sent(server)]
    assert sent(server).count("<PERSON_1>") == 3
