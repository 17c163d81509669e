"""Tokens as the tiny model cuts them, and as runners do that can."""

import anyio
import pytest

from isthmus.engines.llama import LlamaEngine
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import EngineError, RequestError
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta
from isthmus.settings import EngineSettings, ProviderSettings
from isthmus.trust import verify
from tests.upstream import Upstream, status

TEXTS = ("", "The sky is blue.", "naïve café 🙂 漢字\n\n\tend", "<|im_start|>user\nhi<|im_end|>\n")


def with_engine(model, work):
    async def main():
        engine = LlamaEngine(verify(model), EngineSettings(context_length=1024, parallel=2))
        try:
            return await work(engine)
        finally:
            await engine.close()

    return anyio.run(main)


async def last(events):
    return [event async for event in events][-1]


def test_text_goes_through_tokens_unharmed(tiny):
    async def work(engine):
        for text in TEXTS:
            for special in (False, True):
                tokens = await engine.tokenizer.tokenize(text, special=special)
                assert await engine.tokenizer.detokenize(tokens) == text
                assert b"".join(await engine.tokenizer.pieces(tokens)) == text.encode()

    with_engine(tiny, work)


def test_marks_count_as_such_only_where_that_is_asked(tiny):
    async def work(engine):
        assert len(await engine.tokenizer.tokenize("<|im_start|>", special=True)) == 1
        assert len(await engine.tokenizer.tokenize("<|im_start|>")) > 1

    with_engine(tiny, work)


def test_a_character_may_lie_across_two_tokens(tiny):
    async def work(engine):
        pieces = await engine.tokenizer.pieces(await engine.tokenizer.tokenize("🙂"))
        assert len(pieces) > 1
        with pytest.raises(UnicodeDecodeError):
            pieces[0].decode()

    with_engine(tiny, work)


def test_a_token_that_the_model_lacks_is_the_requests_fault(tiny):
    async def work(engine):
        for wrong in (-1, 49152, 2**31 - 1):
            with pytest.raises(RequestError, match=rf"no token {wrong}") as caught:
                await engine.tokenizer.detokenize([1, wrong])
            assert caught.value.param == "tokens"

    with_engine(tiny, work)


def test_counts_are_what_usage_says(tiny):
    async def work(engine):
        conversation = (
            Message("system", "Be brief."),
            Message("user", "Why is the sky blue?"),
            Message("assistant", "It scatters."),
            Message("user", "What does?"),
        )
        words = await engine.tokenizer.tokenize("Once upon a time", add_special=True)
        requests = (
            GenerationRequest(conversation, max_tokens=1),
            GenerationRequest((), max_tokens=1, raw="Once upon a time"),
            GenerationRequest((), max_tokens=1, raw=tuple(words)),
        )
        for request in requests:
            finish = await last(engine.stream(request))
            assert isinstance(finish, Finish)
            assert await engine.tokenizer.count(request) == finish.usage.prompt_tokens
            prompt = await engine.tokenizer.render(request)
            again = await engine.tokenizer.tokenize(prompt, special=True, add_special=True)
            assert len(again) == finish.usage.prompt_tokens

    with_engine(tiny, work)


def test_a_raw_prompt_is_read_without_the_template(tiny):
    async def work(engine):
        request = GenerationRequest((), max_tokens=8, temperature=0, raw="1, 2, 3, 4, 5, 6, 7,")
        tokens = tuple(await engine.tokenizer.tokenize(request.raw, add_special=True))
        answers = []
        for raw in (request.raw, tokens):
            events = [event async for event in engine.stream(GenerationRequest((), 8, 0, raw=raw))]
            answers.append("".join(event.text for event in events if isinstance(event, TextDelta)))
        assert answers[0].startswith(" 8, 9, ")
        assert answers[0] == answers[1]

    with_engine(tiny, work)


# ---------------------------------------------------------------- runners


def with_runner(work, *replies):
    async def main(url):
        engine = RunnerEngine("mine", ProviderSettings(url, local=True), "m")
        try:
            return await work(engine.tokenizer)
        finally:
            await engine.close()

    with Upstream(*replies) as upstream:
        return anyio.run(main, upstream.url), upstream.requests


def test_a_runner_is_asked_beside_its_version_in_the_words_of_both_servers():
    tokens, (asked,) = with_runner(
        lambda tokenizer: tokenizer.tokenize("hi"), status(200, {"tokens": [1, 2]})
    )
    assert tokens == [1, 2]
    assert asked.target == "/tokenize"
    assert asked.json["content"] == asked.json["prompt"] == "hi"


@pytest.mark.parametrize("name", ["content", "prompt"])
def test_a_runner_puts_tokens_together_under_either_name(name):
    text, _ = with_runner(lambda tokenizer: tokenizer.detokenize([1]), status(200, {name: "hi"}))
    assert text == "hi"


def test_a_runner_counts_and_renders_conversations():
    request = GenerationRequest((Message("user", "hi"),))
    count, _ = with_runner(lambda tokenizer: tokenizer.count(request), status(200, {"input_tokens": 7}))
    prompt, _ = with_runner(lambda tokenizer: tokenizer.render(request), status(200, {"prompt": "<hi>"}))
    assert (count, prompt) == (7, "<hi>")


def test_raw_prompts_need_no_template():
    tokens = GenerationRequest((), raw=(1, 2, 3))
    text = GenerationRequest((), raw="hi")
    assert with_runner(lambda tokenizer: tokenizer.count(tokens), status(500)) == (3, [])
    assert with_runner(lambda tokenizer: tokenizer.render(text), status(500)) == ("hi", [])
    count, _ = with_runner(lambda tokenizer: tokenizer.count(text), status(200, {"tokens": [4, 5]}))
    assert count == 2


@pytest.mark.parametrize("reply", [status(404, {"error": "?"}), status(405, {}), status(200, {"ok": True})])
def test_a_runner_that_has_no_tokenizer_is_named(reply):
    with pytest.raises(RequestError, match=r"mine .*/tokenize"):
        with_runner(lambda tokenizer: tokenizer.tokenize("hi"), reply)


def test_a_runner_that_fails_is_named():
    with pytest.raises(EngineError, match="mine failed"):
        with_runner(lambda tokenizer: tokenizer.tokenize("hi"), status(500, {"error": {"message": "oops"}}))
