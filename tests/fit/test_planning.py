import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.fit import CONTEXT_STEP, Budget, Plan, plan
from isthmus.settings import EngineSettings
from isthmus.store.gguf import read_headers
from isthmus.store.shape import published
from tests.fit.shapes import DENSE, GIB, GPT_OSS, KIMI_K2, MIB, shape, shapes, unhurried
from tests.store.large import kimi_k2, write_split

ENGINE = EngineSettings()


def test_the_default_context_is_the_largest_that_fits():
    model = shape(context_length=32_768)
    roomy, tight = plan(model, Budget(8 * GIB), ENGINE), plan(model, Budget(650 * MIB), ENGINE)
    assert roomy.context_length == roomy.max_context == 32_768
    assert tight.fits
    assert 0 < tight.context_length == tight.max_context < 32_768
    assert tight.max_context % CONTEXT_STEP == 0


def test_a_context_that_is_asked_for_is_planned():
    model, budget = shape(), Budget(650 * MIB)
    most = plan(model, budget, ENGINE).max_context
    assert plan(model, budget, ENGINE, context_length=512).context_length == 512
    assert plan(model, budget, EngineSettings(context_length=1024)).context_length == 1024
    beyond = plan(model, budget, ENGINE, context_length=most + 1)
    assert (beyond.fits, beyond.max_context, beyond.context_length) == (False, most, most + 1)
    assert plan(model, budget, ENGINE, context_length=10**9).context_length == model.context_length


def test_what_never_fits_says_what_it_would_take():
    nothing = plan(shape(), Budget(0), ENGINE)
    assert (nothing.fits, nothing.max_context, nothing.context_length) == (False, 0, 4096)
    assert nothing.total_bytes > 510 * MIB


def test_kimi_k2_on_a_small_machine_and_on_a_large_one(tmp_path):
    model = read_headers(write_split(tmp_path, "k2", *kimi_k2(), 13)).shape
    home = plan(model, Budget(24 * GIB), ENGINE)
    assert (home.fits, home.max_context) == (False, 0)
    assert home.weights_bytes == model.weights_bytes
    served = plan(model, Budget(64 * GIB, (141 * GIB,) * 8), ENGINE)
    assert (served.fits, served.context_length, served.gpu_layers) == (True, 131_072, 62)
    assert served.kv_cache_bytes == 61 * 576 * 131_072 * 2
    experts_at_home = plan(model, Budget(768 * GIB, (24 * GIB,)), ENGINE)
    assert experts_at_home.fits
    assert (experts_at_home.gpu_layers, experts_at_home.context_length) == (62, 131_072)
    assert experts_at_home.cpu_expert_layers >= 60


def test_catalogue_shapes_are_planned_too():
    gpt_oss = plan(published(GPT_OSS, 12_109_566_624), Budget(16 * GIB), ENGINE)
    assert gpt_oss.fits
    assert gpt_oss.total_bytes == pytest.approx(12.1e9, rel=0.35)
    starter = plan(published(DENSE, 491_400_064), Budget(2 * GIB), ENGINE, context_length=8192)
    assert starter.kv_cache_bytes == 24 * 256 * 8192 * 2
    assert not plan(published(KIMI_K2, 10**12), Budget(512 * GIB), ENGINE).fits


# ---------------------------------------------------------------- whatever the model and the machine

BUDGETS = st.builds(Budget, st.integers(0, 4 * GIB), st.lists(st.integers(0, 4 * GIB), max_size=2).map(tuple))
ENGINES = st.builds(
    EngineSettings,
    parallel=st.integers(1, 16),
    kv_type=st.sampled_from(["f16", "q8_0", "q4_0"]),
    flash_attention=st.sampled_from(["auto", "off"]),
    gpu_layers=st.sampled_from([-1, 0, 3, 99]),
    cpu_expert_layers=st.sampled_from([-1, 0, 2]),
)


def totals_add_up(made: Plan) -> None:
    parts = made.weights_bytes, made.kv_cache_bytes, made.compute_bytes, made.overhead_bytes
    assert sum(parts) == made.total_bytes == made.ram_bytes + made.gpu_bytes
    assert all(getattr(made, name) >= 0 for name in made.__struct_fields__)


@unhurried
@given(model=shapes(), budget=BUDGETS, engine=ENGINES)
def test_the_largest_context_is_the_edge(model, budget, engine):
    most = plan(model, budget, engine).max_context
    assert most % CONTEXT_STEP == 0
    assert most <= max(model.context_length, CONTEXT_STEP)
    if most:
        assert plan(model, budget, engine, context_length=most).fits
    if most + CONTEXT_STEP <= model.context_length:
        assert not plan(model, budget, engine, context_length=most + CONTEXT_STEP).fits


@unhurried
@given(model=shapes(), budget=BUDGETS, engine=ENGINES, context=st.integers(1, 100_000))
def test_totals_add_up_and_what_fits_is_within_the_budget(model, budget, engine, context):
    made = plan(model, budget, engine, context_length=context)
    totals_add_up(made)
    if made.fits:
        assert made.ram_bytes <= budget.ram_bytes
        assert made.gpu_bytes <= sum(budget.gpu_bytes)


@unhurried
@given(model=shapes(), engine=ENGINES, context=st.integers(1, 100_000))
def test_a_longer_context_never_takes_less(model, engine, context):
    budget = Budget(64 * GIB)
    short, long = (plan(model, budget, engine, context_length=each) for each in (context, context + 256))
    assert short.total_bytes <= long.total_bytes


@unhurried
@given(model=shapes(), engine=ENGINES, budget=BUDGETS, more=st.integers(0, GIB))
def test_more_memory_never_allows_less(model, engine, budget, more):
    roomier = msgspec.structs.replace(budget, ram_bytes=budget.ram_bytes + more)
    assert plan(model, budget, engine).max_context <= plan(model, roomier, engine).max_context
