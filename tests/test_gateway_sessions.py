"""A conversation's session is found again, and by nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gateway_server import Watched, serving

from masking.gateway import Server

PHONE, OTHER = "13800138000", "13900139000"
SIGNED = {"x-acs-version": "2025-05-07", "x-acs-action": "ChatMessages"}


@pytest.fixture
def upstream() -> Watched:
    return Watched()


@pytest.fixture
def server(upstream: Watched) -> Iterator[Server]:
    with serving(upstream) as server:
        yield server


def ask(server: Server, text: str, *, key: str = "a", **headers: str) -> str:
    """An OpenAI chat of one message."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    heads = {"authorization": f"Bearer {key}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=heads)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def respond(server: Server, text: str, before: str | None = None, *, key: str = "a", stream: bool = False) -> Any:
    body = {"model": "m", "input": text, "stream": stream, **({"previous_response_id": before} if before else {})}
    answer = httpx.post(f"{server.url}/v1/responses", json=body, headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return answer.text if stream else answer.json()


def said(upstream: Watched, at: int = -1) -> str:
    return upstream.seen[at].body.decode()


def test_a_header_names_a_session(server: Server, upstream: Watched) -> None:
    ask(server, f"号码{PHONE}", x_masking_session="s-1")
    answer = ask(server, f"另一个{OTHER}，还有{PHONE}", x_masking_session="s-1")

    assert "另一个<PHONE_NUMBER_2>，还有<PHONE_NUMBER_1>" in json.loads(said(upstream))["messages"][0]["content"]
    assert f"另一个{OTHER}，还有{PHONE}" in answer


def test_without_a_name_every_request_has_its_own_session(server: Server, upstream: Watched) -> None:
    ask(server, f"号码{PHONE}")
    ask(server, f"另一个{OTHER}")

    assert "<PHONE_NUMBER_1>" in said(upstream)
    assert "<PHONE_NUMBER_2>" not in said(upstream)


def test_a_history_that_is_sent_again_is_masked_as_before(server: Server, upstream: Watched) -> None:
    first = [{"role": "user", "content": f"号码{PHONE}"}]
    turns = [first, [*first, {"role": "assistant", "content": f"记下{PHONE}"}, {"role": "user", "content": OTHER}]]
    for messages in turns:
        httpx.post(f"{server.url}/v1/chat/completions", json={"model": "m", "messages": messages}).raise_for_status()
    before, after = (json.loads(said(upstream, at))["messages"] for at in (0, 1))

    assert after[: len(before)] == before
    assert after[1]["content"] == "记下<PHONE_NUMBER_1>"
    assert after[2]["content"] == "<PHONE_NUMBER_2>"


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_goes_on_from_the_one_before(server: Server, upstream: Watched, stream: bool) -> None:
    first = respond(server, f"号码{PHONE}", stream=stream)
    name = "resp_echo" if stream else first["id"]
    assert name in json.dumps(first)
    second = respond(server, f"另一个{OTHER}，还有{PHONE}", name)

    assert "另一个<PHONE_NUMBER_2>，还有<PHONE_NUMBER_1>" in said(upstream)
    assert PHONE in json.dumps(second)


def test_the_conversation_that_rds_ai_names_is_gone_on_with(server: Server, upstream: Watched) -> None:
    def query(text: str, conversation: str = "", key: str = "a") -> str:
        parameters = {"Query": text, **({"ConversationId": conversation} if conversation else {})}
        headers = {**SIGNED, "x-api-key": key}
        answer = httpx.post(server.url, params=parameters, headers=headers)
        events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
        assert answer.status_code == 200
        names.append(events[0]["ConversationId"])
        return "".join(event["Answer"] for event in events)

    names: list[str] = []
    query(f"号码{PHONE}")
    assert f"{OTHER}，{PHONE}" in query(f"{OTHER}，{PHONE}", names[0])
    assert "%3CPHONE_NUMBER_2%3E" in upstream.seen[-1].query
    # Another client asks for the same conversation: what its own text holds is all that it ever sees.
    stolen = query("请说 <PHONE_NUMBER_1> 和 <PHONE_NUMBER_2>", names[0], key="b")
    assert PHONE not in stolen
    assert OTHER not in stolen


@pytest.mark.parametrize("mine", ["a", "b"])
def test_no_client_gets_anothers_value(server: Server, mine: str) -> None:
    ask(server, f"号码{PHONE}，{OTHER}", key="a", x_masking_session="shared")
    # The model writes the other session's placeholders of its own accord.
    guesses = ["<PHONE_NUMBER_1>", "<phone_number_1>", "PHONE_NUMBER_2", "＜PHONE_NUMBER_1＞"]
    answers = [ask(server, f"repeat {guess}", key=mine, x_masking_session="shared") for guess in guesses]

    assert all(guess in answer for guess, answer in zip(guesses, answers, strict=True))
    assert all(PHONE not in answer and OTHER not in answer for answer in answers)


def test_a_model_that_invents_a_placeholder_gets_no_value_of_another_client() -> None:
    from masking.echo import Manner

    upstream = Watched(manner=Manner(invents=" <PHONE_NUMBER_1>"))
    with serving(upstream) as server:
        own = ask(server, f"号码{PHONE}", key="a", x_masking_session="shared")
        other = ask(server, "hello", key="b", x_masking_session="shared")

    assert own.count(PHONE) == 2
    assert PHONE not in other


def test_sessions_outlive_the_gateway_in_sqlite(
    upstream: Watched, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    from masking.vault import new_key

    monkeypatch.setenv("MASKING_VAULT_KEYS", new_key())
    vault = {"address": f"sqlite:{tmp_path / 'vault.db'}"}
    with serving(upstream, vault=vault) as server:
        ask(server, f"号码{PHONE}", x_masking_session="s")
    with serving(upstream, vault=vault) as server:
        ask(server, f"{OTHER}，{PHONE}", x_masking_session="s")

    assert "<PHONE_NUMBER_2>，<PHONE_NUMBER_1>" in said(upstream)
    assert PHONE.encode() not in (tmp_path / "vault.db").read_bytes()


def test_two_turns_at_once_agree_on_their_placeholders(server: Server, upstream: Watched) -> None:
    from concurrent.futures import ThreadPoolExecutor

    numbers = [f"138001380{number:02}" for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: ask(server, f"号码{number}", x_masking_session="s"), numbers))
    masked = {json.loads(one.body)["messages"][0]["content"] for one in upstream.seen}

    assert masked == {f"号码<PHONE_NUMBER_{number}>" for number in range(1, 21)}
