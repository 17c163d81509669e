"""From settings and a plan to what a worker is told."""

import msgspec
import pytest

from isthmus.engines.builds import EngineBuild
from isthmus.engines.lending import lent_files
from isthmus.engines.loading import Loading, worker_config
from isthmus.fit import Budget, plan
from isthmus.settings import EngineSettings
from isthmus.store import Store
from isthmus.trust import verify
from tests.engines.weights import eyes

MIB = 1 << 20


def plan_for(model, budget):
    """A plan as it may come out with GPUs: none is needed for it here."""
    made = plan(model.header.shape, budget, EngineSettings(context_length=1024))
    return msgspec.structs.replace(made, ram_bytes=100 * MIB, gpu_layers=12, cpu_expert_layers=5)


def config(tiny, settings=EngineSettings(), **more):  # noqa: B008 - frozen
    with verify(tiny) as model, lent_files(model) as files:
        made = {"plan": plan_for(model, more["budget"])} if "budget" in more else {}
        return worker_config(Loading(model=model, settings=settings, **made, **more), files, "k")


def test_without_a_plan_the_context_is_the_settings_at_most_the_models(tiny):
    assert config(tiny)["context_length"] == 8192
    assert config(tiny, EngineSettings(context_length=512))["context_length"] == 512
    assert config(tiny, EngineSettings(context_length=100_000))["context_length"] == 8192


def test_a_plan_decides_where_it_knows_of_a_gpu(tiny):
    told = config(tiny, budget=Budget(200 * MIB, (50 * MIB,)))
    assert (told["context_length"], told["gpu_layers"], told["cpu_expert_layers"]) == (1024, 12, 5)
    assert config(tiny, budget=Budget(200 * MIB))["gpu_layers"] == -1


@pytest.mark.parametrize(("ram_mb", "cache_mb"), [(90, 0), (100, 0), (300, 100), (100_000, 1024)])
def test_earlier_prompts_get_half_of_what_the_plan_leaves(tiny, ram_mb, cache_mb):
    assert config(tiny, budget=Budget(ram_mb * MIB))["prompt_cache_mb"] == cache_mb


def test_threads_are_the_persons_or_those_that_measured_fastest(tiny):
    build = EngineBuild("b", "package", threads=3)
    assert config(tiny, build=build)["threads"] == 3
    assert config(tiny, EngineSettings(threads=2), build=build)["threads"] == 2


@pytest.mark.parametrize(
    ("wanted", "with_draft", "told"),
    [
        ("auto", False, "off"),
        ("ngram", False, "ngram"),
        ("auto", True, "draft"),
        ("ngram", True, "ngram"),
        ("draft", False, "off"),
        ("off", True, "off"),
    ],
)
def test_a_draft_model_guesses_where_there_is_one(tiny, wanted, with_draft, told):
    with verify(tiny) as draft:
        more = {"draft": draft} if with_draft else {}
        assert config(tiny, EngineSettings(speculation=wanted), **more)["speculation"] == told


def test_a_model_that_sees_is_not_guessed_ahead_without_a_draft_model(tiny, tmp_path):
    projector = eyes(tiny.path, tmp_path / "mmproj.gguf")
    seeing = Store(tmp_path / "home").add_file(tiny.path, "seeing", projector=projector)
    for wanted in ("auto", "ngram", "off"):
        told = config(seeing, EngineSettings(speculation=wanted))
        assert told["speculation"] == "off"
        assert told["projector"]


def test_prompts_are_read_a_micro_batch_at_a_time_where_the_processor_reads_them(tiny):
    assert config(tiny)["batch_tokens"] == 512
    assert config(tiny, EngineSettings(gpu_layers=4))["batch_tokens"] == 0


def test_a_file_is_mapped_unless_memory_is_limited(tiny):
    assert config(tiny)["map_weights"]
    assert not config(tiny, EngineSettings(memory_mb=1000))["map_weights"]
