"""Completions over real HTTP; the openai client unmodified."""

import http.client
import json
from contextlib import closing

import openai
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError
from isthmus.handoff.rules import Rules
from isthmus.messages import Finish, Message, Notice, TextDelta, TokenScore, TokenScores, Usage
from tests.clients import opened
from tests.server.tiny import TinyLoader

HELLO = [TextDelta("Hel"), TextDelta("lo"), Finish("stop", Usage(10, 2, cached_tokens=4))]
SCORED = [
    TokenScores((TokenScore("Hel", -0.5, (TokenScore("Hel", -0.5), TokenScore("Ho", -1.5))),)),
    TextDelta("Hel"),
    TokenScores((TokenScore("lo", -0.25),)),
    TextDelta("lo"),
    Finish("length", Usage(1, 2)),
]


def client(server):
    return opened(openai.OpenAI(base_url=server.url, api_key="none", max_retries=0))


def post(server, body, path="/v1/completions"):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


def test_a_whole_answer_for_the_openai_client(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        answer = client(server).completions.create(model="scripted", prompt="Say", seed=7, stop=["."])
    (choice,) = answer.choices
    assert (choice.text, choice.index, choice.finish_reason, choice.logprobs) == ("Hello", 0, "stop", None)
    assert answer.id.startswith("cmpl-")
    assert answer.object == "text_completion"
    assert answer.usage.total_tokens == 12
    assert answer.model_extra["isthmus"]["reason"] == "raw_prompt"
    (asked,) = engine.requests
    assert asked.raw == "Say"
    assert asked.messages == (Message("user", "Say"),)
    assert (asked.max_tokens, asked.seed, asked.stop) == (16, 7, (".",))


def test_a_streamed_answer_for_the_openai_client(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        chunks = list(
            client(server).completions.create(
                model="scripted", prompt="Say", stream=True, stream_options={"include_usage": True}
            )
        )
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "Hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, None, "stop"]
    assert chunks[0].model_extra["isthmus"]["route"] == "local"
    assert chunks[-1].usage.completion_tokens == 2


def test_several_prompts_are_several_questions_whose_choices_are_counted_through(serving):
    engine = ScriptedEngine(
        [
            TextDelta("a"),
            TextDelta("b", 1),
            Finish("stop", None, index=0),
            Finish("stop", Usage(3, 2), index=1),
        ]
    )
    with serving(engine) as server:
        whole = client(server).completions.create(model="scripted", prompt=["one", "two", "three"], n=2)
        chunks = list(
            client(server).completions.create(
                model="scripted",
                prompt=["one", "two", "three"],
                n=2,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        rows = server.ledger.questions(10)
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3, 4, 5]
    assert [choice.text for choice in whole.choices] == ["a", "b"] * 3
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (9, 6)
    texts = dict.fromkeys(range(6), "")
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert list(texts.values()) == ["a", "b"] * 3
    assert chunks[-1].usage.total_tokens == 15
    assert len(rows) == 6
    assert {request.raw for request in engine.requests} == {"one", "two", "three"}


def test_tokens_are_passed_on_as_they_are(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        client(server).completions.create(model="scripted", prompt=[72, 105])
        answer = client(server).completions.create(model="scripted", prompt=[[72, 105], [72]], echo=True)
    assert {request.raw for request in engine.requests} == {(72, 105), (72,)}
    assert engine.requests[0].messages == (Message("user", "72 105"),)
    assert [choice.text for choice in answer.choices] == ["HiHello", "HHello"]


def test_texts_between_tokens_become_tokens(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        body = {"prompt": [72, "i", 33], "echo": True}
        answer = json.loads(post(server, body)[2])
    assert engine.requests[0].raw == (72, 105, 33)
    assert answer["choices"][0]["text"] == "Hi!Hello"


@pytest.mark.parametrize("stream", [False, True])
def test_the_prompt_is_repeated_where_that_is_asked(serving, stream):
    with serving(ScriptedEngine(HELLO)) as server:
        answer = client(server).completions.create(model="scripted", prompt="Say ", echo=True, stream=stream)
        chunks = list(answer) if stream else [answer]
    assert "".join(chunk.choices[0].text for chunk in chunks) == "Say Hello"


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_are_columns_with_the_token_among_its_rivals(serving, stream):
    with serving(ScriptedEngine(SCORED)) as server:
        answer = client(server).completions.create(model="scripted", prompt="x", logprobs=1, stream=stream)
        scores = [each.choices[0].logprobs for each in (answer if stream else [answer])]
    columns = {
        name: [value for each in scores if each for value in getattr(each, name)]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    }
    assert columns == {
        "tokens": ["Hel", "lo"],
        "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [{"Hel": -0.5, "Ho": -1.5}, {"lo": -0.25}],
        "text_offset": [0, 3],
    }


def test_what_lies_between_is_asked_for_with_the_models_own_marks(serving):
    class Marked(ScriptedEngine):
        pass

    engine = Marked(HELLO)
    plain = engine.tokenizer.tokenize

    async def tokenize(text, *, special=False, add_special=False):
        if special and text == "<fim_prefix><fim_suffix><fim_middle>":
            return [300, 301, 302]
        return await plain(text, special=special, add_special=add_special)

    engine.tokenizer.tokenize = tokenize
    with serving(engine) as server:
        answer = client(server).completions.create(model="scripted", prompt="a", suffix="b", echo=True)
    assert engine.requests[0].raw == (256, 300, ord("a"), 301, ord("b"), 302)
    assert answer.choices[0].text == "aHello"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, [2]]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"prompt": "a", "best_of": 2}, "best_of"),
        ({"prompt": "a", "logprobs": 6}, "logprobs"),
        ({"prompt": "a", "logprobs": 1, "echo": True}, "echo"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ({"prompt": [1], "suffix": "b"}, "suffix"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "stop": [""]}, "stop"),
        ({"prompt": "a", "temperature": 3}, "temperature"),
        ({"prompt": "a", "logit_bias": {"x": 1}}, "logit_bias"),
        ({"prompt": "a", "isthmus": {"handoff": "maybe"}}, "isthmus.handoff"),
        ({"prompt": "a", "model": "nobody"}, "model"),
    ],
)
def test_what_is_not_done_here_is_named(serving, body, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = post(server, body)
    assert status in (400, 404)
    assert json.loads(answer)["error"]["param"].partition("[")[0] == param


def test_unknown_parameters_are_listed_and_do_no_harm(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, headers, _ = post(server, {"prompt": "a", "sparkle": 1, "best_of": 1, "user": "me"})
    assert status == 200
    assert headers["x-isthmus-ignored-parameters"] == "sparkle"


@pytest.mark.parametrize("prompt", ["a", ["a", "b"]])
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_token_is_an_http_error(serving, prompt, stream):
    with serving(ScriptedEngine([EngineError("no more")])) as server:
        status, _, answer = post(server, {"prompt": prompt, "stream": stream})
    assert status == 503
    assert json.loads(answer)["error"]["message"] == "no more"


def test_a_stream_that_is_cut_does_not_look_whole(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), EngineError("no more")])) as server:
        status, _, answer = post(server, {"prompt": ["a", "b"], "stream": True})
    assert status == 200
    assert b"no more" in answer
    assert b"[DONE]" not in answer


@pytest.mark.parametrize("mode", ["ask", "auto", "always"])
def test_a_raw_prompt_stays_home_whatever_the_rules(serving, mode):
    with serving(ScriptedEngine(HELLO), rules=Rules(mode=mode, provider="away")) as server:
        status, headers, _ = post(
            server, {"prompt": "Prove that 1 + 1 = 2, then integrate x^2 step by step."}
        )
        (row,) = server.ledger.questions(1)
    assert status == 200
    assert headers["x-isthmus-reason"] == "raw_prompt"
    assert (row.target, row.reason, row.sent_bytes) == ("local", "raw_prompt", 0)


def test_a_notice_is_passed_on(serving):
    with serving(ScriptedEngine([Notice("code", "beware"), *HELLO])) as server:
        _, _, whole = post(server, {"prompt": "a"})
        _, _, streamed = post(server, {"prompt": "a", "stream": True})
    assert json.loads(whole)["isthmus"]["notices"][0]["text"] == "beware"
    assert b"beware" in streamed


# ---------------------------------------------------------------- the tiny model


def test_the_tiny_model_counts_on(serving, settings, tiny):
    with serving(TinyLoader(settings(engine__context_length=1024), tiny), mib=4000) as server:
        ask = client(server).completions.create
        prompt = "1, 2, 3, 4, 5, 6, 7,"
        answer = ask(model="scripted", prompt=prompt, temperature=0, max_tokens=8, logprobs=2)
        assert answer.choices[0].text.startswith(" 8, 9, ")
        assert answer.choices[0].finish_reason == "length"
        scores = answer.choices[0].logprobs
        assert "".join(scores.tokens) == answer.choices[0].text
        assert scores.text_offset == [len("".join(scores.tokens[:place])) for place in range(8)]
        assert all(len(each) == 2 for each in scores.top_logprobs)
        chunks = list(
            ask(
                model="scripted",
                prompt=prompt,
                temperature=0,
                max_tokens=8,
                logprobs=2,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
        assert text == answer.choices[0].text
        assert chunks[-1].usage.prompt_tokens == answer.usage.prompt_tokens
        offsets = [
            offset
            for chunk in chunks
            if chunk.choices and chunk.choices[0].logprobs
            for offset in chunk.choices[0].logprobs.text_offset
        ]
        assert offsets == scores.text_offset
        stopped = ask(model="scripted", prompt=prompt, temperature=0, stop=", 10")
        assert (stopped.choices[0].text, stopped.choices[0].finish_reason) == (" 8, 9", "stop")
        several = ask(model="scripted", prompt=[prompt, prompt], n=2, temperature=0, max_tokens=4)
        assert {choice.text for choice in several.choices} == {answer.choices[0].text[:4]}
        assert several.usage.completion_tokens == 16
        with pytest.raises(openai.BadRequestError, match="middle"):
            ask(model="scripted", prompt="a", suffix="b")
        with pytest.raises(openai.BadRequestError):
            ask(model="scripted", prompt=[10**6])
        with pytest.raises(openai.BadRequestError, match="context"):
            ask(model="scripted", prompt=[504] * 2000)
