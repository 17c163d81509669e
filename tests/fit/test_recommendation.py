from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.fit.recommendation import MOST, SMALLEST_CONTEXT, Candidate, candidates, recommend
from isthmus.fit.speed import assumed_bandwidth
from isthmus.settings import EngineSettings
from isthmus.store import CATALOGUE, find
from tests.fit.machines import GIB, gpu, machine, memory

RTX_4060, RTX_4090, H200 = (
    gpu("NVIDIA GeForce RTX 4060", 8),
    gpu("NVIDIA GeForce RTX 4090", 24),
    gpu("NVIDIA H200", 141),
)
MACHINES = {
    "4 GB laptop": (machine(4, 4), memory(2.5)),
    "8 GB laptop": (machine(4, 8), memory(5.5)),
    "16 GB laptop": (machine(8, 16), memory(12)),
    "32 GB desktop": (machine(8, 32), memory(26)),
    "32 GB desktop, RTX 4060": (machine(8, 32, RTX_4060), memory(26, 7)),
    "64 GB desktop, RTX 4090": (machine(16, 64, RTX_4090), memory(56, 23)),
    "8xH200": (machine(192, 2000, *[H200] * 8, disk_gib=5000), memory(1800, *[138] * 8)),
}


@cache
def able(machine, budget, entries=CATALOGUE):
    return candidates(
        entries,
        budget=budget,
        engine=EngineSettings(),
        bandwidth=assumed_bandwidth(machine.cpu, machine.gpus),
        disk_free_bytes=machine.disk_free_bytes,
    )


def names(machine, budget):
    return [each.entry.name for each in recommend(able(machine, budget))]


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_recommended_fits_with_a_context_to_work_in(name):
    machine, budget = MACHINES[name]
    found = recommend(able(machine, budget))
    assert 1 <= len(found) <= MOST
    for each in found:
        assert each.plan.fits
        assert each.plan.context_length >= SMALLEST_CONTEXT
        assert each.plan.total_bytes <= budget.total_bytes
        assert each.entry.size_bytes < machine.disk_free_bytes


@pytest.mark.parametrize("name", MACHINES)
def test_the_first_one_keeps_up_with_a_reader_and_two_are_worth_looking_at(name):
    first, *others = recommend(able(*MACHINES[name]))
    assert first.tokens_per_s >= 8
    assert first.entry.name not in [each.entry.name for each in others]


def test_a_larger_machine_is_never_recommended_a_worse_model():
    best = [recommend(able(*MACHINES[name]))[0].entry.quality for name in MACHINES]
    assert best == sorted(best)
    assert best[0] < 50 < best[-1]


def test_a_small_laptop_is_not_sent_after_a_large_model():
    assert find(names(*MACHINES["4 GB laptop"])[0]).size_bytes < 2 << 30
    assert find(names(*MACHINES["8 GB laptop"])[0]).size_bytes < 4 << 30


def test_a_desktop_without_a_gpu_runs_a_mixture():
    """Its 18 GB fit, and only a tenth of them works on a token."""
    assert names(*MACHINES["32 GB desktop"])[:2] == ["qwen3:30b-a3b-instruct-2507", "qwen3-coder:30b-a3b"]


def test_a_server_runs_a_trillion_parameters():
    assert names(*MACHINES["8xH200"])[0].startswith("kimi-k2")


def test_a_full_disk_leaves_the_small_ones():
    full = machine(8, 32, disk_gib=3.5)
    found = recommend(able(full, memory(26)))
    assert found
    assert all(each.entry.size_bytes + 2 * GIB <= full.disk_free_bytes for each in found)


def test_where_nothing_fits_nothing_is_recommended():
    assert recommend(able(machine(1, 0.25), memory(0.1))) == []


def test_where_nothing_is_fluent_the_fastest_comes_first():
    slow = machine(1, 64)
    only = (find("llama3.3:70b"), find("qwen3:32b"))
    assert [each.entry.name for each in recommend(able(slow, memory(60), only))] == ["qwen3:32b"]


def test_what_is_too_large_may_come_in_a_smaller_quantization():
    small, large = able(machine(4, 4), memory(2.2)), able(machine(4, 8), memory(6))
    assert "qwen3:1.7b-q4_k_m" in [each.entry.name for each in small]
    assert "qwen3:1.7b" in [each.entry.name for each in large]
    assert "qwen3:1.7b-q4_k_m" not in [each.entry.name for each in large]


def test_what_makes_vectors_answers_nothing():
    assert not [each for each in able(machine(8, 32), memory(26)) if "embedding" in each.entry.capabilities]


def test_an_order_of_ones_own_takes_the_place_of_the_catalogues():
    those = able(*MACHINES["16 GB laptop"])
    favourite = min(those, key=lambda each: each.entry.size_bytes)
    found = recommend(those, lambda entry: 100.0 if entry == favourite.entry else entry.quality)
    assert found[0] == favourite


def test_of_two_that_are_as_good_the_faster_is_taken():
    template = able(*MACHINES["16 GB laptop"])[0]

    def like(name, quality, tokens_per_s):
        entry = msgspec.structs.replace(template.entry, name=name, quality=quality, capabilities=())
        return Candidate(entry, template.plan, tokens_per_s)

    assert recommend([like("a", 50.2, 9), like("b", 49.8, 30)])[0].entry.name == "b"
    assert recommend([like("a", 52.2, 9), like("b", 49.8, 30)])[0].entry.name == "a"


@settings(max_examples=8, deadline=None)  # each looks at the whole catalogue
@given(
    st.floats(0.2, 2000),
    st.integers(1, 128),
    st.sampled_from([(), (8,), (24,), (141,) * 8]),
    st.floats(1, 4000),
)
def test_whatever_the_machine_nothing_is_recommended_that_doesnt_fit(ram_gib, cores, gpus_gib, disk_gib):
    here = machine(cores, ram_gib, *(gpu("a GPU", each) for each in gpus_gib), disk_gib=disk_gib)
    budget = memory(ram_gib * 0.8, *gpus_gib)
    found = recommend(able(here, budget))
    assert len({each.entry.name for each in found}) == len(found) <= MOST
    for each in found:
        assert each.plan.total_bytes <= budget.total_bytes
        assert each.entry.size_bytes <= here.disk_free_bytes
