"""What has no counterpart in a chat completion is refused by name, in the client's own error shape, and is never sent on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from echo_server import Server as Upstream
from echo_server import serving as echoing
from gateway_server import serving
from tea import tea_config

from masking import echo
from masking.gateway import Server

PHONE = "13800138000"
TEXT = f"我的手机号是{PHONE}。"
NAMES = ("dms", "rdsai", "dashscope", "anthropic", "gemini", "ollama", "openai")
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with echoing() as server:
        yield server


@pytest.fixture(scope="module")
def server(upstream: Upstream) -> Iterator[Server]:
    own = {"api": "openai", "url": f"{upstream.url}/v1", "model": "qwen-plus", "chat_only": True}
    with serving(upstreams={"own": own}, routes={name: {"upstream": "own"} for name in NAMES}) as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(upstream: Upstream) -> None:
    upstream.seen.clear()
    upstream.answer = upstream.pause = None
    upstream.gone.clear()


GOOGLE, OLLAMA, CLAUDE, OPENAI = "/v1beta/models/m:generateContent", "/api/chat", "/v1/messages", "/v1/responses"
GENERATE, APP = "/api/generate", "/api/v1/apps/a/completion"
GENERATION = "/api/v1/services/aigc/text-generation/generation"
USER = {"role": "user", "content": TEXT}
BASES: dict[str, dict[str, Any]] = {
    GOOGLE: {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]},
    OLLAMA: {"model": "m", "messages": [USER], "stream": False},
    GENERATE: {"model": "m", "prompt": TEXT, "stream": False},
    CLAUDE: {"model": "m", "max_tokens": 9, "messages": [USER]},
    OPENAI: {"model": "m", "input": TEXT},
    APP: {"input": {"prompt": TEXT}},
    GENERATION: {"model": "m", "input": {"messages": [USER]}, "parameters": {"result_format": "message"}},
}


def part(**fields: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [fields]}]}


# The path, what is asked beside the usual, and the name that the refusal says.
CASES: list[tuple[str, dict[str, Any], str]] = [
    (GOOGLE, {"generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
    (GOOGLE, {"generationConfig": {"responseModalities": ["AUDIO"]}}, "generationConfig.responseModalities"),
    (GOOGLE, {"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
    (GOOGLE, {"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "generationConfig.responseSchema"),
    (GOOGLE, {"generationConfig": {"speechConfig": {"voice": "x"}}}, "generationConfig.speechConfig"),
    (GOOGLE, {"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
    (GOOGLE, {"generationConfig": {"topK": True}}, "generationConfig.topK"),
    (GOOGLE, {"generationConfig": {"top_k": 1, "topK": 2}}, "generationConfig"),
    (GOOGLE, {"generationConfig": []}, ""),
    (GOOGLE, {"generationConfig": [1]}, "generationConfig"),
    (GOOGLE, {"cachedContent": "cachedContents/x"}, "cachedContent"),
    (GOOGLE, {"tools": [{"googleSearch": {"timeRangeFilter": {"startTime": "x"}}}]}, "tools[0].googleSearch"),
    (GOOGLE, {"tools": [{"codeExecution": {}}, {"urlContext": {"a": 1}}]}, "tools[1].urlContext"),
    (GOOGLE, {"toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}}, "toolConfig.functionCallingConfig.mode"),
    (
        GOOGLE,
        {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}]},
        "safetySettings[0].threshold",
    ),
    (GOOGLE, {"contents": []}, "contents"),
    (GOOGLE, {"contents": "hi"}, "contents"),
    (GOOGLE, {"contents": [1]}, "contents[0]"),
    (GOOGLE, {"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
    (GOOGLE, part(fileData={"fileUri": "gs://x", "mimeType": "image/png"}), "contents[0].parts[0].fileData"),
    (GOOGLE, part(inlineData={"mimeType": "audio/wav", "data": "AA=="}), "contents[0].parts[0].inlineData.mimeType"),
    (GOOGLE, part(executableCode={"code": "1"}), "contents[0].parts[0].executableCode"),
    (GOOGLE, part(text="x", videoMetadata={"fps": 1}), "contents[0].parts[0].videoMetadata"),
    (GOOGLE, part(text=["x"]), "contents[0].parts[0].text"),
    (
        GOOGLE,
        part(functionResponse={"name": "nobody", "response": {"a": 1}}),
        "contents[0].parts[0].functionResponse.name",
    ),
    (
        GOOGLE,
        {"systemInstruction": {"parts": [{"inlineData": {"data": "x"}}]}},
        "systemInstruction.parts[0].inlineData",
    ),
    (GOOGLE, {"unheard": 1}, "unheard"),
    (OLLAMA, {"options": {"mirostat": 2}}, "options.mirostat"),
    (OLLAMA, {"options": {"temperature": "hot"}}, "options.temperature"),
    (OLLAMA, {"options": {"stop": [1]}}, "options.stop"),
    (OLLAMA, {"options": "none"}, "options"),
    (OLLAMA, {"format": "xml"}, "format"),
    (OLLAMA, {"stream": "yes"}, "stream"),
    (OLLAMA, {"tools": [{"name": "x"}]}, "tools"),
    (OLLAMA, {"messages": "hi"}, "messages"),
    (OLLAMA, {"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    (OLLAMA, {"messages": [{"role": "tool", "content": "x", "tool_name": "a"}]}, "messages[0].tool_name"),
    (OLLAMA, {"messages": [{**USER, "images": ["AAAA"]}]}, "messages[0].images"),
    (OLLAMA, {"messages": [{**USER, "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
    (OLLAMA, {"logprobs": True}, "logprobs"),
    (OLLAMA, {"unheard": "x"}, "unheard"),
    (GENERATE, {"raw": True}, "raw"),
    (GENERATE, {"template": "{{ .Prompt }}"}, "template"),
    (GENERATE, {"suffix": "x"}, "suffix"),
    (GENERATE, {"tools": [{"function": {"name": "x"}}]}, "tools"),
    (OPENAI, {"tools": [{"type": "web_search"}]}, "tools[0].type"),
    (OPENAI, {"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].type"),
    (OPENAI, {"tool_choice": {"type": "file_search"}}, "tool_choice.type"),
    (OPENAI, {"tool_choice": "sometimes"}, "tool_choice"),
    (OPENAI, {"background": True}, "background"),
    (OPENAI, {"max_tool_calls": 3}, "max_tool_calls"),
    (OPENAI, {"prompt": {"id": "p"}}, "prompt"),
    (OPENAI, {"include": ["message.output_text.logprobs"]}, "include"),
    (OPENAI, {"truncation": "auto"}, "truncation"),
    (OPENAI, {"text": {"format": {"type": "grammar"}}}, "text.format.type"),
    (OPENAI, {"input": []}, "input"),
    (OPENAI, {"input": 5}, "input"),
    (OPENAI, {"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    (OPENAI, {"input": [{"type": "computer_call", "action": {}}]}, "input[0].type"),
    (
        OPENAI,
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        "input[0].content[0].type",
    ),
    (
        OPENAI,
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[0].content[0].file_id",
    ),
    (OPENAI, {"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
    (OPENAI, {"previous_response_id": "resp_nobody"}, "previous_response_id"),
    (OPENAI, {"previous_response_id": "resp_x", "conversation": "c"}, "previous_response_id"),
    (CLAUDE, {"mcp_servers": [{"url": "https://x"}]}, "mcp_servers"),
    (CLAUDE, {"container": "c"}, "container"),
    (CLAUDE, {"messages": []}, "messages"),
    (CLAUDE, {"messages": [1]}, "messages[0]"),
    (CLAUDE, {"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    (CLAUDE, {"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "messages[0].content[0].type"),
    (CLAUDE, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].input_schema"),
    (CLAUDE, {"tool_choice": {"type": "sometimes"}}, "tool_choice.type"),
    (CLAUDE, {"max_tokens": "many"}, "max_tokens"),
    (CLAUDE, {"system": [{"type": "image"}]}, "system[0].type"),
    (APP, {"input": {"prompt": TEXT, "biz_params": {"city": "杭州"}}}, "input.biz_params"),
    (APP, {"input": {"prompt": TEXT, "memory_id": "m"}}, "input.memory_id"),
    (APP, {"input": {"prompt": TEXT, "image_list": ["https://example.com/a.png"]}}, "input.image_list"),
    (APP, {"input": {"prompt": TEXT, "history": [{"user": "a", "bot": "b"}]}}, "input.history"),
    (
        APP,
        {"input": {"prompt": TEXT}, "parameters": {"rag_options": {"pipeline_ids": ["p"]}}},
        "parameters.rag_options",
    ),
    (APP, {"input": {"prompt": 5}}, "input.prompt"),
    (APP, {"input": {"messages": "x"}}, "input.messages"),
    (APP, {"input": {"messages": [1]}}, "input.messages"),
    (APP, {"input": {}}, ""),
    (GENERATION, {"input": {"messages": [{"content": [{"audio": "a"}]}]}}, "input.messages[0].content[0].audio"),
    (GENERATION, {"input": {"messages": [{"content": [1]}]}}, "input.messages[0].content[0]"),
    (GENERATION, {"parameters": {"n": 2}}, "parameters.n"),
    (GENERATION, {"parameters": {"incremental_output": "yes"}}, "parameters.incremental_output"),
    (GENERATION, {"unheard": 1}, "unheard"),
]
SHAPES = {
    GOOGLE: lambda doc: doc["error"]["status"] == "INVALID_ARGUMENT" and doc["error"]["message"],
    OLLAMA: lambda doc: doc["error"],
    GENERATE: lambda doc: doc["error"],
    CLAUDE: lambda doc: doc["type"] == "error" and doc["error"]["type"] == "invalid_request_error" and doc["error"]["message"],
    OPENAI: lambda doc: doc["error"]["code"] and doc["error"]["message"],
    APP: lambda doc: doc["code"] == "InvalidParameter" and doc["message"],
    GENERATION: lambda doc: doc["code"] == "InvalidParameter" and doc["message"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "beside", "name"), CASES, ids=[f"{path} {name} {n}" for n, (path, _, name) in enumerate(CASES)]
)
def test_what_has_no_counterpart_is_refused_by_name(
    server: Server, upstream: Upstream, path: str, beside: dict[str, Any], name: str
) -> None:
    usual = httpx.post(server.url + path, json=BASES[path])
    upstream.seen.clear()
    refused, replies = counted(server, "refusals"), counted(server, "upstream_responses")
    answer = httpx.post(server.url + path, json={**BASES[path], **beside})
    if beside == {"generationConfig": []}:  # asks for nothing
        assert answer.status_code == 200
        return

    assert usual.status_code == 200, usual.text
    assert answer.status_code == 400, answer.text
    assert f"{SHAPES[path](answer.json())}:".startswith(f"{name}:" if name else "input")
    assert not upstream.seen
    assert PHONE not in answer.text
    # It was refused, and not sent to an upstream that would have broken.
    assert (counted(server, "refusals"), counted(server, "upstream_responses")) == (refused + 1, replies)


def counted(server: Server, name: str) -> float:
    """The sum of a counter."""
    page = server.gateway._serving.observer.page()[2].decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in page if line.startswith(f"masking_{name}_total{{"))


@pytest.mark.parametrize("path", [path for path in BASES if path != GENERATION])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'"x"', b"null", b"{}"], ids=["none", "list", "number", "text", "null", "{}"]
)
def test_a_body_that_asks_nothing_is_refused(server: Server, upstream: Upstream, path: str, body: bytes) -> None:
    answer = httpx.post(server.url + path, content=body, headers=JSON)

    if (path, body) in ((OLLAMA, b"{}"), (GENERATE, b"{}")):
        assert answer.json()["done_reason"] == "load"  # Ollama's way to load a model
    else:
        assert answer.status_code == 400, answer.text
        assert SHAPES[path](answer.json())
    assert not upstream.seen


@pytest.mark.parametrize("path", BASES)
@pytest.mark.parametrize("depth", [150, 5_000])
def test_a_deep_body_is_refused_or_read_and_never_an_error_of_ours(server: Server, path: str, depth: int) -> None:
    deep: Any = json.dumps({**BASES[path], "unheard": "x"}).replace('"x"', "[" * depth + "1" + "]" * depth)
    answer = httpx.post(server.url + path, content=deep.encode(), headers=JSON)

    assert answer.status_code == 400, answer.text
    assert "unheard" in answer.text or "unmaskable" in answer.text


@pytest.mark.parametrize(
    ("path", "query", "status", "what"),
    [
        (GOOGLE, "alt=media", 400, "alt"), (GOOGLE, "fields=candidates", 400, "fields"),
        (GOOGLE.replace("generateContent", "countTokens"), "", 404, "no tokens are counted"),
        ("/v1/responses/input_tokens", "", 404, "counts no tokens"),
        ("/v1/messages/count_tokens", "", 404, "counts tokens"),
    ],
)  # fmt: skip
def test_what_is_asked_by_the_address_is_refused_by_name(
    server: Server, upstream: Upstream, path: str, query: str, status: int, what: str
) -> None:
    body = BASES.get(path) or BASES.get(path.replace("countTokens", "generateContent")) or BASES[OPENAI]
    answer = httpx.post(f"{server.url}{path}?{query}", json=body)

    assert (answer.status_code, what in answer.text) == (status, True), answer.text
    assert not upstream.seen


def test_headers_of_model_studio_that_ask_for_more_are_refused_by_name(server: Server, upstream: Upstream) -> None:
    for name in ("X-DashScope-Plugin", "X-DashScope-DataInspection"):
        answer = httpx.post(server.url + GENERATION, json=BASES[GENERATION], headers={name: '{"a": 1}'})

        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
        assert name.lower() in answer.json()["message"]
    assert not upstream.seen


# DMS and RDS AI


def act(server: Server, action: str, **parameters: str) -> httpx.Response:
    version = "2018-11-01" if action.startswith("ChatWith") else "2025-05-07"
    headers = {"x-acs-action": action, "x-acs-version": version}
    return httpx.post(f"{server.url}/?{urlencode(parameters)}", headers=headers, timeout=30)


MESSAGES = json.dumps([{"role": "user", "content": TEXT}], ensure_ascii=False)
OPERATIONS: list[tuple[str, dict[str, str], str]] = [
    ("ChatWithDesensitizeSSE", {"Input": "x"}, "Input"),
    ("ChatWithDesensitizeSSE", {"Dimensions": "64"}, "Dimensions"),
    ("ChatWithDesensitizeSSE", {"Parameters": "{}"}, "Parameters"),
    ("ChatWithDesensitize", {"XDashScopeDataInspection": '{"input": "cip"}'}, "XDashScopeDataInspection"),
    ("ChatWithDesensitize", {"Unheard": "x"}, "Unheard"),
    ("ChatWithDesensitize", {"Input": "x"}, "Input"),
    ("ChatMessages", {"Files": '[{"UploadFileId": "u"}]'}, "Files"),
    ("ChatMessages", {"Inputs": '{"CustomAgentId": "a"}'}, "Inputs.CustomAgentId"),
    ("ChatMessages", {"Inputs": '{"ResumeCallId": "a"}'}, "Inputs.ResumeCallId"),
    ("ChatMessages", {"Inputs": "[1]"}, "Inputs"),
    ("ChatMessages", {"Inputs": '{"ModelId": 1}'}, "Inputs.ModelId"),
    ("ChatMessages", {"Unheard": "x"}, "Unheard"),
    ("ChatMessagesTaskStop", {"TaskId": "t", "Unheard": "x"}, "Unheard"),
]


@pytest.mark.parametrize(("action", "beside", "name"), OPERATIONS, ids=[f"{one[0]} {one[2]}" for one in OPERATIONS])
def test_an_operation_is_refused_by_the_name_of_its_parameter(
    server: Server, upstream: Upstream, action: str, beside: dict[str, str], name: str
) -> None:
    usual = {"Query": TEXT} if action == "ChatMessages" else {"InstanceId": "1", "Messages": MESSAGES}
    answer = act(server, action, **(usual if "Task" not in action else {}), **beside)

    assert (answer.status_code, answer.json()["Code"]) == (400, "InvalidParameter"), answer.text
    assert answer.json()["Message"].startswith(f"{name}:")
    assert not upstream.seen


def told(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]


def test_what_rds_ai_would_know_the_model_is_told(server: Server, upstream: Upstream) -> None:
    inputs = {
        "Language": "zh-cn", "Timezone": "UTC", "RegionId": "cn-beijing", "ThinkEffort": "high", "EnableThinking": "true",
        "WorkspaceId": "w", "ToolApprovalMode": "read_only",
    }  # fmt: skip
    answer = act(server, "ChatMessages", Query=TEXT, Inputs=json.dumps(inputs), EventMode="separate")
    sent = json.loads(upstream.seen[0][2])

    assert TEXT in "".join(event["Answer"] for event in told(answer))
    assert sent["messages"][0] == {"role": "system", "content": "Language: zh-cn\nRegionId: cn-beijing\nTimezone: UTC"}
    assert (sent["reasoning_effort"], sent["enable_thinking"]) == ("high", True)


def test_a_conversation_of_rds_ai_goes_on_from_its_last_message(server: Server, upstream: Upstream) -> None:
    first = told(act(server, "ChatMessages", Query=TEXT))[0]
    name, parent = first["ConversationId"], first["MessageId"]
    second = told(act(server, "ChatMessages", Query="再说", ConversationId=name, ParentMessageId=parent))[0]
    count = len(upstream.seen)
    branch = act(server, "ChatMessages", Query="再说", ConversationId=name, ParentMessageId=parent)

    assert second["ConversationId"] == name
    assert second["MessageId"] != parent
    assert (branch.status_code, branch.json()["Code"]) == (400, "InvalidParameter")
    assert "ParentMessageId" in branch.json()["Message"]
    assert len(upstream.seen) == count


def test_a_history_means_what_its_own_category_says(server: Server, upstream: Upstream) -> None:
    headers = {"x-masking-category": "Minimal"}
    body = {"input": {"prompt": TEXT, "session_id": "s-cat"}}
    httpx.post(server.url + APP, json=body)
    httpx.post(server.url + APP, json={"input": {"prompt": "13900139000", "session_id": "s-cat"}}, headers=headers)

    assert len(json.loads(upstream.seen[1][2])["messages"]) == 1


def test_task_stop_ends_the_running_answer(server: Server, upstream: Upstream) -> None:
    rds = pytest.importorskip("alibabacloud_rdsai20250507.client").Client(tea_config(server.url))
    models = pytest.importorskip("alibabacloud_rdsai20250507.models")
    runtime = pytest.importorskip("darabonba.runtime").RuntimeOptions()
    upstream.pause = threading.Event()
    upstream.pause_after = 12
    events: list[Any] = []
    stopped: Any = None
    for event in rds.chat_messages_with_sse(models.ChatMessagesRequest(query=TEXT), runtime):
        events.append(event.body)
        if len(events) == 8:
            stopped = rds.chat_messages_task_stop(models.ChatMessagesTaskStopRequest(task_id=event.body.task_id)).body
    upstream.pause.set()
    assert upstream.gone.wait(5), "the upstream was not told that its answer is over"
    upstream.pause = None
    said = "".join(event.answer for event in events)
    again = told(act(server, "ChatMessages", Query="再说", ConversationId=events[0].conversation_id))

    assert stopped.result == "success"
    assert events[-1].event == "finish"
    assert PHONE in said
    assert not said.endswith("条消息。")
    assert again[-1]["Event"] == "finish"
    kept = json.loads(upstream.seen[-1][2])["messages"]
    assert [message["role"] for message in kept] == ["user", "assistant", "user"]
    assert PHONE not in json.dumps(kept)


@pytest.mark.parametrize("who", ["finished", "another client's", "nobody's"])
def test_only_a_running_task_of_ones_own_can_be_stopped(server: Server, upstream: Upstream, who: str) -> None:
    task = "t-nobody"
    if who == "finished":
        task = told(act(server, "ChatMessages", Query=TEXT))[0]["TaskId"]
    if who == "another client's":
        headers = {"x-acs-action": "ChatMessages", "x-acs-version": "2025-05-07", "authorization": "Bearer mine"}
        upstream.pause, upstream.pause_after = threading.Event(), 12
        with httpx.stream("POST", f"{server.url}/?{urlencode({'Query': TEXT})}", headers=headers) as answer:
            lines = answer.iter_lines()
            task = json.loads(next(line for line in lines if line.startswith("data:"))[5:])["TaskId"]
            refused = act(server, "ChatMessagesTaskStop", TaskId=task)
            upstream.pause.set()
            assert "finish" in list(lines)[-2]
    else:
        refused = act(server, "ChatMessagesTaskStop", TaskId=task)

    assert (refused.status_code, refused.json()["Code"]) == (404, "InvalidTaskId.NotFound")


@pytest.mark.parametrize(
    "answer", [b"[]", b"{}", b'{"choices": []}', b"nonsense", b'{"error": "x"}', b'{"choices": [1]}']
)
def test_an_upstream_that_answers_something_else_is_its_fault(
    server: Server, upstream: Upstream, answer: bytes
) -> None:
    upstream.answer = lambda _: echo.Reply(200, "application/json", (answer,))
    for path, body in BASES.items():
        told = httpx.post(server.url + path, json=body)
        if answer == b'{"choices": [1]}':
            assert told.status_code == 200  # a choice that says nothing
        else:
            assert (told.status_code, "upstream" in told.text) == (502, True), (path, told.text)
