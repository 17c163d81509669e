"""Tokens over real HTTP, in llama.cpp's words and in vLLM's."""

import json

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage
from tests.server.test_completions import client, post
from tests.server.tiny import TinyLoader

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
HI = [{"role": "user", "content": "hi"}]


def ask(server, path, body):
    status, headers, answer = post(server, body, path)
    return status, headers, json.loads(answer)


def test_a_text_is_cut_in_llama_cpps_words(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        assert ask(server, "/tokenize", {"content": "Hi"})[2] == {"tokens": [72, 105]}
        assert ask(server, "/tokenize", {"content": "Hi", "add_special": True})[2] == {
            "tokens": [256, 72, 105]
        }
        assert ask(server, "/tokenize", {"content": ""})[2] == {"tokens": []}
        pieces = ask(server, "/tokenize", {"content": "aé", "with_pieces": True})[2]["tokens"]
    assert pieces == [{"id": 97, "piece": "a"}, {"id": 195, "piece": [195]}, {"id": 169, "piece": [169]}]


def test_a_text_is_cut_in_vllms_words(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, _, told = ask(server, "/v1/tokenize", {"model": "scripted", "prompt": "Hi"})
        _, _, bare = ask(server, "/tokenize", {"prompt": "Hi", "add_special_tokens": False})
        _, _, strings = ask(server, "/tokenize", {"prompt": "Hi", "return_token_strs": True})
    assert told == {"count": 3, "max_model_len": 4096, "tokens": [256, 72, 105]}
    assert bare["tokens"] == [72, 105]
    assert strings["token_strs"] == ["", "H", "i"]


def test_a_conversation_is_cut_and_shown_as_the_model_reads_it(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, _, shown = ask(server, "/apply-template", {"messages": HI})
        _, _, cut = ask(server, "/tokenize", {"messages": HI})
        _, _, text = ask(server, "/detokenize", {"tokens": cut["tokens"]})
    assert shown == {"prompt": "user: hi\n"}
    assert text == {"content": "user: hi\n", "prompt": "user: hi\n"}
    assert cut["count"] == len(cut["tokens"]) == len("user: hi\n") + 1


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "content"),
        ("/tokenize", {"content": "a", "prompt": "b"}, "prompt"),
        ("/tokenize", {"content": 7}, "content"),
        ("/tokenize", {"messages": []}, "messages"),
        ("/tokenize", {"content": "a", "model": "nobody"}, "model"),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": "a"}, "tokens"),
        ("/apply-template", {}, "messages"),
        ("/apply-template", {"messages": [{"role": "king"}]}, "messages"),
    ],
)
def test_what_is_wrong_is_named(serving, path, body, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = ask(server, path, body)
    assert status in (400, 404)
    assert answer["error"]["param"].partition("[")[0].partition(".")[0] == param


def test_unknown_parameters_are_listed(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, headers, _ = ask(server, "/tokenize", {"content": "a", "sparkle": 1})
    assert headers["x-isthmus-ignored-parameters"] == "sparkle"


def test_the_tiny_models_counts_are_those_of_its_answers(serving, settings, tiny):
    with serving(TinyLoader(settings(engine__context_length=1024), tiny), mib=4000) as server:
        _, _, cut = ask(server, "/tokenize", {"messages": HI})
        chat = client(server).chat.completions.create(model="scripted", messages=HI, max_tokens=1)
        assert cut["count"] == chat.usage.prompt_tokens
        assert cut["max_model_len"] == 1024
        _, _, shown = ask(server, "/apply-template", {"messages": HI})
        assert shown["prompt"].endswith("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
        raw = client(server).completions.create(model="scripted", prompt=shown["prompt"], max_tokens=1)
        assert raw.usage.prompt_tokens == cut["count"]
        _, _, text = ask(server, "/detokenize", {"tokens": cut["tokens"]})
        assert text["content"] == shown["prompt"]
        status, _, answer = ask(server, "/detokenize", {"tokens": [49152]})
        assert (status, answer["error"]["param"]) == (400, "tokens")
