"""ACS3-HMAC-SHA256: signatures equal the vendor's, and the verifier accepts nothing else."""

from __future__ import annotations

import json
from calendar import timegm
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.acs3 import (
    AccessKey,
    Received,
    SignatureError,
    authorize,
    canonical_query,
    canonical_request,
    form,
    percent,
    rpc_signature,
    verify,
)
from masking.core.errors import ConfigurationError

CAPTURES = Path(__file__).parents[2] / "shared" / "wire" / "captures"
KEY = AccessKey("LTAIfakeAccessKeyId0001", "fakeAccessKeySecret0000000000001")
NOW = timegm((2026, 1, 2, 3, 4, 5))
BODY = form({"Messages": '[{"role":"user","content":"你好 a+b~*"}]'})
EMPTY = sha256(b"").hexdigest()


def headers(action: str, version: str, host: str, body: bytes, **more: str) -> dict[str, str]:
    made = {
        "host": host,
        "x-acs-version": version,
        "x-acs-action": action,
        "user-agent": "AlibabaCloud (test; vector) Core/0 TeaDSL/2",
        "x-acs-date": "2026-01-02T03:04:05Z",
        "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
        "accept": "application/json",
        "x-acs-content-sha256": sha256(body).hexdigest(),
        "x-acs-credentials-provider": "static_ak",
    }
    return made | {name.replace("_", "-"): value for name, value in more.items()}


FORM = {"content_type": "application/x-www-form-urlencoded"}
DMS = "dms-enterprise.aliyuncs.com"
STS = {
    "x_acs_credentials_provider": "static_sts",
    "x_acs_accesskey_id": KEY.id,
    "x_acs_security_token": "CAISfakeSecurityToken==",
}
VECTORS = [
    pytest.param(
        {"DesensitizationRule": "UserInfo", "InstanceId": "123", "Model": "qwen-plus", "NeedDesensitization": "True",
         "Stop": '["\\n"]'},
        headers("ChatWithDesensitize", "2018-11-01", DMS, BODY, **FORM),
        BODY,
        "e9856d66b21c0044bcd9c64a5e7f7c9bcff1e4d2612a2810f01e7532a7299bff",
        id="DMS with a form body",
    ),
    pytest.param(
        {"EventMode": "separate", "Inputs": '{"Language":"zh-cn","RegionId":"cn-beijing"}', "Query": "实例 rm-1 磁盘~*+"},
        headers("ChatMessages", "2025-05-07", "rdsai.aliyuncs.com", b""),
        b"",
        "f7e7f1fc69adce7a8fbdc7aadd556917634d93ee79b9da95be5ca3bf17bba141",
        id="RdsAi, everything in the query",
    ),
    pytest.param(
        {"InstanceId": "123"},
        headers("ChatWithDesensitize", "2018-11-01", DMS, BODY, **FORM, **STS),
        BODY,
        "852eac03740752a53f3e75cc1225d5318f37ce51ade514cfb45abf439d2bc010",
        id="DMS with a temporary key",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "signed", "body", "signature"), VECTORS)
def test_a_signature_is_the_vendors(
    parameters: dict[str, str], signed: dict[str, str], body: bytes, signature: str
) -> None:
    made = authorize(KEY, "POST", "/", parameters.items(), signed, body)

    assert made == (
        f"ACS3-HMAC-SHA256 Credential={KEY.id},SignedHeaders={';'.join(sorted(signed))},Signature={signature}"
    )


def test_the_canonical_request_is_the_vendors() -> None:
    parameters = {"Stop": '["\\n"]', "InstanceId": "123"}
    text = canonical_request("post", "", parameters.items(), {"host": " h ", "accept": "a"}, EMPTY)

    assert text == f"POST\n/\nInstanceId=123&Stop=%5B%22%5Cn%22%5D\naccept:a\nhost:h\n\naccept;host\n{EMPTY}"


def test_the_older_signature_is_the_vendors() -> None:
    parameters = {
        "Action": "ChatWithDesensitize", "Format": "json", "Version": "2018-11-01", "Timestamp": "2026-01-02T03:04:05Z",
        "SignatureNonce": "0123456789abcdef0123456789abcdef", "DesensitizationRule": "UserInfo", "InstanceId": "123",
        "Model": "qwen-plus", "NeedDesensitization": "True", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
        "AccessKeyId": KEY.id, "Messages": '[{"role":"user","content":"你好 a+b~*"}]',
    }  # fmt: skip

    assert rpc_signature(KEY.secret, "POST", parameters) == "VUFIUWDu0qey1k2P6nSY2DRw8MM="


def test_a_form_is_spelled_as_the_sdk_spells_it() -> None:
    assert form({"b": "~*", "a": "x y+中"}) == b"a=x+y%2B%E4%B8%AD&b=~%2A"
    assert form({"Messages": "[]", "Empty": ""}) == b"Empty=&Messages=%5B%5D"
    assert percent("a b*~/中") == "a%20b%2A~%2F%E4%B8%AD"


def received(**changes: Any) -> Received:
    parameters = {"Query": "a b,c", "InstanceId": "1"}
    given = headers("ChatMessages", "2025-05-07", "h:1", b"body")
    given["authorization"] = authorize(KEY, "POST", "/", parameters.items(), given, b"body")
    made = Received("POST", "/", urlencode(parameters), given, b"body")
    other = {name: changes.pop(name) for name in list(changes) if name not in Received.__dataclass_fields__}
    spelled = {name.replace("_", "-"): value for name, value in other.items()}
    if spelled:
        changes["headers"] = {name: value for name, value in (given | spelled).items() if value is not None}
    return replace(made, **changes)


def secrets(key_id: str) -> str | None:
    return KEY.secret if key_id == KEY.id else None


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(received(), id="as it was signed"),
        pytest.param(received(query="InstanceId=1&Query=a+b,c"), id="another order, a comma bare, as aiohttp sends it"),
        pytest.param(received(query="Query=a%20b%2cc&InstanceId=%31"), id="other escapes of the same text"),
        pytest.param(received(accept_encoding="gzip", connection="keep-alive"), id="headers that are not signed"),
        pytest.param(
            received(authorization=received().headers["authorization"].replace(",", " , ")),
            id="spaces after the commas",
        ),
    ],
)
def test_what_was_signed_is_accepted_however_it_is_spelled(request_: Received) -> None:
    assert verify(request_, secrets, NOW + 899) == KEY.id


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(received(body=b"bodY"), "SignatureDoesNotMatch", id="another body"),
        pytest.param(
            received(body=b"bodY", x_acs_content_sha256=sha256(b"bodY").hexdigest()),
            "SignatureDoesNotMatch",
            id="another body and its hash",
        ),
        pytest.param(received(query="Query=a+b,c&InstanceId=2"), "SignatureDoesNotMatch", id="another value"),
        pytest.param(received(query="Query=a+b,c&InstanceId=1&X=1"), "SignatureDoesNotMatch", id="one parameter more"),
        pytest.param(received(query=""), "SignatureDoesNotMatch", id="no query"),
        pytest.param(received(query="InstanceId%3D1%26Query=a+b,c"), "InvalidParameter", id="two parameters in one name"),
        pytest.param(received(query="InstanceId=1&InstanceId=1"), "InvalidParameter", id="a parameter twice"),
        pytest.param(received(query="Query=%ff"), "InvalidParameter", id="a query that is not UTF-8"),
        pytest.param(received(path="/x"), "SignatureDoesNotMatch", id="another path"),
        pytest.param(received(method="PUT"), "SignatureDoesNotMatch", id="another method"),
        pytest.param(received(host="other"), "SignatureDoesNotMatch", id="another host"),
        pytest.param(received(x_acs_action="Drop"), "SignatureDoesNotMatch", id="another action"),
        pytest.param(received(x_acs_signature_nonce="n"), "SignatureDoesNotMatch", id="another nonce"),
        pytest.param(received(user_agent=None), "IncompleteSignature", id="a signed header is gone"),
        pytest.param(received(authorization=None), "IncompleteSignature", id="no signature"),
        pytest.param(received(authorization="Bearer x"), "IncompleteSignature", id="another scheme"),
        pytest.param(
            received(authorization=received().headers["authorization"].replace("x-acs-action;", "")),
            "IncompleteSignature",
            id="the action is not signed",
        ),
        pytest.param(
            received(authorization=received().headers["authorization"].replace("accept;", "accept;accept;")),
            "IncompleteSignature",
            id="a header is listed twice",
        ),
        pytest.param(
            received(authorization=received().headers["authorization"].replace(KEY.id, "LTAIother")),
            "InvalidAccessKeyId.NotFound",
            id="a key that nobody knows",
        ),
        pytest.param(received(x_acs_date="2026-01-02 03:04:05"), "InvalidTimeStamp.Format", id="no date"),
        pytest.param(received(x_acs_date="2026-02-30T03:04:05Z"), "InvalidTimeStamp.Format", id="a day that does not exist"),
        pytest.param(received(x_acs_date="2026-01-02T03:20:05Z"), "InvalidTimeStamp.Expired", id="a date of the future"),
    ],
)  # fmt: skip
def test_what_was_not_signed_is_refused_by_its_code(request_: Received, code: str) -> None:
    with pytest.raises(SignatureError) as caught:
        verify(request_, secrets, NOW)

    assert caught.value.code == code
    assert KEY.secret not in str(caught.value)
    assert "a b,c" not in str(caught.value)


def test_a_date_is_good_for_a_quarter_of_an_hour_both_ways() -> None:
    assert verify(received(), secrets, NOW + 900) == verify(received(), secrets, NOW - 900) == KEY.id
    for now in (NOW + 901, NOW - 901):
        with pytest.raises(SignatureError, match=r"InvalidTimeStamp\.Expired"):
            verify(received(), secrets, now)


def test_a_request_without_what_must_be_signed_is_not_signed() -> None:
    with pytest.raises(SignatureError, match="x-acs-date"):
        authorize(KEY, "POST", "/", [], {"host": "h"})


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9._~-]{1,8}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_every_query_verifies_and_no_other_value_does(parameters: dict[str, str]) -> None:
    given_ = headers("A", "1", "h", b"")
    given_["authorization"] = authorize(KEY, "POST", "/", parameters.items(), given_)
    made = Received("POST", "/", urlencode(parameters, quote_via=quote, safe=",:/"), given_)

    assert verify(made, secrets, NOW) == KEY.id
    for name in parameters:
        other = urlencode(parameters | {name: parameters[name] + "x"})
        with pytest.raises(SignatureError, match="SignatureDoesNotMatch"):
            verify(replace(made, query=other), secrets, NOW)


def test_names_that_no_parameter_has_are_never_signed() -> None:
    with pytest.raises(SignatureError, match="InvalidParameter"):
        canonical_query([("a&b", "c")])


@pytest.mark.parametrize(
    ("id_", "secret", "token"),
    [("", "s", None), ("a", "", None), ("a", "s\n", None), ("a,b", "s", None), ("a", "s", ""), ("ключ", "s", None)],
)
def test_a_key_that_was_copied_badly_is_refused_at_once(id_: str, secret: str, token: str | None) -> None:
    with pytest.raises(ConfigurationError, match="stray space"):
        AccessKey(id_, secret, token)


def test_no_repr_shows_a_secret() -> None:
    key = AccessKey("LTAIx", "topsecret", "token")

    assert repr(key) == "AccessKey(id='LTAIx')"
    assert "body" not in repr(received())


def captured() -> list[Any]:
    if not CAPTURES.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no recorded SDK traffic beside this checkout"))]
    found = []
    for file in sorted(CAPTURES.glob("*.json")):
        for request in json.loads(file.read_text("utf-8")).get("requests", ()):
            named = {name.lower(): value for name, value in request["headers"]}
            if named.get("authorization", "").startswith("ACS3"):
                found.append(pytest.param(request, id=file.stem))
    return found


@pytest.mark.parametrize("request_", captured())
def test_every_recorded_signature_of_the_sdks_verifies(request_: dict[str, Any]) -> None:
    named = {name.lower(): value for name, value in request_["headers"]}
    made = Received(request_["method"], request_["path"], request_["query_raw"], named, request_["body"].encode())

    assert verify(made, secrets, 0, window=float("inf")) == KEY.id
