"""Embeddings over real HTTP; the openai client unmodified."""

import base64
import json
import math
import struct

import openai
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError
from isthmus.messages import Finish, TextDelta, Usage
from tests.engines.test_embedding import likeness
from tests.server.test_completions import client, post
from tests.server.tiny import TinyLoader

HELLO = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]


def embed(server, body):
    status, headers, answer = post(server, body, "/v1/embeddings")
    return status, headers, json.loads(answer)


def test_vectors_for_the_openai_client(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        # It asks for base64 by itself, and for numbers where it is told to.
        as_base64 = client(server).embeddings.create(model="scripted", input=["one", "two", "one"])
        as_float = client(server).embeddings.create(
            model="scripted", input=["one", "two", "one"], encoding_format="float"
        )
    assert [each.index for each in as_base64.data] == [0, 1, 2]
    for one, other in zip(as_base64.data, as_float.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert math.isclose(math.hypot(*one.embedding), 1, abs_tol=1e-6)
    assert as_float.data[0].embedding == as_float.data[2].embedding != as_float.data[1].embedding
    assert as_float.usage.prompt_tokens == as_float.usage.total_tokens == 9
    assert (as_float.object, as_float.model) == ("list", "scripted")


@pytest.mark.parametrize(
    ("texts", "count"), [("Hi", 1), ([72, 105], 1), ([[72, 105], [72]], 2), (["Hi", [72, 105]], 2)]
)
def test_texts_may_be_given_as_tokens(serving, texts, count):
    with serving(ScriptedEngine(HELLO)) as server:
        _, _, answer = embed(server, {"input": texts})
        _, _, text = embed(server, {"input": "Hi"})
    assert len(answer["data"]) == count
    assert answer["data"][0] == text["data"][0]


def test_base64_is_of_little_endian_float32(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        _, _, numbers = embed(server, {"input": "Hi"})
        _, _, packed = embed(server, {"input": "Hi", "encoding_format": "base64"})
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack("<2f", raw) == pytest.approx(numbers["data"][0]["embedding"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 3}, "dimensions"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "model": "nobody"}, "model"),
    ],
)
def test_what_is_not_done_here_is_named(serving, body, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = embed(server, body)
        assert embed(server, {"input": "a"})[0] == 200
    assert status in (400, 404)
    assert answer["error"]["param"].partition("[")[0] == param


def test_the_models_own_dimensions_may_be_asked_for_and_unknown_parameters_do_no_harm(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, headers, _ = embed(server, {"input": "a", "dimensions": 2, "user": "me", "sparkle": 1})
    assert status == 200
    assert headers["x-isthmus-ignored-parameters"] == "sparkle"


def test_a_failure_is_told(serving):
    engine = ScriptedEngine(HELLO)

    async def fail(texts):
        raise EngineError("no more")

    engine.embedder.embed = fail
    with serving(engine) as server, pytest.raises(openai.InternalServerError, match="no more"):
        client(server).embeddings.create(model="scripted", input="a")


def test_the_tiny_model_embeds_in_a_worker_of_its_own(serving, settings, tiny):
    with serving(TinyLoader(settings(engine__context_length=1024), tiny), mib=4000) as server:
        ask = client(server)
        texts = ["The cat sat on the mat.", "A cat was sitting on a mat.", "Interest rates rose again."]
        cat, also_cat, rates = (
            each.embedding for each in ask.embeddings.create(model="scripted", input=texts).data
        )
        assert len(cat) == 576
        assert math.isclose(math.hypot(*cat), 1, abs_tol=1e-4)
        assert likeness(cat, also_cat) > likeness(cat, rates)
        ask.completions.create(model="scripted", prompt="Hi", max_tokens=1)  # at the same time
        with pytest.raises(openai.BadRequestError, match="1,280 at most"):
            ask.embeddings.create(model="scripted", input=["word " * 3000])
        with pytest.raises(openai.BadRequestError):
            ask.embeddings.create(model="scripted", input=[10**6])
        assert ask.embeddings.create(model="scripted", input=texts[0]).data[0].embedding == pytest.approx(
            cat, abs=1e-3
        )
