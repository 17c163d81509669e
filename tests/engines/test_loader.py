"""What loads models: the plan with and without a draft model, and what is left of a load that fails."""

import os
from pathlib import Path

import anyio
import pytest

from isthmus.engines import loader as loader_module
from isthmus.engines.builds import INSTALLED
from isthmus.engines.loader import WorkerLoader
from isthmus.errors import DoesNotFit, InvalidWeights, LoadError, UnknownModel
from isthmus.fit import Budget
from isthmus.store import Store
from tests.store.samples import KEYS, gguf_bytes

PLENTY = Budget(8 << 30)


@pytest.fixture
def weights(tmp_path):
    """A small file of weights."""
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf_bytes())
    return path


def open_files():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_a_model_is_planned_from_its_header(settings, tiny):
    loader = WorkerLoader(settings(engine__context_length=1024).settings, PLENTY, INSTALLED)
    plan = anyio.run(loader.plan, tiny)
    assert plan.fits
    assert plan.context_length == 1024
    assert plan.weights_bytes < plan.total_bytes < 2**30


def test_a_file_that_is_no_model_is_refused(settings, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    loader = WorkerLoader(settings().settings, PLENTY, INSTALLED)
    with pytest.raises(InvalidWeights):
        anyio.run(loader.plan, broken)


def test_what_does_not_fit_is_refused_before_it_is_verified(settings, tiny):
    loader = WorkerLoader(settings(engine__context_length=1024).settings, Budget(50 << 20), INSTALLED)
    with pytest.raises(DoesNotFit, match=r"smollm2:135m takes \d+ MiB with a context of 1,024 .* 50 MiB"):
        anyio.run(loader.prepare, tiny)


def test_a_load_that_fails_or_is_cancelled_leaves_nothing_open(settings, weights, monkeypatch):
    class Engine:
        def __init__(self, model, *args, **more):
            self.model = model

        async def open(self):
            await anyio.sleep(0.01)
            raise LoadError("unknown architecture")

        async def close(self):
            await anyio.sleep(0)
            self.model.close()

    monkeypatch.setattr(loader_module, "LlamaEngine", Engine)
    loader = WorkerLoader(settings().settings, PLENTY, INSTALLED)

    async def work():
        plan = await loader.plan(weights)
        before = open_files()
        with pytest.raises(LoadError):
            await loader.load(weights, plan)
        with anyio.move_on_after(0.005):
            await loader.load(weights, plan)
        assert open_files() == before

    anyio.run(work)


class TestDraft:
    """A draft model is loaded beside those that know the same tokens, and is counted."""

    @pytest.fixture
    def home(self, tmp_path, weights):
        small = tmp_path / "draft.gguf"
        small.write_bytes(gguf_bytes(keys=KEYS | {"general.name": "another"}))
        Store(tmp_path / "home").add_file(small, "draft")
        return tmp_path / "home"

    def loader(self, settings, **flags):
        return WorkerLoader(settings(engine__context_length=512, **flags).settings, PLENTY, INSTALLED)

    def test_it_takes_memory_of_its_own(self, settings, tiny_home, tiny, monkeypatch):
        alone = anyio.run(self.loader(settings).plan, tiny)
        with_draft = self.loader(settings, engine__draft_model=tiny.name)
        monkeypatch.setattr(with_draft, "_suits", lambda guesser, guessed: True)
        both = anyio.run(with_draft.plan, tiny)
        assert both.total_bytes == 2 * alone.total_bytes
        assert both.context_length == alone.context_length

    def test_one_that_knows_other_tokens_or_is_no_smaller_is_left_out(self, settings, home, tiny):
        loader = self.loader(settings, engine__draft_model="draft")
        alone = anyio.run(self.loader(settings).plan, tiny)
        assert anyio.run(loader.plan, tiny) == alone

    def test_one_that_is_not_here_is_an_error_unless_speculation_is_off(self, settings, weights):
        with pytest.raises(UnknownModel, match="nowhere"):
            anyio.run(self.loader(settings, engine__draft_model="nowhere").plan, weights)
        off = self.loader(settings, engine__draft_model="nowhere", engine__speculation="ngram")
        assert anyio.run(off.plan, weights)

    def test_what_was_planned_for_a_file_is_looked_at_anew(self, settings, weights):
        loader = self.loader(settings)
        anyio.run(loader.plan, weights)
        Path(weights).write_bytes(b"GGUF")
        with pytest.raises(InvalidWeights):
            anyio.run(loader.plan, weights)
