"""The ollama client, unmodified: real process, real weights."""

import json

import pytest

ollama = pytest.importorskip("ollama", reason="ollama is not installed: make conformance")

from .patience import patience

CLIENT, PACKAGES = "ollama for Python", ("ollama",)
HI = [{"role": "user", "content": "Say hello."}]
FEW = {"num_predict": 8, "seed": 1, "temperature": 0}
COLOUR = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
    "required": ["colour"],
}


@pytest.fixture
def client(tiny_server):
    headers = {"Authorization": f"Bearer {tiny_server.key}"}
    client = ollama.Client(tiny_server.origin, headers=headers, timeout=patience(120))
    yield client
    client.close()


@pytest.fixture
def model(tiny_server):
    return tiny_server.model


def test_chat(client, model, did):
    answer = client.chat(model, HI, options=FEW)
    assert answer.done
    assert answer.eval_count <= 8
    did(answer.message.content)


def test_chat_streamed(client, model):
    *parts, last = client.chat(model, HI, options=FEW, stream=True)
    assert last.done
    assert "".join(each.message.content for each in parts)


def test_generate(client, model, did):
    answer = client.generate(model, "One, two, three,", options=FEW)
    assert answer.response
    did(answer.response)


def test_generate_raw_and_streamed(client, model):
    parts = list(client.generate(model, "One, two, three,", raw=True, options=FEW, stream=True))
    assert parts[-1].done


def test_a_format_is_kept_to(client, model, did):
    answer = client.chat(model, HI, format=COLOUR, options={"num_predict": 64, "temperature": 0})
    assert json.loads(answer.message.content)["colour"] in ("red", "green")
    did(answer.message.content)


def test_list_show_and_ps(client, model, did):
    assert model in [each.model for each in client.list().models]
    shown = client.show(model)
    assert shown.details.format == "gguf"
    assert model in [each.model for each in client.ps().models]
    did(f"{shown.details.family} {shown.details.parameter_size} {shown.details.quantization_level}")


def test_embed(client, model, did):
    answer = client.embed(model, ["one", "two"])
    assert len(answer.embeddings) == 2
    did(f"{len(answer.embeddings[0])} numbers each")


def test_a_model_that_is_not_there(client):
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat("nobody:1b", HI)
    assert caught.value.status_code == 404
