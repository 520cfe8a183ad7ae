"""What the reference says of each parameter is true: text is masked, opaque arrives whole, and both are written down."""

from __future__ import annotations

import runpy
import typing
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from clients_server import KEY

from masking import Masker, UnmaskableError
from masking.clients import (
    DMS,
    AppParameters,
    CompatibleParameters,
    DashScopeApp,
    DashScopeGeneration,
    DMSStreamParameters,
    GenerationParameters,
    OpenAICompatible,
    RdsAI,
    RdsAIParameters,
    errors,
)
from masking.clients.parameter import Parameters
from masking.clients.prepared import masked
from masking.files import read_descriptors

ROOT = Path(__file__).parents[1]
PHONE = "13800138000"
CLIENTS: list[tuple[Any, type[Parameters], dict[str, Any]]] = [
    (DMS(1, credentials=KEY), DMSStreamParameters, {}),
    (RdsAI(credentials=KEY), RdsAIParameters, {"query": "q"}),
    (DashScopeApp("app-1", api_key="k"), AppParameters, {"prompt": "p"}),
    (DashScopeGeneration(api_key="k"), GenerationParameters, {"prompt": "p", "model": "m"}),
    (OpenAICompatible(api_key="k"), CompatibleParameters, {"messages": [{"role": "user"}], "model": "m"}),
]


def sample(name: str, annotation: Any) -> Any:
    """A value with a telephone number in it; None where the parameter can hold none."""
    if name in ("messages", "history"):
        return [{"role": "user", "content": PHONE}]
    if name == "files":
        return [{"UploadFileId": PHONE}]
    if name == "rag_options":
        return {"tags": [PHONE]}
    for one in [annotation, *get_args(annotation)]:
        origin = get_origin(one)
        if origin is typing.Annotated or origin is Literal:
            continue
        if one is str:
            return PHONE
        if origin is dict:
            return {"key": PHONE} if get_args(one)[1] is Any else None
        if origin is list:
            return (
                [{"key": PHONE}]
                if get_origin(get_args(one)[0]) is dict
                else [PHONE]
                if get_args(one)[0] is str
                else None
            )
    return None


CASES = [
    pytest.param(client, model, rest, name, id=f"{model.__name__}.{name}")
    for client, model, rest in CLIENTS
    for name, field in model.model_fields.items()
    if sample(name, field.annotation) is not None
]


@pytest.mark.parametrize(("client", "model", "rest", "name"), CASES)
def test_a_parameter_is_masked_if_it_is_called_text_and_arrives_whole_if_not(
    client: Any, model: type[Parameters], rest: dict[str, Any], name: str, patterns: Masker
) -> None:
    field = model.model_fields[name]
    plain = client.prepare(rest | {name: sample(name, field.annotation)}, stream=True)
    with patterns.session() as session:
        try:
            made, _ = masked(plain, read_descriptors(), session)
        except UnmaskableError:
            pytest.fail("it can neither be masked nor sent")
    left = f"{made.query} {made.body.decode()} {made.headers}"
    assert isinstance(field.json_schema_extra, dict)
    is_text = field.json_schema_extra["text"]

    assert (PHONE in left) != is_text, left
    assert ("PHONE_NUMBER_1" in left) == is_text


def test_the_reference_has_every_parameter_with_its_range() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "clients_reference.py"))
    page = (ROOT / "docs" / "reference" / "clients.md").read_text("utf-8")

    assert script["page"](page) == page
    for _, model, _ in CLIENTS:
        for name, field in model.model_fields.items():
            assert f"| `{name}` | `{field.alias}` |" in page
            assert field.description


def test_the_reference_has_every_error_and_every_public_name() -> None:
    import masking.clients

    page = (ROOT / "docs" / "reference" / "clients.md").read_text("utf-8")

    assert [
        name for name in [*errors.__all__, *masking.clients.__all__] if name != "api_error" and f"`{name}" not in page
    ] == []
    assert sorted(masking.clients.__all__) == sorted(set(masking.clients.__all__))
    assert all(hasattr(masking.clients, name) for name in masking.clients.__all__)
