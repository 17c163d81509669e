"""What of a model lies where: layers on GPUs, the experts of a mixture in main memory, or all of it there.

As llama.cpp places it: the last ``gpu_layers`` layers (the output matrix is one of them) lie on GPUs, each
GPU with a share of them as large as its share of the memory; the experts of the first ``cpu_expert_layers``
stay in main memory, and a layer's KV cache lies with the layer.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from isthmus.fit.nouns import Budget
from isthmus.fit.sizes import compute_bytes, kv_bytes, projector_bytes, recurrent_bytes, worker_bytes
from isthmus.settings import EngineSettings
from isthmus.store.shape import ModelShape

GPU_MARGIN_BYTES = 1 << 30
"""What the driver and its kernels take of a GPU beside llama.cpp's buffers: the margin that it leaves itself
(``fit_params_target`` in its common/common.h)."""


class Device(Struct):
    """What lies in the main memory, or on one GPU, in bytes."""

    weights: int = 0
    kv_cache: int = 0
    compute: int = 0
    overhead: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.compute + self.overhead


class Placement(Struct, frozen=True):
    """A way to lay a model out, whether or not there is room for it.

    ``devices`` are the main memory, then the GPUs.
    """

    gpu_layers: int
    cpu_expert_layers: int
    devices: tuple[Device, ...]
    fits: bool


def place(shape: ModelShape, budget: Budget, engine: EngineSettings, context_length: int) -> Placement:
    """Lay a model out so that as much of it lies on GPUs as fits; all in main memory where nothing fits."""
    choices = list(_choices(shape, engine)) if any(budget.gpu_bytes) else [(0, 0)]
    ways = (lay_out(shape, budget, engine, context_length, *choice) for choice in choices)
    fitting = next((way for way in ways if way.fits), None)
    return fitting or lay_out(shape, budget, engine, context_length, *choices[-1])


def _choices(shape: ModelShape, engine: EngineSettings) -> Iterator[tuple[int, int]]:
    """Layers on GPUs, and layers whose experts aren't, from the fastest way to the slowest.

    Experts are most of a mixture and few of them are used for a token, so they leave the GPUs first.
    """
    count = len(shape.layers)
    gpu_layers = range(count + 1, -1, -1) if engine.gpu_layers < 0 else (min(engine.gpu_layers, count + 1),)
    if engine.cpu_expert_layers >= 0:
        expert_layers = (min(engine.cpu_expert_layers, count),)
    else:
        expert_layers = range(count + 1) if shape.expert_bytes else (0,)
    for experts in expert_layers:
        yield gpu_layers[0], experts
    for layers in gpu_layers[1:]:
        yield layers, expert_layers[-1]


def lay_out(
    shape: ModelShape,
    budget: Budget,
    engine: EngineSettings,
    context_length: int,
    gpu_layers: int,
    cpu_expert_layers: int,
) -> Placement:
    """Lay a model out in the given way."""
    devices = tuple(Device() for _ in (budget.ram_bytes, *budget.gpu_bytes))
    ram = devices[0]
    homes = [devices[number] for number in _homes(len(shape.layers), gpu_layers, budget.gpu_bytes)]
    for number, layer in enumerate(shape.layers):
        kept = layer.expert_bytes if number < cpu_expert_layers else 0
        homes[number].weights += layer.weights_bytes - kept
        homes[number].kv_cache += kv_bytes(layer, engine, context_length)
        ram.weights += kept
    homes[0].kv_cache += recurrent_bytes(shape, engine)
    homes[-1].weights += shape.output_bytes
    ram.weights += shape.input_bytes
    if homes[-1] is not ram and not shape.output_bytes:
        homes[-1].overhead += shape.input_bytes  # the token embeddings, there once more
    buffers = compute_bytes(shape, engine, context_length)
    for device in devices:
        if device.weights:
            device.compute = buffers
            device.overhead += worker_bytes(shape) if device is ram else GPU_MARGIN_BYTES
    if shape.projector is not None:
        seer = devices[1] if gpu_layers else ram  # llama.cpp puts it on the first GPU
        seer.weights += shape.projector.weights_bytes
        seer.compute += projector_bytes(shape.projector)
    sizes = (budget.ram_bytes, *budget.gpu_bytes)
    fits = all(device.total <= size for device, size in zip(devices, sizes, strict=True))
    return Placement(gpu_layers, cpu_expert_layers, devices, fits)


def _homes(layers: int, gpu_layers: int, gpu_bytes: tuple[int, ...]) -> list[int]:
    """Where each layer lies, and at the end the output matrix: 0 is the main memory, 1 the first GPU."""
    first = layers + 1 - gpu_layers
    ends = list(accumulate(gpu_bytes))
    shares = ((number * ends[-1]) / gpu_layers for number in range(gpu_layers))
    return [0] * first + [1 + bisect_right(ends, share) for share in shares]
