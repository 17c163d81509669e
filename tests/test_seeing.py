"""A model with eyes, for real: weights and projector in the store, a worker, and images in every API.

The projector turns a red image into the word "red", and so on; so the tiny model can say what it saw.
"""

import anthropic
import ollama
import openai
import pytest

from isthmus.store import Store

from .clients import opened
from .engines.weights import eyes
from .test_journey import isthmus, rows, serving, settings_file
from .wire.pictures import PAINTED

WORD = "Say this word:"


@pytest.fixture
def seeing_home(tiny, tmp_path):
    projector = eyes(tiny.path, tmp_path / "mmproj.gguf")
    home = tmp_path / "home"
    pulled = isthmus("pull", str(tiny.path), "--projector", str(projector), "--name", "seeing", home=home)
    assert pulled.returncode == 0, pulled.stderr
    settings_file("[engine]\ncontext_length = 1024\nparallel = 2\n")
    return home


def by_chat(run, url):
    content = [{"type": "text", "text": WORD}, {"type": "image_url", "image_url": {"url": url}}]
    with openai.OpenAI(base_url=run.base_url, api_key="none") as client:
        answer = client.chat.completions.create(
            model="seeing", messages=[{"role": "user", "content": content}], max_tokens=8, temperature=0
        )
    return answer.choices[0].message.content


def by_responses(run, url):
    content = [{"type": "input_text", "text": WORD}, {"type": "input_image", "image_url": url}]
    with openai.OpenAI(base_url=run.base_url, api_key="none") as client:
        answer = client.responses.create(
            model="seeing",
            input=[{"role": "user", "content": content}],
            max_output_tokens=8,
            temperature=0,
        )
    return answer.output_text


def by_messages(run, url):
    source = {"type": "base64", "media_type": "image/png", "data": url.partition(",")[2]}
    content = [{"type": "text", "text": WORD}, {"type": "image", "source": source}]
    with anthropic.Anthropic(base_url=run.base_url.removesuffix("/v1"), api_key="none") as client:
        answer = client.messages.create(
            model="seeing",
            messages=[{"role": "user", "content": content}],
            max_tokens=8,
            extra_body={"temperature": 0},
        )
    return answer.content[0].text


def by_ollama(run, url):
    client = opened(ollama.Client(host=run.base_url.removesuffix("/v1")))
    assert "vision" in client.show("seeing").capabilities
    message = {"role": "user", "content": WORD, "images": [url.partition(",")[2]]}
    answer = client.chat("seeing", [message], options={"num_predict": 8, "temperature": 0})
    return answer.message.content


def test_an_image_is_seen_whatever_api_it_comes_by_and_stays_at_home(seeing_home):
    assert Store(seeing_home).models()[0].projector is not None
    with serving(seeing_home, "-m", "seeing") as server:
        for ask in (by_chat, by_responses, by_messages, by_ollama):
            for colour, url in PAINTED.items():
                assert colour in ask(server.run, url).lower(), ask.__name__
    assert {row.target for row in rows(seeing_home)} == {"local"}
