"""What people who come from llama.cpp's server rely on, over a real server and real weights."""

import json
from functools import partial

import openai
import pytest

from . import asking

CLIENT = "llama.cpp's server, what its clients rely on"
HI = [{"role": "user", "content": "Say hello."}]
CHAT, TEXT, NATIVE = "/v1/chat/completions", "/v1/completions", "/completion"
TIMINGS = {
    "cache_n",
    "prompt_n",
    "prompt_ms",
    "prompt_per_token_ms",
    "prompt_per_second",
    "predicted_n",
    "predicted_ms",
    "predicted_per_token_ms",
    "predicted_per_second",
}


@pytest.fixture
def ask(tiny_server):
    """``ask(path, **body)``: the status and what came."""
    return partial(asking.ask, tiny_server)


# ---------------------------------------------------------------- the server


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health_needs_no_key(ask, path):
    assert ask(path, key=None)[1]["status"] == "ok"


def test_props_tell_the_model_and_no_path(ask, tiny_server):
    ask(TEXT, prompt="One", max_tokens=1)
    status, told = ask("/props")
    assert (status, told["total_slots"]) == (200, 4)
    assert told["default_generation_settings"]["n_ctx"] == 4096
    assert told["model_alias"] == tiny_server.model
    assert "<|im_start|>" in told["chat_template"]
    assert str(tiny_server.home) not in json.dumps(told)


@pytest.mark.parametrize("path", [NATIVE, "/infill", "/props", "/tokenize", CHAT])
@pytest.mark.parametrize("key", [None, "isk-wrong"])
def test_without_a_key_there_is_nothing_to_have(ask, path, key):
    body = {} if path == "/props" else {"prompt": "a"}
    status, told = ask(path, key=key, **body)
    assert (status, told["error"]["type"]) == (401, "authentication_error")


def test_openais_client_finds_it_without_the_version(tiny_server):
    with openai.OpenAI(base_url=tiny_server.origin, api_key=tiny_server.key, max_retries=0) as client:
        answer = client.chat.completions.create(model=tiny_server.model, messages=HI, max_tokens=2)
    assert answer.system_fingerprint.startswith("b")


# ---------------------------------------------------------------- conversations


def test_a_whole_answer_says_what_made_it_and_how_fast(ask, did):
    status, told = ask(CHAT, messages=HI, max_tokens=8, temperature=0)
    assert (status, told["usage"]["completion_tokens"]) == (200, 8)
    assert told["choices"][0]["finish_reason"] == "length"
    assert told["system_fingerprint"].startswith("b")
    timings, usage = told["timings"], told["usage"]
    assert timings.keys() == TIMINGS
    assert timings["predicted_n"] == usage["completion_tokens"]
    assert timings["prompt_n"] + timings["cache_n"] == usage["prompt_tokens"]
    did(told["system_fingerprint"])


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_has_one_beginning_and_one_end(ask, include_usage):
    body = {"max_tokens": 8, "temperature": 0, "stream_options": {"include_usage": include_usage}}
    _, chunks = ask(CHAT, messages=HI, stream=True, **body)
    first, *rest = chunks
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert "timings" not in first
    assert all("role" not in choice["delta"] for chunk in rest for choice in chunk["choices"])
    assert len({(chunk["id"], chunk["system_fingerprint"], chunk["model"]) for chunk in chunks}) == 1
    assert [chunk for chunk in chunks if "timings" in chunk] == chunks[-1:]
    assert chunks[-1]["timings"]["predicted_n"] == 8
    assert (not chunks[-1]["choices"]) == include_usage
    endings = [choice["finish_reason"] for chunk in rest for choice in chunk["choices"]]
    assert [each for each in endings if each] == ["length"]


def test_several_choices_are_told_apart(ask):
    _, told = ask(CHAT, messages=HI, max_tokens=4, n=2)
    assert [choice["index"] for choice in told["choices"]] == [0, 1]
    assert "timings" not in told


@pytest.mark.parametrize("stream", [True, False])
def test_log_probabilities_spell_the_answer(ask, stream):
    body = {"messages": HI, "max_tokens": 5, "temperature": 0, "logprobs": True, "top_logprobs": 10}
    _, told = ask(CHAT, stream=stream, **body)
    choices = [choice for each in (told if stream else [told]) for choice in each["choices"]]
    scores = [score for choice in choices if choice["logprobs"] for score in choice["logprobs"]["content"]]
    said = "".join(choice["delta" if stream else "message"].get("content") or "" for choice in choices)
    assert "".join(score["token"] for score in scores) == said
    assert all(score["logprob"] <= 0 and len(score["top_logprobs"]) == 10 for score in scores)
    assert bytes(byte for score in scores for byte in score["bytes"]).decode() == said


@pytest.mark.parametrize("path", [CHAT, TEXT, NATIVE])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"json_schema": {"const": "42"}}, '"42"'),
        ({"grammar": 'root ::= "a"{5,5}'}, "aaaaa"),
    ],
    ids=["schema", "grammar"],
)
def test_a_form_is_kept_to_by_whichever_name(ask, path, form, said):
    question = {"messages": HI} if path == CHAT else {"prompt": "Say hello."}
    status, told = ask(path, n_predict=12, **question, **form)
    assert (status, spoken(told)) == (200, said)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"type": "json_object", "schema": {"const": "42"}}, '"42"'),
        ({"type": "json_schema", "json_schema": {"schema": {"const": "foooooo"}}}, '"foooooo"'),
    ],
)
def test_a_response_format_is_kept_to(ask, form, said):
    assert spoken(ask(CHAT, messages=HI, max_tokens=12, response_format=form)[1]) == said


@pytest.mark.parametrize(
    "body",
    [
        {"response_format": {"type": "sound"}},
        {"response_format": {"type": "json_object", "schema": 123}},
        {"response_format": {"type": "json_object", "schema": {"type": 123}}},
        {"response_format": {"type": "json_object", "schema": {"type": "hiccup"}}},
        {"json_schema": {"type": "hiccup"}},
        {"grammar": "nonsense"},
        {"grammar": "root ::= missing"},
        {"grammar": 'root ::= "a'},
        {"grammar": 'root ::= root "a"'},
        {"grammar": 'root ::= "a"', "json_schema": {"const": 1}},
        {"messages": None},
        {"messages": "text"},
        {"messages": [123]},
        {"messages": [{}]},
        {"messages": [{"role": 123}]},
        {"messages": [{"role": "system", "content": 123}]},
        {"messages": [*HI, {}]},
        {"n_predict": 0},
        {"logit_bias": [["Hello", 1]]},
    ],
    ids=lambda body: json.dumps(body)[:50],
)
def test_what_makes_no_sense_is_a_400_and_the_next_request_works(ask, body):
    status, told = ask(CHAT, **({"messages": HI, "max_tokens": 2} | body))
    assert (status, told["error"]["type"]) == (400, "invalid_request_error")
    assert ask(CHAT, messages=HI, max_tokens=1)[0] == 200


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= ("a"?){20}',
        'root ::= ("a"*)*',
        'root ::= "a"{0,1000}',
        'root ::= ("a"{1000}){1000}',
        'root ::= ("a" | "a")* ("a" | "a")*',
        "root ::= " + " | ".join(f'"{number}"' for number in range(2000)),
    ],
    ids=lambda grammar: grammar[:30],
)
def test_a_grammar_of_many_ways_ends_in_time(ask, grammar):
    status, told = ask(CHAT, messages=HI, max_tokens=3, grammar=grammar)
    assert status < 500, told
    assert ask(CHAT, messages=HI, max_tokens=1)[0] == 200


@pytest.mark.parametrize("form", ["map", "pairs", "never"])
def test_biases_keep_tokens_out(ask, form):
    _, plain = ask(CHAT, messages=HI, max_tokens=4, temperature=0)
    _, cut = ask("/tokenize", content=spoken(plain))
    out = cut["tokens"][:1]
    bias = {
        "map": {str(token): -100 for token in out},
        "pairs": [[token, -100] for token in out],
        "never": [[token, False] for token in out],
    }[form]
    _, other = ask(CHAT, messages=HI, max_tokens=4, temperature=0, logit_bias=bias)
    assert spoken(other) != spoken(plain)


def test_a_prompt_too_long_is_refused_with_both_lengths(ask):
    status, told = ask(CHAT, messages=[{"role": "user", "content": "word " * 5000}])
    assert (status, told["error"]["code"]) == (400, "context_length_exceeded")
    assert "4096" in told["error"]["message"]


def test_a_conversation_is_shown_as_the_model_reads_it(ask):
    shown = ask("/apply-template", messages=HI)[1]["prompt"]
    assert shown.endswith("<|im_start|>user\nSay hello.<|im_end|>\n<|im_start|>assistant\n")
    assert ask("/apply-template", messages=HI, add_generation_prompt=False)[0] == 400


# ---------------------------------------------------------------- prompts


def test_a_completion_in_llama_cpps_words(ask, did):
    body = {"prompt": "I believe the meaning of life is", "n_predict": 8, "return_tokens": True}
    status, told = ask(NATIVE, temperature=0, **body)
    assert (status, told["stop"], told["stop_type"], told["truncated"]) == (200, True, "limit", False)
    assert told["tokens_predicted"] == told["timings"]["predicted_n"] == len(told["tokens"]) == 8
    assert ask("/detokenize", tokens=told["tokens"])[1]["content"] == told["content"]
    assert told["generation_settings"]["n_predict"] == 8
    did(told["content"])


def test_a_streamed_completion_says_the_same(ask):
    body = {"prompt": "I believe the meaning of life is", "n_predict": 8, "temperature": 0}
    whole = ask(NATIVE, **body)[1]
    *pieces, ending = ask(NATIVE, stream=True, **body)[1]
    assert [piece["stop"] for piece in (*pieces, ending)] == [False] * len(pieces) + [True]
    assert "".join(piece["content"] for piece in pieces) == whole["content"]
    assert ending["timings"]["predicted_n"] == 8


def test_probabilities_come_with_the_numbers_of_tokens(ask):
    _, told = ask(NATIVE, prompt="One, two,", n_probs=10, temperature=0, n_predict=5)
    assert len(told["completion_probabilities"]) == 5
    for score in told["completion_probabilities"]:
        assert len(score["top_logprobs"]) == 10
        for each in (score, *score["top_logprobs"]):
            assert each["id"] >= 0
            assert each["logprob"] <= 0
            assert isinstance(each["bytes"], list)


def test_prompts_come_as_text_as_tokens_and_as_both(ask):
    text = "One, two, three,"
    tokens = ask("/tokenize", content=text, add_special=True)[1]["tokens"]
    _, told = ask(NATIVE, prompt=[text, tokens], n_predict=4, temperature=0)
    assert told[0]["content"] == told[1]["content"]
    assert [each["index"] for each in told] == [0, 1]
    status, mixed = ask(NATIVE, prompt=[*tokens, " four,", *tokens], n_predict=4)
    assert (status, mixed["tokens_evaluated"] > 2 * len(tokens)) == (200, True)


@pytest.mark.parametrize("path", [TEXT, NATIVE])
def test_the_same_seed_writes_the_same_and_another_doesnt(ask, path):
    body = {"prompt": "Once upon a time", "n_predict": 8, "temperature": 1.0}
    same = [spoken(ask(path, seed=42, **body)[1]) for _ in range(2)]
    others = {spoken(ask(path, seed=seed, **body)[1]) for seed in range(3)}
    assert len(set(same)) == 1
    assert len(others) > 1


def test_an_end_may_be_ignored(ask):
    prompt = "<|im_start|>user\nSay only: hi<|im_end|>\n<|im_start|>assistant\n"
    body = {"prompt": prompt, "n_predict": 60, "temperature": 0}
    assert ask(NATIVE, **body)[1]["stop_type"] == "eos"
    _, told = ask(NATIVE, ignore_eos=True, **body)
    assert (told["tokens_predicted"], told["stop_type"]) == (60, "limit")


def test_stopping_words_are_told(ask):
    _, told = ask(NATIVE, prompt="One, two, three,", n_predict=20, temperature=0, stop=[","])
    assert (told["stop_type"], told["stopping_word"]) == ("word", ",")
    assert "," not in told["content"]


def test_only_chosen_fields_come(ask):
    _, told = ask(NATIVE, prompt="One", n_predict=2, response_fields=["content", "timings/predicted_n"])
    assert told.keys() == {"content", "timings/predicted_n"}


def test_a_prompt_beyond_the_context_is_a_400(ask):
    status, told = ask(NATIVE, prompt="word " * 5000)
    assert (status, told["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("extra", [{}, {"filename": "ok"}, {"filename": 1}, {"filename": "x", "text": 4}])
def test_a_gap_with_bad_files_is_a_400(ask, extra):
    assert ask("/infill", input_prefix="a", input_suffix="b", input_extra=[extra])[0] == 400


def test_a_gap_takes_a_model_that_was_trained_for_it(ask, did):
    status, told = ask(
        "/infill",
        input_prefix="def add(a, b):\n    return ",
        input_suffix="\n\nprint(add(1, 2))\n",
        input_extra=[{"filename": "x.py", "text": "pass\n"}],
        n_predict=8,
    )
    assert status == 200 or (status == 400 and "in the middle" in told["error"]["message"]), told
    did(told.get("content") or told["error"]["message"])


# ---------------------------------------------------------------- tokens and vectors


def test_tokens_there_and_back(ask):
    text = "What is the capital of France ?"
    tokens = ask("/tokenize", content=text)[1]["tokens"]
    assert len(tokens) > 5
    assert ask("/detokenize", tokens=tokens)[1]["content"].strip() == text


def test_pieces_of_tokens_spell_the_text(ask):
    text = "unicode 媽 and emoji 🤗"
    _, told = ask("/tokenize", content=text, with_pieces=True)
    pieces = (each["piece"] for each in told["tokens"])
    spelt = b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
    assert spelt.decode() == text


@pytest.mark.parametrize("given", ["text", [12, 34], ["one", "two"], ["one", [12, 34]], [[12], [34, 56]]])
def test_vectors_of_texts_and_of_tokens(ask, given):
    status, told = ask("/v1/embeddings", input=given)
    several = isinstance(given, list) and not isinstance(given[0], int)
    assert (status, len(told["data"])) == (200, len(given) if several else 1)
    for each in told["data"]:
        assert sum(number**2 for number in each["embedding"]) == pytest.approx(1, abs=1e-3)
    assert told["usage"]["prompt_tokens"] == told["usage"]["total_tokens"] > 0


def spoken(told):
    """What a whole answer of any of the three routes says."""
    if "content" in told:
        return told["content"]
    (choice,) = told["choices"]
    return choice["text"] if "text" in choice else choice["message"]["content"]
