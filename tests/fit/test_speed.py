import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.fit import Budget, plan
from isthmus.fit.speed import (
    Bandwidth,
    assumed_bandwidth,
    decode_speed,
    measured_bandwidth,
    speed_class,
)
from isthmus.settings import EngineSettings
from isthmus.store import find
from tests.fit.machines import GIB, gpu, machine

HOME = Bandwidth(cpu=40e9)


def on_cpu(name):
    shape = find(name).shape
    return shape, plan(shape, Budget(1000 * GIB), EngineSettings(), context_length=8192)


def speed(name, bandwidth=HOME):
    return decode_speed(*on_cpu(name), bandwidth)


def test_a_token_costs_a_pass_over_the_weights():
    assert speed("qwen3:8b") == pytest.approx(40e9 / 5.03e9, rel=0.1)


def test_of_a_mixture_only_the_chosen_experts_count():
    """30.5 billion weights, 3.3 of them at work: faster than a dense model of a quarter of its size."""
    assert speed("qwen3:30b-a3b") > 2 * speed("qwen3:8b")
    assert speed("gpt-oss:20b") > speed("qwen3:8b")


def test_the_smallest_model_is_not_infinitely_fast():
    assert speed("smollm2:135m", Bandwidth(cpu=1e15)) == pytest.approx(1 / (30 * 60e-6), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e9, 1e13), st.floats(1.01, 100))
def test_more_bandwidth_is_never_slower(bandwidth, times):
    assert speed("qwen3:4b", Bandwidth(bandwidth)) < speed("qwen3:4b", Bandwidth(bandwidth * times))


@pytest.mark.parametrize("name", ["qwen2.5-coder:1.5b", "qwen3:30b-a3b"])
@pytest.mark.parametrize("tokens_per_s", [0.5, 13.7, 100])
def test_a_measured_speed_is_foretold_again(name, tokens_per_s):
    shape, plan = on_cpu(name)
    found = measured_bandwidth(HOME, shape, tokens_per_s, gpu=False)
    assert found.measured
    assert decode_speed(shape, plan, found) == pytest.approx(tokens_per_s, rel=1e-6)


def test_a_speed_beyond_what_can_be_explained_changes_nothing():
    shape, _ = on_cpu("smollm2:135m")
    assert measured_bandwidth(HOME, shape, 1e6, gpu=False) == HOME


def test_a_measurement_on_the_gpu_leaves_the_processor_as_assumed():
    shape, _ = on_cpu("qwen3:8b")
    found = measured_bandwidth(Bandwidth(40e9, 300e9), shape, 100, gpu=True)
    assert found.cpu == 40e9
    assert found.gpu > 400e9


@pytest.mark.parametrize(
    ("name", "giga"),
    [
        ("NVIDIA H200", 4800),
        ("NVIDIA H100 PCIe", 2000),
        ("NVIDIA H100 80GB HBM3", 3350),
        ("NVIDIA GeForce RTX 4090", 1008),
        ("NVIDIA GeForce RTX 5070 Ti", 896),
        ("AMD Radeon RX 7900 XTX", 960),
        ("AMD Radeon RX 7900 XT", 800),
        ("Apple M4 Max", 546),
        ("Apple M2", 100),
        ("NVIDIA L40S", 864),
        ("NVIDIA L4", 300),
        ("NVIDIA Something New", 300),
    ],
)
def test_a_gpu_is_known_by_its_name(name, giga):
    vendor = "apple" if "Apple" in name else "amd" if "AMD" in name else "nvidia"
    assert assumed_bandwidth(machine(8, 32).cpu, [gpu(name, 24, vendor)]).gpu == pytest.approx(
        0.65 * giga * 1e9
    )


def test_few_cores_don_t_reach_what_the_memory_could():
    assert assumed_bandwidth(machine(2, 8).cpu).cpu == 16e9
    assert assumed_bandwidth(machine(8, 32).cpu).cpu == 40e9
    assert assumed_bandwidth(machine(64, 512).cpu).cpu == 120e9


@pytest.mark.parametrize(
    ("tokens_per_s", "word"), [(60, "quick"), (20, "quick"), (8, "fluent"), (2, "slow"), (1.9, "very slow")]
)
def test_a_speed_has_a_word(tokens_per_s, word):
    assert speed_class(tokens_per_s) == word
