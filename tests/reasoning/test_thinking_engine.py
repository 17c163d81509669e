"""A thought in a real engine. The tiny model doesn't think, but a template that opens a thought makes it."""

from contextlib import aclosing

import anyio
import pytest

from isthmus.engines.llama import LlamaEngine
from isthmus.messages import Finish, GenerationRequest, Message
from isthmus.reasoning.budget import CLOSING
from isthmus.reasoning.families import family_of
from isthmus.reasoning.thinking import Thinking
from isthmus.settings import EngineSettings
from isthmus.trust import verify
from tests.reasoning.said import gathered

OPENED = """
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.role == 'assistant' %}{{ message.content.split('</think>')[-1] }}
{%- else %}{{ message.content }}{% endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"""
HI = (Message("user", "Say hi."),)
SAYS = "Let me see."


@pytest.fixture(scope="module")
def answers(tiny):
    """What the model says to three requests, one after the other, and how its own tokenizer counts."""
    asked = {
        "for ever": GenerationRequest(
            HI, max_tokens=32, reasoning_budget=6, temperature=0.0, ignore_eos=True
        ),
        # Held to these words, it has thought and ends; asked to go on, it has only them for an answer.
        "silent": GenerationRequest(HI, max_tokens=32, temperature=0.0, grammar=f'root ::= "{SAYS}"'),
        "next": GenerationRequest(HI, max_tokens=4, temperature=0.0),
    }

    async def main():
        settings = EngineSettings(context_length=1024, parallel=1)
        engine = LlamaEngine(verify(tiny), settings, chat_template=OPENED)
        thinking = Thinking(engine)
        said = {}
        try:
            for name, request in asked.items():
                async with aclosing(thinking.stream(request)) as events:
                    said[name] = [event async for event in events]
            said["tokens"] = len(await engine.tokenizer.tokenize(SAYS))
            said["family"] = family_of(engine.model)
        finally:
            await thinking.close()
        return said

    return anyio.run(main)


def test_a_thought_that_never_ends_is_ended_at_its_budget_and_answered(answers):
    (kind, thought), (_, answer) = gathered(answers["for ever"])
    assert kind == "thought"
    assert thought.rstrip().endswith(CLOSING)
    assert answer.strip()
    finish = answers["for ever"][-1]
    assert (finish.reason, finish.usage.completion_tokens) == ("length", 32)
    assert 6 <= finish.usage.reasoning_tokens < 32


def test_a_thought_without_an_answer_is_continued_in_the_same_slot(answers):
    assert gathered(answers["silent"]) == [("thought", SAYS), ("text", SAYS)]
    finish = answers["silent"][-1]
    assert finish.reason == "stop"
    assert finish.usage.reasoning_tokens == pytest.approx(answers["tokens"], abs=2)
    assert finish.usage.completion_tokens >= 2 * answers["tokens"]


def test_the_next_request_is_unharmed(answers):
    assert answers["family"].name == "marked"
    assert isinstance(answers["next"][-1], Finish)
    assert gathered(answers["next"])
