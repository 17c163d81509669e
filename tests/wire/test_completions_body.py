"""Calls upstream: raw prompts go where no template is."""

import json

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


def test_tokens_and_log_probabilities_are_asked_for_as_each_server_wants_them():
    request = GenerationRequest((), raw=(1, 2), top_logprobs=0)
    for dialect, least in (("llama", 1), ("runner", 0)):
        asked = json.loads(render_call(request, "m", dialect).body)
        assert (asked["prompt"], asked["logprobs"]) == ([1, 2], least)
