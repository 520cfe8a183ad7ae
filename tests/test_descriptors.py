"""Descriptors: the shipped ones do what their samples say, and a wrong one is named with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from masking.core.descriptor import Descriptor, Descriptors, Route, load
from masking.core.descriptorfile import Framing, Sample
from masking.core.errors import ProviderError
from masking.core.samples import outcome, problems

PROVIDERS = Path(__file__).parents[1] / "providers"
SHIPPED = {path.stem: load(path.read_text("utf-8"), path.name) for path in sorted(PROVIDERS.glob("*.yaml"))}
SAMPLES = [
    pytest.param(descriptor, sample, id=f"{name}: {sample.name}")
    for name, descriptor in SHIPPED.items()
    for sample in descriptor.samples
]


@pytest.mark.parametrize(("descriptor", "sample"), SAMPLES)
def test_a_sample_comes_out_as_it_says(descriptor: Descriptor, sample: Sample) -> None:
    made, wanted = outcome(descriptor, sample)

    assert made == wanted


@pytest.mark.parametrize(
    ("descriptor", "sample", "framing"),
    [
        pytest.param(descriptor, sample, framing, id=f"{name}: {sample.name}, {framing}")
        for name, descriptor in SHIPPED.items()
        for sample in descriptor.samples
        if sample.stream is not None
        for framing in descriptor.framings
    ],
)
@pytest.mark.parametrize("size", [1, 7])
def test_a_stream_sample_comes_out_the_same_however_it_is_cut(
    descriptor: Descriptor, sample: Sample, framing: Framing, size: int
) -> None:
    made, wanted = outcome(descriptor, sample, size=size, framing=framing)

    assert made == wanted


@pytest.mark.parametrize("name", SHIPPED)
def test_every_lane_finds_text_in_a_sample(name: str) -> None:
    assert problems(SHIPPED[name]) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_descriptor_is_named_as_its_file_and_speaks_both_languages(name: str) -> None:
    assert SHIPPED[name].id == name
    assert set(SHIPPED[name].about) == {"en", "zh"}


@pytest.mark.parametrize(
    ("route", "name"),
    [
        pytest.param(Route("POST", "api.openai.com", "/v1/chat/completions"), "openai.chat", id="openai"),
        pytest.param(Route("POST", "h", "/compatible-mode/v1/chat/completions"), "openai.chat", id="compatible mode"),
        pytest.param(Route("post", "h", "/v1/chat/completions"), "openai.chat", id="method in lower case"),
        pytest.param(Route("GET", "h", "/v1/chat/completions"), None, id="another method"),
        pytest.param(Route("POST", "h", "/v1/chat/completions/"), None, id="a slash more is another route"),
        pytest.param(Route("POST", "h", "/v1/audio/speech"), None, id="unknown"),
        pytest.param(Route("GET", "h", "/v1/models"), "openai.models", id="models"),
        pytest.param(Route("POST", "h", "/v1/completions"), "openai.completions", id="completions"),
        pytest.param(Route("POST", "h", "/v1/responses"), "openai.responses", id="responses"),
        pytest.param(Route("POST", "h", "/v1/messages/count_tokens"), "anthropic.messages", id="an alternative"),
        pytest.param(Route("POST", "h", "/v1beta/models/g:streamGenerateContent"), "gemini.generate", id="gemini"),
        pytest.param(Route("POST", "h", "/v1/embeddings"), "openai.embeddings", id="embeddings"),
        pytest.param(
            Route("POST", "h", "/", headers={"x-acs-action": "ChatWithDesensitizeSSE"}),
            "aliyun.dms.chat_with_desensitize_sse",
            id="an action in a header",
        ),
        pytest.param(
            Route("POST", "h", "/v1/chat-messages", {"Action": "ChatMessages"}),
            "aliyun.rdsai.chat_messages",
            id="an action in the query, whatever the path",
        ),
        pytest.param(Route("POST", "h", "/", headers={"x-acs-action": "ListUsers"}), None, id="another action"),
        pytest.param(
            Route("POST", "h", "/api/v1/apps/a/completion", body=b'{"parameters":{"incremental_output":true}}'),
            "dashscope.app.incremental",
            id="the body tells, and more conditions win",
        ),
        pytest.param(
            Route("POST", "h", "/api/v1/apps/a/completion", body=b'{"parameters":{"incremental_output":1}}'),
            "dashscope.app",
            id="1 is not true",
        ),
        pytest.param(Route("POST", "h", "/api/v1/apps/a/completion", body=b"{}"), "dashscope.app", id="cumulative"),
        pytest.param(Route("POST", "h", "/api/v1/apps/a/completion", body=b"{"), "dashscope.app", id="unreadable"),
    ],
)
def test_a_request_goes_to_the_most_specific_descriptor_that_fits(route: Route, name: str | None) -> None:
    picked = Descriptors(SHIPPED.values()).pick(route)

    assert (picked.id if picked else None) == name


HEAD = "id: x.y\nabout: {en: a}\n"
TAIL = "samples:\n  - {name: n, values: {}, response: {a: 1}, restored: {a: 1}}\n"


def test_match_reads_host_query_and_header() -> None:
    text = HEAD + "match: {host: '*.example.com', query: {Action: Chat}, header: {X-Version: '1'}}\n" + TAIL
    descriptors = Descriptors([load(text, "x.yaml")])

    def picks(host: str = "a.EXAMPLE.com", action: str = "Chat", version: str = "1") -> bool:
        return descriptors.pick(Route("POST", host, "/", {"Action": action}, {"x-version": version})) is not None

    assert picks()
    assert not picks(host="example.org")
    assert not picks(action="Other")
    assert not picks(version="2")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param(HEAD + "match: {}\nsamplez: []\n" + TAIL, 4, "samplez", id="unknown key"),
        pytest.param("id: X\nabout: {en: a}\nmatch: {}\n" + TAIL, 1, "id", id="an id in capitals"),
        pytest.param(HEAD + "match: {}\n", 1, "samples", id="no samples"),
        pytest.param(HEAD + "match: {}\nsamples: []\n", 4, "samples", id="an empty list of samples"),
        pytest.param(HEAD + "match: {}\nrequest:\n  opaque:\n    - a\n    - 'a[0]'\n" + TAIL, 7, "brackets", id="path"),
        pytest.param(HEAD + "match: {}\nrequest: {opaque: ['a..b']}\n" + TAIL, 4, "joined", id="empty step"),
        pytest.param(
            HEAD
            + "match: {}\nstream:\n  framing: sse\n  lanes:\n    - text: a\n    - {text: a, key: ['b[*].c']}\n"
            + TAIL,
            8,
            "cannot be told",
            id="a key at other positions than its text",
        ),
        pytest.param(HEAD + "match: {}\nstream: {framing: bedrock}\n" + TAIL, 4, "framing", id="unknown framing"),
        pytest.param(HEAD + "match: {}\nsamples:\n  - {name: n, values: {}, request: 1}\n", 5, "sample is", id="half"),
        pytest.param(HEAD + "match: {}\nmatch: {}\n", 4, "already", id="duplicate key"),
        pytest.param("[]", 1, "dictionary", id="no mapping"),
    ],
)
def test_a_wrong_descriptor_is_named_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        load(text, "providers/x.yaml")

    assert (caught.value.file, caught.value.line) == ("providers/x.yaml", line)


def test_two_descriptors_may_not_share_an_id() -> None:
    one = load(HEAD + "match: {}\n" + TAIL, "x.yaml")

    with pytest.raises(ProviderError, match="two descriptors"):
        Descriptors([one, one])


def test_a_refusal_has_the_providers_own_shape() -> None:
    refusal = SHIPPED["dashscope.app"].refusal

    assert refusal.status == 400
    assert json.loads(refusal.spell('not "safe"', "unmaskable")) == {
        "code": "unmaskable",
        "message": 'not "safe"',
        "request_id": "",
    }


def test_a_descriptor_cannot_smuggle_code_into_its_compiled_lanes() -> None:
    key = '"]); import os; os.abort() #'
    text = HEAD + f"match: {{}}\nstream:\n  framing: sse\n  lanes:\n    - text: {json.dumps(key)}\n" + TAIL
    with pytest.raises(ProviderError):
        load(text, "x.yaml")
    harmless = load(text.replace("])", ")"), "x.yaml")
    pieces: list[Any] = []
    harmless.find({key.replace("])", ")").split(".")[0]: {"abort() #": "a"}}, pieces, [])

    assert [piece[3] for piece in pieces] == ["a"]
