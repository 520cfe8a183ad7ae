"""The gateway's door: everybody is who the signature or the key says, and nobody else gets in."""

from __future__ import annotations

import json
from calendar import timegm
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from masking.core.acs3 import AccessKey, Received, authorize, form, rpc_signature
from masking.core.errors import ConfigurationError
from masking.gateway.auth import Account, AuthenticationError, Authenticator, MemoryNonces

CAPTURES = Path(__file__).parents[2] / "shared" / "wire" / "captures"
KEY = AccessKey("LTAIfakeAccessKeyId0001", "fakeAccessKeySecret0000000000001")
TEMPORARY = AccessKey("STS.NUtemporary", "temporarySecret", "CAISfakeSecurityToken==")
NOW = float(timegm((2026, 1, 2, 3, 4, 5)))
DATE = "2026-01-02T03:04:05Z"
FORM = "application/x-www-form-urlencoded"
SHOP = Account(
    "shop",
    api_keys=["sk-shop-0001", "fakeBearer"],
    access_keys=[KEY, TEMPORARY],
    api_key_hashes=[sha256(b"sk-hashed").hexdigest()],
)
CLINIC = Account("clinic", api_keys=["sk-clinic-01"], access_keys=[AccessKey("LTAIclinic", "clinicSecret")])
SECRETS = [KEY.secret, TEMPORARY.secret, str(TEMPORARY.security_token), "sk-shop-0001", "sk-clinic-01", "fakeBearer", "clinicSecret"]  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.seconds = NOW

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock) -> Authenticator:
    return Authenticator([SHOP, CLINIC], now=clock)


def signed(nonce: str = "n1", key: AccessKey = KEY, token: str | None = None, **changes: Any) -> Received:
    """A request with ACS3's signature; `changes` come after signing."""
    parameters = {"Query": "a b,c"}
    headers = {
        "host": "http://gateway:8000",
        "x-acs-version": "2025-05-07",
        "x-acs-action": "ChatMessages",
        "x-acs-date": DATE,
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": sha256(b"").hexdigest(),
    }
    if token is not None:
        headers["x-acs-security-token"] = token
    headers["authorization"] = authorize(key, "POST", "/", parameters.items(), headers)
    return replace(Received("POST", "/", urlencode(parameters), headers), **changes)


def old(nonce: str = "n1", key: AccessKey = KEY, **changes: str | None) -> Received:
    """A request with the older signature; `changes` of parameters come after signing, None takes one away."""
    parameters = {
        "Action": "ChatWithDesensitize", "Format": "json", "Version": "2018-11-01", "Timestamp": DATE,
        "SignatureNonce": nonce, "InstanceId": "1", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
        "AccessKeyId": key.id,
    }  # fmt: skip
    body = {"Messages": '[{"role":"user","content":"你好"}]'}
    parameters["Signature"] = rpc_signature(key.secret, "POST", parameters | body)
    query = {name: value for name, value in (parameters | changes).items() if value is not None}
    return Received("POST", "/", urlencode(query), {"host": "h", "content-type": FORM}, form(body))


def plain(**headers: str) -> Received:
    return Received("POST", "/v1/x", "", {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


def code(door: Authenticator, received: Received, *, is_signed: bool) -> tuple[str, int]:
    with pytest.raises(AuthenticationError) as caught:
        door.identify(received, signed=is_signed)
    shown = repr(caught.value) + str(caught.value) + repr(door) + repr(SHOP)
    assert not any(secret in shown for secret in SECRETS)
    return caught.value.code, caught.value.status


@pytest.mark.parametrize(
    ("received", "is_signed", "name"),
    [
        pytest.param(plain(authorization="Bearer sk-shop-0001"), False, "shop", id="bearer"),
        pytest.param(plain(authorization="bearer  sk-clinic-01 "), False, "clinic", id="bearer in lower case, spaces"),
        pytest.param(plain(x_api_key="sk-clinic-01"), False, "clinic", id="x-api-key"),
        pytest.param(plain(api_key="sk-clinic-01"), False, "clinic", id="api-key"),
        pytest.param(plain(x_goog_api_key="sk-clinic-01"), False, "clinic", id="x-goog-api-key"),
        pytest.param(plain(x_api_key="sk-hashed"), False, "shop", id="a key of which only the hash is known"),
        pytest.param(plain(x_api_key="sk-hashed", authorization="Bearer sk-shop-0001"), False, "shop", id="two of its keys"),
        pytest.param(signed(), True, "shop", id="ACS3"),
        pytest.param(signed(key=TEMPORARY, token=TEMPORARY.security_token), True, "shop", id="ACS3, temporary key"),
        pytest.param(signed(key=CLINIC.access_keys[0]), True, "clinic", id="ACS3, another client"),  # type: ignore[index]
        pytest.param(old(), True, "shop", id="HMAC-SHA1"),
        pytest.param(plain(x_acs_bearer_token="fakeBearer"), True, "shop", id="x-acs-bearer-token"),
        pytest.param(plain(authorization="Bearer sk-shop-0001"), True, "shop", id="RPC style with a bearer key"),
    ],
)  # fmt: skip
def test_a_client_is_known_by_what_it_shows(
    door: Authenticator, received: Received, is_signed: bool, name: str
) -> None:
    assert door.identify(received, signed=is_signed) == name


WRONG_KEY = ("invalid_api_key", 401)


@pytest.mark.parametrize(
    ("received", "is_signed", "expected"),
    [
        pytest.param(plain(), False, WRONG_KEY, id="nothing"),
        pytest.param(plain(authorization="Bearer sk-shop-0002"), False, WRONG_KEY, id="another key"),
        pytest.param(plain(authorization="Bearer "), False, WRONG_KEY, id="an empty key"),
        pytest.param(plain(authorization="Basic c2stc2hvcC0wMDAx"), False, WRONG_KEY, id="another scheme"),
        pytest.param(plain(authorization="sk-shop-0001"), False, WRONG_KEY, id="no scheme"),
        pytest.param(plain(x_api_key="sk-shop-0001\ud800"), False, WRONG_KEY, id="no text"),
        pytest.param(plain(x_api_key=sha256(b"sk-hashed").hexdigest()), False, WRONG_KEY, id="the hash in place of the key"),
        pytest.param(plain(x_api_key="sk-shop-0001", authorization="Bearer sk-clinic-01"), False, WRONG_KEY, id="two clients"),
        pytest.param(plain(x_api_key="sk-shop-0001", authorization="Bearer x"), False, WRONG_KEY, id="a good and a bad key"),
        pytest.param(plain(x_acs_bearer_token="fakeBearer"), False, WRONG_KEY, id="an OpenAPI token elsewhere"),
        pytest.param(signed(), False, WRONG_KEY, id="a signature where there is none"),
        pytest.param(plain(), True, ("IncompleteSignature", 400), id="unsigned"),
        pytest.param(plain(x_acs_bearer_token="no"), True, ("InvalidBearerToken.NotFound", 401), id="another token"),
        pytest.param(signed(query="Query=x"), True, ("SignatureDoesNotMatch", 400), id="another query"),
        pytest.param(signed(body=b"x"), True, ("SignatureDoesNotMatch", 400), id="another body"),
        pytest.param(signed(key=AccessKey(KEY.id, "guess")), True, ("SignatureDoesNotMatch", 400), id="another secret"),
        pytest.param(signed(key=AccessKey("LTAIx", "x")), True, ("InvalidAccessKeyId.NotFound", 404), id="another access key"),
        pytest.param(signed(key=TEMPORARY), True, ("MissingSecurityToken", 400), id="a temporary key without token"),
        pytest.param(signed(key=TEMPORARY, token="x"), True, ("InvalidSecurityToken.Malformed", 400), id="with another token"),
        pytest.param(signed(token="x"), True, ("InvalidSecurityToken.Malformed", 400), id="a token of a lasting key"),
        pytest.param(signed(nonce="x" * 257), True, ("InvalidParameter", 400), id="a nonce without end"),
        pytest.param(old(Signature=None), True, ("IncompleteSignature", 400), id="HMAC-SHA1: no signature"),
        pytest.param(old(Signature="AAAA"), True, ("SignatureDoesNotMatch", 400), id="HMAC-SHA1: another signature"),
        pytest.param(old(InstanceId="2"), True, ("SignatureDoesNotMatch", 400), id="HMAC-SHA1: another value"),
        pytest.param(old(Timestamp=None), True, ("MissingTimestamp", 400), id="HMAC-SHA1: no date"),
        pytest.param(old(SignatureNonce=None), True, ("MissingSignatureNonce", 400), id="HMAC-SHA1: no nonce"),
        pytest.param(old(AccessKeyId=None), True, ("MissingAccessKeyId", 400), id="HMAC-SHA1: no key"),
        pytest.param(old(Version=None), True, ("MissingVersion", 400), id="HMAC-SHA1: no version"),
        pytest.param(old(Timestamp="today"), True, ("InvalidTimeStamp.Format", 400), id="HMAC-SHA1: no such date"),
        pytest.param(old(Timestamp="2026-01-02T04:04:05Z"), True, ("InvalidTimeStamp.Expired", 400), id="HMAC-SHA1: a late date"),
        pytest.param(old(SignatureMethod="HMAC-MD5"), True, ("InvalidParameter", 400), id="HMAC-SHA1: another method"),
        pytest.param(old(AccessKeyId="LTAIx"), True, ("InvalidAccessKeyId.NotFound", 404), id="HMAC-SHA1: another key"),
        pytest.param(old(Messages="[]"), True, ("InvalidParameter", 400), id="HMAC-SHA1: in the query and in the body"),
        pytest.param(replace(old(), body=b"Messages=%5B%5D"), True, ("SignatureDoesNotMatch", 400), id="HMAC-SHA1: another body"),
        pytest.param(replace(old(), headers={"content-type": "application/json"}), True, ("SignatureDoesNotMatch", 400), id="HMAC-SHA1: no form"),
        pytest.param(replace(old(), body="Messages=你".encode()), True, ("InvalidParameter", 400), id="HMAC-SHA1: no ASCII"),
    ],
)  # fmt: skip
def test_whoever_is_not_known_is_told_in_the_apis_own_words(
    door: Authenticator, received: Received, is_signed: bool, expected: tuple[str, int]
) -> None:
    assert code(door, received, is_signed=is_signed) == expected


@pytest.mark.parametrize("make", [signed, old])
def test_a_request_that_is_sent_again_is_refused(door: Authenticator, clock: Clock, make: Any) -> None:
    assert door.identify(make("n1"), signed=True) == "shop"
    assert door.identify(make("n2"), signed=True) == "shop"
    for _ in range(4):
        assert code(door, make("n1"), is_signed=True) == ("SignatureNonceUsed", 400)
        clock.seconds += 225
    clock.seconds += 1
    assert code(door, make("n1"), is_signed=True) == ("InvalidTimeStamp.Expired", 400)


def test_a_nonce_belongs_to_its_access_key(door: Authenticator) -> None:
    assert door.identify(signed("n1"), signed=True) == "shop"
    assert door.identify(signed("n1", key=CLINIC.access_keys[0]), signed=True) == "clinic"  # type: ignore[index]


def test_a_wrong_signature_uses_up_no_nonce(door: Authenticator) -> None:
    code(door, signed("n1", query="Query=x"), is_signed=True)

    assert door.identify(signed("n1"), signed=True) == "shop"


def test_the_memory_of_nonces_has_an_end_and_never_forgets_too_early(clock: Clock) -> None:
    nonces = MemoryNonces(3, clock)
    door = Authenticator([SHOP, CLINIC], now=clock, nonces=nonces)
    for nonce in "abc":
        door.identify(signed(nonce), signed=True)

    assert code(door, signed("d"), is_signed=True) == ("Throttling.User", 429)
    assert code(door, signed("a"), is_signed=True) == ("SignatureNonceUsed", 400)
    assert door.identify(signed("d", key=CLINIC.access_keys[0]), signed=True) == "clinic"  # type: ignore[index]
    assert not nonces.use(KEY.id, "a", 0)
    clock.seconds += 2_000
    assert nonces.use(KEY.id, "d", clock.seconds + 1)
    assert nonces.use(KEY.id, "a", clock.seconds + 1)


@pytest.mark.parametrize(
    ("accounts", "what"),
    [
        ([SHOP, Account("thief", api_keys=["sk-shop-0001"])], "another client"),
        ([SHOP, Account("thief", access_keys=[AccessKey(KEY.id, "other")])], "another client"),
        ([Account("shop", api_key_hashes=["sk-shop-0001"])], "SHA-256"),
    ],
)
def test_keys_that_do_not_tell_clients_apart_are_refused(accounts: list[Account], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as caught:
        Authenticator(accounts)
    assert "sk-shop" not in str(caught.value)


def captured() -> list[Any]:
    if not CAPTURES.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded SDK traffic beside this checkout"))]
    return [
        pytest.param(request, id=f"{file.stem}-{number}")
        for file in sorted(CAPTURES.glob("*.json"))
        for number, request in enumerate(_requests(json.loads(file.read_text("utf-8"))))
    ]


def _requests(recorded: Any) -> list[dict[str, Any]]:
    return recorded.get("requests", []) if isinstance(recorded, dict) else []


def _date(headers: Mapping[str, str], query: str) -> float:
    """When the SDK says that it made the request."""
    text = headers.get("x-acs-date") or dict(parse_qsl(query)).get("Timestamp", DATE)
    numbers = [int(text[start:end]) for start, end in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))]
    return float(timegm((*numbers,)))  # type: ignore[arg-type]


@pytest.mark.parametrize("request_", captured())
def test_every_recorded_request_of_the_sdks_is_its_clients(request_: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in request_["headers"]}
    received = Received(request_["method"], request_["path"], request_["query_raw"], headers, request_["body"].encode())
    is_signed = "x-acs-action" in headers or "Action=" in received.query
    sts = "x-acs-security-token" in headers
    key = replace(KEY, security_token="CAISfakeSecurityToken==") if sts else KEY
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    app = Account("app", api_keys=["fakeBearer", *([] if is_signed else [bearer])], access_keys=[key])
    door = Authenticator([app, CLINIC], now=lambda: _date(headers, received.query))

    assert door.identify(received, signed=is_signed) == "app"
    if headers.get("authorization", "").startswith("ACS3"):
        assert code(door, received, is_signed=True) == ("SignatureNonceUsed", 400)
        altered = replace(received, query=f"{received.query}&Extra=1".lstrip("&"))
        assert code(door, altered, is_signed=True)[0] == "SignatureDoesNotMatch"
    else:
        assert code(Authenticator([CLINIC]), received, is_signed=is_signed)
