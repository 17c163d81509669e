"""The system calls that a sandbox refuses: a filter in the kernel's own little language (classic BPF).

Namespaces hide what is outside; the filter narrows the way to the kernel, where the bugs are that lead out
of namespaces: new namespaces, mounts, keys, BPF, performance events, io_uring. It also closes what namespaces
leave open: sockets to a virtual machine's host (AF_VSOCK belongs to no network namespace), typing into a
terminal (TIOCSTI), memory that no process holds and so no limit counts (System V's, memfd).

What the kernel hands to a filter, and what it may answer: Documentation/userspace-api/seccomp_filter.rst.
"""

import struct
from collections.abc import Mapping

from msgspec import Struct

EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
"""x86-64's other set of calls, with 32-bit pointers; none of the numbers below mean the same there."""

_NEW_NAMESPACES = 0x7E020080
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWTIME."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6: of no use beyond the sandbox, whose network has only itself."""


class _Machine(Struct, frozen=True):
    """One kind of processor: how the kernel names it, and the numbers of its calls."""

    audit: int
    refused: Mapping[str, int]
    clone: int
    clone3: int
    socket: int
    ioctl: int


_SAME = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
}
"""Calls that came after all processors agreed on their numbers."""

_X86_64 = {
    "shmget": 29,
    "semget": 64,
    "msgget": 68,
    "ptrace": 101,
    "syslog": 103,
    "modify_ldt": 154,
    "pivot_root": 155,
    "adjtimex": 159,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "open_by_handle_at": 304,
    "clock_adjtime": 305,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "finit_module": 313,
    "memfd_create": 319,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}
_AARCH64 = {
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "chroot": 51,
    "quotactl": 60,
    "acct": 89,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "settimeofday": 170,
    "adjtimex": 171,
    "msgget": 186,
    "semget": 190,
    "shmget": 194,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "swapon": 224,
    "swapoff": 225,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "open_by_handle_at": 265,
    "clock_adjtime": 266,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "finit_module": 273,
    "memfd_create": 279,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}
_MACHINES = {
    "x86_64": _Machine(0xC000003E, _X86_64 | _SAME, clone=56, clone3=435, socket=41, ioctl=16),
    "aarch64": _Machine(0xC00000B7, _AARCH64 | _SAME, clone=220, clone3=435, socket=198, ioctl=29),
}


def program(machine: str) -> bytes | None:
    """The filter for a kind of processor (``platform.machine()``), as bubblewrap reads it; None: unknown."""
    calls = _MACHINES.get(machine)
    if calls is None:
        return None
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        *_unless(_JUMP_EQUAL, calls.audit, _KILL_PROCESS),
        _step(_LOAD, _NUMBER_AT),
        *_when(_JUMP_AT_LEAST, _X32, _ERRNO | ENOSYS),
    ]
    for number in sorted(calls.refused.values()):
        steps += _when(_JUMP_EQUAL, number, _ERRNO | EPERM)
    # Its flags lie behind a pointer, where no filter can see them; C libraries then fall back to clone.
    steps += _when(_JUMP_EQUAL, calls.clone3, _ERRNO | ENOSYS)
    steps += _branch(calls.clone, 0, _when(_JUMP_SET, _NEW_NAMESPACES, _ERRNO | EPERM))
    refused = [each for code in (_TIOCSTI, _TIOCLINUX) for each in _when(_JUMP_EQUAL, code, _ERRNO | EPERM)]
    steps += _branch(calls.ioctl, 1, refused)
    allowed = [each for family in _FAMILIES for each in _when(_JUMP_EQUAL, family, _ALLOW)]
    steps += _branch(calls.socket, 0, [*allowed, _step(_RETURN, _ERRNO | EAFNOSUPPORT)])
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _branch(number: int, argument: int, steps: list[bytes]) -> list[bytes]:
    """For one call, look at the low half of an argument; end there, or allow it."""
    inside = [_step(_LOAD, 16 + 8 * argument), *steps, _step(_RETURN, _ALLOW)]
    return [_step(_JUMP_EQUAL, number, 0, len(inside)), *inside]


def _when(jump: int, value: int, answer: int) -> list[bytes]:
    return [_step(jump, value, 0, 1), _step(_RETURN, answer)]


def _unless(jump: int, value: int, answer: int) -> list[bytes]:
    return [_step(jump, value, 1, 0), _step(_RETURN, answer)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction: ``struct sock_filter``, in the byte order of the two processors above."""
    return struct.pack("<HBBI", code, if_true, if_false, value)
