import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.fit import budget_of
from isthmus.machine import Gpu, Memory
from isthmus.settings import EngineSettings

GIB = 2**30


def gpu(free, *, unified=False):
    return Gpu("nvidia", "a GPU", free, free, unified)


@pytest.mark.parametrize(
    ("total", "available", "spare"),
    [(8 * GIB, 6 * GIB, 6 * GIB - 8 * GIB // 10), (64 * GIB, 60 * GIB, 58 * GIB), (8 * GIB, GIB // 2, 0)],
)
def test_some_of_the_main_memory_is_left_to_the_rest(total, available, spare):
    assert budget_of(EngineSettings(), Memory(total, available), ()).ram_bytes == spare


def test_gpus_bring_their_own_memory():
    budget = budget_of(EngineSettings(), Memory(64 * GIB, 42 * GIB), [gpu(24 * GIB), gpu(8 * GIB)])
    assert (budget.ram_bytes, budget.gpu_bytes) == (40 * GIB, (24 * GIB, 8 * GIB))


def test_what_a_gpu_shares_with_the_main_memory_counts_once():
    budget = budget_of(EngineSettings(), Memory(16 * GIB, 12 * GIB), [gpu(16 * GIB, unified=True)])
    whole = 12 * GIB - 16 * GIB // 10
    assert budget.total_bytes == whole
    assert budget.ram_bytes == whole // 8  # not all of it is the GPU's: workers lie there too


def test_what_the_person_allows_is_for_all_kinds_of_memory_together():
    allowed, main = EngineSettings(memory_mb=8 * 1024), Memory(64 * GIB, 60 * GIB)
    budget = budget_of(allowed, main, [gpu(6 * GIB), gpu(6 * GIB)])
    assert (budget.ram_bytes, budget.gpu_bytes) == (GIB, (6 * GIB, GIB))
    assert budget_of(allowed, main, ()).ram_bytes == 8 * GIB


@given(
    st.integers(0, 64 * 1024),
    st.integers(0, 64 * GIB),
    st.lists(st.builds(gpu, st.integers(0, 64 * GIB), unified=st.booleans()), max_size=3),
)
def test_no_more_is_given_out_than_there_is_or_is_allowed(allowed, available, gpus):
    budget = budget_of(EngineSettings(memory_mb=allowed), Memory(64 * GIB, available), gpus)
    own = sum(each.free_bytes for each in gpus if not each.unified)
    assert budget.ram_bytes >= 0
    assert all(0 <= size <= each.free_bytes for size, each in zip(budget.gpu_bytes, gpus, strict=True))
    assert budget.total_bytes <= (allowed * 2**20 if allowed else available + own)
