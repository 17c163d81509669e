import math

import ollama
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import TextDelta
from tests.server.test_chat import post
from tests.server.test_ollama import HELLO


def test_texts_become_vectors_of_unit_length(serving, ollama_client):
    with serving(ScriptedEngine(HELLO)) as server:
        client = ollama_client(server)
        one, two = client.embed("scripted", "hi"), client.embed("scripted", ["hi", "there"])
        old = client.embeddings("scripted", "hi")
    assert (one.model, len(one.embeddings), one.prompt_eval_count) == ("scripted", 1, 2)
    assert two.embeddings[0] == one.embeddings[0] == old.embedding
    assert len(two.embeddings) == 2
    assert all(math.hypot(*vector) == pytest.approx(1) for vector in two.embeddings)
    assert two.total_duration > 0


def test_vectors_can_be_cut_and_keep_their_length(serving, ollama_client):
    with serving(ScriptedEngine(HELLO)) as server:
        (vector,) = ollama_client(server).embed("scripted", "hi", dimensions=1).embeddings
        (whole,) = ollama_client(server).embed("scripted", "hi", dimensions=1024).embeddings
    assert [abs(number) for number in vector] == [pytest.approx(1)]
    assert len(whole) == 2


def test_without_a_text_there_is_no_vector(serving, ollama_client):
    with serving(ScriptedEngine(HELLO)) as server:
        assert ollama_client(server).embed("scripted", []).embeddings == []
        assert ollama_client(server).embeddings("scripted", "").embedding == []


def test_what_has_no_effect_is_listed_and_what_is_wrong_refused(serving, ollama_client):
    with serving(ScriptedEngine([TextDelta("")])) as server:
        status, headers, _ = post(server, {"input": "hi", "truncate": True, "options": {}}, "/api/embed")
        assert (status, headers["x-isthmus-ignored-parameters"]) == (200, "options, truncate")
        for body in ({"input": [1]}, {"input": "hi", "dimensions": 0}, {"input": "hi", "keep_alive": "soon"}):
            assert post(server, body, "/api/embed")[0] == 400
        with pytest.raises(ollama.ResponseError, match="not found"):
            ollama_client(server).embed("nothing:7b", "hi")
