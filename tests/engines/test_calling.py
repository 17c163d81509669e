"""What is made of tools for the engine, and, over the tiny model, that it holds."""

import json
from contextlib import aclosing

import anyio
import jsonschema_rs
import msgspec
import pytest

from isthmus.engines.calling import knows_tools, tell
from isthmus.engines.llama import LlamaEngine
from isthmus.errors import RequestError
from isthmus.messages import (
    Finish,
    GenerationRequest,
    Message,
    Notice,
    ReasoningDelta,
    TextDelta,
    TokenScores,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from isthmus.settings import EngineSettings
from isthmus.trust import verify

WEATHER = Tool(
    "get_weather",
    "the weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 30}, "unit": {"$ref": "#/$defs/unit"}},
        "required": ["city", "unit"],
        "additionalProperties": False,
        "$defs": {"unit": {"enum": ["C", "F"]}},
    },
    strict=True,
)
ADD = Tool("add", None, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
NOW = Tool("now")
TOOLS = (WEATHER, ADD, NOW)
ANSWER = {"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}}, "required": ["sky"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": ANSWER}}


def ask(text="What is the weather in Paris?", **more):
    return GenerationRequest((Message("user", text),), **more)


def named(name):
    return {"type": "function", "function": {"name": name}}


# ---------------------------------------------------------------- what the engine is told


def test_without_tools_a_request_stays_as_it_is():
    assert tell(ask(temperature=0.5), knows_tools=True).request == ask(temperature=0.5)
    assert tell(ask(), knows_tools=False).request == ask()


@pytest.mark.parametrize("template", [True, False])
def test_none_leaves_no_tool_anywhere(template):
    told = tell(ask(tools=TOOLS, tool_choice="none", parallel_tool_calls=True), knows_tools=template)
    assert told.request == ask()
    assert not told.tools


def test_a_template_with_tools_is_told_them_as_they_are():
    told = tell(ask(tools=TOOLS, parallel_tool_calls=False), knows_tools=True)
    assert [tool.name for tool in told.request.tools] == ["get_weather", "add", "now"]
    assert told.request.tools[0].parameters == WEATHER.parameters
    assert (told.request.tool_choice, told.request.parallel_tool_calls) == ("auto", False)
    assert told.request.messages == ask().messages


def test_a_template_without_is_told_them_in_a_system_message():
    told = tell(ask(tools=TOOLS), knows_tools=False)
    system, user = told.request.messages
    assert (system.role, user) == ("system", ask().messages[0])
    for tool in TOOLS:
        assert f'"name":"{tool.name}"' in system.text
    assert (told.request.tools, told.request.tool_choice, told.marks) == ((), None, True)


def test_log_probabilities_are_had_beside_tools():
    told = tell(ask(tools=TOOLS, top_logprobs=2), knows_tools=True)
    assert (told.request.tools, told.request.top_logprobs, told.marks) == ((), 2, True)


def test_a_conversation_goes_on_in_the_templates_own_words():
    called = Message("assistant", tool_calls=(ToolCall("c", "add", "no json"),))
    request = GenerationRequest((*ask().messages, called, Message("tool", "2", tool_call_id="c")))
    native = tell(request, knows_tools=True).request.messages
    assert native[1].tool_calls[0].arguments == '{"text":"no json"}'
    assert [each.role for each in tell(request, knows_tools=False).request.messages] == [
        "user",
        "assistant",
        "user",
    ]


def envelope(told):
    return told.request.response_format["json_schema"]["schema"]


def fits(told, *calls, **answer):
    said = answer or {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}
    return jsonschema_rs.is_valid(envelope(told), said)


PARIS = ("get_weather", {"city": "Paris", "unit": "C"})


@pytest.mark.parametrize("template", [True, False])
def test_a_call_that_must_be_made_is_held_by_a_schema(template):
    told = tell(ask(tools=TOOLS, tool_choice="required"), knows_tools=template)
    assert fits(told, PARIS)
    assert fits(told, PARIS, ("add", {"a": 1}), ("now", {}))
    assert not fits(told, ("get_weather", {"city": "Paris", "unit": "K"}))
    assert not fits(told, ("now", {"x": 1}))
    assert not fits(told, ("other", {}))
    assert not fits(told)
    assert (bool(told.request.tools), told.request.tool_choice) == (template, "none" if template else None)


@pytest.mark.parametrize(
    "terms", [{"tool_choice": named("add")}, {"tool_choice": "required", "parallel_tool_calls": False}]
)
def test_only_one_call_where_one_is_wanted(terms):
    told = tell(ask(tools=TOOLS, **terms), knows_tools=True)
    assert fits(told, ("add", {"a": 1}))
    assert not fits(told, ("add", {"a": 1}), ("add", {"a": 1}))
    assert fits(told, PARIS) == (terms["tool_choice"] == "required")


def test_a_form_beside_tools_is_for_the_answer_that_is_no_call():
    told = tell(ask(tools=TOOLS, response_format=FORMAT), knows_tools=True)
    assert fits(told, PARIS)
    assert fits(told, answer={"sky": "blue"})
    assert not fits(told, answer={"sky": "red"})
    must = tell(ask(tools=TOOLS, tool_choice="required", response_format=FORMAT), knows_tools=True)
    assert not fits(must, answer={"sky": "blue"})


@pytest.mark.parametrize(
    "form", [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"schema": {}}}]
)
def test_json_without_a_schema_is_still_held_to_json(form):
    sent = tell(ask(response_format=form), knows_tools=True).request.response_format
    assert sent["json_schema"]["schema"] == {"type": "object"}


def test_what_is_not_enforced_is_told_or_refused():
    loose = {"type": "object", "properties": {"a": {"type": "number", "maximum": 1}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": loose, "strict": False}}
    notice = tell(ask(response_format=form), knows_tools=True).notice
    assert notice == Notice(
        "schema_not_enforced", "not enforced: response_format.json_schema.schema.properties.a.maximum"
    )
    strict = {"type": "json_schema", "json_schema": {"name": "x", "schema": loose, "strict": True}}
    with pytest.raises(RequestError) as caught:
        tell(ask(response_format=strict), knows_tools=True)
    assert caught.value.param == "response_format.json_schema.schema.properties.a.maximum"
    for choice in ("auto", "required"):
        with pytest.raises(RequestError) as caught:
            tell(ask(tools=(ADD, Tool("f", None, loose, strict=True)), tool_choice=choice), knows_tools=False)
        assert caught.value.param == "tools[1].function.parameters.properties.a.maximum"
    assert tell(ask(tools=(Tool("f", None, loose),)), knows_tools=True).notice is not None


def test_what_is_no_schema_is_refused_whichever_api_let_it_pass():
    broken = {"type": "object", "properties": 5}
    with pytest.raises(RequestError):
        tell(ask(tools=(Tool("f", None, broken),)), knows_tools=True)
    form = {"type": "json_schema", "json_schema": {"schema": broken}}
    with pytest.raises(RequestError):
        tell(ask(response_format=form), knows_tools=True)


def test_what_a_worker_says_of_its_template():
    assert knows_tools({"chat_template_caps": {"supports_tools": True, "supports_tool_calls": True}})
    assert not knows_tools({"chat_template_caps": {"supports_tools": False, "supports_tool_calls": True}})
    assert not knows_tools({})


# ---------------------------------------------------------------- how its answer is read


def read(told, *events):
    async def main():
        async def answer():
            for event in events:
                yield event

        async with aclosing(told.read(answer())) as said:
            return [event async for event in said]

    return anyio.run(main)


def test_each_choice_is_read_for_itself():
    told = tell(ask(tools=TOOLS, tool_choice=named("now"), n=2), knows_tools=True)
    call = '{"tool_calls": [{"name": "now", "arguments": {}}]}'
    events = read(
        told,
        TextDelta(call[:20], 0),
        TextDelta(call, 1),
        TextDelta(call[20:], 0),
        Finish("stop", index=1),
        Finish("length"),
    )
    made = [event for event in events if isinstance(event, ToolCallDelta) and event.name]
    assert [(each.index, each.position) for each in made] == [(1, 0), (0, 0)]
    assert len({each.id for each in made}) == 2
    assert [(each.index, each.reason) for each in events if isinstance(each, Finish)] == [
        (1, "tool_calls"),
        (0, "length"),
    ]


def test_the_engines_own_calls_come_after_those_in_the_text():
    told = tell(ask(tools=TOOLS), knows_tools=True)
    events = read(
        told,
        TextDelta('{"name": "now", "arguments": {}}'),
        ToolCallDelta(0, "c", "add", ""),
        ToolCallDelta(0, arguments="{}"),
        Finish("tool_calls"),
    )
    assert [each.position for each in events if isinstance(each, ToolCallDelta)] == [0, 0, 1, 1]


# ---------------------------------------------------------------- over real weights


def answers(model, *requests, **more):
    async def main():
        engine = LlamaEngine(verify(model), EngineSettings(context_length=2048, parallel=2), **more)
        try:
            return [await gathered(engine, request) for request in requests]
        finally:
            await engine.close()

    return anyio.run(main)


async def gathered(engine, request):
    """The calls, the text, why it ended, and how many tokens were scored or thought."""
    calls, text, scores, reason = [], "", 0, None
    request = msgspec.structs.replace(request, max_tokens=120, temperature=0.0)
    async with aclosing(engine.stream(request)) as events:
        async for event in events:
            match event:
                case ToolCallDelta(name=str(name)):
                    calls.append([name, ""])
                case ToolCallDelta(arguments=arguments):
                    calls[-1][1] += arguments
                case TextDelta(said):
                    text += said
                case TokenScores(tokens):
                    scores += len(tokens)
                case ReasoningDelta():
                    scores += 1
                case Finish():
                    reason = event.reason
                case _:
                    pass
    return [(name, json.loads(arguments)) for name, arguments in calls], text, reason, scores


def check_choices(model):
    required, one, add, none, form, scored = answers(
        model,
        ask(tools=TOOLS[:2], tool_choice="required"),
        ask(tools=TOOLS[:2], tool_choice="required", parallel_tool_calls=False),
        ask(tools=TOOLS, tool_choice=named("add")),
        ask(tools=TOOLS, tool_choice="none"),
        ask(response_format=FORMAT),
        ask(tools=TOOLS[:1], tool_choice="required", parallel_tool_calls=False, top_logprobs=1),
    )
    for calls, text, reason, _ in (required, one, scored):
        assert calls
        assert (text, reason) == ("", "tool_calls")
        for name, arguments in calls:
            tool = {"get_weather": WEATHER, "add": ADD}[name]
            assert jsonschema_rs.is_valid(tool.parameters, arguments)
    assert len(one[0]) == 1
    assert [name for name, _ in add[0]] == ["add"]
    assert none[0] == []
    assert none[1]
    assert "tool_call" not in none[1]
    assert jsonschema_rs.is_valid(ANSWER, json.loads(form[1]))
    assert scored[3] > 0


def test_a_choice_is_enforced_where_the_template_knows_no_tools(tiny):
    check_choices(tiny)


def test_a_prompt_is_counted_with_its_tools(tiny):
    requests = [ask(tools=TOOLS, max_tokens=1), ask(tools=TOOLS, tool_choice="required", max_tokens=1)]

    async def main():
        engine = LlamaEngine(verify(tiny), EngineSettings(context_length=2048, parallel=2))
        try:
            for request in requests:
                async with aclosing(engine.stream(request)) as events:
                    *_, last = [event async for event in events]
                assert await engine.tokenizer.count(request) == last.usage.prompt_tokens
                assert "get_weather" in await engine.tokenizer.render(request)
        finally:
            await engine.close()

    anyio.run(main)


THINKS = """
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.reasoning_content %}
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
{%- endif %}
{{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\\n\\n</think>\\n\\n' }}
{%- else %}{{- '<think>\\n' }}{% endif %}
{%- endif %}"""


def test_what_must_hold_of_an_answer_holds_after_thinking(tiny):
    # So small a model would think for ever.
    form, call, at_once = answers(
        tiny,
        ask(response_format=FORMAT, reasoning_budget=10),
        ask(tools=(ADD,), tool_choice=named("add"), reasoning_budget=10),
        ask(response_format=FORMAT, effort="none"),
        chat_template=THINKS,
    )
    assert jsonschema_rs.is_valid(ANSWER, json.loads(form[1]))
    assert [name for name, _ in call[0]] == ["add"]
    assert jsonschema_rs.is_valid(ANSWER, json.loads(at_once[1]))
    assert [thoughts > 0 for *_, thoughts in (form, call, at_once)] == [True, True, False]


@pytest.mark.starter
def test_a_choice_is_enforced_where_it_does(starter):
    check_choices(starter)


@pytest.mark.starter
def test_a_model_calls_of_its_own_accord_and_goes_on_with_the_result(starter):
    request = ask("What is the weather in Paris right now, in C?", tools=(WEATHER,))
    ((calls, text, reason, _),) = answers(starter, request)
    assert [(name, arguments["city"]) for name, arguments in calls] == [("get_weather", "Paris")]
    assert (text, reason) == ("", "tool_calls")
    called = Message("assistant", tool_calls=(ToolCall("c", "get_weather", json.dumps(calls[0][1])),))
    result = Message("tool", '{"temperature": 31, "sky": "clear"}', tool_call_id="c")
    # Left to itself so small a model calls again.
    going_on = msgspec.structs.replace(
        request, messages=(*request.messages, called, result), tool_choice="none"
    )
    ((calls, text, _, _),) = answers(starter, going_on)
    assert calls == []
    assert "31" in text
