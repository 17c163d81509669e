"""Chat Completions requests, for the tests of both directions."""

import json
from typing import Any, get_args

from isthmus.messages import GenerationRequest
from isthmus.wire.chat_body import Dialect
from isthmus.wire.chat_request import parse_chat

HELLO = [{"role": "user", "content": "Hello"}]
DIALECTS = get_args(Dialect)
FUNCTION = {"name": "add", "description": "adds", "parameters": {"type": "object"}, "strict": True}
NAMED = {"type": "function", "function": {"name": "add"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
CALL = {"id": "c", "function": {"name": "add"}}


def body(**parameters: Any) -> bytes:
    return json.dumps({"messages": HELLO, **parameters}).encode()


def request(**parameters: Any) -> GenerationRequest:
    return parse_chat(body(**parameters)).request


WHOLE = body(
    model="m",
    stream=True,
    stream_options={"include_usage": True, "include_obfuscation": False},
    max_tokens=10,
    max_completion_tokens=10,
    temperature=0.5,
    top_p=0.5,
    seed=1,
    stop=["x"],
    presence_penalty=1,
    frequency_penalty=1,
    logit_bias={"1": 2},
    n=2,
    reasoning_effort="low",
    logprobs=True,
    top_logprobs=2,
    tools=[{"type": "function", "function": FUNCTION}],
    tool_choice="auto",
    parallel_tool_calls=True,
    response_format=SCHEMA,
    modalities=["text"],
    top_k=40,
    min_p=0.1,
    typical_p=0.9,
    repeat_penalty=1.1,
    repeat_last_n=64,
    thinking_budget_tokens=100,
    truncation="auto",
    isthmus={"handoff": "off"},
    user="u",
    metadata={},
    store=False,
    prediction={"type": "content", "content": "x"},
    service_tier="auto",
    prompt_cache_key="k",
    prompt_cache_retention="24h",
    prompt_cache_options={},
    safety_identifier="s",
)
