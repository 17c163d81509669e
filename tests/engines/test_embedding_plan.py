"""How weights are loaded for embedding, by what their headers say."""

import anyio
import pytest

from isthmus.engines.builds import INSTALLED
from isthmus.engines.embedding_plan import embedding_load, embedding_settings
from isthmus.engines.lending import LentFiles
from isthmus.engines.loader import WorkerLoader
from isthmus.engines.loading import Loading, worker_config
from isthmus.engines.resident import ForEmbedding
from isthmus.errors import RequestError
from isthmus.fit import Budget
from isthmus.settings import EngineSettings
from isthmus.store.gguf import read_header
from isthmus.trust import verify
from tests.store.samples import KEYS, gguf_bytes, tensor

PLENTY = Budget(8 << 30)


@pytest.fixture
def made(tmp_path):
    """A GGUF that has a header and little else."""

    def make(architecture="llama", vocabulary=256, **keys):
        named = {f"{architecture}.{key}": value for key, value in keys.items()}
        path = tmp_path / "made.gguf"
        tensors = (tensor("token_embd.weight", (256, vocabulary), 12, 0),)
        content = {**KEYS, "general.architecture": architecture, **named}
        path.write_bytes(gguf_bytes(keys=content, tensors=tensors, data_bytes=144 * vocabulary))
        return path

    return make


def load(path):
    return embedding_load(read_header(path), "made")


@pytest.mark.parametrize(
    ("architecture", "pooling", "how"),
    [("llama", 0, "mean"), ("bert", 2, "own"), ("nomic-bert", 1, "own"), ("qwen3", 3, "own")],
)
def test_weights_that_say_how_are_pooled_so_and_others_by_the_mean(made, architecture, pooling, how):
    path = made(architecture, context_length=512, pooling_type=pooling)
    assert load(path).pooling == how


def test_what_ranks_makes_no_vectors(made):
    with pytest.raises(RequestError, match="made ranks texts"):
        load(made("bert", pooling_type=4))


@pytest.mark.parametrize(
    ("trained", "vocabulary", "tokens", "at_once"),
    [
        (512, 30_000, 512, 1),
        (8192, 30_000, 2048, 4),
        (8192, 50_000, 1280, 4),
        (2048, 150_000, 512, 4),
        (256, 256, 256, 1),
    ],
)
def test_a_text_is_as_long_as_its_logits_leave_memory_for(made, trained, vocabulary, tokens, at_once):
    found = load(made("llama", vocabulary, context_length=trained))
    assert (found.text_tokens, found.at_once) == (tokens, at_once)
    assert found.context_length == tokens * at_once <= max(trained, 256)


def test_the_worker_is_told_and_nothing_of_answers(made):
    person = EngineSettings(parallel=8, speculation="ngram", adapters=("/a.gguf",), draft_model="x")
    with verify(made("llama", context_length=2048)) as model:
        found = embedding_load(model.header, model.name)
        settings = embedding_settings(found, person)
        files = LentFiles(model=["/x"], projector="/eyes", draft="", adapters=[], fds=())
        told = worker_config(Loading(model=model, settings=settings, embedding=found), files, "key")
        plain = worker_config(Loading(model=model, settings=person), files, "key")
    assert (told["pooling"], told["text_tokens"]) == ("mean", found.text_tokens)
    assert (told["projector"], plain["projector"]) == ("", "/eyes")
    assert (told["parallel"], told["speculation"], told["prompt_cache_mb"]) == (found.at_once, "off", 0)
    assert told["context_length"] == found.context_length
    assert (plain["pooling"], plain["text_tokens"]) == ("", 0)


def test_an_embedding_model_is_planned_for_embedding_only(made, settings):
    loader = WorkerLoader(settings().settings, PLENTY, INSTALLED)
    path = made("bert", context_length=512, pooling_type=1)
    assert anyio.run(loader.plan, ForEmbedding(path)).fits
    with pytest.raises(RequestError, match="into vectors and can't answer") as caught:
        anyio.run(loader.plan, path)
    assert caught.value.param == "model"


def test_any_model_may_be_planned_for_both_and_takes_more_for_vectors(made, settings):
    loader = WorkerLoader(settings(engine__context_length=2048).settings, PLENTY, INSTALLED)
    path = made("llama", 100_000, context_length=2048)
    answering, embedding = anyio.run(loader.plan, path), anyio.run(loader.plan, ForEmbedding(path))
    assert answering.fits
    assert embedding.compute_bytes > answering.compute_bytes + 512 * 100_000 * 4
    assert embedding.total_bytes == embedding.ram_bytes
    parts = ("weights_bytes", "kv_cache_bytes", "compute_bytes", "overhead_bytes")
    assert sum(getattr(embedding, part) for part in parts) == embedding.total_bytes


def test_what_its_logits_leave_no_room_for_does_not_fit(made, settings):
    path = made("llama", 200_000, context_length=2048)
    small = Budget(600 << 20)
    loader = WorkerLoader(settings(engine__context_length=2048).settings, small, INSTALLED)
    assert anyio.run(loader.plan, path).fits
    assert not anyio.run(loader.plan, ForEmbedding(path)).fits
