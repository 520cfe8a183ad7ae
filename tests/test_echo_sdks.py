"""The vendors' own SDKs read what the echo model says, streamed and whole: nothing lost, nothing doubled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from dashscope import Application, Generation
from echo_server import Server, serving
from tea import tea_config

from masking import echo

PROMPT = "我是<PERSON_1>"
USER = {"role": "user", "content": PROMPT}
SAID = echo.answer([USER])


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def outputs(call: Any, server: Server, **options: Any) -> list[Any]:
    """The outputs of one call; every item of it must be a success."""
    answers = call(api_key="none", base_address=f"{server.url}/api/v1", **options)
    items = list(answers) if options.get("stream") else [answers]
    assert [item.status_code for item in items] == [200] * len(items)
    return [item.output for item in items]


@pytest.mark.parametrize("incremental", [None, True, False])
def test_model_studio_applications(server: Server, incremental: bool | None) -> None:
    options = {} if incremental is None else {"incremental_output": incremental}
    whole = outputs(Application.call, server, app_id="a", prompt=PROMPT)
    stream = outputs(Application.call, server, app_id="a", prompt=PROMPT, stream=True, **options)
    texts = [output.text for output in stream]

    assert whole[0].text == SAID
    # With False the SDK asks for pieces and merges them itself.
    assert ("".join(texts) if incremental else texts[-1]) == SAID
    assert [output.finish_reason for output in stream] == ["null"] * (len(stream) - 1) + ["stop"]


@pytest.mark.parametrize("mode", ["full_thoughts", "agent_format", "message_format", "message_format_plus"])
def test_the_four_ways_in_which_workflows_stream(server: Server, mode: str) -> None:
    stream = outputs(
        Application.call, server, app_id="a", prompt=PROMPT, stream=True, has_thoughts=True, flow_stream_mode=mode
    )
    contents = [output.workflow_message["message"]["content"] for output in stream if output.workflow_message]
    thoughts = [json.loads(output.thoughts[-1].response) for output in stream if output.thoughts]

    assert stream[-1].text == SAID
    if mode == "full_thoughts":
        assert json.loads(thoughts[-1]["nodeResult"]) == {"result": SAID}
    elif mode == "message_format":
        assert "".join(contents) == SAID
    elif mode == "message_format_plus":
        assert "".join(json.loads(content)["result"] for content in contents) == SAID


@pytest.mark.parametrize("incremental", [True, False])
def test_model_studio_generation(server: Server, incremental: bool) -> None:
    options: dict[str, Any] = {"model": "qwen-plus", "messages": [USER], "result_format": "message"}
    whole = outputs(Generation.call, server, **options)
    stream = outputs(
        Generation.call, server, **options, stream=True, incremental_output=incremental, enable_thinking=True
    )
    messages = [output.choices[0].message for output in stream]
    thoughts = [message.get("reasoning_content", "") for message in messages]

    assert whole[0].choices[0].message.content == SAID
    texts = [message.content for message in messages]
    assert ("".join(texts) if incremental else texts[-1]) == SAID
    assert ("".join(thoughts) if incremental else thoughts[-1]) == f"The user says: {PROMPT}"


def test_model_studio_generation_calls_a_tool(server: Server) -> None:
    tools = [{"type": "function", "function": {"name": "send"}}]
    messages = [{"role": "user", "content": "call send"}]
    stream = outputs(
        Generation.call, server, model="qwen-plus", messages=messages, tools=tools, result_format="message",
        stream=True, incremental_output=False,
    )  # fmt: skip
    call = stream[-1].choices[0].message.tool_calls[0]

    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("send", {"text": "call send"})


@pytest.fixture
def tea(server: Server) -> Any:
    return tea_config(server.url)


def test_dms(tea: Any) -> None:
    dms = pytest.importorskip("alibabacloud_dms_enterprise20181101.client").Client(tea)
    models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
    options = {"instance_id": 1, "messages": [USER], "model": "qwen-plus", "enable_thinking": True}
    whole = dms.chat_with_desensitize(models.ChatWithDesensitizeRequest(**options)).body
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    events = [
        event.body
        for event in dms.chat_with_desensitize_ssewith_sse(models.ChatWithDesensitizeSSERequest(**options), runtime)
    ]
    deltas = [json.loads(event.data)["choices"][0]["delta"] for event in events]

    assert whole.data.choices[0].message.content == SAID
    assert whole.data.choices[0].message.reasoning_content == f"The user says: {PROMPT}"
    assert "".join(delta.get("content", "") for delta in deltas) == SAID
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == f"The user says: {PROMPT}"


def test_rds_ai(tea: Any) -> None:
    rds = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(tea)
    models = pytest.importorskip("alibabacloud_rdsai20250507.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    request = models.ChatMessagesRequest(query=PROMPT, conversation_id="c-1")
    events = [event.body for event in rds.chat_messages_with_sse(request, runtime)]
    stopped = rds.chat_messages_task_stop(models.ChatMessagesTaskStopRequest(task_id=events[0].task_id)).body

    assert "".join(event.answer for event in events if event.event == "message") == SAID
    assert events[-1].event == "finish"
    assert {event.conversation_id for event in events} == {"c-1"}
    assert stopped.result == "success"
