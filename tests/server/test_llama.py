"""llama.cpp's own routes over real HTTP."""

import json

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError
from isthmus.handoff.rules import Rules
from isthmus.messages import Finish, TextDelta, Timings, TokenScore, TokenScores, Usage
from isthmus.wire.llama_answer import LlamaAnswer, LlamaPiece
from tests.server.test_completions import post
from tests.server.test_guard import ask as guarded
from tests.server.test_guard import made
from tests.server.test_openapi import undocumented

TIMES = Timings(prompt_s=0.5, decode_s=0.25)
HELLO = [TextDelta("Hel"), TextDelta("lo"), Finish("stop", Usage(10, 2, cached_tokens=4), TIMES)]
SCORED = [
    TokenScores((TokenScore("Hel", -0.5, (TokenScore("Hel", -0.5, id=5),), id=5),)),
    TextDelta("Hel"),
    TokenScores((TokenScore("lo", -0.25, id=6),)),
    TextDelta("lo"),
    Finish("length", Usage(1, 2)),
]


def ask(server, body, path="/completion"):
    status, headers, answer = post(server, body, path)
    return status, headers, answer


def pieces(answer):
    return [json.loads(line[6:]) for line in answer.splitlines() if line]


def test_a_whole_answer(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        status, headers, answer = ask(server, {"prompt": "Say", "n_predict": 4, "min_keep": 1})
    told = json.loads(answer)
    assert (status, told["content"], told["stop"], told["stop_type"]) == (200, "Hello", True, "eos")
    assert (told["timings"]["prompt_n"], told["timings"]["predicted_n"]) == (6, 2)
    assert headers["x-isthmus-ignored-parameters"] == "min_keep"
    assert undocumented(told | {"generation_settings": {}}, LlamaAnswer) == []
    assert (engine.requests[0].raw, engine.requests[0].max_tokens) == ("Say", 4)


def test_a_streamed_answer_ends_with_what_it_took(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, headers, answer = ask(server, {"prompt": "Say", "stream": True})
    *said, ending = pieces(answer)
    assert headers["content-type"].startswith("text/event-stream")
    assert [(each["content"], each["stop"]) for each in said] == [("Hel", False), ("lo", False)]
    assert (ending["content"], ending["stop"], ending["tokens_predicted"]) == ("", True, 2)
    assert ending["isthmus"]["route"] == "local"
    assert [undocumented(each, LlamaPiece) for each in said] == [[], []]


def test_tokens_come_in_pieces_and_whole(serving):
    body = {"prompt": "Say", "return_tokens": True, "n_probs": 1}
    with serving(ScriptedEngine(SCORED)) as server:
        whole = json.loads(ask(server, body)[2])
        *said, ending = pieces(ask(server, body | {"stream": True})[2])
    assert whole["tokens"] == [5, 6]
    assert [each["token"] for each in whole["completion_probabilities"]] == ["Hel", "lo"]
    assert [each["tokens"] for each in said] == [[5], [6]]
    assert [len(each["completion_probabilities"]) for each in said] == [1, 1]
    assert ending["tokens"] == []


def test_several_prompts_have_an_answer_each_with_its_own_usage(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        _, _, answer = ask(server, {"prompt": ["a", [72, 105], [72, "i"]]})
        _, _, alone = ask(server, {"prompt": ["a"]})
    told = json.loads(answer)
    assert [(each["index"], each["prompt"], each["tokens_evaluated"]) for each in told] == [
        (0, "a", 10),
        (1, [72, 105], 10),
        (2, [72, 105], 10),
    ]
    assert len(json.loads(alone)) == 1


def test_only_the_fields_that_are_asked_for_come(serving):
    body = {"prompt": "a", "response_fields": ["content", "generation_settings/n_predict"], "n_predict": 7}
    with serving(ScriptedEngine(HELLO)) as server:
        whole = json.loads(ask(server, body)[2])
        ending = pieces(ask(server, body | {"stream": True})[2])[-1]
    assert whole == {"content": "Hello", "generation_settings/n_predict": 7}
    assert ending == {"content": "", "generation_settings/n_predict": 7, "stop": True}


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_off_is_an_error(serving, stream):
    with serving(ScriptedEngine([TextDelta("Hel"), EngineError("it fell")])) as server:
        status, _, answer = ask(server, {"prompt": "a", "stream": stream})
    if stream:
        said, error = pieces(answer)
        assert (said["content"], error["error"]["message"]) == ("Hel", "it fell")
    else:
        assert (status, json.loads(answer)["error"]["message"]) == (503, "it fell")


def test_one_failure_among_several_ends_them_all(serving):
    engine = ScriptedEngine(HELLO, [TextDelta("x"), EngineError("it fell")], [TextDelta("y"), 30.0])
    with serving(engine, engine__parallel=3) as server:
        status, _, _ = ask(server, {"prompt": ["a", "b", "c"]})
    assert status == 503
    assert engine.closed == len(engine.requests)


def test_a_gap_is_filled_with_the_models_own_marks(serving):
    engine = marked(ScriptedEngine(HELLO))
    with serving(engine) as server:
        _, _, answer = ask(server, {"input_prefix": "a", "prompt": "b", "input_suffix": "c"}, "/infill")
    assert json.loads(answer)["content"] == "Hello"
    assert engine.requests[0].raw == (256, 300, *b"ab", 301, *b"c", 302)


def test_other_files_stand_before_a_gap(serving):
    engine = marked(ScriptedEngine(HELLO))
    extra = [{"filename": "x.h", "text": "int x;"}]
    with serving(engine) as server:
        ask(server, {"input_prefix": "a", "input_suffix": "c", "input_extra": extra}, "/infill")
    assert engine.requests[0].raw == (256, *b"\n--- x.h ---\nint x;\n", 300, *b"a", 301, *b"c", 302)


def marked(engine):
    plain = engine.tokenizer.tokenize

    async def tokenize(text, *, special=False, add_special=False):
        if special and text == "<fim_prefix><fim_suffix><fim_middle>":
            return [300, 301, 302]
        return await plain(text, special=special, add_special=add_special)

    engine.tokenizer.tokenize = tokenize
    return engine


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/completion", {}, "prompt"),
        ("/completion", {"prompt": "a", "model": "nobody"}, "model"),
        ("/completion", {"prompt": "a", "logit_bias": {"x": 1}}, "logit_bias"),
        ("/infill", {"input_extra": [{}]}, "input_extra[0].text"),
        ("/infill", {"input_prefix": "a"}, "model"),  # this one has no marks for it
    ],
)
def test_what_is_wrong_is_named(serving, path, body, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = ask(server, body, path)
    assert status in (400, 404)
    assert json.loads(answer)["error"]["param"] == param


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/completion", {"prompt": "a"}),
        ("/v1/completions", {"prompt": "a"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
    ],
)
def test_a_grammar_takes_a_key_that_may_manage(serving, path, body):
    body |= {"grammar": 'root ::= "a"'}
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        assert post(server, body, path)[0] == 200  # there are no keys yet
        asks = made(server, "asks")
        status, _, answer = guarded(server, "POST", path, body, **asks)
        assert (status, answer["error"]["param"]) == (403, "grammar")
        manages = made(server, "manages", scopes=("infer", "manage"))
        assert guarded(server, "POST", path, body, **manages)[0] == 200
    assert [request.grammar for request in engine.requests] == ['root ::= "a"'] * 2


def test_a_prompt_never_leaves(serving):
    with serving(ScriptedEngine(HELLO), rules=Rules(mode="always", provider="big")) as server:
        _, headers, _ = ask(server, {"prompt": "a"})
    assert (headers["x-isthmus-route"], headers["x-isthmus-reason"]) == ("local", "raw_prompt")
