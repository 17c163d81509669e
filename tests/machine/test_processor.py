import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.machine import processor
from isthmus.machine.processor import cpu, fingerprint, parse_cpuinfo, parse_sysctl

XEON = """processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 143
model name	: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags		: fpu sse sse2 ht pni ssse3 fma sse4_1 sse4_2 avx f16c bmi1 avx2 bmi2 avx512f avx512dq avx512cd \
avx512bw avx512vl avx_vnni avx512_bf16 avx512vbmi avx512_vnni amx_bf16 avx512_fp16 amx_tile amx_int8
bugs		: spectre_v1

processor	: 1
model name	: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags		: fpu sse
"""
HASWELL = """model name	: Intel(R) Core(TM) i7-4790 CPU @ 3.60GHz
flags		: pni ssse3 fma avx f16c avx2 bmi2
"""
KNIGHTS = """model name	: Intel(R) Xeon Phi(TM) CPU 7250 @ 1.40GHz
flags		: pni ssse3 fma avx f16c avx2 bmi2 avx512f avx512pf avx512er avx512cd
"""
GRAVITON = """processor	: 0
BogoMIPS	: 2100.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt \
fcma lrcpc dcpop sha3 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs paca pacg dcpodp i8mm bf16
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x1
CPU part	: 0xd40
CPU revision	: 1
"""
M2 = """hw.ncpu: 12
hw.activecpu: 12
hw.perflevel0.physicalcpu: 8
hw.perflevel1.physicalcpu: 4
hw.optional.neon: 1
hw.optional.arm.FEAT_FP16: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
hw.physicalcpu: 12
hw.logicalcpu: 12
machdep.cpu.cores_per_package: 12
machdep.cpu.brand_string: Apple M2 Max
"""
INTEL_MAC = """hw.physicalcpu: 6
hw.logicalcpu: 12
machdep.cpu.features: FPU VME SSE SSE2 SSE3 SSSE3 FMA SSE4.1 SSE4.2 AVX1.0 F16C
machdep.cpu.leaf7_features: RDWRFSGS BMI1 AVX2 BMI2
machdep.cpu.brand_string: Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz
"""
AVX2 = ("SSE3", "SSSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2")


@pytest.mark.parametrize(
    ("text", "model", "features"),
    [
        (
            XEON,
            "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
            (
                *("SSE3", "SSSE3", "AVX", "AVX_VNNI", "AVX2", "F16C", "FMA", "BMI2"),
                *("AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AVX512_FP16"),
                *("AMX_INT8", "AMX_BF16"),
            ),
        ),
        (HASWELL, "Intel(R) Core(TM) i7-4790 CPU @ 3.60GHz", AVX2),
        (KNIGHTS, "Intel(R) Xeon Phi(TM) CPU 7250 @ 1.40GHz", AVX2),
        (GRAVITON, "ARM 0x41 0xd40", ("NEON", "FP16_VA", "DOTPROD", "MATMUL_INT8", "SVE")),
        ("", "", ()),
    ],
    ids=["xeon", "haswell", "not all of AVX-512", "graviton", "nothing"],
)
def test_linux_processors(text, model, features):
    assert parse_cpuinfo(text) == (model, features)


def test_apple_processors():
    found = parse_sysctl(M2)
    assert (found.model, found.cores, found.threads) == ("Apple M2 Max", 8, 12)
    assert found.features == ("NEON", "FP16_VA", "DOTPROD", "MATMUL_INT8")
    found = parse_sysctl(INTEL_MAC)
    assert (found.cores, found.threads, found.features) == (6, 12, AVX2)


def machine(root, cpuinfo=XEON, siblings=("0,2", "1,3", "0,2", "1,3")):
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cpuinfo").write_text(cpuinfo)
    for number, text in enumerate(siblings):
        topology = root / f"sys/devices/system/cpu/cpu{number}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{text}\n")
    return root


@pytest.fixture
def usable(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")

    def may_use(*numbers):
        monkeypatch.setattr(processor, "_usable", lambda: set(numbers))

    may_use(0, 1, 2, 3)
    return may_use


def test_threads_that_share_a_core_count_once(tmp_path, usable):
    found = cpu(machine(tmp_path))
    assert (found.cores, found.threads) == (2, 4)


def test_what_this_process_may_not_use_does_not_count(tmp_path, usable):
    usable(1, 3)
    found = cpu(machine(tmp_path))
    assert (found.cores, found.threads) == (1, 2)


def test_a_containers_quota_counts(tmp_path, usable):
    root = machine(tmp_path)
    (root / "proc/self").mkdir()
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text("150000 100000\n")
    found = cpu(root)
    assert (found.cores, found.threads) == (2, 2)


def test_a_board_names_itself(tmp_path, usable):
    root = machine(tmp_path, "Features : asimd asimddp\n")
    (root / "sys/firmware/devicetree/base").mkdir(parents=True)
    (root / "sys/firmware/devicetree/base/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    assert cpu(root).model == "Raspberry Pi 5 Model B Rev 1.0"
    assert cpu(root).features == ("NEON", "DOTPROD")


def test_the_fingerprint_changes_with_the_processor(tmp_path, usable):
    one = fingerprint(machine(tmp_path))
    (tmp_path / "proc/cpuinfo").write_text(HASWELL)
    assert fingerprint(tmp_path) != one
    assert "AVX512_VNNI" in one


def test_without_any_of_those_files(tmp_path, usable):
    found = cpu(tmp_path)
    assert found.threads == 4
    assert found.features == ()


@given(st.text())
def test_whatever_the_system_says_is_read(text):
    parse_cpuinfo(f"flags: {text}\n{text}")
    parse_sysctl(f"hw.logicalcpu: {text}\n{text}")
