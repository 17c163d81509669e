"""gpt-oss's format, written: prompts, as openai-harmony writes them."""

import json
from datetime import date
from pathlib import Path

import pytest

from isthmus.messages import GenerationRequest, Message, Tool, ToolCall
from isthmus.reasoning.harmony_prompt import render_harmony

HERE = Path(__file__).parent / "golden"
GOLDEN = json.loads((HERE / "harmony_prompts.json").read_text())
TOOLS = [Tool(**fields) for fields in json.loads((HERE / "harmony_tools.json").read_text())]
TODAY = date(2025, 6, 28)

ASK = Message("user", "weather?")
CALL = ToolCall("c", "get_weather", '{"location": "Tokyo"}')
CALLED = Message("assistant", reasoning="I must look.", tool_calls=(CALL,))
RESULT = Message("tool", '{"temp": 20}', tool_call_id="c")
BRIEF = Message("system", "Be brief.")


def tools(*names):
    return tuple(tool for name in names for tool in TOOLS if tool.name == name)


def request(*messages, **more):
    return GenerationRequest(messages, **more)


WEATHER = tools("get_location", "get_weather")
REQUESTS = {
    "plain": request(Message("user", "What is 2 + 2?")),
    "instructions": request(Message("developer", "Always be brief."), Message("user", "hi"), effort="high"),
    "tools": request(BRIEF, ASK, effort="low", tools=tools("get_location", "get_weather", "many", "empty")),
    "a tool alone": request(ASK, effort="low", tools=tools("get_location")),
    "a call": request(BRIEF, ASK, CALLED, RESULT, effort="low", tools=WEATHER),
    "an earlier turn": request(
        Message("user", "2+2?"), Message("assistant", "4", reasoning="easy"), Message("user", "and 3+3?")
    ),
    "an earlier call": request(
        *(ASK, CALLED, RESULT, Message("assistant", "20", reasoning="now"), Message("user", "and?")),
        tools=WEATHER,
    ),
    "words before a call": request(
        ASK,
        Message("assistant", "One moment.", reasoning="I must look.", tool_calls=(CALL,)),
        RESULT,
        tools=WEATHER,
    ),
    "schemas": request(Message("user", "hi"), tools=tools("f", "g")),
    "nested": request(Message("user", "hi"), tools=tools("nested")),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_prompt_is_as_openai_writes_it(name):
    assert render_harmony(REQUESTS[name], TODAY) == GOLDEN[name]


def test_an_answer_is_begun_behind_its_thought():
    prompt = render_harmony(REQUESTS["plain"], TODAY, "Easy.")
    assert prompt == GOLDEN["plain"] + (
        "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>"
    )
