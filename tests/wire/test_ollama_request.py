import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.messages import EFFORTS, ImagePart, TextPart
from isthmus.wire.ollama_request import parse_chat, parse_generate
from tests.wire.test_ollama_body import png

PNG = base64.b64encode(png()).decode()


def chat(**body):
    return parse_chat(json.dumps({"messages": [{"role": "user", "content": "hi"}], **body}).encode())


def generate(**body):
    return parse_generate(json.dumps({"prompt": "hi", **body}).encode())


def test_a_bare_conversation():
    call = chat(model="tiny")
    assert (call.model, call.stream, call.empty, call.api) == ("tiny", True, False, "chat")
    assert (call.keep_alive_s, call.num_ctx, call.ignored, call.handoff) == (None, None, (), None)
    assert [(m.role, m.content) for m in call.request.messages] == [("user", "hi")]


def test_images_stand_before_the_text():
    call = chat(messages=[{"role": "user", "content": "what?", "images": [PNG]}])
    assert call.request.messages[0].content == (
        ImagePart(f"data:image/png;base64,{PNG}"),
        TextPart("what?"),
    )
    assert generate(images=[PNG]).request.messages[0].images == 1


def test_thinking_is_given_back():
    call = chat(messages=[{"role": "assistant", "content": "4", "thinking": "2 + 2"}])
    assert call.request.messages[0].reasoning == "2 + 2"


@pytest.mark.parametrize(
    ("think", "effort"),
    [(None, None), (True, "medium"), (False, "none"), ("max", "xhigh"), *[(each, each) for each in EFFORTS]],
)
def test_thinking_is_an_effort(think, effort):
    assert chat(think=think).request.effort == effort


def test_an_effort_that_is_none_is_named_with_those_that_are():
    with pytest.raises(RequestError, match="'huge' is not one of true, false, none, minimal, low") as raised:
        chat(think="huge")
    assert raised.value.param == "think"


def called(name, **call):
    return {"function": {"name": name, "arguments": {}}, **call}


@pytest.mark.parametrize(
    ("calls", "results", "answered"),
    [
        ([called("a"), called("b")], [{}, {}], [0, 1]),
        ([called("a"), called("b")], [{"tool_name": "b"}, {"tool_name": "a"}], [1, 0]),
        ([called("a"), called("a")], [{"tool_name": "a"}, {"tool_name": "a"}], [0, 1]),
        ([called("a", id="x"), called("b", id="y")], [{"tool_call_id": "y"}, {"tool_call_id": "x"}], [1, 0]),
        ([called("a")], [{"tool_name": "other"}], [0]),
    ],
)
def test_results_find_their_calls(calls, results, answered):
    asked = [{"role": "assistant", "tool_calls": calls}]
    asked += [{"role": "tool", "content": "r", **result} for result in results]
    first, *rest = chat(messages=asked).request.messages
    assert [each.tool_call_id for each in rest] == [first.tool_calls[number].id for number in answered]
    assert len({call.id for call in first.tool_calls}) == len(calls)


def test_a_result_without_any_call_is_left_as_it_is():
    call = chat(messages=[{"role": "tool", "content": "r", "tool_name": "a"}])
    assert (call.request.messages[0].tool_call_id, call.request.messages[0].name) == (None, "a")


def test_arguments_may_be_an_object_or_its_text():
    calls = [{"function": {"name": "a", "arguments": given}} for given in ({"x": [1, "é"]}, '{"x": 2}')]
    (message,) = chat(messages=[{"role": "assistant", "tool_calls": calls}]).request.messages
    assert [json.loads(call.arguments) for call in message.tool_calls] == [{"x": [1, "é"]}, {"x": 2}]


def test_what_is_not_known_or_has_no_effect_is_listed():
    options = {"mirostat": 1, "num_gpu": 99, "num_thread": None, "temperature": 0, "num_ctx": 4096}
    call = chat(options=options, sparkle=1, shift=True)
    assert call.ignored == ("sparkle", "options.mirostat", "options.num_gpu", "shift")
    assert call.num_ctx == 4096
    assert chat(shift=False).ignored == ()


def test_the_handoff_mode_can_be_said():
    assert chat(isthmus={"handoff": "off"}).handoff == "off"
    with pytest.raises(RequestError, match="not one of off, shadow, ask, auto, always"):
        chat(isthmus={"handoff": "never"})


def test_a_prompt_with_a_gap_has_a_suffix_and_a_raw_one_no_template():
    assert generate(suffix="}").suffix == "}"
    assert generate(suffix="").suffix is None
    assert generate(suffix="}", system="be brief").ignored == ("system",)
    raw = generate(raw=True)
    assert raw.request.raw == "hi"
    assert raw.request.messages[0].text == "hi"


@pytest.mark.parametrize("body", [{"messages": []}, {"messages": None}, {}])
def test_an_empty_conversation_asks_for_no_answer(body):
    call = parse_chat(json.dumps(body).encode())
    assert call.empty
    assert parse_generate(b'{"prompt": "", "system": "x"}').empty


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = [
    *("model", "messages", "prompt", "stream", "format", "think", "options", "keep_alive", "truncate"),
    *("logprobs", "top_logprobs", "tools", "images", "suffix", "raw", "template", "context", "system"),
]


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=5))
def test_no_body_is_worse_than_a_bad_request(body):
    for parse in (parse_chat, parse_generate):
        with suppress(RequestError):
            parse(json.dumps(body).encode())
