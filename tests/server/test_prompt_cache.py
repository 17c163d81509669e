"""A coding agent over a real worker: its second turn comes from the cache, its stop sequences are told."""

import openai
import pytest

from isthmus.engines.llama import LlamaEngine
from isthmus.settings import EngineSettings
from isthmus.trust import verify
from tests.clients import opened
from tests.server.test_messages import client

RULES = " ".join(f"Rule {number}: be careful with the files of project {number}." for number in range(32))
LINE = "x-anthropic-billing-header: cc_version=2.1.177.{stamp}; cc_entrypoint=cli; cch={stamp};"
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}
COLD = {"temperature": 0}


@pytest.fixture
def agents_server(serving, tiny):
    """A server over the tiny model's own worker."""
    with serving(LlamaEngine(verify(tiny), EngineSettings(context_length=2048, parallel=2))) as server:
        yield server


def test_a_second_turn_of_messages_comes_from_the_cache(agents_server):
    agent = client(agents_server).messages

    def turn(messages, stamp):
        system = [{"type": "text", "text": text} for text in (LINE.format(stamp=stamp), RULES)]
        return agent.create(
            model="default", max_tokens=2, system=system, tools=[TOOL], messages=messages, extra_body=COLD
        )

    question = {"role": "user", "content": "Say hello."}
    answer = {"role": "assistant", "content": turn([question], "36ee5").content}
    usage = turn([question, answer, {"role": "user", "content": "Again."}], "0aaa9").usage
    cached = usage.cache_read_input_tokens
    assert cached / (usage.input_tokens + cached) >= 0.95


def test_a_second_turn_of_chat_comes_from_the_cache(agents_server):
    agent = opened(openai.OpenAI(base_url=agents_server.url, api_key="none", max_retries=0)).chat.completions

    def turn(messages, stamp):
        system = {"role": "system", "content": f"{LINE.format(stamp=stamp)}\n{RULES}"}
        return agent.create(model="default", max_tokens=2, messages=[system, *messages], **COLD)

    question = {"role": "user", "content": "Say hello."}
    answer = {"role": "assistant", "content": turn([question], "36ee5").choices[0].message.content}
    usage = turn([question, answer, {"role": "user", "content": "Again."}], "0aaa9").usage
    assert usage.prompt_tokens_details.cached_tokens / usage.prompt_tokens >= 0.95


def test_the_sequence_that_ended_an_answer_is_named(agents_server):
    agent = client(agents_server).messages
    question = [{"role": "user", "content": "Count from one to ten."}]
    asked = {"model": "default", "max_tokens": 32, "messages": question, "extra_body": COLD}
    plain = agent.create(**asked)
    end = plain.content[0].text[8:14]
    ended = agent.create(**asked, stop_sequences=["no such text", end])
    with agent.stream(**asked, stop_sequences=["no such text", end]) as stream:
        streamed = stream.get_final_message()
    assert plain.stop_sequence is None
    assert {(each.stop_reason, each.stop_sequence) for each in (ended, streamed)} == {("stop_sequence", end)}
    assert ended.content[0].text == streamed.content[0].text == plain.content[0].text[:8]


def test_an_answer_goes_on_from_what_the_assistant_has_begun(agents_server):
    asked = [
        {"role": "user", "content": "Count from one to ten."},
        {"role": "assistant", "content": "one, two, three, four,"},
    ]
    answer = client(agents_server).messages.create(
        model="default", max_tokens=4, messages=asked, extra_body=COLD
    )
    assert "five" in answer.content[0].text


def test_a_full_context_is_not_taken_for_a_full_answer(serving, tiny):
    with serving(LlamaEngine(verify(tiny), EngineSettings(context_length=64, parallel=1))) as server:
        answer = client(server).messages.create(
            model="default",
            max_tokens=2000,
            messages=[{"role": "user", "content": "Count from one to a thousand, in words."}],
            extra_body=COLD,
        )
        assert answer.stop_reason == "model_context_window_exceeded"
