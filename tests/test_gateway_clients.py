"""Who may use the gateway, and what they may choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gateway_server import Watched, serving
from tea import tea_config

from masking.gateway import Server

CHAT = {"model": "m", "messages": [{"role": "user", "content": "my mail is ann@example.com"}]}


@pytest.fixture
def upstream() -> Watched:
    return Watched()


@pytest.fixture
def server(upstream: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in {
        "SHOP_KEY": "sk-shop-1",
        "BANK_KEY": "sk-bank-1",
        "BANK_ID": "bankId",
        "BANK_SECRET": "s",
    }.items():
        monkeypatch.setenv(name, value)
    pair = {"id": {"env": "BANK_ID"}, "secret": {"env": "BANK_SECRET"}}
    clients = [
        {"name": "shop", "keys": [{"env": "SHOP_KEY"}], "category": "Minimal", "routes": ["openai"]},
        {"name": "bank", "keys": [{"env": "BANK_KEY"}], "access_keys": [pair], "categories": ["UserInfo"]},
    ]
    with serving(upstream, clients=clients, routes={"openai": {}, "dms": {}, "dashscope": {}}) as server:
        yield server


def post(server: Server, path: str = "/v1/chat/completions", **options: Any) -> httpx.Response:
    return httpx.post(server.url + path, **{"json": CHAT, **options})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer sk-other"},
        {"authorization": "Bearer"},
        {"authorization": "Basic sk-shop-1"},
        {"x-api-key": "sk-shop-2"},
        {"authorization": "Bearer sk-shop-1", "x-api-key": "sk-bank-1"},
    ],
)
def test_nobody_without_a_key_gets_in(server: Server, upstream: Watched, headers: dict[str, str]) -> None:
    answer = post(server, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert not upstream.seen
    assert "sk-" not in answer.text


def test_a_client_has_its_own_category_and_routes(server: Server, upstream: Watched) -> None:
    headers = {"authorization": "Bearer sk-shop-1"}
    allowed = post(server, headers=headers)
    other = post(server, "/api/v1/apps/a/completion", headers=headers, json={"input": {"prompt": "hi"}})
    unserved = post(server, "/api/chat", headers={"authorization": "Bearer sk-bank-1"})

    assert allowed.status_code == 200
    assert "ann@example.com" not in upstream.text
    assert (other.status_code, other.json()["code"]) == (404, "unknown_route")
    assert unserved.status_code == 404


def test_a_category_that_is_not_the_clients_is_refused(server: Server, upstream: Watched) -> None:
    headers = {"authorization": "Bearer sk-bank-1"}
    assert post(server, headers={**headers, "x-masking-category": "UserInfo"}).status_code == 200
    upstream.seen.clear()
    refused = post(server, headers={**headers, "x-masking-category": "Minimal"})

    assert refused.status_code == 400
    assert not upstream.seen


def tea(server: Server, key: str, secret: str) -> Any:
    client = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client
    return client(tea_config(server.url, key, secret))


def chat(client: Any, **options: Any) -> Any:
    models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
    given = {"instance_id": 1, "messages": CHAT["messages"], **options}
    return client.chat_with_desensitize(models.ChatWithDesensitizeRequest(**given)).body


def test_a_signed_request_of_a_client_is_served(server: Server) -> None:
    body = chat(tea(server, "bankId", "s"), need_desensitization=True, desensitization_rule="UserInfo")

    assert "ann@example.com" in body.data.choices[0].message.content


@pytest.mark.parametrize(
    ("key", "secret", "options", "status", "code"),
    [
        ("bankId", "wrong", {}, 400, "SignatureDoesNotMatch"),
        ("other", "s", {}, 404, "InvalidAccessKeyId.NotFound"),
        ("bankId", "s", {"instance_id": None}, 400, "MissingInstanceId"),
        ("bankId", "s", {"need_desensitization": True}, 400, "MissingDesensitizationRule"),
        ("bankId", "s", {"desensitization_rule": "Nothing"}, 400, "InvalidParameter"),
        ("bankId", "s", {"temperature": "9"}, 400, "InvalidParameter"),
        ("bankId", "s", {"max_tokens": 0}, 400, "InvalidParameter"),
        ("bankId", "s", {"top_p": "x"}, 400, "InvalidParameter"),
    ],
)
def test_the_sdk_is_told_in_its_own_words(
    server: Server, upstream: Watched, key: str, secret: str, options: dict[str, Any], status: int, code: str
) -> None:
    error = pytest.importorskip("alibabacloud_tea_openapi.exceptions").ClientException
    with pytest.raises(error) as raised:
        chat(tea(server, key, secret), **options)

    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert not upstream.seen


@pytest.mark.parametrize("allowed", [False, True])
def test_masking_is_turned_off_only_where_the_configuration_allows_it(upstream: Watched, allowed: bool) -> None:
    with serving(upstream, routes={"dms": {"allow_unmasked": allowed}}) as server:
        off = chat(tea(server, "any", "any"), need_desensitization=False)
        left = upstream.text
        upstream.seen.clear()
        chat(tea(server, "any", "any"))

    assert "ann@example.com" in off.data.choices[0].message.content
    assert ("ann@example.com" in left) is allowed
    assert "ann@example.com" not in upstream.text
