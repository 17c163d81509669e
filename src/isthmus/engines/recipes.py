"""Which other builds would suit this machine, and how to make or get them.

The installed package is built for any processor of its kind and drives no GPU (but Apple's). xllamacpp's
own index has packages for the others; a build that uses all of a processor is compiled from its source.
"""

import shlex
import sysconfig
from collections.abc import Callable
from pathlib import Path
from shutil import which

from msgspec import Struct

from isthmus.engines.builds import PACKAGE
from isthmus.machine import Gpu, Machine

GPU_INDEX = "https://xorbitsai.github.io/xllamacpp/whl"
"""Where xllamacpp publishes its packages for GPUs."""

# What a worker has no use for: TLS, and a second grammar engine, which takes a compiler of its own.
_LEAN = ("-DLLAMA_LLGUIDANCE=OFF", "-DLLAMA_BUILD_BORINGSSL=OFF", "-DLLAMA_OPENSSL=OFF")
# Named one by one: "native" takes all that the compiler finds, and with it AMX and AVX512-FP16, which some
# virtual machines announce and then trap.
_AVX2 = ("AVX", "AVX2", "FMA", "F16C", "BMI2")
_AVX512 = ("AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16")
_COMPILERS = ("c++", "g++", "clang++")
_SOURCE_BYTES = 3 << 30
_WHEEL_BYTES = 3 << 30


class Recipe(Struct, frozen=True):
    """How to come by a build.

    ``arguments`` are pip's, ``cmake`` the options of a build from source (empty: nothing is compiled), and
    ``space_bytes`` what it takes of the disk meanwhile. ``why`` says what it is good for.
    """

    name: str
    why: str
    arguments: tuple[str, ...]
    space_bytes: int
    cmake: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that pip is to see."""
        return {"CMAKE_ARGS": " ".join(self.cmake)} if self.cmake else {}

    def command(self, folder: Path) -> str:
        """What installs it into ``folder``, as it would be typed."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        words = ["pip", "install", "--no-deps", "--target", str(folder), *self.arguments]
        return " ".join([*variables, shlex.join(words)])


def recipes(machine: Machine, version: str) -> list[Recipe]:
    """The builds that would suit a machine better than the installed one; the best first.

    Args:
        machine: The machine.
        version: xllamacpp's, as it is installed: a worker is written for one version.
    """
    found: list[Recipe] = []
    for gpu in machine.gpus:
        flavour = _flavour(gpu)
        if flavour is not None and flavour not in {recipe.name for recipe in found}:
            found.append(_wheel(flavour, version, f"it would use the {gpu.name}"))
    instructions = _instructions(machine)
    if instructions:
        found.append(_from_source(*instructions, version))
    return found


def missing_tools(recipe: Recipe, find: Callable[[str], str | None] = which) -> list[str]:
    """What this machine lacks to follow a recipe."""
    if not recipe.cmake:
        return []
    missing: list[str] = []
    if not any(find(name) for name in _COMPILERS):
        missing.append("a C++ compiler")
    if not find("cmake"):
        missing.append("cmake")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append("Python's header files")
    return missing


# ---------------------------------------------------------------- GPUs


def _flavour(gpu: Gpu) -> str | None:
    """The part of xllamacpp's index that serves a GPU; None where nothing does, or nothing need."""
    match gpu.vendor:
        case "nvidia":
            return _cuda(gpu)
        case "amd":
            # The libraries of ROCm are the person's to install; without them Vulkan does nearly as well.
            major = gpu.driver.partition(".")[0]
            return {"7": "rocm-7.2.4", "6": "rocm-6.4.1"}.get(major, "vulkan")
        case "apple":
            return None
        case _:
            return "vulkan"


def _cuda(gpu: Gpu) -> str | None:
    """The CUDA that the driver can serve: 13.2 takes driver 595 and a GPU since Turing, 12.8 driver 570."""
    driver, capability = _version(gpu.driver), _version(gpu.architecture)
    if driver >= (595,) and capability >= (7, 5):
        return "cu132"
    return "cu128" if driver >= (570,) else None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _wheel(flavour: str, version: str, why: str) -> Recipe:
    arguments = ("--only-binary", PACKAGE, "--index-url", f"{GPU_INDEX}/{flavour}", f"{PACKAGE}=={version}")
    return Recipe(flavour, why, arguments, _WHEEL_BYTES)


# ---------------------------------------------------------------- processors


def _instructions(machine: Machine) -> tuple[str, tuple[str, ...]] | None:
    """The name of a build for this processor, and its options; None where the installed one is as good."""
    features = set(machine.cpu.features)
    if machine.system != "Linux":
        return None  # macOS's packages are built for its processors
    if "AVX512" in features:
        return "avx512", tuple(f"-DGGML_{name}=ON" for name in (*_AVX2, *_AVX512) if name in features)
    if "AVX_VNNI" in features:
        return "avx-vnni", tuple(f"-DGGML_{name}=ON" for name in (*_AVX2, "AVX_VNNI"))
    if "DOTPROD" in features:
        extra = "".join(f"+{name}" for word, name in _ARM.items() if word in features)
        return "dotprod", (f"-DGGML_CPU_ARM_ARCH=armv8.2-a{extra}",)
    return None


_ARM = {"DOTPROD": "dotprod", "FP16_VA": "fp16", "MATMUL_INT8": "i8mm"}


def _from_source(name: str, options: tuple[str, ...], version: str) -> Recipe:
    gain = ", and read a prompt up to 1.7 times as fast" if name == "avx512" else ""
    return Recipe(
        name,
        f"it would use this processor's {name.upper()} instructions{gain}",
        ("--no-binary", PACKAGE, f"{PACKAGE}=={version}"),
        _SOURCE_BYTES,
        (*_LEAN, "-DGGML_NATIVE=OFF", *options),
    )
