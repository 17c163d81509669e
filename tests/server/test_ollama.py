"""Ollama's API over real HTTP: answers, for its Python client unmodified."""

import http.client
import json
import time
from contextlib import closing

import ollama
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError, WorkerDied
from isthmus.messages import (
    Finish,
    ModelInfo,
    Notice,
    ReasoningDelta,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from tests.engines.played import PlayedLoader
from tests.server.test_chat import post, wait_until
from tests.server.test_models import get

DONE = Finish("stop", Usage(10, 2, cached_tokens=4), Timings(prompt_s=0.25, tokens_per_s=8.0))
HELLO = [TextDelta("Hel"), TextDelta("lo"), DONE]
HI = [{"role": "user", "content": "hi"}]
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "add numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}


@pytest.fixture(name="client")
def _client(ollama_client):
    return ollama_client


def lines(server, body, path="/api/chat"):
    """The lines of a stream, each read as JSON; and all that came, as it came."""
    status, headers, answer = post(server, body, path)
    assert status == 200, answer
    assert headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.decode().split("\n") if line]


# ---------------------------------------------------------------- whole and streamed


def test_a_whole_answer_for_the_ollama_client(serving, client):
    engine = ScriptedEngine([ReasoningDelta("hmm"), *HELLO])
    with serving(engine) as server:
        answer = client(server).chat("scripted", HI)
    assert (answer.message.role, answer.message.content, answer.message.thinking) == (
        "assistant",
        "Hello",
        "hmm",
    )
    assert (answer.model, answer.done, answer.done_reason) == ("scripted", True, "stop")
    assert (answer.prompt_eval_count, answer.eval_count) == (10, 2)
    assert (answer.prompt_eval_duration, answer.eval_duration) == (250_000_000, 250_000_000)
    assert answer.total_duration > 0
    assert 0 <= answer.load_duration < answer.total_duration


def test_a_streamed_answer_for_the_ollama_client(serving, client):
    with serving(ScriptedEngine([ReasoningDelta("hmm"), *HELLO])) as server:
        chunks = list(client(server).chat("scripted", HI, stream=True))
    assert "".join(chunk.message.content for chunk in chunks) == "Hello"
    assert "".join(chunk.message.thinking or "" for chunk in chunks) == "hmm"
    assert [chunk.done for chunk in chunks] == [False, False, False, True]
    assert chunks[-1].eval_count == 2
    assert {chunk.model for chunk in chunks} == {"scripted"}


def test_a_generated_answer_for_the_ollama_client(serving, client):
    engine = ScriptedEngine([ReasoningDelta("hmm"), *HELLO])
    with serving(engine) as server:
        whole = client(server).generate("scripted", "hi", system="be brief")
        chunks = list(client(server).generate("scripted", "hi", stream=True))
    assert (whole.response, whole.thinking, whole.done_reason) == ("Hello", "hmm", "stop")
    assert "".join(chunk.response for chunk in chunks) == "Hello"
    assert chunks[-1].prompt_eval_count == 10
    assert [(m.role, m.text) for m in engine.requests[0].messages] == [("system", "be brief"), ("user", "hi")]


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_an_answer_is_streamed_unless_told_otherwise(serving, path):
    with serving(ScriptedEngine(HELLO)) as server:
        body = {"model": "scripted", "messages": HI, "prompt": "hi"}
        assert len(lines(server, body, path)) == 3
        status, headers, answer = post(server, body | {"stream": False}, path)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(answer)["done"] is True


def test_the_route_and_what_was_ignored_are_said_where_these_clients_can_see_it(serving):
    engine = ScriptedEngine([Notice("shortened", "2 turns were left out"), *HELLO])
    body = {"messages": HI, "options": {"mirostat": 1, "temperature": 0.5}, "sparkle": 1}
    with serving(engine) as server:
        for stream in (False, True):
            status, headers, answer = post(server, body | {"stream": stream}, "/api/chat")
            last = json.loads(answer.decode().strip().split("\n")[-1])
            assert status == 200
            assert headers["x-isthmus-route"] == "local"
            assert headers["x-isthmus-ignored-parameters"] == "sparkle, options.mirostat"
            assert (last["isthmus"]["route"], last["isthmus"]["reason"]) == ("local", "mode_off")
            assert last["isthmus"]["ignored_parameters"] == ["sparkle", "options.mirostat"]
            assert [each["text"] for each in last["isthmus"]["notices"]] == ["2 turns were left out"]
            assert last["model"] == "scripted", "the default one answers where none is named"


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
_CALLS = st.dictionaries(_TEXTS, st.integers(-(2**53), 2**53) | _TEXTS, max_size=3)


@st.composite
def _scripts(draw):
    pieces = st.builds(TextDelta, _TEXTS) | st.builds(ReasoningDelta, _TEXTS)
    events = draw(st.lists(pieces, max_size=6))
    for position, arguments in enumerate(draw(st.lists(_CALLS, max_size=2))):
        text = json.dumps(arguments)
        cut = draw(st.integers(0, len(text)))
        events.append(ToolCallDelta(position, f"call_{position}", "add", text[:cut]))
        events.append(ToolCallDelta(position, None, None, text[cut:]))
    return [*events, draw(st.sampled_from([DONE, Finish("length", Usage(1, 1))]))]


def test_a_whole_answer_is_the_sum_of_its_stream(serving, client):
    engine = ScriptedEngine(HELLO)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(script=_scripts(), api=st.sampled_from(["chat", "generate"]))
    def check(script, api):
        engine._scripts = [script]
        engine.requests.clear()
        ask = client(server).chat if api == "chat" else client(server).generate
        asked = {"messages": HI} if api == "chat" else {"prompt": "hi"}
        whole, chunks = ask("scripted", **asked), list(ask("scripted", stream=True, **asked))
        said = [chunk.message if api == "chat" else chunk for chunk in chunks]
        answer, text = (whole.message, "content") if api == "chat" else (whole, "response")
        assert "".join(getattr(each, text) or "" for each in said) == getattr(answer, text)
        assert "".join(each.thinking or "" for each in said) == (answer.thinking or "")
        if api == "chat":
            calls = [call for each in said for call in each.tool_calls or ()]
            assert calls == list(answer.tool_calls or ())
        counts = ("done_reason", "prompt_eval_count", "eval_count")
        assert [getattr(chunks[-1], each) for each in counts] == [getattr(whole, each) for each in counts]

    with serving(engine) as server:
        check()


@pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\x85b", "a\x0bb\x0c\x1c\x1d\x1e", "a\r\nb\n"])
def test_no_character_breaks_a_line_in_two(serving, text, client):
    with serving(ScriptedEngine([TextDelta(text), DONE])) as server:
        chunks = list(client(server).chat("scripted", HI, stream=True))
    assert "".join(chunk.message.content for chunk in chunks) == text


# ---------------------------------------------------------------- what a request may say


def test_options_reach_the_model(serving, client):
    engine = ScriptedEngine(HELLO)
    options = {
        "temperature": 0.1,
        "top_p": 0.9,
        "top_k": 40.0,
        "min_p": 0.05,
        "typical_p": 0.7,
        "seed": 7,
        "num_predict": 12,
        "stop": ["END"],
        "repeat_penalty": 1.1,
        "repeat_last_n": 33,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
    }
    with serving(engine) as server:
        client(server).chat("scripted", HI, options=options, think=False)
        client(server).chat("scripted", HI, options={"num_predict": -1, "seed": -1})
    first, second = engine.requests
    assert (first.temperature, first.top_p, first.top_k, first.min_p) == (0.1, 0.9, 40, 0.05)
    assert (first.seed, first.max_tokens, first.stop, first.typical_p) == (7, 12, ("END",), 0.7)
    assert (first.repeat_penalty, first.repeat_last_n) == (1.1, 33)
    assert (first.presence_penalty, first.frequency_penalty, first.effort) == (0.5, 0.25, "none")
    assert (second.max_tokens, second.seed, second.effort) == (None, None, None)


def test_tools_and_their_results_go_both_ways_as_objects(serving, client):
    script = [
        ToolCallDelta(0, "call_x", "add", '{"a":'),
        ToolCallDelta(0, None, None, " 1}"),
        ToolCallDelta(1, "call_y", "add", ""),
        Finish("tool_calls", Usage(1, 1)),
    ]
    engine = ScriptedEngine(script)
    with serving(engine) as server:
        ask = client(server)
        answer = ask.chat("scripted", HI, tools=[ADD])
        results = [{"role": "tool", "tool_name": "add", "content": text} for text in ("one", "two")]
        list(ask.chat("scripted", [*HI, answer.message, *results], tools=[ADD], stream=True))
    assert [call.function.arguments for call in answer.message.tool_calls] == [{"a": 1}, {}]
    assert answer.done_reason == "stop"
    assert engine.requests[0].tools[0].name == "add"
    _, called, one, two = engine.requests[1].messages
    assert [(call.name, json.loads(call.arguments)) for call in called.tool_calls] == [
        ("add", {"a": 1}),
        ("add", {}),
    ]
    assert [one.tool_call_id, two.tool_call_id] == [call.id for call in called.tool_calls]
    assert (one.name, one.text, two.text) == ("add", "one", "two")


def test_a_call_that_broke_off_is_told_and_not_dropped(serving):
    script = [ToolCallDelta(0, "call_x", "add", '{"a":'), Finish("length", Usage(1, 1))]
    with serving(ScriptedEngine(script)) as server:
        last = lines(server, {"messages": HI, "tools": [ADD]})[-1]
    assert last["done_reason"] == "length"
    assert "tool_calls" not in last["message"]
    assert '{"a":' in last["isthmus"]["notices"][0]["text"]


@pytest.mark.parametrize(
    ("format_", "form"),
    [
        ("", None),
        ("json", {"type": "json_object"}),
        (
            {"type": "object", "properties": {"age": {"type": "integer"}}},
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "answer",
                    "schema": {"type": "object", "properties": {"age": {"type": "integer"}}},
                },
            },
        ),
    ],
)
def test_the_form_of_an_answer_can_be_asked_for(serving, format_, form, client):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        client(server).chat("scripted", HI, format=format_)
    assert engine.requests[0].response_format == form


def test_log_probabilities_come_with_their_tokens(serving, client):
    rivals = (TokenScore("He", -0.5), TokenScore("Ho", -1.5))
    script = [TokenScores((TokenScore("He", -0.5, rivals),)), TextDelta("He"), DONE]
    engine = ScriptedEngine(script)
    with serving(engine) as server:
        whole = client(server).chat("scripted", HI, logprobs=True, top_logprobs=2)
        chunks = list(client(server).chat("scripted", HI, logprobs=True, top_logprobs=2, stream=True))
    assert engine.requests[0].top_logprobs == 2
    assert [(t.token, t.logprob) for t in whole.logprobs[0].top_logprobs] == [("He", -0.5), ("Ho", -1.5)]
    assert chunks[0].logprobs == whole.logprobs
    assert chunks[-1].logprobs is None


def test_a_raw_prompt_reaches_the_model_as_it_stands(serving, client):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        answer = client(server).generate("scripted", "<s>[INST] hi [/INST]", raw=True)
    assert answer.response == "Hello"
    assert engine.requests[0].raw == "<s>[INST] hi [/INST]"


def test_a_gap_is_for_models_that_know_how_to_fill_it(serving, client):
    with serving(ScriptedEngine(HELLO)) as server:
        with pytest.raises(ollama.ResponseError, match="fill in the middle") as caught:
            client(server).generate("scripted", "def add(a, b):", suffix="    return c")
        assert caught.value.status_code == 400


def test_an_old_turn_is_left_out_only_where_that_was_asked_for(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        for truncate in (None, False, True):
            post(server, {"messages": HI, "truncate": truncate}, "/api/chat")
    assert [request.truncation for request in engine.requests] == ["none", "none", "oldest"]


def test_a_context_that_the_model_does_not_have_is_listed(serving):
    engine = ScriptedEngine(HELLO, model=ModelInfo("scripted", local=True, context_length=4096))
    with serving(engine) as server:
        for num_ctx, ignored in ((4096, None), (8192, ["options.num_ctx"])):
            for stream in (False, True):
                body = {"messages": HI, "stream": stream, "options": {"num_ctx": num_ctx}}
                _, _, answer = post(server, body, "/api/chat")
                last = json.loads(answer.decode().strip().split("\n")[-1])
                assert last["isthmus"].get("ignored_parameters") == ignored


# ---------------------------------------------------------------- loading, keeping, unloading


def test_an_empty_request_loads_and_a_keep_alive_of_zero_unloads(serving, client):
    loader = PlayedLoader(script=HELLO)
    with serving(loader) as server:
        ask = client(server)
        loaded = ask.generate("scripted", "")
        assert (loaded.done, loaded.done_reason, loaded.response) == (True, "load", "")
        assert loader.events == ["+scripted"]
        gone = ask.chat("scripted", [], keep_alive=0)
        assert (gone.done_reason, gone.message.content) == ("unload", "")
        assert loader.events == ["+scripted", "-scripted"]
        assert ask.generate("scripted", "", keep_alive=0).done_reason == "unload", "gone already"


def test_a_model_stays_as_long_as_its_request_says(serving, client):
    loader = PlayedLoader(script=HELLO)
    with serving(loader, engine__keep_alive_s=0.05) as server:
        ask = client(server)
        ask.chat("scripted", HI, keep_alive="5m")
        time.sleep(0.2)
        assert loader.events == ["+scripted"]
        (model,) = ask.ps().models
        assert 280 < (model.expires_at.timestamp() - time.time()) <= 300
        list(ask.chat("scripted", HI, keep_alive=0, stream=True))
        wait_until(lambda: loader.events == ["+scripted", "-scripted"])
        ask.chat("scripted", HI)
        wait_until(lambda: len(loader.events) == 4)


def test_a_runner_keeps_its_models_as_it_likes(serving, client):
    runner = {
        "providers__other__base_url": "http://127.0.0.1:9/v1",
        "providers__other__model": "qwen3:8b",
        "providers__other__local": True,
    }
    with serving(ScriptedEngine(HELLO), **runner) as server:
        assert client(server).generate("other/qwen3:8b", "").done_reason == "load"


# ---------------------------------------------------------------- failures


_BAD = [
    ("/api/chat", b"{", "not valid JSON"),
    ("/api/chat", b"", "not valid JSON"),
    ("/api/chat", b"\xff\xfe", "not valid JSON"),
    ("/api/chat", b"[" * 100_000, ""),
    ("/api/chat", {"messages": HI, "options": {"temperature": "hot"}}, "options.temperature"),
    ("/api/chat", {"messages": HI, "options": {"top_k": 1.5}}, "options.top_k"),
    ("/api/chat", {"messages": HI, "options": {"num_predict": 10**30}}, "options.num_predict"),
    ("/api/chat", {"messages": HI, "keep_alive": "soon"}, "keep_alive"),
    ("/api/chat", {"messages": HI, "think": "hard"}, "think"),
    ("/api/chat", {"messages": HI, "format": "yaml"}, "format"),
    ("/api/chat", {"messages": HI, "top_logprobs": 21}, "top_logprobs"),
    ("/api/chat", {"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ("/api/chat", {"messages": [{"role": "user", "images": ["!"]}]}, "messages[0].images[0]"),
    ("/api/chat", {"messages": HI, "tools": [{"type": "web"}]}, "tools[0]"),
    ("/api/generate", {"prompt": "x", "template": "{{ .Prompt }}"}, "template"),
    ("/api/generate", {"prompt": "x", "context": [1, 2]}, "context"),
    ("/api/generate", {"prompt": "x", "raw": True, "system": "y"}, "system"),
    ("/api/generate", {"prompt": 7}, "prompt"),
]


def test_a_bad_request_is_refused_in_ollamas_shape_and_the_next_one_works(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for path, body, words in _BAD:
            status, _, answer = post(server, body, path)
            said = json.loads(answer)
            assert (status, list(said)) == (400, ["error"]), body
            assert words in said["error"]
            assert post(server, {"messages": HI, "prompt": "hi"}, path)[0] == 200


def test_a_model_that_is_not_here_is_a_404_in_words_that_clients_look_for(serving, client):
    with serving(ScriptedEngine(HELLO)) as server:
        for ask in (client(server).chat, client(server).generate):
            with pytest.raises(ollama.ResponseError, match="not found") as caught:
                ask("nothing:7b")
            assert caught.value.status_code == 404


def test_an_error_in_the_middle_is_a_line_and_the_answer_is_not_done(serving, client):
    with serving(ScriptedEngine([TextDelta("He"), WorkerDied("the worker died")])) as server:
        said = lines(server, {"messages": HI})
        chunks = client(server).chat("scripted", HI, stream=True)
        assert next(chunks).message.content == "He"
        with pytest.raises(ollama.ResponseError, match="the worker died"):
            next(chunks)
    assert said[-1] == {"error": "the worker died"}
    assert not any(line.get("done") for line in said)


def test_an_error_before_the_first_token_is_an_http_error(serving):
    with serving(ScriptedEngine([EngineError("it failed")])) as server:
        for stream in (False, True):
            status, _, answer = post(server, {"messages": HI, "stream": stream}, "/api/chat")
            assert (status, json.loads(answer)) == (503, {"error": "it failed"})


def test_a_silent_stream_is_kept_warm_with_what_no_client_sees(serving, client):
    script = [TextDelta("Hel"), 0.35, TextDelta("lo"), 0.25, DONE]
    with serving(ScriptedEngine(script), ping_s=0.1) as server:
        _, _, answer = post(server, {"messages": HI}, "/api/chat")
        chunks = list(client(server).chat("scripted", HI, stream=True))
    assert answer.count(b"\n ") >= 2
    assert b"\n\n" not in answer
    assert "".join(chunk.message.content for chunk in chunks) == "Hello"
    assert len(chunks) == 3


def test_a_client_that_hangs_up_ends_the_answer(serving):
    engine = ScriptedEngine([TextDelta("He"), 60.0, *HELLO])
    with serving(engine) as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
            connection.request("POST", "/api/chat", json.dumps({"messages": HI}))
            assert connection.getresponse().read1() != b""
        wait_until(lambda: engine.closed == 1)


def test_methods_that_a_path_does_not_take_are_named(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, said = get(server, "/api/chat")
        assert status == 405
        assert "POST" in said["error"]
