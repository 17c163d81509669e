"""The runner that a person already has, behind a scripted upstream."""

from contextlib import aclosing

import anyio
import pytest

from isthmus.engines.runner import RunnerEngine
from isthmus.errors import Busy, ContextLengthExceeded, EngineError, RequestError, UnknownModel
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta
from isthmus.settings import ProviderSettings, Secret
from tests.upstream import CLOSE, Upstream, answer, chunk, status, stream

REQUEST = GenerationRequest((Message("developer", "be brief"), Message("user", "hi", reasoning="hmm")))


def ask(url, *, key=None):
    async def main():
        engine = RunnerEngine("ollama", ProviderSettings(url, local=True), "qwen3:8b", key=key)
        try:
            async with aclosing(engine.stream(REQUEST)) as events:
                return [event async for event in events]
        finally:
            await engine.close()

    return anyio.run(main)


def test_an_answer_and_what_was_asked():
    with Upstream(answer("Paris.")) as upstream:
        events = ask(upstream.url, key=Secret("k"))
        (asked,) = upstream.requests
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Paris."
    assert isinstance(events[-1], Finish)
    assert asked.headers["authorization"] == "Bearer k"
    assert b'"role":"system"' in asked.body


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (status(404, {"error": {"message": "no such model"}}), UnknownModel, "qwen3:8b"),
        (status(400, {"error": {"message": "bad"}}), RequestError, "bad"),
        (
            status(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
            ContextLengthExceeded,
            "too long",
        ),
        (status(500, {"error": {"message": "oops"}}), EngineError, "oops"),
        ([*stream(chunk("Par")), CLOSE], EngineError, "ollama"),
    ],
)
def test_what_goes_wrong_names_the_runner(reply, kind, says):
    with Upstream(reply) as upstream, pytest.raises(kind, match=says):
        ask(upstream.url)


def test_a_runner_that_is_busy_says_when_to_come_back_and_its_hint_is_passed_on():
    refusal = {"error": {"message": "a queue is full", "hint": "try again later"}}
    with Upstream(status(429, refusal, {"Retry-After": "7"})) as upstream, pytest.raises(Busy) as refused:
        ask(upstream.url)
    assert (refused.value.retry_after_s, refused.value.hint) == (7, "try again later")
    assert refused.value.message == "ollama is busy: a queue is full"


def test_a_runner_that_is_not_there_says_so_and_hides_the_password_in_its_address():
    with pytest.raises(EngineError, match="can't be reached") as refused:
        ask("http://ann:secret@127.0.0.1:9/v1")
    assert "secret" not in refused.value.message
    assert refused.value.hint == "start ollama"


def test_a_raw_prompt_goes_to_completions_and_comes_back_as_text():
    async def main(url):
        engine = RunnerEngine("ollama", ProviderSettings(url, local=True), "m")
        try:
            request = GenerationRequest((Message("user", "Once"),), max_tokens=3, raw="Once")
            return [event async for event in engine.stream(request)]
        finally:
            await engine.close()

    said = {"choices": [{"index": 0, "text": " upon", "finish_reason": None}]}
    ended = {"choices": [{"index": 0, "text": "", "finish_reason": "length"}]}
    with Upstream(stream(said, ended)) as upstream:
        events = anyio.run(main, upstream.url)
        (asked,) = upstream.requests
    assert events == [TextDelta(" upon"), Finish("length")]
    assert asked.target == "/v1/completions"
    assert asked.json["prompt"] == "Once"
