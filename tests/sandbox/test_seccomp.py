"""The filter, run by an interpreter of its language for both processors: what the kernel would answer."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.sandbox import seccomp

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS, EAFNOSUPPORT = 0x50001, 0x50026, 0x50061


def answer(machine, number, *arguments, audit=None):
    """Run the filter as the kernel does over one call's ``struct seccomp_data``."""
    data = struct.pack(
        "<IIQ6Q", number, audit or MACHINES[machine], 0, *arguments, *[0] * (6 - len(arguments))
    )
    steps = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
    at, loaded = 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, value)
            case 0x06:
                return value
            case 0x15 | 0x35 | 0x45:
                holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
                at += yes if holds else no


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_on_the_list_is_refused(machine):
    calls = seccomp._MACHINES[machine]
    assert len(calls.refused) > 45
    assert {answer(machine, number) for number in calls.refused.values()} == {EPERM}
    assert answer(machine, calls.clone3) == ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_decide_where_they_must(machine):
    calls = seccomp._MACHINES[machine]
    thread, fork, new_user = 0x3D0F00, 17, 0x10000000 | 17
    assert [answer(machine, calls.clone, flags) for flags in (thread, fork, new_user)] == [
        ALLOW,
        ALLOW,
        EPERM,
    ]
    families = [answer(machine, calls.socket, family) for family in (1, 2, 10, 16, 17, 40)]
    assert families == [ALLOW] * 3 + [EAFNOSUPPORT] * 3
    winsize, tiocsti, in_a_long = 0x5413, 0x5412, 0xFFFFFFFF00005412
    answers = [answer(machine, calls.ioctl, 0, request) for request in (winsize, tiocsti, in_a_long)]
    assert answers == [ALLOW, EPERM, EPERM]


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_processor_end_the_process(machine):
    assert answer(machine, 1, audit=0x40000003) == KILL
    assert answer(machine, 0x40000000 | 1) == ENOSYS


@given(st.sampled_from(sorted(MACHINES)), st.integers(0, 0x3FFFFFFF))
def test_every_other_call_is_allowed(machine, number):
    calls = seccomp._MACHINES[machine]
    if number not in {*calls.refused.values(), calls.clone, calls.clone3, calls.socket, calls.ioctl}:
        assert answer(machine, number) == ALLOW


def test_an_unknown_processor_has_none():
    assert seccomp.program("riscv64") is None


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_the_kernels(machine, header):
    if not Path(header).exists():
        pytest.skip(f"there is no {header}")
    kernels = dict(re.findall(r"#define __NR\w*?_([a-z]\w*)\s+(\d+)", Path(header).read_text()))
    calls = seccomp._MACHINES[machine]
    ours = calls.refused | {name: getattr(calls, name) for name in ("clone", "clone3", "socket", "ioctl")}
    assert {name: number for name, number in ours.items() if int(kernels.get(name, number)) != number} == {}
