"""Texts to vectors: the tiny model's mean, and runners' that are played."""

import math
import struct
from base64 import b64encode

import anyio
import pytest

from isthmus.engines.builds import INSTALLED
from isthmus.engines.embedding import BATCH
from isthmus.engines.llama import LlamaEngine
from isthmus.engines.loader import WorkerLoader
from isthmus.engines.resident import ForEmbedding
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import ContextLengthExceeded, EngineError, RequestError, UnknownModel
from isthmus.fit import Budget
from isthmus.settings import EngineSettings, ProviderSettings
from isthmus.trust import verify
from tests.engines.weights import pooled
from tests.upstream import Upstream, status


def length(vector):
    return math.sqrt(math.fsum(each * each for each in vector))


def likeness(one, other):
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


@pytest.fixture
def with_embedder(tiny, settings):
    """Runs a coroutine function with the tiny model, loaded as a pool would load it for embedding."""

    def run(work, **flags):
        async def main():
            loader = WorkerLoader(settings(**flags).settings, Budget(4 << 30), INSTALLED)
            weights = ForEmbedding(tiny)
            engine = await loader.load(weights, await loader.plan(weights))
            try:
                return await work(engine)
            finally:
                await engine.close()

        return anyio.run(main)

    return run


def test_vectors_are_of_unit_length_and_alike_where_texts_are(with_embedder):
    texts = ("The cat sat on the mat.", "A cat was sitting on a mat.", "Interest rates rose by two percent.")

    async def work(engine):
        made = await engine.embedder.embed([*texts, texts[0]])
        cat, also_cat, rates, again = made.vectors
        assert len(cat) == 576
        assert all(math.isclose(length(each), 1, abs_tol=1e-5) for each in made.vectors)
        assert math.isclose(likeness(cat, again), 1, abs_tol=1e-5)
        assert likeness(cat, also_cat) > likeness(cat, rates)
        counts = [len(await engine.tokenizer.tokenize(text, add_special=True)) for text in (*texts, texts[0])]
        assert made.prompt_tokens == sum(counts)

    with_embedder(work)


def test_tokens_are_embedded_as_their_text_is(with_embedder):
    async def work(engine):
        text = "The sky is blue."
        tokens = await engine.tokenizer.tokenize(text, special=True, add_special=True)
        made = await engine.embedder.embed([text, tokens])
        assert math.isclose(likeness(*made.vectors), 1, abs_tol=1e-5)

    with_embedder(work)


LIMIT = 1280
"""What the tiny model reads at once: as many tokens as its logits leave memory for."""


@pytest.mark.slow
def test_texts_may_be_as_long_as_the_model_reads_at_once(with_embedder):
    async def work(engine):
        made = await engine.embedder.embed([[504] * LIMIT] * 5)
        assert made.prompt_tokens == 5 * LIMIT

    with_embedder(work)


def test_a_longer_text_is_refused_by_its_number_and_length(with_embedder):
    async def work(engine):
        with pytest.raises(
            ContextLengthExceeded, match=r"text 1 has 1,281 tokens, .* 1,280 at most"
        ) as caught:
            await engine.embedder.embed(["short", [504] * (LIMIT + 1)])
        assert caught.value.param == "input"
        with pytest.raises(ContextLengthExceeded, match="text 0"):
            await engine.embedder.embed(["word " * 3 * LIMIT])
        assert len((await engine.embedder.embed(["still here"])).vectors) == 1

    with_embedder(work)


def test_more_texts_than_a_batch_keep_their_order(with_embedder):
    async def work(engine):
        texts = [f"number {number}" for number in range(BATCH + 3)]
        made = await engine.embedder.embed(texts)
        assert len(made.vectors) == len(texts)
        (alone,) = (await engine.embedder.embed([texts[BATCH + 1]])).vectors
        assert math.isclose(likeness(alone, made.vectors[BATCH + 1]), 1, abs_tol=1e-4)

    with_embedder(work)


@pytest.mark.parametrize("text", ["", [], [1, 10**6], [2**31 - 1]])
def test_what_is_no_text_is_the_requests_fault(with_embedder, text):
    async def work(engine):
        with pytest.raises(RequestError):
            await engine.embedder.embed(["fine", text])

    with_embedder(work)


def test_it_takes_what_was_planned(tiny, settings):
    loader = WorkerLoader(settings().settings, Budget(4 << 30), INSTALLED)
    plan = anyio.run(loader.plan, ForEmbedding(tiny))
    assert plan.fits
    assert plan.context_length == 4 * LIMIT
    assert plan.compute_bytes > 2 * 4 * LIMIT * 49152
    assert not anyio.run(
        WorkerLoader(settings().settings, Budget(500 << 20), INSTALLED).plan, ForEmbedding(tiny)
    ).fits


def test_an_embedding_model_is_pooled_as_its_weights_say_and_only_embeds(tiny, settings, tmp_path):
    loader = WorkerLoader(settings().settings, Budget(4 << 30), INSTALLED)

    async def embed(weights):
        engine = await loader.load(weights, await loader.plan(weights))
        try:
            return (await engine.embedder.embed(["The sky is blue."])).vectors[0]
        finally:
            await engine.close()

    mean = anyio.run(embed, ForEmbedding(tiny))
    for number, alike in ((1, True), (3, False)):
        made = pooled(tiny.path, tmp_path / "embedder.gguf", number)
        own = anyio.run(embed, ForEmbedding(made))
        assert math.isclose(length(own), 1, abs_tol=1e-5)
        assert (likeness(own, mean) > 0.999) is alike
    with pytest.raises(RequestError, match="can't answer"):
        anyio.run(loader.plan, made)


def test_a_model_that_was_loaded_to_answer_says_so(tiny):
    async def main():
        engine = LlamaEngine(verify(tiny), EngineSettings(context_length=512))
        try:
            with pytest.raises(RequestError, match="to answer"):
                await engine.embedder.embed(["hi"])
            assert engine.worker is None
        finally:
            await engine.close()

    anyio.run(main)


# ---------------------------------------------------------------- runners


def embed(texts, *replies):
    async def main(url):
        engine = RunnerEngine("mine", ProviderSettings(url, local=True), "m")
        try:
            return await engine.embedder.embed(texts)
        finally:
            await engine.close()

    with Upstream(*replies) as upstream:
        return anyio.run(main, upstream.url), upstream.requests


def reply(*vectors, tokens=5):
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return status(200, {"data": data[::-1], "usage": {"prompt_tokens": tokens}})


def base64(*numbers):
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize("vectors", [([3.0, 4.0], [0.0, 2.0]), (base64(3, 4), base64(0, 2))])
def test_a_runners_vectors_are_brought_to_unit_length_and_put_in_order(vectors):
    made, (asked,) = embed(["one", (1, 2)], reply(*vectors))
    assert made.vectors == (pytest.approx((0.6, 0.8)), (0.0, 1.0))
    assert made.prompt_tokens == 5
    assert asked.target == "/v1/embeddings"
    assert asked.json["input"] == ["one", [1, 2]]
    assert asked.json["model"] == "m"


def test_batches_are_split_and_counted_together():
    first, rest = [reply(*[[1.0]] * count, tokens=count) for count in (BATCH, 2)]
    made, requests = embed(["x"] * (BATCH + 2), first, rest)
    assert len(made.vectors) == made.prompt_tokens == BATCH + 2
    assert [len(each.json["input"]) for each in requests] == [BATCH, 2]


def test_long_texts_make_short_batches():
    texts = ["x" * 20_000, "y" * 20_000, "z" * 50_000, "a"]
    made, requests = embed(texts, *[reply([1.0])] * 4)
    assert len(made.vectors) == 4
    assert [each.json["input"] for each in requests] == [[text] for text in texts]


@pytest.mark.parametrize(
    "body", [{}, {"data": []}, {"data": [{"index": 0, "embedding": "?"}]}, {"data": [{"index": 0}]}, [1]]
)
def test_a_runner_that_talks_nonsense_has_failed(body):
    with pytest.raises(EngineError):
        embed(["x"], status(200, body))


def test_a_runner_without_the_model_is_named():
    with pytest.raises(UnknownModel, match="mine"):
        embed(["x"], status(404, {"error": {"message": "?"}}))
