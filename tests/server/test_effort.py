"""Effort over HTTP: what a vote looks like to a client, and what is kept of it."""

import json

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, ModelInfo, TextDelta, Usage
from tests.reasoning.batches import batch
from tests.server.test_chat import client
from tests.server.test_chat import post as sent
from tests.server.tiny import TinyLoader

ASKED = [{"role": "user", "content": "How many is 6 x 7?"}]
INFO = ModelInfo("scripted", local=True, context_length=4096, template="{{ messages }}")
RIGHT, WRONG = "6 * 7 = 42\n\\boxed{42}", "6 + 7 = 13\n\\boxed{13}"


def post(server, body):
    status, _, answer = sent(server, body)
    return status, json.loads(answer)


def engine():
    return ScriptedEngine(batch(RIGHT), batch(WRONG), batch(RIGHT, RIGHT), model=INFO)


def test_a_vote_comes_as_reasoning_and_one_answer(serving):
    with serving(engine(), reasoning__wave=3) as server:
        status, told = post(server, {"messages": ASKED, "reasoning_effort": "high"})
        rows = server.ledger.questions(9)
    assert status == 200
    (choice,) = told["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("42", "stop")
    assert "3 of 8 samples: 42 (2), 13 (1)" in choice["message"]["reasoning"]
    reasoned = told["isthmus"]["reasoning"]
    assert (reasoned["effort"], reasoned["method"], reasoned["stopped"]) == ("high", "vote", "settled")
    assert (reasoned["samples"], reasoned["most"], reasoned["agreement"]) == (4, 8, 0.75)
    details = told["usage"]["completion_tokens_details"]
    assert told["usage"]["completion_tokens"] == reasoned["tokens"] == details["reasoning_tokens"] + 1
    (row,) = rows
    assert row.evidence["reasoning"] == reasoned
    assert row.reasoning_tokens == details["reasoning_tokens"]


def test_a_vote_that_is_streamed_shows_itself_as_it_forms(serving):
    with serving(engine(), reasoning__wave=3) as server:
        chunks = list(
            client(server).chat.completions.create(
                model="scripted",
                messages=ASKED,
                reasoning_effort="high",
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    thought = "".join(getattr(delta, "reasoning", None) or "" for delta in deltas)
    assert "1 of 8 samples: 42 (1)\n" in thought
    assert "".join(delta.content or "" for delta in deltas) == "42"
    assert chunks[-1].model_extra["isthmus"]["reasoning"]["agreement"] == 0.75


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_what_bounds_a_sample_and_what_bounds_all_of_them(serving, limit):
    scripted = engine()
    with serving(scripted, reasoning__wave=3) as server:
        post(server, {"messages": ASKED, "reasoning_effort": "high", limit: 512})
    drawn = [(each.n, each.max_tokens) for each in scripted.requests]
    assert drawn[:3] == ([(1, 512), (1, 512), (2, 512)] if limit == "max_tokens" else [(1, 256), (1, 256)])


def test_no_effort_is_passed_through(serving):
    plain = ScriptedEngine([TextDelta("42"), Finish("stop", Usage(5, 1))], model=INFO)
    with serving(plain) as server:
        told = post(server, {"messages": ASKED, "reasoning_effort": "none"})[1]
    assert "reasoning" not in told["isthmus"]
    assert [each.effort for each in plain.requests] == ["none"]


def test_real_weights_are_drawn_from_in_batches_and_voted_on(serving, settings, tiny):
    limits = {"reasoning__samples": 3, "reasoning__wave": 2, "reasoning__sample_tokens": 16}
    with serving(TinyLoader(settings(engine__context_length=1024), tiny), mib=4000, **limits) as server:
        chat = client(server).chat.completions
        told = chat.create(model="default", messages=ASKED, reasoning_effort="high", seed=1).to_dict()
        assert chat.create(model="default", messages=ASKED, max_tokens=2).choices
    reasoned, usage = told["isthmus"]["reasoning"], told["usage"]
    assert reasoned["method"] == "vote"
    assert 0 < reasoned["samples"] <= 3
    assert told["choices"][0]["finish_reason"] in ("stop", "length")
    assert " of 3 samples: " in told["choices"][0]["message"]["reasoning"]
    assert 0 < usage["completion_tokens"] <= 3 * 16 + 16
    assert usage["completion_tokens_details"]["reasoning_tokens"] <= usage["completion_tokens"]
