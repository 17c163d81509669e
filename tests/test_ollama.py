"""Ollama's own Python client over the whole path: `isthmus serve`, the tiny model, real HTTP."""

import json
import math
from contextlib import contextmanager

import ollama
import pytest

from .conftest import TINY
from .test_journey import rows, serving, settings_file, wait_until

HI = [{"role": "user", "content": "Count: one, two, three,"}]
SURE = {"temperature": 0, "num_predict": 12}


@contextmanager
def asking(home):
    """A client of a server over the tiny model."""
    settings_file("[engine]\ncontext_length = 1024\nparallel = 2\n")
    with serving(home) as server:
        key = {"Authorization": f"Bearer {server.run.key}"}
        with ollama.Client(host=f"http://127.0.0.1:{server.run.port}", headers=key) as client:
            yield client


def test_answers_whole_streamed_and_raw(tiny_home):
    with asking(tiny_home) as client:
        whole = client.chat(TINY, HI, options=SURE)
        chunks = list(client.chat(TINY, HI, options=SURE, stream=True))
        said = client.generate(TINY, HI[0]["content"], options=SURE)
        raw = client.generate(TINY, "one two three four", raw=True, options=SURE | {"num_predict": 4})
        wait_until(lambda: len(rows(tiny_home)) == 4)
    assert "".join(chunk.message.content for chunk in chunks) == whole.message.content == said.response
    assert (whole.eval_count, whole.done_reason) == (chunks[-1].eval_count, chunks[-1].done_reason)
    assert 0 < whole.eval_count <= 12
    assert whole.prompt_eval_count > raw.prompt_eval_count, "a raw prompt has no template around it"
    assert raw.response
    took = (whole.load_duration, whole.prompt_eval_duration, whole.eval_duration)
    assert all(nanoseconds >= 0 for nanoseconds in took)
    assert 0 < whole.eval_duration <= whole.total_duration
    assert sum(took) <= whole.total_duration * 1.1
    assert {row.outcome for row in rows(tiny_home)} == {"complete"}


def test_the_form_the_sampling_and_the_log_probabilities_that_are_asked_for(tiny_home):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with asking(tiny_home) as client:
        shaped = client.chat(TINY, HI, format=schema, options={"temperature": 0, "num_predict": 40})
        odd = {"top_k": 1, "min_p": 0.1, "typical_p": 0.9, "repeat_penalty": 1.2, "repeat_last_n": 16}
        sure, also = (client.chat(TINY, HI, options=SURE | odd | {"seed": n}).message.content for n in (1, 2))
        scored = client.chat(TINY, HI, options=SURE, logprobs=True, top_logprobs=3)
        stopped = client.chat(TINY, HI, options=SURE | {"stop": [sure[:3]]})
    assert isinstance(json.loads(shaped.message.content)["n"], int)
    assert sure == also, "one token to choose from leaves nothing to chance"
    assert "".join(each.token for each in scored.logprobs).startswith(scored.message.content)
    assert {len(each.top_logprobs) for each in scored.logprobs} == {3}
    assert (stopped.message.content, stopped.done_reason) == ("", "stop")


def test_models_are_listed_shown_kept_and_unloaded(tiny_home):
    with asking(tiny_home) as client:
        assert [model.model for model in client.list().models] == [TINY]
        shown = client.show(TINY)
        assert shown.modelinfo["llama.context_length"] == 8192
        assert (shown.details.family, shown.details.parameter_size) == ("llama", "134.52M")
        assert "messages" in shown.template
        client.generate(TINY, "", keep_alive="10m")
        (loaded,) = client.ps().models
        assert (loaded.model, loaded.context_length) == (TINY, 1024)
        assert loaded.size > 10**8
        assert client.generate(TINY, "", keep_alive=0).done_reason == "unload"
        assert client.ps().models == []
        assert client.chat(TINY, HI, options={"num_predict": 1}, keep_alive=0).done
        wait_until(lambda: client.ps().models == [])


def test_a_conversation_that_is_too_long_is_refused_or_shortened_on_demand(tiny_home):
    turns = [{"role": "user", "content": "word " * 700}, {"role": "assistant", "content": "yes"}, *HI]
    asked = {"model": TINY, "messages": [*turns[:2], *turns[:2], *HI], "options": SURE, "stream": False}
    with asking(tiny_home) as client:
        with pytest.raises(ollama.ResponseError, match="1024") as caught:
            client.chat(TINY, asked["messages"])
        assert caught.value.status_code == 400
        answer = client._client.post("/api/chat", json=asked | {"truncate": True}).json()
    assert answer["done"]
    assert answer["isthmus"]["notices"], "what was left out is told"


def test_names_come_and_go_and_what_is_here_is_pulled_at_once(tiny_home):
    with asking(tiny_home) as client:
        assert [line.status for line in client.pull(TINY, stream=True)] == ["pulling manifest", "success"]
        client.copy(TINY, "twin")
        assert [model.model for model in client.list().models] == [TINY, "twin:latest"]
        assert client.chat("twin:latest", HI, options={"num_predict": 1}).model == "twin:latest"
        client.delete("twin")
        assert [model.model for model in client.list().models] == [TINY]


def test_texts_become_vectors(tiny_home):
    with asking(tiny_home) as client:
        made = client.embed(TINY, ["a cat", "a kitten", "the stock market fell"])
    assert {len(vector) for vector in made.embeddings} == {576}
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-3) for vector in made.embeddings)
    assert made.prompt_eval_count > 5
