"""Inspect's language and ours, both ways."""

import json

import pytest
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentAudio,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ResponseSchema,
)
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolFunction, ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

from isthmus.errors import RequestError
from isthmus.evals.provider import IsthmusAPI
from isthmus.evals.translating import as_output, as_request
from isthmus.messages import (
    Decision,
    Evidence,
    Finish,
    ImagePart,
    Message,
    ReasoningDelta,
    Route,
    TextDelta,
    TextPart,
    TokenScore,
    TokenScores,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.gathered import Completion

ADD = ToolInfo(
    name="add",
    description="Add two numbers.",
    parameters=ToolParams(properties={"x": JSONSchema(type="integer")}, required=["x"]),
)


def request_of(*messages, tools=(), choice="auto", **config):
    return as_request(messages, tools, choice, GenerateConfig(**config))


def test_a_conversation_with_thought_tools_and_pictures():
    call = InspectCall(id="1", function="add", arguments={"x": 2})
    request = request_of(
        ChatMessageSystem(content="Be brief."),
        ChatMessageUser(content=[ContentText(text="What is this?"), ContentImage(image="data:image/png,x")]),
        ChatMessageAssistant(
            content=[ContentReasoning(reasoning="Hm."), ContentText(text="Let me add.")], tool_calls=[call]
        ),
        ChatMessageTool(content="3", tool_call_id="1", function="add"),
    )
    assert request.messages == (
        Message("system", "Be brief."),
        Message("user", (TextPart("What is this?"), ImagePart("data:image/png,x", "auto"))),
        Message("assistant", "Let me add.", reasoning="Hm.", tool_calls=(ToolCall("1", "add", '{"x": 2}'),)),
        Message("tool", "3", tool_call_id="1", name="add"),
    )


def test_settings_arrive_and_what_was_not_set_stays_unset():
    request = request_of(
        ChatMessageUser(content="Hi"),
        reasoning_effort="max",
        reasoning_tokens=100,
        logprobs=True,
        top_logprobs=3,
        stop_seqs=["END"],
        seed=7,
        response_schema=ResponseSchema(name="a", json_schema=JSONSchema(type="object")),
    )
    assert (request.effort, request.reasoning_budget, request.top_logprobs) == ("xhigh", 100, 3)
    assert (request.stop, request.seed) == (("END",), 7)
    assert request.response_format["json_schema"]["schema"]["type"] == "object"
    plain = request_of(ChatMessageUser(content="Hi"))
    assert plain == as_request([ChatMessageUser(content="Hi")], [], "auto", GenerateConfig(logprobs=False))
    assert (plain.temperature, plain.top_logprobs, plain.tool_choice, plain.n) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("choice", "ours"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ("none", "none"),
        (ToolFunction("add"), {"type": "function", "function": {"name": "add"}}),
    ],
)
def test_which_tool_is_to_be_called(choice, ours):
    request = request_of(ChatMessageUser(content="Hi"), tools=[ADD], choice=choice)
    assert request.tool_choice == ours
    assert request.tools[0].parameters["properties"] == {"x": {"type": "integer"}}


def test_what_no_model_here_can_read_is_refused():
    with pytest.raises(RequestError, match="audio"):
        request_of(ChatMessageUser(content=[ContentAudio(audio="data:audio/wav,x", format="wav")]))


def output_of(*events):
    completion = Completion()
    for each in events:
        completion.add(each)
    return as_output(completion, "small")


def test_an_answer_with_all_that_came_beside_it():
    decision = Decision("hosted", "looks_hard", "estimate", Evidence(score=0.71))
    output = output_of(
        Route(decision, "large", "away"),
        ReasoningDelta("Hm."),
        TokenScores((TokenScore("4", -0.5, (TokenScore("4", -0.5), TokenScore("5", -1.2))),)),
        TextDelta("4"),
        Finish("length", Usage(10, 3, 1, 4), cost_usd=0.25),
    )
    assert output.completion == "4"
    assert output.message.content[0].reasoning == "Hm."
    assert output.stop_reason == "max_tokens"
    assert output.choices[0].logprobs.content[0].top_logprobs[1].logprob == -1.2
    usage = output.usage
    assert (usage.input_tokens, usage.input_tokens_cache_read, usage.output_tokens) == (6, 4, 3)
    assert (usage.reasoning_tokens, usage.total_tokens, usage.total_cost) == (1, 13, 0.25)
    said = output.metadata["isthmus"]
    assert (said["route"], said["score"], said["provider"]) == ("hosted", 0.71, "away")
    assert output.model == "large"


@pytest.mark.parametrize("arguments", ['{"x": 2', "[2]"])
def test_arguments_that_cannot_be_read_are_the_models_error(arguments):
    output = output_of(ToolCallDelta(0, "1", "add", arguments), Finish("tool_calls", None))
    (call,) = output.message.tool_calls
    assert call.arguments == {}
    assert "no JSON" in call.parse_error
    good = output_of(ToolCallDelta(0, "1", "add", json.dumps({"x": 2})), Finish("tool_calls", None))
    assert good.message.tool_calls[0].arguments == {"x": 2}


@pytest.mark.anyio
async def test_tokens_are_counted_without_the_net():
    """Inspect's own count fetches a vocabulary; the tests' guard would fail this one."""
    assert await IsthmusAPI("default").count_tokens("What is 2 + 2?") == 4


@pytest.mark.parametrize("given", [{"base_url": "http://127.0.0.1:1/v1"}, {"api_key": "secret"}])
def test_an_address_or_a_key_would_be_ignored_so_it_is_refused(given):
    with pytest.raises(Exception, match="takes no address and no key"):
        IsthmusAPI("default", **given)
