"""A model that thinks, behind each API: its marks become that API's thoughts, effort and budgets reach it."""

import json

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, ModelInfo, TextDelta, Usage
from isthmus.reasoning.budget import CLOSING
from tests.reasoning.test_families import TEMPLATES
from tests.server.test_chat import post

QWEN = ModelInfo("scripted", local=True, context_length=4096, template=TEMPLATES["qwen3"])
GPT_OSS = ModelInfo("scripted", local=True, context_length=4096, template=TEMPLATES["gpt-oss"])
MARKED = [TextDelta("<thi"), TextDelta("nk>Let me"), TextDelta(" see.</think>\n\n"), TextDelta("4")]
DONE = Finish("stop", Usage(10, 9))
FOREVER = [TextDelta("<think>"), *(TextDelta(f"word{number} ") for number in range(3000)), DONE]
ANSWER = [TextDelta("4"), Finish("stop", Usage(1100, 1))]
HI = [{"role": "user", "content": "2 + 2?"}]


def chat(answer):
    message, usage = answer["choices"][0]["message"], answer["usage"]
    assert message["reasoning"] == message["reasoning_content"]
    return message["reasoning"], message["content"], usage["completion_tokens_details"]["reasoning_tokens"]


def responses(answer):
    thought, said = answer["output"]
    assert (thought["type"], said["type"]) == ("reasoning", "message")
    details = answer["usage"]["output_tokens_details"]
    return thought["content"][0]["text"], said["content"][0]["text"], details["reasoning_tokens"]


def messages(answer):
    thought, said = answer["content"]
    assert (thought["type"], said["type"]) == ("thinking", "text")
    details = answer["usage"]["output_tokens_details"]
    return thought["thinking"], said["text"], details["thinking_tokens"]


def ollama(answer):
    return answer["message"]["thinking"], answer["message"]["content"], None


APIS = {
    "/v1/chat/completions": ({"messages": HI}, chat),
    "/v1/responses": ({"input": HI}, responses),
    "/v1/messages": ({"messages": HI, "max_tokens": 3000}, messages),
    "/api/chat": ({"messages": HI, "stream": False}, ollama),
}
BUDGETS = {
    "/v1/chat/completions": {"thinking_budget_tokens": 1024},
    "/v1/responses": {"reasoning": {"effort": "low"}},
    "/v1/messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "/api/chat": {"think": "low"},
}
EFFORTS = {
    "/v1/chat/completions": {"reasoning_effort": "high"},
    "/v1/responses": {"reasoning": {"effort": "high"}},
    "/v1/messages": {"output_config": {"effort": "high"}},
    "/api/chat": {"think": "high"},
}


def ask(server, path, **more):
    status, _, answer = post(server, {"model": "scripted", **APIS[path][0], **more}, path)
    assert status == 200, answer
    return json.loads(answer)


def loaded(server):
    """The server, with its model loaded: only then is its template the one that is played."""
    ask(server, "/v1/chat/completions")
    return server


@pytest.mark.parametrize("path", APIS)
def test_a_thought_is_told_apart_bounded_and_answered(serving, path):
    engine = ScriptedEngine([*MARKED, DONE], [*MARKED, DONE], FOREVER, ANSWER, model=QWEN)
    read = APIS[path][1]
    with serving(engine) as server:
        thought, said, tokens = read(ask(loaded(server), path))
        assert (thought, said) == ("Let me see.", "4")
        assert tokens in (2, None)
        thought, said, tokens = read(ask(server, path, **BUDGETS[path]))
    assert said == "4"
    assert thought.startswith("word0 word1 ")
    assert thought.endswith(CLOSING)
    assert tokens is None or 1024 <= tokens < 1100
    assert engine.requests[-2].reasoning_budget == 1024
    assert engine.requests[-1].messages[-1].reasoning == thought


@pytest.mark.parametrize("path", APIS)
def test_effort_reaches_the_template(serving, path):
    engine = ScriptedEngine([TextDelta("4"), DONE], model=GPT_OSS)
    with serving(engine) as server:
        ask(loaded(server), path, **EFFORTS[path])
    assert engine.requests[-1].template == {"reasoning_effort": "high"}


def test_an_effort_that_the_model_lacks_is_said(serving):
    with serving(ScriptedEngine([TextDelta("4"), DONE], model=GPT_OSS)) as server:
        answer = ask(loaded(server), "/v1/chat/completions", reasoning_effort="xhigh")
    assert [notice["code"] for notice in answer["isthmus"]["notices"]] == ["effort_nearest"]
