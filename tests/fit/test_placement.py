from hypothesis import given
from hypothesis import strategies as st

from isthmus.fit import Budget
from isthmus.fit.placement import GPU_MARGIN_BYTES, lay_out, place
from isthmus.fit.sizes import compute_bytes, worker_bytes
from isthmus.settings import EngineSettings
from tests.fit.shapes import GIB, MIB, shape, shapes, unhurried

ENGINE = EngineSettings()


def where(model, budget, engine=ENGINE, context=4096):
    found = place(model, budget, engine, context)
    return found.gpu_layers, found.cpu_expert_layers, found.fits


def test_without_a_gpu_all_lies_in_main_memory():
    model = shape()
    placement = place(model, Budget(GIB), ENGINE, 4096)
    (ram,) = placement.devices
    assert (placement.gpu_layers, placement.fits) == (0, True)
    assert ram.weights == model.weights_bytes == 510 * MIB
    assert ram.kv_cache == 4 * 512 * 4096 * 2
    assert ram.compute == compute_bytes(model, ENGINE, 4096)
    assert ram.overhead == worker_bytes(model)
    assert not place(model, Budget(ram.total - 1), ENGINE, 4096).fits
    assert place(model, Budget(ram.total), ENGINE, 4096).fits


def test_a_gpu_gets_everything_if_it_can_hold_it():
    model = shape()
    placement = place(model, Budget(GIB, (4 * GIB,)), ENGINE, 4096)
    ram, gpu = placement.devices
    assert (placement.gpu_layers, placement.fits) == (5, True)  # the output matrix is a layer
    assert (ram.weights, ram.kv_cache) == (50 * MIB, 0)
    assert gpu.weights == 460 * MIB
    assert gpu.overhead == GPU_MARGIN_BYTES


def test_embeddings_that_are_the_output_matrix_lie_in_both():
    ram, gpu = place(shape(output_bytes=0), Budget(GIB, (4 * GIB,)), ENGINE, 4096).devices
    assert ram.weights == 50 * MIB
    assert (gpu.weights, gpu.overhead) == (400 * MIB, GPU_MARGIN_BYTES + 50 * MIB)


def test_the_last_layers_go_to_a_gpu_that_is_too_small():
    model = shape()
    room = GPU_MARGIN_BYTES + compute_bytes(model, ENGINE, 4096) + 160 * MIB
    cache = 512 * 4096 * 2
    assert where(model, Budget(GIB, (room + cache,))) == (2, 0, True)  # the output matrix and one layer
    assert where(model, Budget(GIB, (room + cache - 1,))) == (1, 0, True)
    assert where(model, Budget(GIB, (1,))) == (0, 0, True)


def test_experts_leave_the_gpu_first():
    model = shape(experts=90)
    compute, cache = compute_bytes(model, ENGINE, 4096), 4 * 512 * 4096 * 2
    all_of_it = GPU_MARGIN_BYTES + compute + cache + 460 * MIB
    assert where(model, Budget(GIB, (all_of_it,))) == (5, 0, True)
    assert where(model, Budget(GIB, (all_of_it - 1,))) == (5, 1, True)
    assert where(model, Budget(GIB, (all_of_it - 360 * MIB,))) == (5, 4, True)
    assert where(model, Budget(GIB, (all_of_it - 361 * MIB,))) == (4, 4, True)


def test_a_layers_cache_lies_with_it():
    ram, gpu = lay_out(shape(), Budget(GIB, (4 * GIB,)), ENGINE, 4096, 3, 0).devices
    assert ram.kv_cache == gpu.kv_cache == 2 * 512 * 4096 * 2


def test_gpus_share_the_layers_by_their_memory():
    placement = lay_out(shape(7), Budget(GIB, (3 * GIB, GIB)), ENGINE, 4096, 8, 0)
    _, large, small = placement.devices
    assert (large.weights, small.weights) == (600 * MIB, 160 * MIB)  # six layers; one and the output matrix


def test_what_the_person_says_is_done():
    budget = Budget(4 * GIB, (8 * GIB,))
    model = shape(experts=90)
    assert where(model, budget, EngineSettings(gpu_layers=2)) == (2, 0, True)
    assert where(model, budget, EngineSettings(gpu_layers=99)) == (5, 0, True)
    assert where(model, budget, EngineSettings(cpu_expert_layers=3)) == (5, 3, True)
    assert where(model, Budget(4 * GIB, (GIB,)), EngineSettings(gpu_layers=5)) == (5, 4, False)


@unhurried
@given(
    model=shapes(),
    gpus=st.lists(st.integers(0, 4 * GIB), max_size=3).map(tuple),
    context=st.integers(1, 100_000),
)
def test_nothing_is_lost_or_counted_twice(model, gpus, context):
    budget = Budget(2 * GIB, gpus)
    placement = place(model, budget, ENGINE, context)
    assert sum(device.weights for device in placement.devices) == model.weights_bytes
    alone = place(model, Budget(2 * GIB), ENGINE, context).devices[0]
    assert sum(device.kv_cache for device in placement.devices) == alone.kv_cache
    if placement.fits:
        for device, size in zip(placement.devices, (budget.ram_bytes, *gpus), strict=True):
            assert device.total <= size
