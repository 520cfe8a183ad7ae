"""Requests, byte for byte as the vendor's SDKs send them: written down here, recorded, and made by the SDKs live."""

from __future__ import annotations

import json
import sys
from calendar import timegm
from collections.abc import Iterator
from pathlib import Path
from time import strptime
from typing import Any

import httpx
import pytest
from clients_server import KEY, Seen, Server, serving

from masking.clients import (
    DMS,
    AccessKey,
    Acs3Auth,
    ApiKeyAuth,
    BearerToken,
    DashScopeApp,
    DashScopeGeneration,
    OpenAICompatible,
    ParameterError,
    RdsAI,
)
from masking.clients.options import Options
from masking.clients.sending import TIMEOUT, request_of

CAPTURES = Path(__file__).parents[2] / "shared" / "wire" / "captures"
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
USER = {"role": "user", "content": "你好"}
HI = [{"role": "user", "content": "hi"}]
TEXT = "你好, 我的手机号是 13800001111 & mail a+b@example.com, 100% ~ok*?"
FULL = {
    "messages": [SYSTEM, {"role": "user", "content": TEXT}],
    "model": "qwen-plus",
    "need_desensitization": True,
    "desensitization_rule": "UserInfo",
    "temperature": 1,
    "top_p": 0.5,
    "top_k": 10,
    "max_tokens": 256,
    "seed": 1,
    "stop": ["\n", "END"],
    "presence_penalty": 0.0,
    "response_format": "text",
    "enable_thinking": True,
    "thinking_budget": 256,
    "logprobs": False,
    "top_logprobs": 1,
    "enable_search": False,
    "search_options": {"forced_search": "true", "search_strategy": "标准"},
    "enable_code_interpreter": False,
    "vl_high_resolution_images": False,
    "modalities_list": ["text", "audio"],
    "audio_json": {"voice": "Cherry", "format": "wav"},
    "x_dash_scope_data_inspection": {"input": "cip", "output": "cip"},
}
FULL_SSE = FULL | {
    "include_usage": True,
    "stream": True,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "auto",
    "input": "test",
    "dimensions": 256,
    "parameters": {"a": 1},
}
RDS = {
    "query": "实例rm-bp14as9914vd3**** 磁盘使用率,是否需要进行扩容",
    "conversation_id": "fea7bdca-e848-44dd-b1ae-852472b80000",
    "parent_message_id": "84dc9f9b-424a-404d-9c36-35e9d0000000",
    "files": [{"TransferMethod": "local_file", "Type": "image", "UploadFileId": "u-1"}],
    "workspace_id": "w-1",
    "custom_agent_id": "d1b7d639-f34e-44c7-8231-987da14d0000",
    "enable_thinking": True,
    "language": "zh-cn",
    "model_id": "qwen3-max",
    "region_id": "cn-beijing",
    "resume_call_id": "rc-1",
    "think_effort": "high",
    "timezone": "UTC",
    "tool_approval_mode": "read_only",
}
TRICKY = "a b+c~d*e%f&g=h/i?j#k;l,m:n@o!p'q(r)s[t]中文😀\n\tz"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": WEATHER}}]
CALL = {"id": "call_1", "type": "function", "index": 0,
        "function": {"name": "get_weather", "arguments": '{"city": "北京"}'}}  # fmt: skip


def dms(instance: int = 1234567, credentials: Any = KEY, **options: Any) -> DMS:
    return DMS(instance, credentials=credentials, endpoint="http://127.0.0.1:41395", **options)


def rds(**options: Any) -> RdsAI:
    return RdsAI(credentials=KEY, endpoint="http://127.0.0.1:41395", **options)


STUDIO = {"api_key": "sk-fake0000000000000000000000000001", "base_url": "http://127.0.0.1:41395/api/v1"}


def app(**options: Any) -> DashScopeApp:
    return DashScopeApp("fakeapp0000000000000000000000001", **STUDIO, **options)


def gen(**options: Any) -> DashScopeGeneration:
    return DashScopeGeneration(**STUDIO, **options)


def compatible(**options: Any) -> OpenAICompatible:
    return OpenAICompatible(api_key=STUDIO["api_key"], base_url="http://127.0.0.1:41395/compatible-mode/v1", **options)


STS = AccessKey(KEY.id, KEY.secret, "CAISfakeSecurityToken==")
RAG_SEED = {"pipeline_ids": ["your_pipeline_id1"], "metadata_filter": {"name": "Tom"}, "tags": "phone"}
RAG_FULL = {"pipeline_ids": ["p1"], "file_ids": ["f1"], "metadata_filter": {"name": "Tom"}, "tags": ["phone"],
            "structured_filter": {"k": "v"}, "session_file_ids": ["sf1"]}  # fmt: skip
QWEN = {"model": "qwen-plus", "messages": [SYSTEM, USER]}
MESSAGE = QWEN | {"result_format": "message"}
KNOBS = {"enable_search": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "max_tokens": 256, "seed": 1,
         "stop": ["\n"], "repetition_penalty": 1.05, "presence_penalty": 0.0, "result_format": "message",
         "tools": TOOLS, "tool_choice": "auto", "n": 1, "logprobs": True, "top_logprobs": 1,
         "search_options": {"forced_search": True}, "parallel_tool_calls": True,
         "response_format": {"type": "json_object"}}  # fmt: skip
COMPATIBLE = QWEN | {
    "max_tokens": 64, "seed": 1, "stop": ["\n"], "temperature": 0.2, "tools": TOOLS, "enable_thinking": True,
    "thinking_budget": 50, "top_k": 5, "enable_search": True, "search_options": {"forced_search": True},
}  # fmt: skip

RECORDED: list[tuple[str, Options, dict[str, Any], bool]] = [
    ("dms_chat_full", dms(), FULL, False),
    ("dms_chat_async", dms(), FULL, False),
    ("dms_chat_min", dms(), {"model": "qwen-plus", "messages": HI}, False),
    ("dms_chat_nomsg", dms(1), {"model": "qwen-plus"}, False),
    ("dms_chat_empty_lists", dms(1), {"messages": [], "stop": [], "search_options": {}}, False),
    ("dms_chat_sts", dms(credentials=STS), {"model": "qwen-plus", "messages": HI}, False),
    ("dms_chat_bearer", dms(credentials=BearerToken("fakeBearer")), {"model": "qwen-plus", "messages": HI}, False),
    ("dms_sse_plain", dms(), FULL_SSE, True),
    ("dms_sse_with_sse", dms(), FULL_SSE, True),
    ("dms_sse_with_sse_async", dms(), FULL_SSE, True),
    ("rds_chat_min", rds(), {"query": "hi"}, False),
    ("rds_sse_min", rds(), {"query": "hi"}, True),
    ("rds_chat_full", rds(), RDS, False),
    ("rds_chat_eventmode", rds(), RDS | {"event_mode": "separate"}, False),
    ("rds_sse_full", rds(), RDS | {"event_mode": "inline"}, True),
    ("rds_chat_empty_query", rds(), {"query": "", "conversation_id": ""}, False),
    ("rds_chat_tricky", rds(), {"query": TRICKY}, False),
    ("rds_chat_tricky_async", rds(), {"query": TRICKY}, False),
    ("app_single", app(), {"prompt": "Who are you?"}, False),
    ("app_session", app(), {"prompt": "What are the foods there?", "session_id": "d380aeb21d4b4b018f1d7ae9f98de404"},
     False),
    ("app_messages", app(), {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}],
                             "prompt": "b"}, False),
    ("app_history", app(), {"history": [{"user": "u", "bot": "b"}], "prompt": "p"}, False),
    ("app_biz_params", app(), {"prompt": "Dormitory convention content", "biz_params": {
        "user_defined_params": {"plug1": {"article_index": 2}},
        "user_defined_tokens": {"plug1": {"user_token": "YOUR_TOKEN"}}}}, False),
    ("app_biz_params_workflow", app(), {"prompt": "Query", "biz_params": {"city": "Singapore"}}, False),
    ("app_rag_seed", app(), {"prompt": "Please recommend a phone around 3000 RMB", "rag_options": RAG_SEED}, False),
    ("app_rag_full", app(workspace="ws-1"), {
        "prompt": "Please recommend a phone", "doc_reference_type": "indexed", "doc_tag_codes": ["t1"],
        "memory_id": "mem-1", "image_list": ["https://example.com/a.png"], "file_list": ["https://example.com/a.pdf"],
        "temperature": 0.5, "top_p": 0.8, "top_k": 10, "seed": 1234, "has_thoughts": True, "rag_options": RAG_FULL},
     False),
    ("app_stream_default", app(), {"prompt": "Who are you?"}, True),
    ("app_stream_inc_true", app(), {"prompt": "Who are you?", "incremental_output": True}, True),
    ("app_stream_inc_false", app(), {"prompt": "Who are you?", "incremental_output": False}, True),
    ("app_workflow_stream", app(), {"prompt": "x", "flow_stream_mode": "message_format", "has_thoughts": True,
                                    "biz_params": {"city": "北京"}}, True),
    ("gen_prompt", gen(), {"model": "qwen-plus", "prompt": "hi"}, False),
    ("gen_messages", gen(), MESSAGE, False),
    ("gen_aio", gen(), MESSAGE, False),
    ("gen_tools_all", gen(), QWEN | KNOBS, False),
    ("gen_tool_result", gen(), MESSAGE | {"tools": TOOLS, "messages": [
        SYSTEM, USER, {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "晴"}]}, False),
    ("gen_plugins_headers", gen(workspace="ws-1"), QWEN | {
        "plugins": {"code_interpreter": {}}, "data_inspection": '{"input":"cip","output":"cip"}'}, False),
    ("gen_stream_default", gen(), MESSAGE, True),
    ("gen_stream_inc", gen(), MESSAGE | {"incremental_output": True, "enable_thinking": True, "thinking_budget": 100},
     True),
    ("gen_stream_full", gen(), MESSAGE | {"incremental_output": False}, True),
    ("openai_chat", compatible(), COMPATIBLE, False),
    ("openai_chat_async", compatible(), QWEN, False),
    ("v2_chat_openai", compatible(), QWEN | {"top_k": 5, "enable_thinking": True}, False),
    ("v2_chat_openai_stream", compatible(), QWEN, True),
]  # fmt: skip
# Of the others: signature form v2 and extra headers are not offered, an endpoint with its scheme in Host is a slip of
# that SDK, openai puts `stream` between, and dashscope's second surface spells the same documents in another order.
NOT_OURS = {"dms_chat_v2sig", "dms_chat_extends", "rds_chat_scheme_in_endpoint", "rds_task_stop", "openai_chat_stream",
            "v2_app", "v2_app_stream", "v2_app_stream_async", "v2_chat_native", "v2_chat_native_stream"}  # fmt: skip

# What HTTP libraries add of their own, and what names the SDK.
_LIBRARY = {"accept-encoding", "connection", "content-length", "user-agent", "x-dashscope-sdk-session-id"}
_SDK_ONLY = {"x-stainless-lang", "x-stainless-package-version", "x-stainless-os", "x-stainless-arch"}


def sent(client: Options, values: dict[str, Any], stream: bool, like: dict[str, str]) -> httpx.Request:
    """Our request, dated and named like the recorded one."""
    client._user_agent = like["user-agent"]  # type: ignore[attr-defined]
    request = request_of(client.prepare(values, stream=stream), TIMEOUT)  # type: ignore[attr-defined]
    if "x-acs-date" in like:
        then = timegm(strptime(like["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ"))
        auth: httpx.Auth = Acs3Auth(
            client._auth._credentials, now=lambda: then, nonce=lambda: like["x-acs-signature-nonce"]  # type: ignore[attr-defined]
        )  # fmt: skip
    else:
        auth = ApiKeyAuth(STUDIO["api_key"])
    return next(auth.sync_auth_flow(request))


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no recorded SDK traffic beside this checkout")
@pytest.mark.parametrize(
    ("name", "client", "values", "stream"), [pytest.param(*row, id=row[0]) for row in RECORDED]
)  # fmt: skip
def test_a_request_is_the_recorded_one(name: str, client: Options, values: dict[str, Any], stream: bool) -> None:
    recorded = json.loads((CAPTURES / f"{name}.json").read_text("utf-8"))["requests"][0]
    theirs = {header.lower(): value for header, value in recorded["headers"]}
    ours = sent(client, values, stream, theirs)
    target = ours.url.raw_path.decode()
    if not name.endswith("_async"):  # aiohttp spells the same query in its own way
        assert target == recorded["target"]
    assert sorted(httpx.QueryParams(ours.url.query).multi_items()) == sorted(
        (key, value) for key, value in recorded["query"]
    )
    assert ours.content.decode() == recorded["body"]
    compared = theirs.keys() - _LIBRARY
    if not name.startswith(("openai", "v2")):
        if name.startswith(("dms", "rds")):  # aiohttp adds a type of its own to an empty body
            compared -= {"content-type"} if not recorded["body"] and name.startswith("rds") else set()
        assert {header: ours.headers[header] for header in compared} == {header: theirs[header] for header in compared}
        assert not set(ours.headers) - theirs.keys() - _LIBRARY
    else:
        for header in ("authorization", "content-type"):
            assert ours.headers[header] == theirs[header]


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no recorded SDK traffic beside this checkout")
def test_every_recorded_request_is_compared_or_said_not_to_be() -> None:
    names = {file.stem for file in CAPTURES.glob("*.json") if "requests" in json.loads(file.read_text("utf-8"))}

    assert names - {row[0] for row in RECORDED} == NOT_OURS


WRITTEN = [
    pytest.param(
        dms(1), {"messages": [], "stop": [], "search_options": {}}, False,
        "/?InstanceId=1&SearchOptions=%7B%7D&Stop=%5B%5D", "Messages=%5B%5D", id="DMS: empty lists are sent",
    ),
    pytest.param(dms(1), {"model": "m"}, False, "/?InstanceId=1&Model=m", "", id="DMS: no messages, an empty form"),
    pytest.param(
        dms(5), {"Messages": [{"role": "user", "content": "你好 a+b~*"}], "EnableSearch": False, "Temperature": 1,
                 "TopP": 0.5, "model": None}, True,
        "/?EnableSearch=False&InstanceId=5&Temperature=1&TopP=0.5",
        "Messages=%5B%7B%22role%22%3A%22user%22%2C%22content%22%3A%22%E4%BD%A0%E5%A5%BD+a%2Bb~%2A%22%7D%5D",
        id="DMS: wire names, a bool, an int that stays one, None left out",
    ),
    pytest.param(
        rds(), {"query": "a b+c~*,", "language": "zh-cn", "enable_thinking": False}, True,
        "/?Inputs=%7B%22EnableThinking%22%3A%22false%22%2C%22Language%22%3A%22zh-cn%22%7D&Query=a+b%2Bc~%2A%2C", "",
        id="RdsAi: everything in the query, no body",
    ),
    pytest.param(
        app(), {"prompt": "你好", "incremental_output": True}, True,
        "/api/v1/apps/fakeapp0000000000000000000000001/completion",
        '{"model": "", "parameters": {"incremental_output": true}, "input": {"prompt": "你好"}}',
        id="application: an empty model, spaced JSON, Chinese unescaped",
    ),
    pytest.param(
        gen(), QWEN | {"temperature": 0.2, "enable_search": True}, False,
        "/api/v1/services/aigc/text-generation/generation",
        '{"model": "qwen-plus", "parameters": {"enable_search": true, "temperature": 0.2}, "input": {"messages": '
        '[{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "你好"}]}}',
        id="generation: search comes first",
    ),
    pytest.param(
        gen(), {"model": "qwen-plus", "prompt": "p", "enable_search": False}, False,
        "/api/v1/services/aigc/text-generation/generation",
        '{"model": "qwen-plus", "parameters": {}, "input": {"prompt": "p"}}', id="generation: no search is not said",
    ),
    pytest.param(
        compatible(), {"model": "m", "messages": HI, "top_k": 5}, True, "/compatible-mode/v1/chat/completions",
        '{"model":"m","messages":[{"role":"user","content":"hi"}],"top_k":5,"stream":true,'
        '"stream_options":{"include_usage":true}}', id="compatible: compact JSON, usage asked for",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("client", "values", "stream", "target", "body"), WRITTEN)
def test_a_request_is_spelled_as_the_sdks_spell_it(
    client: Any, values: dict[str, Any], stream: bool, target: str, body: str
) -> None:
    made = request_of(client.prepare(values, stream=stream), TIMEOUT)

    assert made.url.raw_path.decode() == target
    assert made.content.decode() == body
    assert "content-type" in made.headers or isinstance(client, RdsAI)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        pytest.param({"region": "cn-beijing"}, "rdsai.aliyuncs.com", id="a central region"),
        pytest.param({"region": "ap-southeast-1"}, "rdsai.ap-southeast-1.aliyuncs.com", id="another region"),
        pytest.param({"endpoint": "h.example"}, "h.example", id="an endpoint"),
        pytest.param({"endpoint": "http://127.0.0.1:8080/"}, "127.0.0.1:8080", id="an endpoint with scheme and port"),
    ],
)
def test_the_host_is_the_endpoint_without_its_scheme(given: dict[str, str], host: str) -> None:
    request = request_of(RdsAI(credentials=KEY, **given).prepare({"query": "q"}, stream=True), TIMEOUT)

    assert request.headers["host"] == host
    assert request.url.scheme == ("http" if "http:" in given.get("endpoint", "") else "https")


@pytest.mark.parametrize("endpoint", ["ftp://h", "h/?x=1", "https://u:p@h", "", "https://", "h\x00"])
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ParameterError, match="endpoint"):
        DMS(1, credentials=KEY, endpoint=endpoint)


# The vendor's own SDKs, against the same server as our clients.


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def signed(seen: Seen) -> dict[str, str]:
    """What counts of a request: all but the date, the nonce and what they enter into."""
    names = [*seen.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")]
    changing = {"x-acs-date", "x-acs-signature-nonce", "user-agent"}
    return {name: seen.headers[name] for name in names if name not in changing}


def test_dms_and_rdsai_send_what_the_live_sdks_send(server: Server) -> None:
    config = pytest.importorskip("alibabacloud_tea_openapi.models", reason="the vendor's SDKs are not installed")
    dms_sdk = pytest.importorskip("alibabacloud_dms_enterprise20181101.client")
    dms_models = pytest.importorskip("alibabacloud_dms_enterprise20181101.models")
    rds_sdk = pytest.importorskip("alibabacloud_rdsai20250507.client")
    rds_models = pytest.importorskip("alibabacloud_rdsai20250507.models")
    options = {
        "access_key_id": KEY.id,
        "access_key_secret": KEY.secret,
        "endpoint": server.url.removeprefix("http://"),
        "protocol": "http",
        "region_id": "cn-hangzhou",
    }
    theirs = FULL | {
        "instance_id": 7, "audio_json": '{"voice":"Cherry","format":"wav"}', "temperature": "1", "top_p": "0.5",
        "presence_penalty": "0.0", "xdash_scope_data_inspection": '{"input":"cip","output":"cip"}',
    }  # fmt: skip
    del theirs["x_dash_scope_data_inspection"]
    sdk = dms_sdk.Client(config.Config(**options))
    answer = sdk.chat_with_desensitize(dms_models.ChatWithDesensitizeRequest(**theirs)).body
    for _ in sdk.chat_with_desensitize_ssewith_sse(
        dms_models.ChatWithDesensitizeSSERequest(**theirs, stream=True), runtime=_runtime()
    ):
        pass
    asked = rds_models.ChatMessagesRequest(query=TRICKY, conversation_id="c-1")
    for _ in rds_sdk.Client(config.Config(**options)).chat_messages_with_sse(asked, runtime=_runtime()):
        pass
    with DMS(7, credentials=KEY, endpoint=server.url) as ours:
        same = ours.chat(**FULL)
        ours.stream(**FULL, stream=True).answer()
    with RdsAI(credentials=KEY, endpoint=server.url) as ours_too:
        ours_too.stream(TRICKY, conversation_id="c-1").answer()

    assert len(server.seen) == 6
    for their, our in zip(server.seen[:3], server.seen[3:], strict=True):
        assert our.target == their.target
        assert our.body == their.body
        assert signed(our) == signed(their)
        assert our.key_id == their.key_id == KEY.id
    assert same.text == answer.data.choices[0].message.content


def _runtime() -> Any:
    util = pytest.importorskip("darabonba.runtime")
    return util.RuntimeOptions()


def test_dashscope_sends_what_the_live_sdk_sends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    dashscope = pytest.importorskip("dashscope")
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{server.url}/api/v1")
    knobs = {"temperature": 0.5, "seed": 3, "incremental_output": True}
    rag = {"pipeline_ids": ["p"], "tags": ["t"]}
    list(
        dashscope.Application.call(
            app_id="app-1", api_key="sk-fake", prompt="你好", stream=True, memory_id="m", **knobs, rag_options=rag
        )
    )
    theirs = dashscope.Generation.call(api_key="sk-fake", **MESSAGE, **knobs)
    with DashScopeApp("app-1", api_key="sk-fake", base_url=server.url) as ours:
        ours.stream("你好", memory_id="m", **knobs, rag_options=rag).answer()
    with DashScopeGeneration(api_key="sk-fake", base_url=server.url) as ours_too:
        same = ours_too.chat(**MESSAGE, **knobs)

    for their, our in zip(server.seen[:2], server.seen[2:], strict=True):
        assert our.target == their.target
        assert our.body == their.body
        assert {name: value for name, value in our.headers.items() if name not in _LIBRARY} == {
            name: value for name, value in their.headers.items() if name not in _LIBRARY
        }
    assert same.text == theirs.output.choices[0].message.content
    assert "dashscope" in sys.modules


def test_a_question_longer_than_a_usual_address_arrives_whole(server: Server) -> None:
    question = "磁盘" * 20_000  # 360 kB once it is percent-encoded

    with RdsAI(credentials=KEY, endpoint=server.url) as client:
        answer = client.stream(question).answer()

    assert server.seen[0].parameters["Query"] == question
    assert server.seen[0].key_id == KEY.id
    assert answer.text == f"“{question}”"
