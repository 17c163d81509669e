from pathlib import Path

import msgspec
import pytest

from isthmus.engines.recipes import missing_tools, recipes
from isthmus.machine import Cpu, Gpu, Machine

GIB = 1 << 30
AVX2 = ("SSE3", "SSSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2")
AVX512 = (*AVX2, "AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AVX512_FP16", "AMX_INT8", "AMX_BF16")


def machine(*gpus, features=AVX2, system="Linux"):
    return Machine(system, "x86_64", Cpu("x", 4, 8, features), 16 * GIB, 8 * GIB, 99 * GIB, gpus)


def nvidia(driver, capability):
    return Gpu("nvidia", "NVIDIA GPU", 24 * GIB, 24 * GIB, driver=driver, architecture=capability)


def names(*gpus, **rest):
    return [recipe.name for recipe in recipes(machine(*gpus, **rest), "1.2.3")]


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        (nvidia("595.10.01", "8.9"), ["cu132"]),
        (nvidia("595.10.01", "7.0"), ["cu128"]),
        (nvidia("580.95.05", "9.0"), ["cu128"]),
        (nvidia("570.86.15", "8.6"), ["cu128"]),
        (nvidia("535.183.01", "8.6"), []),
        (nvidia("", ""), []),
        (Gpu("amd", "RX", GIB, GIB, driver="7.2.0"), ["rocm-7.2.4"]),
        (Gpu("amd", "RX", GIB, GIB, driver="6.4.1-83"), ["rocm-6.4.1"]),
        (Gpu("amd", "RX", GIB, GIB), ["vulkan"]),
        (Gpu("intel", "Arc", 0, 0), ["vulkan"]),
        (Gpu("apple", "M2", GIB, GIB, unified=True), []),
    ],
)
def test_a_gpu_has_its_package(gpu, expected):
    assert names(gpu) == expected


def test_gpus_come_first_and_each_package_once():
    same = nvidia("580.95.05", "9.0")
    assert names(same, same, features=AVX512) == ["cu128", "avx512"]


def test_a_package_is_pinned_and_comes_from_xllamacpps_own_index():
    (recipe,) = recipes(machine(nvidia("580.95.05", "9.0")), "1.2.3")
    assert recipe.command(Path("/home/me/engines/cu128")) == (
        "pip install --no-deps --target /home/me/engines/cu128 --only-binary xllamacpp "
        "--index-url https://xorbitsai.github.io/xllamacpp/whl/cu128 xllamacpp==1.2.3"
    )
    assert recipe.environment == {}
    assert missing_tools(recipe, lambda name: None) == []


@pytest.mark.parametrize(
    ("features", "system", "expected"),
    [
        (AVX2, "Linux", []),
        (AVX512, "Linux", ["avx512"]),
        ((*AVX2, "AVX_VNNI"), "Linux", ["avx-vnni"]),
        (("NEON", "DOTPROD", "FP16_VA"), "Linux", ["dotprod"]),
        (("NEON",), "Linux", []),
        (("NEON", "DOTPROD"), "Darwin", []),
    ],
)
def test_a_processor_that_can_more_than_the_installed_build(features, system, expected):
    assert names(features=features, system=system) == expected


def test_only_what_the_processor_announces_is_compiled_in():
    (recipe,) = recipes(machine(features=(*AVX2, "AVX512", "AVX512_VNNI")), "1.2.3")
    assert "-DGGML_AVX512_VNNI=ON" in recipe.cmake
    assert "-DGGML_AVX512_BF16=ON" not in recipe.cmake


def test_amx_and_fp16_are_never_compiled_in():
    (recipe,) = recipes(machine(features=AVX512), "1.2.3")
    flags = recipe.environment["CMAKE_ARGS"]
    assert "AMX" not in flags
    assert "FP16" not in flags
    assert "-DGGML_NATIVE=OFF" in flags
    assert "-DGGML_AVX512_BF16=ON" in flags
    assert recipe.command(Path("/x")).startswith("CMAKE_ARGS='-DLLAMA_LLGUIDANCE=OFF ")


def test_an_arm_board_is_named_by_what_it_has():
    (recipe,) = recipes(machine(features=("NEON", "DOTPROD", "MATMUL_INT8", "SVE")), "1.2.3")
    assert "-DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod+i8mm" in recipe.cmake


def test_what_compiling_takes():
    (recipe,) = recipes(machine(features=AVX512), "1.2.3")
    assert {"a C++ compiler", "cmake"} <= set(missing_tools(recipe, lambda name: None))
    assert "cmake" not in missing_tools(recipe, lambda name: f"/usr/bin/{name}")
    clang = {"clang++": "/usr/bin/clang++"}
    assert "a C++ compiler" not in missing_tools(recipe, clang.get)


def test_a_recipe_can_be_printed_as_json():
    assert b"avx512" in msgspec.json.encode(recipes(machine(features=AVX512), "1.2.3"))
