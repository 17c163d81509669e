"""gpt-oss's format, harmony, through llama.cpp's own reading of it: what the model is told, and what it says.

The model itself weighs 12 GB. A template in its format has the tiny one told the same, and answer the same
where it only has to say again what it said before.
"""

import json
from contextlib import aclosing

import anyio
import pytest

from isthmus.engines.llama import LlamaEngine
from isthmus.errors import AnswerGarbled
from isthmus.settings import EngineSettings
from isthmus.trust import verify
from isthmus.wire.chat_request import parse_chat
from isthmus.wire.gathered import Completion
from isthmus.wire.responses_request import parse_responses

HARMONY = """
{%- macro say(header, text, end) %}{{ '<|start|>' + header + '<|message|>' + text + end }}{% endmacro %}
{{- say('system', 'Reasoning: ' + (reasoning_effort or 'medium'), '<|end|>') }}
{%- for tool in tools or [] %}
{{- say('developer', tool.function.name + ': ' + tool.function.parameters | tojson, '<|end|>') }}
{%- endfor %}
{%- for message in messages %}
{%- if message.role != 'assistant' %}{{ say(message.role, message.content, '<|end|>') }}
{%- elif message.tool_calls %}
{%- if message.thinking and message.content %}{{ raise_exception('either a thought or words') }}{% endif %}
{%- set before = message.thinking or message.content %}
{%- if before %}{{ say('assistant<|channel|>analysis', before, '<|end|>') }}{% endif %}
{%- for call in message.tool_calls %}
{%- set header = 'assistant to=functions.' + call.function.name + '<|channel|>commentary json' %}
{{- say(header, call.function.arguments | tojson, '<|call|>') }}
{%- endfor %}
{%- else %}{{ say('assistant<|channel|>final', message.content, '<|end|>') }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"""

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "of a city", "parameters": SCHEMA}
CITY = json.dumps({"city": "Paris"})

CHAT = {
    "reasoning_effort": "high",
    "tools": [{"type": "function", "function": FUNCTION}],
}
CALLED = {"tool_calls": [{"id": "c", "function": {"name": "weather", "arguments": CITY}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "sunny"}


def chat(*turn, **more):
    asked = {"role": "user", "content": "Paris?"}
    pieces = [{"role": "assistant", "content": None, **piece} for piece in turn]
    return parse_chat(json.dumps({**CHAT, "messages": [asked, *pieces, RESULT], **more}).encode()).request


def responses():
    items = [
        {"role": "user", "content": "Paris?"},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "I must look."}]},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": CITY},
        {"type": "function_call_output", "call_id": "c", "output": "sunny"},
    ]
    body = {"input": items, "reasoning": {"effort": "high"}, "tools": [{"type": "function", **FUNCTION}]}
    asked = parse_responses(json.dumps(body).encode())
    return asked.call([], asked.items).request


WAYS = {
    "reasoning": chat({"reasoning": "I must look.", **CALLED}),
    "reasoning_content": chat({"reasoning_content": "I must look.", **CALLED}),
    "in pieces": chat({"reasoning": "I must look."}, CALLED),
    "words between": chat({"reasoning": "I must look."}, {"content": "One moment."}, CALLED),
    "a call that must be made": chat({"reasoning": "I must look.", **CALLED}, tool_choice="required"),
    "responses": responses(),
}


def with_engine(model, work):
    async def main():
        engine = LlamaEngine(verify(model), EngineSettings(context_length=2048), chat_template=HARMONY)
        try:
            return await work(engine)
        finally:
            await engine.close()

    return anyio.run(main)


@pytest.fixture(scope="module")
def prompts(tiny):
    """The prompt of each of the ways."""

    async def render(engine):
        return {way: await engine.tokenizer.render(request) for way, request in WAYS.items()}

    return with_engine(tiny, render)


@pytest.mark.parametrize("way", WAYS)
def test_effort_tools_and_the_thought_before_a_call_are_in_the_prompt(prompts, way):
    start, *said = prompts[way].split("<|start|>")[1:]
    assert start == "system<|message|>Reasoning: high<|end|>"
    tool, question, thought, call, result, begun = said
    assert tool.startswith("developer<|message|>weather: ")
    assert question == "user<|message|>Paris?<|end|>"
    assert thought == "assistant<|channel|>analysis<|message|>I must look.<|end|>"
    assert call.startswith("assistant to=functions.weather<|channel|>commentary json<|message|>")
    assert json.loads(call.partition("<|message|>")[2].removesuffix("<|call|>")) == {"city": "Paris"}
    assert result == "tool<|message|>sunny<|end|>"
    assert begun == "assistant"


def looked_up(city):
    """A question, and how it was answered."""
    call = {"id": city, "function": {"name": "weather", "arguments": json.dumps({"city": city})}}
    return [
        {"role": "user", "content": f"{city}?"},
        {"role": "assistant", "reasoning": "I must look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": city, "content": "sunny"},
    ]


def test_a_thought_and_a_call_are_told_apart(tiny):
    before = [message for city in ("Paris", "Rome", "Oslo") for message in looked_up(city)]
    asked = {**CHAT, "messages": [*before, {"role": "user", "content": "Lyon?"}]}
    # gpt-oss ends there by itself; to the tiny model the mark is text.
    asked |= {"temperature": 0, "max_tokens": 60, "stop": ["<|call|>"]}

    async def answer(engine):
        completion = Completion()
        async with aclosing(engine.stream(parse_chat(json.dumps(asked).encode()).request)) as events:
            async for event in events:
                completion.add(event)
        return completion

    choice = with_engine(tiny, answer).choice()
    assert (choice.reasoning, choice.text) == ("I must look.", "")
    assert [(call.name, json.loads(call.arguments)) for call in choice.calls] == [
        ("weather", {"city": "Lyon"})
    ]
    assert choice.finish == "tool_calls"


def test_an_answer_in_no_channel_is_garbled(tiny):
    asked = {"messages": [{"role": "user", "content": "Paris?"}], "grammar": 'root ::= "Sunny."'}

    async def answer(engine):
        events = engine.stream(parse_chat(json.dumps(asked).encode()).request)
        with pytest.raises(AnswerGarbled, match="broke the format"):
            await anext(events)
        # The worker isn't the worse for it.
        return engine.crashes, engine.worker.alive

    assert with_engine(tiny, answer) == (0, True)
