"""What of a local model a question may name: its answers, its tokens, its vectors."""

import anyio
import pytest

from isthmus.engines.pool import open_pool
from isthmus.engines.pooled import PooledEmbedder, PooledTokenizer
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import UnknownModel
from isthmus.runtime.models import Models
from isthmus.store import Store
from tests.engines.played import PlayedLoader, budget
from tests.store.samples import gguf_bytes

RUNNER = {
    "providers__mine__base_url": "http://127.0.0.1:9/v1",
    "providers__mine__model": "m",
    "providers__mine__local": True,
}


@pytest.fixture
def with_models(settings, tmp_path):
    """Runs a coroutine function with the models of a store that has one, and of a runner."""

    def run(work):
        config = settings(model="here", **RUNNER)
        weights = tmp_path / "sample.gguf"
        weights.write_bytes(gguf_bytes())
        Store(config.settings.home_path).add_file(weights, "here")

        async def main():
            async with open_pool(PlayedLoader(), config.settings.engine, budget(100)) as pool:
                models = Models(config, pool)
                try:
                    return await work(models)
                finally:
                    await models.close()

        return anyio.run(main)

    return run


@pytest.mark.parametrize("name", [None, "", "default", "here"])
def test_a_model_of_the_store_cuts_and_embeds_in_the_pool(with_models, name):
    async def work(models):
        tokenizer, embedder = models.tokenizer(name, key="k"), models.embedder(name, key="k")
        assert isinstance(tokenizer, PooledTokenizer)
        assert isinstance(embedder, PooledEmbedder)
        assert await tokenizer.tokenize("Hi") == [72, 105]
        assert len((await embedder.embed(["Hi"])).vectors) == 1
        assert sorted(each.embeds for each in models.pool.status()) == [False, True]
        known = [(each.name, each.loaded) for each in await models.listing()]
        assert ("here", True) in known

    with_models(work)


def test_a_runners_tokens_and_vectors_are_its_own(with_models):
    async def work(models):
        home = models.home("mine")
        assert isinstance(home, RunnerEngine)
        assert models.tokenizer("mine") is home.tokenizer
        assert models.embedder("mine") is home.embedder

    with_models(work)


def test_nobody_is_named(with_models):
    async def work(models):
        for ask in (models.tokenizer, models.embedder):
            with pytest.raises(UnknownModel) as caught:
                ask("nobody")
            assert caught.value.param == "model"

    with_models(work)
