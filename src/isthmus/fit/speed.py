"""How fast a model would write here, before it is fetched: about, and with the reason.

A token costs one pass over the weights that work on it, so what counts is the bandwidth of the memory that
they lie in. Where an engine has been measured on this machine, its speed gives the bandwidth; elsewhere it
is assumed from the names of the parts, and from how much of the makers' figures llama.cpp reaches.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.fit.nouns import Plan
from isthmus.machine import Cpu, Gpu
from isthmus.store.shape import ModelShape

SpeedClass: TypeAlias = Literal["quick", "fluent", "slow", "very slow"]

QUICK_TOKENS_PER_S = 20.0
FLUENT_TOKENS_PER_S = 8.0
"""About as fast as people read."""
SLOW_TOKENS_PER_S = 2.0

_GIGA = 1e9
_REACHED = 0.65
"""How much of a GPU's bandwidth decoding reaches."""
_LAYER_S = 60e-6
"""What a layer costs whatever its size: starting its kernels, or its threads meeting."""
_CORE_BANDWIDTH = 8 * _GIGA
"""What a CPU core can unpack and multiply in a second."""
_DESKTOP_BANDWIDTH = 40 * _GIGA
_SERVER_BANDWIDTH = 120 * _GIGA
_SERVER_CORES = 24

_GPU_BANDWIDTHS: tuple[tuple[str, float], ...] = (
    ("b200", 8000),
    ("mi300", 5300),
    ("h200", 4800),
    ("h100 pcie", 2000),
    ("h100", 3350),
    ("mi250", 3200),
    ("a100", 1900),
    ("rtx pro 6000", 1792),
    ("rtx 5090", 1792),
    ("rtx 4090", 1008),
    ("rtx 5080", 960),
    ("rtx 6000 ada", 960),
    ("7900 xtx", 960),
    ("rtx 3090", 936),
    ("v100", 900),
    ("rtx 5070 ti", 896),
    ("l40s", 864),
    ("m1 ultra", 800),
    ("m2 ultra", 800),
    ("m3 ultra", 800),
    ("7900 xt", 800),
    ("rtx a6000", 768),
    ("rtx 3080", 760),
    ("rtx 4080", 717),
    ("rtx 5070", 672),
    ("9070 xt", 640),
    ("7800 xt", 624),
    ("a10", 600),
    ("m4 max", 546),
    ("rtx 4070", 504),
    ("6900 xt", 512),
    ("6800 xt", 512),
    ("rtx 5060", 448),
    ("rtx 3070", 448),
    ("m1 max", 400),
    ("m2 max", 400),
    ("m3 max", 400),
    ("rtx 3060", 360),
    ("t4", 320),
    ("l4", 300),
    ("rtx 4060", 272),
    ("m4 pro", 273),
    ("gb10", 273),
    ("8060s", 256),
    ("rtx 3050", 224),
    ("m1 pro", 200),
    ("m2 pro", 200),
    ("m3 pro", 150),
    ("m4", 120),
    ("m2", 100),
    ("m3", 100),
    ("m1", 68),
)
"""GB/s by a part of the GPU's name, as the makers give it; of two that match, the first counts."""
_UNKNOWN_GPU = {"nvidia": 300.0, "amd": 250.0, "intel": 100.0, "apple": 100.0, "other": 60.0}


class Bandwidth(Struct, frozen=True):
    """Bytes a second at which weights can be worked through by the processor, and by the GPUs."""

    cpu: float
    gpu: float = 0.0
    measured: bool = False


def assumed_bandwidth(cpu: Cpu, gpus: Iterable[Gpu] = ()) -> Bandwidth:
    """What these parts reach, as far as their names tell; the slowest of several GPUs counts."""
    bus = _SERVER_BANDWIDTH if cpu.cores >= _SERVER_CORES else _DESKTOP_BANDWIDTH
    slowest = min(map(_published, gpus), default=0.0)
    return Bandwidth(min(bus, cpu.cores * _CORE_BANDWIDTH), slowest * _REACHED)


def measured_bandwidth(assumed: Bandwidth, shape: ModelShape, tokens_per_s: float, *, gpu: bool) -> Bandwidth:
    """What a machine reaches, now that one model's speed on it is known.

    Args:
        assumed: What would be assumed without the measurement.
        shape: The model that was measured.
        tokens_per_s: How fast it wrote.
        gpu: Whether it did so on the GPU.
    """
    seconds = 1 / tokens_per_s - _LAYER_S * len(shape.layers)
    if seconds <= 0:
        return assumed
    reached = sum(_bytes_per_token(shape)) / seconds
    return Bandwidth(assumed.cpu if gpu else reached, reached if gpu else assumed.gpu, measured=True)


def decode_speed(shape: ModelShape, plan: Plan, bandwidth: Bandwidth) -> float:
    """Tokens a second of one answer, with the layers where the plan puts them."""
    dense, experts = _bytes_per_token(shape)
    on_gpu = min(plan.gpu_layers / max(plan.layers, 1), 1.0) if bandwidth.gpu else 0.0
    kept_back = min(plan.cpu_expert_layers / max(plan.layers, 1), on_gpu)
    gpu_bytes = dense * on_gpu + experts * (on_gpu - kept_back)
    cpu_bytes = dense + experts - gpu_bytes
    seconds = cpu_bytes / bandwidth.cpu + _LAYER_S * len(shape.layers)
    return 1 / (seconds + (gpu_bytes / bandwidth.gpu if gpu_bytes else 0.0))


def speed_class(tokens_per_s: float) -> SpeedClass:
    """The speed in a word."""
    if tokens_per_s >= QUICK_TOKENS_PER_S:
        return "quick"
    if tokens_per_s >= FLUENT_TOKENS_PER_S:
        return "fluent"
    return "slow" if tokens_per_s >= SLOW_TOKENS_PER_S else "very slow"


def _published(gpu: Gpu) -> float:
    name = gpu.name.lower()
    known = (bandwidth for part, bandwidth in _GPU_BANDWIDTHS if part in name)
    return next(known, _UNKNOWN_GPU[gpu.vendor]) * _GIGA


def _bytes_per_token(shape: ModelShape) -> tuple[float, float]:
    """The weights that work on a token: those that all tokens need, and the experts chosen for it."""
    layers = sum(layer.weights_bytes for layer in shape.layers)
    share = shape.experts_used / shape.experts if shape.experts else 0.0
    output = shape.output_bytes or shape.input_bytes  # tied embeddings are read as the output matrix
    return layers - shape.expert_bytes + output, shape.expert_bytes * share
