"""`masker.wrap_client`: whatever can be reached through the stand-in is masked, and it tells no secret."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import anthropic
import dashscope
import openai
import pytest
from echo_server import Server, serving
from google import genai
from google.genai import types

from masking import Masker, UnmaskableError, echo

PROMPT = "电话13800138000，邮箱 zhang.san@example.com。"
MASKED = "电话<PHONE_NUMBER_1>，邮箱 <EMAIL_ADDRESS_1>。"
USER: Any = {"role": "user", "content": PROMPT}
SAID = echo.answer([USER])


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def client(server: Server, patterns: Masker) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-secret", base_url=f"{server.url}/v1", max_retries=0) as plain:
        yield patterns.wrap_client(plain)


def sent(server: Server) -> str:
    said = "\n".join(json.dumps(json.loads(body), ensure_ascii=False) for _, _, body in server.seen if body)
    assert "13800138000" not in said
    assert "zhang.san" not in said
    return said


def test_its_repr_names_the_kind_and_no_secret(client: openai.OpenAI) -> None:
    assert repr(client) == "<masked openai.OpenAI>"
    assert "sk-secret" not in f"{client} {client.chat!r} {client.chat.completions!r}"


def test_plain_attributes_are_what_they_were_and_can_be_set(client: openai.OpenAI, server: Server) -> None:
    assert client.api_key == "sk-secret"
    assert str(client.base_url).startswith(server.url)
    client.max_retries = 5
    assert client.max_retries == 5
    assert "chat" in dir(client)


@pytest.mark.parametrize("how", ["with_options", "copy"])
def test_another_client_made_of_it_masks_too(client: openai.OpenAI, server: Server, how: str) -> None:
    other = getattr(client, how)(timeout=7.0)
    reply = other.chat.completions.create(model="echo", messages=[USER])

    assert reply.choices[0].message.content == SAID
    assert MASKED in sent(server)


def test_a_raw_response_is_masked_and_restored_when_it_is_read(client: openai.OpenAI, server: Server) -> None:
    raw = client.chat.completions.with_raw_response.create(model="echo", messages=[USER])

    assert raw.parse().choices[0].message.content == SAID
    assert raw.headers["x-request-id"] == "r-1"
    assert MASKED in sent(server)


def test_used_as_a_context_manager_it_is_itself(client: openai.OpenAI, server: Server) -> None:
    with client as same:
        assert same is client
        same.chat.completions.create(model="echo", messages=[USER])
    assert client.is_closed()
    assert MASKED in sent(server)


def test_a_streams_context_manager_keeps_one_session_until_it_is_left(server: Server, patterns: Masker) -> None:
    with anthropic.Anthropic(api_key="none", base_url=server.url, max_retries=0) as plain:
        claude: Any = patterns.wrap_client(plain)
        with claude.messages.stream(model="m", max_tokens=64, messages=[USER]) as stream:
            said = list(stream.text_stream)
            final = stream.get_final_message()
        with claude.messages.stream(model="m", max_tokens=64, messages=[USER]) as stream:
            types_seen = [event.type for event in stream]

    assert "".join(said) == SAID
    assert len(said) > 3
    assert final.content[0].text == SAID
    assert types_seen[0] == "message_start"
    sent(server)


@pytest.mark.parametrize("api", ["anthropic", "openai.responses"])
def test_the_kinds_of_events_stay_where_they_are(server: Server, patterns: Masker, api: str) -> None:
    """Before the first text arrives nothing tells which API it is."""
    if api == "anthropic":
        plain: Any = anthropic.Anthropic(api_key="none", base_url=server.url)
        options: dict[str, Any] = {"max_tokens": 64, "messages": [USER]}
        methods = [plain.messages, patterns.wrap_client(plain).messages]
    else:
        plain = openai.OpenAI(api_key="none", base_url=f"{server.url}/v1")
        options = {"input": [USER]}
        methods = [plain.responses, patterns.wrap_client(plain).responses]
    with plain:
        bare, wrapped = ([event.type for event in one.create(model="m", stream=True, **options)] for one in methods)

    assert bare == wrapped


def test_a_chat_that_remembers_keeps_its_placeholders(server: Server, patterns: Masker) -> None:
    options = types.HttpOptions(base_url=server.url)
    with genai.Client(api_key="none", http_options=options) as plain:
        chat = patterns.wrap_client(plain).chats.create(model="echo")
        first = chat.send_message(PROMPT)
        second = chat.send_message("再打13800138000")
        pieces = [piece.text for piece in chat.send_message_stream("再打13800138000") if piece.text]

    assert first.text == SAID
    assert "再打13800138000" in (second.text or "")
    assert "再打13800138000" in "".join(pieces)
    assert len(pieces) > 3
    assert sent(server).count("再打<PHONE_NUMBER_1>") >= 2


def test_a_module_is_followed_into_its_classes(
    server: Server, patterns: Masker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", "http://127.0.0.1:1")
    sdk: Any = patterns.wrap_client(dashscope)
    sdk.base_http_api_url = f"{server.url}/api/v1"
    reply = sdk.Application.call(app_id="a", api_key="none", prompt=PROMPT, session_id="13800138000")

    assert repr(sdk) == "<masked dashscope>"
    assert reply.output.text == SAID
    assert reply.output.session_id == "13800138000"
    document = json.loads(server.seen[0][2])
    assert document["input"] == {"prompt": MASKED, "session_id": "13800138000"}


def test_a_class_makes_clients_that_mask(server: Server, patterns: Masker) -> None:
    with patterns.wrap_client(openai.OpenAI)(api_key="none", base_url=f"{server.url}/v1") as client:
        reply = client.chat.completions.create(model="echo", messages=[USER])

    assert reply.choices[0].message.content == SAID
    assert MASKED in sent(server)


def test_one_session_may_be_shared_by_all_calls(server: Server, patterns: Masker) -> None:
    with (
        openai.OpenAI(api_key="none", base_url=f"{server.url}/v1") as plain,
        patterns.session() as session,
    ):
        client = patterns.wrap_client(plain, session=session)
        client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "13900139000"}])
        client.chat.completions.create(model="echo", messages=[USER])
        kept = session.entries()

    assert kept["<PHONE_NUMBER_1>"] == "13900139000"
    assert "电话<PHONE_NUMBER_2>" in sent(server)


def test_what_cannot_be_looked_into_is_refused_and_opaque_names_count_for_every_call(patterns: Masker) -> None:
    got: list[Any] = []

    class Client:
        def ask(self, prompt: Any, account: str = "") -> Any:
            got.append((prompt, account))
            return SimpleNamespace(again=lambda: "<PHONE_NUMBER_1>")

    client = patterns.wrap_client(Client(), opaque=["account", "unknown"])
    with pytest.raises(UnmaskableError, match="cannot look into"):
        client.ask(object())
    other = client.ask("13800138000", account="13800138000")

    assert got == [("<PHONE_NUMBER_1>", "13800138000")]
    assert other.again() == "13800138000"  # still in the session of that call
    assert "SimpleNamespace" in repr(other)


def test_what_can_be_called_is_masked_whatever_kind_of_thing_it_is(patterns: Masker) -> None:
    got: list[Any] = []

    class Callable:
        def __call__(self, prompt: str) -> Any:
            got.append(prompt)
            return lambda again: got.append(again)

    client: Any = SimpleNamespace(part=partial(got.append), thing=Callable(), inner=SimpleNamespace(ask=got.append))
    wrapped = patterns.wrap_client(client)
    wrapped.part(PROMPT)
    wrapped.inner.ask(PROMPT)
    wrapped.thing(PROMPT)(PROMPT)
    patterns.wrap_client(Callable())(PROMPT)

    assert got == [MASKED] * 5


def test_a_copy_masks_and_a_pickle_is_refused(patterns: Masker) -> None:
    got: list[Any] = []
    client: Any = patterns.wrap_client(SimpleNamespace(ask=got.append))
    copy.copy(client).ask(PROMPT)
    copy.deepcopy(client)
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(client)

    assert got == [MASKED]


def tea() -> Any:
    return pytest.importorskip("alibabacloud_dms_enterprise20181101.models")


def test_a_tea_model_is_masked_in_a_copy_and_its_opaque_fields_stay(patterns: Masker) -> None:
    request = tea().ChatWithDesensitizeRequest(
        instance_id=13800138000, model="13800138000", messages=[USER], stop=["13900139000"]
    )
    before = json.dumps(request.to_map())
    got: list[Any] = []
    client = patterns.wrap_client(SimpleNamespace(ask=got.append), opaque=["instance_id"])
    client.ask(request)

    assert type(got[0]) is type(request)
    assert got[0].instance_id == 13800138000
    assert got[0].model == "13800138000"
    assert got[0].messages == [{"role": "user", "content": MASKED}]
    assert got[0].stop == ["<PHONE_NUMBER_2>"]
    assert json.dumps(request.to_map()) == before


def test_a_tea_model_that_was_read_from_a_map_sends_nothing_of_that_map(patterns: Masker) -> None:
    core = pytest.importorskip("darabonba.core").DaraCore
    request = core.from_map(tea().ChatWithDesensitizeRequest(), {"Messages": [USER], "Model": "m"})
    got: list[Any] = []
    patterns.wrap_client(SimpleNamespace(ask=got.append)).ask(request)

    assert "13800138000" not in json.dumps(got[0].to_map())
    assert "13800138000" not in json.dumps(vars(got[0]), default=str)
