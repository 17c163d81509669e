import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.machine import Gpu, Memory
from isthmus.machine.gpus import find_gpus, parse_apple, parse_nvidia, parse_rocm, parse_vulkan

MIB, GIB = 1 << 20, 1 << 30
MEMORY = Memory(128 * GIB, 100 * GIB)

NVIDIA = """NVIDIA H100 80GB HBM3, 81559, 81004, 570.86.15, 9.0
NVIDIA GeForce RTX 3060, 12288, 11000, 570.86.15, 8.6
"""
GB10 = "NVIDIA GB10, [N/A], [N/A], 580.95.05, 12.1\n"
ROCM_6 = {
    "card0": {
        "VRAM Total Memory (B)": "25753026560",
        "VRAM Total Used Memory (B)": "27856896",
        "Card Series": "Radeon RX 7900 XTX",
        "Card Model": "0x744c",
        "GFX Version": "gfx1100",
    },
    "system": {"Driver version": "6.10.5"},
}
ROCM_4 = {
    "card0": {
        "VRAM Total Memory (B)": "17163091968",
        "VRAM Total Used Memory (B)": "6787072",
        "Card series": "Vega 20",
    }
}
VULKAN = """==========
VULKANINFO
==========

Vulkan Instance Version: 1.3.275

Devices:
========
GPU0:
	apiVersion         = 1.3.255
	driverVersion      = 23.2.1
	vendorID           = 0x8086
	deviceID           = 0x56a0
	deviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
	deviceName         = Intel(R) Arc(tm) A770 Graphics (DG2)
	driverID           = DRIVER_ID_INTEL_OPEN_SOURCE_MESA
	driverName         = Intel open-source Mesa driver
	driverInfo         = Mesa 23.2.1-1ubuntu3.1
GPU1:
	vendorID           = 0x1002
	deviceType         = PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
	deviceName         = AMD Radeon Graphics (RADV RENOIR)
	driverInfo         = Mesa 23.2.1
GPU2:
	vendorID           = 0x10005
	deviceType         = PHYSICAL_DEVICE_TYPE_CPU
	deviceName         = llvmpipe (LLVM 15.0.7, 256 bits)
"""
M2 = "machdep.cpu.brand_string: Apple M2 Max\niogpu.wired_limit_mb: {limit}\n"


def test_nvidia():
    h100, rtx = parse_nvidia(NVIDIA, MEMORY)
    assert h100 == Gpu("nvidia", "NVIDIA H100 80GB HBM3", 81559 * MIB, 81004 * MIB, False, "570.86.15", "9.0")
    assert rtx.name == "NVIDIA GeForce RTX 3060"


def test_nvidia_that_shares_the_main_memory():
    (gpu,) = parse_nvidia(GB10, MEMORY)
    assert gpu.unified
    assert (gpu.memory_bytes, gpu.free_bytes) == (128 * GIB, 100 * GIB)


@pytest.mark.parametrize(
    "text", ["", "No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate, , \n"]
)
def test_nvidia_without_a_gpu(text):
    assert parse_nvidia(text, MEMORY) == ()


def test_amd():
    (gpu,) = parse_rocm(json.dumps(ROCM_6))
    assert gpu == Gpu(
        "amd", "Radeon RX 7900 XTX", 25753026560, 25753026560 - 27856896, architecture="gfx1100"
    )
    (gpu,) = parse_rocm(json.dumps(ROCM_4))
    assert (gpu.name, gpu.memory_bytes) == ("Vega 20", 17163091968)


@pytest.mark.parametrize("text", ["", "ERROR: no GPU", "[]", '{"card0": 3}', '{"system": {}}'])
def test_amd_without_sense(text):
    assert all(gpu.memory_bytes == 0 for gpu in parse_rocm(text))


def test_amd_from_the_kernels_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    device = tmp_path / "sys/class/drm/card1/device"
    device.mkdir(parents=True)
    (device / "mem_info_vram_total").write_text("8573157376\n")
    (device / "mem_info_vram_used").write_text("573157376\n")
    (device / "device").write_text("0x73ff\n")
    (tmp_path / "opt/rocm/.info").mkdir(parents=True)
    (tmp_path / "opt/rocm/.info/version").write_text("6.4.1-83\n")
    (gpu,) = find_gpus(MEMORY, root=tmp_path, ask=lambda commands: {})
    assert gpu == Gpu("amd", "AMD GPU 0x73ff", 8573157376, 8000000000, driver="6.4.1-83")


@pytest.mark.parametrize(
    ("limit", "total", "expected"),
    [(0, 96 * GIB, 72 * GIB), (0, 16 * GIB, 16 * GIB * 2 // 3), (90000, 96 * GIB, 90000 * MIB)],
)
def test_apple(limit, total, expected):
    (gpu,) = parse_apple(M2.format(limit=limit), Memory(total, 8 * GIB))
    assert gpu == Gpu("apple", "Apple M2 Max", expected, 8 * GIB, unified=True)


def test_an_intel_mac_has_no_apple_gpu():
    assert parse_apple("machdep.cpu.brand_string: Intel(R) Core(TM) i7", MEMORY) == ()


def test_vulkan():
    arc, renoir = parse_vulkan(VULKAN)
    assert arc == Gpu("intel", "Intel(R) Arc(tm) A770 Graphics (DG2)", 0, 0, False, "Mesa 23.2.1-1ubuntu3.1")
    assert (renoir.vendor, renoir.unified) == ("amd", True)


def test_each_gpu_is_named_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    said = {"nvidia": NVIDIA, "amd": json.dumps(ROCM_6), "vulkan": VULKAN}
    found = find_gpus(MEMORY, root=tmp_path, ask=lambda commands: said)
    assert [gpu.vendor for gpu in found] == ["nvidia", "nvidia", "amd", "intel"]


@given(st.text())
def test_whatever_a_driver_says_is_read(text):
    parse_nvidia(f"a, {text}, {text}, 5, 9", MEMORY)
    parse_rocm(text)
    parse_apple(f"machdep.cpu.brand_string: Apple\niogpu.wired_limit_mb: {text}", MEMORY)
    parse_vulkan(f"GPU0:\n\tvendorID = {text}\n\tdeviceName = {text}\n{text}")


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_whatever_json_is_read(tree):
    parse_rocm(json.dumps({"card0": tree}))
