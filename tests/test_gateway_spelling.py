"""How replies are spelled for SDKs that lose what is spelled otherwise."""

from __future__ import annotations

import json

import pytest

from masking.gateway.spelling import flags_as_text

KEY = "node_is_completed"


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({KEY: True}, {KEY: "true"}),
        ({"a": [{KEY: False}]}, {"a": [{KEY: "false"}]}),
        ({KEY: "true"}, {KEY: "true"}),
        ({KEY: None}, {KEY: None}),
        ({"text": f'"{KEY}": true'}, {"text": f'"{KEY}": true'}),
        ({"text": json.dumps({"text": json.dumps({KEY: True})})}, {"text": json.dumps({"text": json.dumps({KEY: True})})}),
        ({"text": "\\", KEY: True}, {"text": "\\", KEY: "true"}),
        ({"text": KEY}, {"text": KEY}),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_a_flag_becomes_text_where_it_is_a_key_and_nowhere_else(
    document: dict[str, object], wanted: dict[str, object], separators: tuple[str, str]
) -> None:
    assert json.loads(flags_as_text(json.dumps(document, separators=separators).encode())) == wanted
