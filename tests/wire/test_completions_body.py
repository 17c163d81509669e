"""Calls upstream: raw prompts go where no template is."""

import json

import msgspec
import pytest

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest, Message
from isthmus.wire.completions_body import render_call

CHAT = GenerationRequest((Message("user", "hi"),), max_tokens=3)
RAW = GenerationRequest((Message("user", "hi"),), max_tokens=3, stop=("x",), n=2, raw="hi")


def test_a_conversation_goes_to_chat_completions():
    path, body = render_call(CHAT, "m", "llama")
    assert path == "/chat/completions"
    assert json.loads(body)["messages"] == [{"role": "user", "content": "hi"}]


def test_a_raw_prompt_goes_to_completions_without_its_messages():
    path, body = render_call(RAW, "m", "runner")
    asked = json.loads(body)
    assert path == "/completions"
    assert (asked["prompt"], asked["max_tokens"], asked["stop"], asked["n"]) == ("hi", 3, ["x"], 2)
    assert asked["stream"] is True
    assert "messages" not in asked
    assert "logprobs" not in asked


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": 1}}}, {"const": 1}),
        ({"type": "json_object"}, {"type": "object"}),
    ],
)
def test_a_prompts_form_is_asked_for_as_each_server_wants_it(form, schema):
    request = GenerationRequest((), raw="hi", response_format=form)
    ours = json.loads(render_call(request, "m", "llama").body)
    theirs = json.loads(render_call(request, "m", "runner").body)
    assert (ours["json_schema"], "response_format" in ours) == (schema, False)
    assert (theirs["response_format"], "json_schema" in theirs) == (form, False)


@pytest.mark.parametrize("asked", [CHAT, RAW])
def test_a_grammar_goes_to_our_own_worker_alone(asked):
    request = msgspec.structs.replace(asked, grammar='root ::= "a"', ignore_eos=True)
    sent = json.loads(render_call(request, "m", "llama").body)
    assert (sent["grammar"], sent["ignore_eos"]) == ('root ::= "a"', True)
    with pytest.raises(RequestError) as caught:
        render_call(request, "m", "runner")
    assert caught.value.param == "grammar"


def test_tokens_and_log_probabilities_are_asked_for_as_each_server_wants_them():
    request = GenerationRequest((), raw=(1, 2), top_logprobs=0)
    for dialect, least in (("llama", 1), ("runner", 0)):
        asked = json.loads(render_call(request, "m", dialect).body)
        assert (asked["prompt"], asked["logprobs"]) == ([1, 2], least)
