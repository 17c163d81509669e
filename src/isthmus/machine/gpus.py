"""The GPUs, as the programs and files of their drivers name them. Nothing here raises, nothing hangs."""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from isthmus.machine.cgroup import ROOT
from isthmus.machine.commands import outputs
from isthmus.machine.nouns import Gpu, Memory, Vendor
from isthmus.machine.processor import sysctl_values

_MIB = 1 << 20

_COMMANDS = {
    "nvidia": (
        "nvidia-smi",
        "--query-gpu=name,memory.total,memory.free,driver_version,compute_cap",
        "--format=csv,noheader,nounits",
    ),
    "amd": ("rocm-smi", "--showmeminfo", "vram", "--showproductname", "--json"),
    "vulkan": ("vulkaninfo", "--summary"),
}
_APPLE_COMMANDS = {"apple": ("sysctl", "hw", "machdep.cpu", "iogpu")}

_VENDORS: dict[int, Vendor] = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel", 0x106B: "apple"}


def find_gpus(
    memory: Memory,
    *,
    root: Path = ROOT,
    ask: Callable[[Mapping[str, tuple[str, ...]]], dict[str, str]] = outputs,
) -> tuple[Gpu, ...]:
    """The GPUs of this machine.

    Args:
        memory: Main memory, of which some GPUs have their own.
        root: Where /sys lies; for tests.
        ask: Runs the drivers' programs; for tests.
    """
    if sys.platform == "darwin":
        return parse_apple(ask(_APPLE_COMMANDS).get("apple", ""), memory)
    said = ask(_COMMANDS)
    found = parse_nvidia(said.get("nvidia", ""), memory)
    amd = parse_rocm(said.get("amd", "")) or _amd_from_sysfs(root)
    rocm = _text(root / "opt/rocm/.info/version")
    found += tuple(msgspec.structs.replace(gpu, driver=rocm) for gpu in amd)
    known = {gpu.vendor for gpu in found}
    # Vulkan sees all of them, but can't tell how much memory they have: it is asked for what the others miss.
    return found + tuple(gpu for gpu in parse_vulkan(said.get("vulkan", "")) if gpu.vendor not in known)


# ---------------------------------------------------------------- NVIDIA


def parse_nvidia(text: str, memory: Memory) -> tuple[Gpu, ...]:
    """The lines of nvidia-smi: name, total and free memory (MiB), driver, compute capability."""
    rows = ([cell.strip() for cell in line.split(",")] for line in text.splitlines())
    return tuple(_nvidia(row, memory) for row in rows if len(row) == 5)


def _nvidia(row: list[str], memory: Memory) -> Gpu:
    name, total, free, driver, capability = row
    if total.isdecimal() and free.isdecimal():
        size, left, unified = int(total) * _MIB, int(free) * _MIB, False
    else:  # [N/A]: it has the main memory's (GB10, Jetson)
        size, left, unified = memory.total_bytes, memory.available_bytes, True
    return Gpu("nvidia", name, size, left, unified, driver, capability)


# ---------------------------------------------------------------- AMD


def parse_rocm(text: str) -> tuple[Gpu, ...]:
    """The JSON of rocm-smi: an object a card, whose keys changed their case over the years."""
    try:
        tree: Any = json.loads(text)
    except ValueError:
        return ()
    if not isinstance(tree, dict):
        return ()
    cards = cast("dict[str, Any]", tree).items()
    return tuple(_rocm(card) for name, card in cards if name.startswith("card"))


def _rocm(card: Any) -> Gpu:
    fields = cast("dict[str, Any]", card if isinstance(card, dict) else {})
    values = {key.lower(): str(value) for key, value in fields.items()}
    total = _number(values.get("vram total memory (b)", ""))
    used = _number(values.get("vram total used memory (b)", ""))
    name = values.get("card series") or values.get("card model") or "AMD GPU"
    return Gpu("amd", name, total, max(0, total - used), architecture=values.get("gfx version", ""))


def _amd_from_sysfs(root: Path) -> tuple[Gpu, ...]:
    cards = sorted((root / "sys/class/drm").glob("card[0-9]*/device/mem_info_vram_total"))
    return tuple(_amd_card(total.parent) for total in cards)


def _amd_card(device: Path) -> Gpu:
    total = _number(_text(device / "mem_info_vram_total"))
    used = _number(_text(device / "mem_info_vram_used"))
    name = _text(device / "product_name") or f"AMD GPU {_text(device / 'device')}".strip()
    return Gpu("amd", name, total, max(0, total - used))


# ---------------------------------------------------------------- Apple


def parse_apple(text: str, memory: Memory) -> tuple[Gpu, ...]:
    """The GPU of an Apple chip, in sysctl's output.

    Metal lends it two thirds of the main memory, three quarters where that is large, or what
    ``iogpu.wired_limit_mb`` was set to.
    """
    values = sysctl_values(text)
    name = values.get("machdep.cpu.brand_string", "")
    if not name.startswith("Apple"):
        return ()
    limit = _number(values.get("iogpu.wired_limit_mb", "")) * _MIB
    if not limit:
        large = memory.total_bytes > 36 << 30
        limit = memory.total_bytes * 3 // 4 if large else memory.total_bytes * 2 // 3
    return (Gpu("apple", name, limit, min(limit, memory.available_bytes), unified=True),)


# ---------------------------------------------------------------- Vulkan


def parse_vulkan(text: str) -> tuple[Gpu, ...]:
    """The devices of ``vulkaninfo --summary``, but for those that are a processor in disguise."""
    found: list[Gpu] = []
    for block in re.split(r"^GPU\d+:$", text, flags=re.MULTILINE)[1:]:
        values = dict(re.findall(r"^\s*(\w+)\s*= (.*)$", block, flags=re.MULTILINE))
        kind = values.get("deviceType", "")
        if kind.endswith("_CPU") or "deviceName" not in values:
            continue
        vendor = _VENDORS.get(_hexadecimal(values.get("vendorID", "")), "other")
        unified = kind.endswith("INTEGRATED_GPU")
        found.append(Gpu(vendor, values["deviceName"].strip(), 0, 0, unified, values.get("driverInfo", "")))
    return tuple(found)


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
