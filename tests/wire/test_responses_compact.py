import json

import msgspec
import pytest
from openai.types.responses import CompactedResponse

from isthmus.errors import RequestError
from isthmus.messages import Decision, Finish, ReasoningDelta, Route, TextDelta, Usage
from isthmus.wire import responses_answer
from isthmus.wire.gathered import Completion
from isthmus.wire.responses_compact import parse_compact, render_compacted, summing_up
from isthmus.wire.responses_items import read_input
from isthmus.wire.responses_summary import packed, recalled, unpacked
from tests import open_responses


def parsed(**body):
    return parse_compact(json.dumps(body).encode())


def user(text):
    return {"role": "user", "content": text}


def call_of(*items, history=(), **more):
    asked = parsed(model="m", input=list(items), **more)
    return summing_up(asked.call(list(history), asked.items))


def completed(*events):
    completion = Completion()
    for event in (Route(Decision("local", "mode_off"), "tiny"), *events, Finish("stop", Usage(7, 3, 1, 2))):
        completion.add(event)
    return completion


def test_the_model_is_asked_to_sum_up_what_it_is_given():
    asked = parsed(model="m", input="We launch on Tuesday.", instructions="Be brief.", prompt_cache_key="k")
    call = summing_up(asked.call([], asked.items))
    system, said, task = call.request.messages
    assert (system.text, said.text) == ("Be brief.", "We launch on Tuesday.")
    assert (task.role, "Summarize" in task.text) == ("user", True)
    assert (call.model, call.stream, call.store, call.ignored) == ("m", False, False, ())
    assert (call.request.max_tokens, call.request.reasoning_budget) == (2048, 1024)
    assert call_of(user("hi"), max_output_tokens=8).request.max_tokens == 8


def test_what_has_no_effect_is_named():
    assert parsed(model="m", input="x", tools=[], parallel_tool_calls=True).ignored == (
        "parallel_tool_calls",
        "tools",
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": None}, "model"),
        ({"model": "m", "input": [5]}, "input[0]"),
        ({"model": "m", "max_output_tokens": 0}, "max_output_tokens"),
        ({"model": "m", "isthmus": {"handoff": "maybe"}}, "isthmus.handoff"),
    ],
)
def test_a_bad_request_names_its_parameter(body, param):
    with pytest.raises(RequestError) as raised:
        parsed(**body)
    assert raised.value.param == param


def test_a_summary_stands_for_the_conversation():
    said = completed(ReasoningDelta("hm"), TextDelta("\nTues"), TextDelta("day. "))
    compacted = json.loads(render_compacted(call_of(user("hi")), said))
    open_responses.check_compacted(compacted)
    CompactedResponse.model_validate({**compacted, "output": compacted["output"][1:]}, strict=True)
    msgspec.convert(compacted, responses_answer.CompactedResponse)
    assert (compacted["usage"]["input_tokens"], compacted["isthmus"]["route"]) == (7, "local")
    asked = parsed(model="m", input=compacted["output"])
    person, summary = asked.call([], asked.items).request.messages
    assert (person.text, summary.text) == ("hi", recalled("Tuesday."))
    assert read_input(asked.items) == asked.items


def test_what_the_person_said_stays_and_an_earlier_summary_does_not():
    history = read_input([{"type": "compaction", "encrypted_content": packed("x")}, user("one")])
    call = call_of({"role": "assistant", "content": "yes"}, user("two"), history=history)
    assert [message.text for message in call.request.messages[:2]] == [recalled("x"), "one"]
    output = json.loads(render_compacted(call, completed(TextDelta("Both."))))["output"]
    assert [item["type"] for item in output] == ["message", "message", "compaction"]
    assert [item["content"][0]["text"] for item in output[:2]] == ["one", "two"]
    assert unpacked(output[2]["encrypted_content"], "x") == "Both."


def test_a_conversation_that_is_not_summed_up_stays_as_it_is():
    call = call_of(user("hi"), {"role": "assistant", "content": "yes"})
    said = completed(ReasoningDelta("hm"), TextDelta(" \n"))
    assert json.loads(render_compacted(call, said))["output"] == call.items
