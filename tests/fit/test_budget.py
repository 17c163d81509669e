import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.fit import Budget, budget_of, weights_room
from isthmus.machine import Gpu, Memory
from isthmus.settings import EngineSettings
from tests.fit.shapes import GIB, MIB, unhurried

AUTO = EngineSettings()


def gpu(free: int, *, unified: bool = False) -> Gpu:
    return Gpu("apple" if unified else "nvidia", "GPU", free, free, unified)


def test_a_tenth_is_left_to_the_system():
    assert budget_of(AUTO, Memory(10 * GIB, 8 * GIB), ()).ram_bytes == 7 * GIB
    assert budget_of(AUTO, Memory(64 * GIB, 60 * GIB), ()).ram_bytes == 58 * GIB  # two GiB are enough
    assert budget_of(AUTO, Memory(10 * GIB, GIB // 2), ()).ram_bytes == 0


def test_gpus_are_used_to_the_full_beside_the_main_memory():
    budget = budget_of(AUTO, Memory(32 * GIB, 30 * GIB), (gpu(24 * GIB), gpu(8 * GIB)))
    assert (budget.ram_bytes, budget.gpu_bytes) == (28 * GIB, (24 * GIB, 8 * GIB))


def test_the_settings_allowance_counts_for_all_kinds_together():
    engine = EngineSettings(memory_mb=8192)
    assert budget_of(engine, Memory(4 * GIB, GIB), ()).ram_bytes == 8 * GIB
    budget = budget_of(engine, Memory(34 * GIB, 34 * GIB), (gpu(24 * GIB),))
    assert budget.total_bytes == 8 * GIB
    assert budget.ram_bytes == GIB


def test_memory_that_a_gpu_shares_counts_once():
    budget = budget_of(AUTO, Memory(32 * GIB, 26 * GIB), (gpu(22 * GIB, unified=True),))
    assert budget.total_bytes == 24 * GIB
    assert budget.gpu_bytes == (21 * GIB,)


@pytest.mark.parametrize("unified", [False, True])
@unhurried
@given(
    allowed=st.integers(0, 100_000),
    total=st.integers(0, 1 << 40),
    available=st.integers(0, 1 << 40),
    free=st.lists(st.integers(0, 1 << 38), max_size=3),
)
def test_no_budget_is_more_than_there_is(unified, allowed, total, available, free):
    gpus = [gpu(each, unified=unified) for each in free]
    budget = budget_of(EngineSettings(memory_mb=allowed), Memory(total, available), gpus)
    assert budget.ram_bytes >= 0
    assert all(0 <= size <= each for size, each in zip(budget.gpu_bytes, free, strict=True))
    if allowed:
        assert budget.total_bytes == allowed * MIB
    else:
        assert budget.total_bytes <= available + (0 if unified else sum(free))


def test_weights_may_take_four_fifths_of_all_memory():
    assert weights_room(Budget(600 * MIB, (400 * MIB,))) == 800 * MIB
