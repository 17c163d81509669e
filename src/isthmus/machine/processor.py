"""The processor: its name, how much of it this process may use, and the instruction sets it announces."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from isthmus.machine.cgroup import ROOT, cpu_quota
from isthmus.machine.commands import output
from isthmus.machine.nouns import Cpu

_FIRST_BLOCK_BYTES = 8192
"""Enough of /proc/cpuinfo for one processor; reading it for all of a large machine takes long."""

# The kernel's words for what llama.cpp calls by its own; AVX512 takes five of them together.
_X86 = {
    "SSE3": {"pni"},
    "SSSE3": {"ssse3"},
    "AVX": {"avx"},
    "AVX_VNNI": {"avx_vnni"},
    "AVX2": {"avx2"},
    "F16C": {"f16c"},
    "FMA": {"fma"},
    "BMI2": {"bmi2"},
    "AVX512": {"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"},
    "AVX512_VBMI": {"avx512vbmi"},
    "AVX512_VNNI": {"avx512_vnni"},
    "AVX512_BF16": {"avx512_bf16"},
    "AVX512_FP16": {"avx512_fp16"},
    "AMX_INT8": {"amx_int8"},
    "AMX_BF16": {"amx_bf16"},
}
_ARM = {
    "NEON": {"asimd"},
    "FP16_VA": {"asimdhp"},
    "DOTPROD": {"asimddp"},
    "MATMUL_INT8": {"i8mm"},
    "SVE": {"sve"},
    "SME": {"sme"},
}
_APPLE = {
    "NEON": "hw.optional.neon",
    "FP16_VA": "hw.optional.arm.FEAT_FP16",
    "DOTPROD": "hw.optional.arm.FEAT_DotProd",
    "MATMUL_INT8": "hw.optional.arm.FEAT_I8MM",
    "SME": "hw.optional.arm.FEAT_SME",
}
_APPLE_X86 = {"AVX1.0": "avx", "SSE3": "pni"}


def cpu(root: Path = ROOT) -> Cpu:
    """The processor, as far as this process may use it: within its affinity and its container's quota.

    Args:
        root: Where /proc and /sys lie; for tests.
    """
    if sys.platform == "darwin":
        return parse_sysctl(output("sysctl", "hw", "machdep.cpu"))
    model, features = parse_cpuinfo(_first_block(root))
    usable = _usable()
    threads, cores = len(usable), _cores(usable, root)
    quota = cpu_quota(root)
    if quota is not None:
        threads, cores = min(threads, quota), min(cores, quota)
    return Cpu(model or _board(root), cores, threads, features)


def fingerprint(root: Path = ROOT) -> str:
    """The processor's name and instruction sets in one line: what is measured here may not hold elsewhere."""
    if sys.platform == "darwin":
        found = cpu(root)
        model, features = found.model, found.features
    else:
        model, features = parse_cpuinfo(_first_block(root))
    return f"{platform.machine()} {model or _board(root)}: {' '.join(features)}"


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """The name and the instruction sets in Linux's /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    known = _X86 if "flags" in fields else _ARM
    model = fields.get("model name", "")
    if not model and "CPU part" in fields:
        model = f"ARM {fields.get('CPU implementer', '')} {fields['CPU part']}"
    return model, tuple(name for name, needed in known.items() if needed <= flags)


def parse_sysctl(text: str) -> Cpu:
    """The processor in the output of macOS's ``sysctl hw machdep.cpu``."""
    values = sysctl_values(text)
    announced = f"{values.get('machdep.cpu.features', '')} {values.get('machdep.cpu.leaf7_features', '')}"
    flags = {_APPLE_X86.get(word, word.lower()) for word in announced.split()}
    features = [name for name, needed in _X86.items() if needed <= flags]
    features += [name for name, key in _APPLE.items() if values.get(key) == "1"]
    threads = _count(values, "hw.logicalcpu") or os.cpu_count() or 1
    # Apple's efficiency cores slow down the others where they take part.
    cores = _count(values, "hw.perflevel0.physicalcpu") or _count(values, "hw.physicalcpu") or threads
    return Cpu(values.get("machdep.cpu.brand_string", ""), cores, threads, tuple(features))


def sysctl_values(text: str) -> dict[str, str]:
    """The lines ``name: value`` that sysctl writes."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _count(values: Mapping[str, str], name: str) -> int:
    text = values.get(name, "")
    return int(text) if text.isdecimal() else 0


def _first_block(root: Path) -> str:
    try:
        with (root / "proc/cpuinfo").open("rb") as file:
            text = file.read(_FIRST_BLOCK_BYTES).decode(errors="replace")
    except OSError:
        return ""
    block, separator, rest = text.partition("\n\n")
    # On ARM boards what names the machine follows the last processor; a single block may hold it all.
    return block if separator and "flags" in block else block + rest


def _usable() -> set[int]:
    """The numbers of the CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cores(usable: set[int], root: Path) -> int:
    """How many physical cores those CPUs are: siblings share one."""
    siblings: set[str] = set()
    for number in usable:
        topology = root / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list"
        try:
            siblings.add(topology.read_text(encoding="ascii"))
        except OSError:
            siblings.add(str(number))
    return len(siblings)


def _board(root: Path) -> str:
    """The name of a single-board computer, whose processor has none of its own."""
    try:
        return (root / "sys/firmware/devicetree/base/model").read_text(encoding="utf-8").rstrip("\0")
    except (OSError, UnicodeDecodeError):
        return platform.processor() or platform.machine()
