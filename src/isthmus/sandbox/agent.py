"""The first process of a sandbox: runs commands, writes and reads files, for its parent outside.

It speaks over its stdin and stdout in frames: eight bytes with the lengths of a header (JSON) and of a body,
both big-endian, and then these. It ends, and with it everything in the sandbox, when its stdin does.

As process 1 of its own namespace it gets no signal from whatever runs beside it, it inherits and reaps every
orphan, and the kernel ends all others when it ends. Nobody may look into its memory: it isn't dumpable. It
needs nothing but a Python, whose start is most of a sandbox's, so that it imports little.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import select
import signal
import stat
import time

TYPE_CHECKING = False  # typing takes longer to load than all of these
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

WORK = "/work"
WRITABLE = (WORK, "/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
MOST_FILES = 50_000
TICK_S = 0.05
CHUNK = 1 << 16
PR_SET_DUMPABLE = 4
NOT_FOUND, NOT_ALLOWED = 127, 126
"""Exit statuses of a command that can't be started, as shells have them."""

Answer: TypeAlias = "tuple[dict[str, Any], bytes | bytearray]"


def main() -> None:
    """Do what is asked until nobody is there to ask."""
    os.umask(0o022)
    dumpable(0)
    send({"ready": True})
    while True:
        request, body = receive()
        try:
            send(*ANSWERS[request["do"]](request, body))
        except OSError as error:
            send({"errno": error.errno or errno.EIO, "strerror": error.strerror or str(error)})
        except ValueError as error:  # a name with a zero byte
            send({"errno": errno.EINVAL, "strerror": str(error)})


def dumpable(value: int) -> None:
    """Whether others may look into this process, and its files in /proc belong to it."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, value, 0, 0, 0)


# ---------------------------------------------------------------- frames


def receive() -> tuple[dict[str, Any], bytearray]:
    """The next request, or the end."""
    sizes = exactly(0, 8)
    header = exactly(0, int.from_bytes(sizes[:4], "big"))
    body = exactly(0, size := int.from_bytes(sizes[4:], "big"))
    if len(body) < size or not header:
        os._exit(0)
    return json.loads(header), body


def send(header: Mapping[str, Any], body: bytes | bytearray = b"") -> None:
    """Answer the parent."""
    packed = json.dumps(header).encode()
    put(1, len(packed).to_bytes(4, "big") + len(body).to_bytes(4, "big") + packed)
    put(1, body)


def exactly(handle: int, count: int) -> bytearray:
    """So many bytes; fewer where there are no more."""
    data = bytearray(count)
    left = memoryview(data)
    while left and (got := os.readv(handle, [left])):
        left = left[got:]
    missing = len(left)
    left.release()
    return data[: count - missing] if missing else data


def put(handle: int, data: bytes | bytearray) -> None:
    """Write it all."""
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


# ---------------------------------------------------------------- files


def write(request: dict[str, Any], body: bytearray) -> Answer:
    """Write a file, and make the folders above it."""
    path = os.path.join(WORK, request["path"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY, request["mode"])
    try:
        ordinary(handle)
        os.ftruncate(handle, 0)
        put(handle, body)
    finally:
        os.close(handle)
    return {}, b""


def read(request: dict[str, Any], body: bytearray) -> Answer:
    """Read a file that isn't larger than it may be."""
    handle = os.open(os.path.join(WORK, request["path"]), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        size = ordinary(handle)
        if size > request["limit"]:
            raise OSError(errno.EFBIG, f"File has {size:,} bytes, and {request['limit']:,} may be read")
        return {}, exactly(handle, size)
    finally:
        os.close(handle)


def ordinary(handle: int) -> int:
    """The size of a plain file.

    Raises:
        OSError: It is a folder, a pipe, a device, or a file of /proc, which may be this process's own.
    """
    found = os.fstat(handle)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode) or found.st_dev == os.stat("/proc").st_dev:
        raise OSError(errno.EINVAL, "Not a plain file")
    return found.st_size


# ---------------------------------------------------------------- commands


class Reaped:
    """What has become of the children: the main one's status, and what all of them used."""

    def __init__(self, main: int) -> None:
        self.main = main
        self.status: int | None = None
        self.peak_kib = 0
        self.before = used()

    def collect(self) -> None:
        """Take in every child that has ended, orphans too."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.peak_kib = max(self.peak_kib, usage.ru_maxrss)
            if pid == self.main:
                self.status = status

    def end(self) -> None:
        """Kill whatever runs but this process, and wait until it is gone."""
        while True:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                self.collect()
                return
            self.collect()
            time.sleep(0.0005)

    def cpu_s(self) -> float:
        """Processor time of the children that have ended."""
        return used() - self.before


def used() -> float:
    """Processor time, in seconds, of all children that have ended since the sandbox began."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(request: dict[str, Any], body: bytearray) -> Answer:
    """Run a command to its end or to a limit; what it leaves running ends with it."""
    began = looked = time.monotonic()
    stdin, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
    main = os.fork()
    if main == 0:
        become(request, stdin[0], stdout[1], stderr[1])
    for end in (stdin[0], stdout[1], stderr[1]):
        os.close(end)
    reaped = Reaped(main)
    outputs = {stdout[0]: Kept(request["output"]), stderr[0]: Kept(request["output"])}
    pump = Pump(main, stdin[1], body, outputs)
    stopped = None
    try:
        while reaped.status is None and stopped is None:
            pump.turn(TICK_S)
            reaped.collect()
            if reaped.status is None and time.monotonic() > looked + TICK_S:
                looked = time.monotonic()
                stopped = excess(request, looked - began, reaped)
        reaped.end()
        pump.drain()
    finally:
        pump.close()
    status, cut = reaped.status or 0, any(each.cut for each in outputs.values())
    out, err = (each.data for each in outputs.values())
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        stopped = "cpu"
    return {
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "stopped": stopped,
        "cut": cut,
        "cpu_s": reaped.cpu_s(),
        "wall_s": time.monotonic() - began,
        "memory_peak_bytes": reaped.peak_kib * 1024,
        "stdout_bytes": len(out),
    }, out + err


def become(request: dict[str, Any], stdin: int, stdout: int, stderr: int) -> None:
    """In the child: take on limits, a session of its own and three streams, and turn into the command."""
    command: list[str] = request["command"]
    try:
        os.setsid()
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, not by the command
            signal.signal(ignored, signal.SIG_DFL)
        for number, handle in enumerate((stdin, stdout, stderr)):
            os.dup2(handle, number)
        dumpable(1)  # as it will be after execve: the next file must be its own
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")  # where memory ends, the command goes, and not the process that reports it
        for name, (soft, hard) in request["rlimits"].items():
            resource.setrlimit(getattr(resource, name), (soft, hard))
        os.chdir(os.path.join(WORK, request["cwd"]))
        os.execvpe(command[0], command, request["env"])  # noqa: S606 - there is no shell, and need be none
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        put(2, f"{command[0]}: {why}\n".encode(errors="replace"))
        os._exit(NOT_ALLOWED if isinstance(error, PermissionError) else NOT_FOUND)


def excess(request: dict[str, Any], wall_s: float, reaped: Reaped) -> str | None:
    """The limit that the command has passed, if it has."""
    if wall_s > request["wall_s"]:
        return "time"
    ticks, pages = living()
    if reaped.cpu_s() + ticks / os.sysconf("SC_CLK_TCK") > request["cpu_s"]:
        return "cpu"
    if request["watch_memory"] and pages * resource.getpagesize() > request["memory"]:
        return "memory"
    for folder in WRITABLE:
        found = os.statvfs(folder)
        if found.f_files - found.f_ffree > MOST_FILES:
            return "files"
    return None


def living() -> tuple[int, int]:
    """Clock ticks and pages of resident memory of all processes but this one.

    Pages that processes share are counted for each.
    """
    ticks = pages = 0
    for name in os.listdir("/proc"):
        if name == "1" or not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        ticks += int(fields[11]) + int(fields[12])
        pages += max(0, int(fields[21]))
    return ticks, pages


class Kept:
    """The beginning of an output."""

    def __init__(self, limit: int) -> None:
        self.limit, self.data, self.cut = limit, bytearray(), False

    def add(self, data: bytes) -> None:
        """Take what there is room for."""
        room = self.limit - len(self.data)
        self.cut = self.cut or len(data) > room
        self.data += data[:room]


class Pump:
    """Moves a command's input and outputs, and notices its end and the parent's."""

    def __init__(self, main: int, stdin: int, body: bytearray, outputs: dict[int, Kept]) -> None:
        self.child = os.pidfd_open(main)
        self.stdin: int | None = stdin
        self.left = memoryview(body)
        self.outputs = outputs
        self.open = set(outputs)
        self.poll = select.poll()
        self.poll.register(self.child, select.POLLIN)
        self.poll.register(0, 0)  # nothing is asked meanwhile, but the parent may go
        for handle in outputs:
            self.poll.register(handle, select.POLLIN)
        if body:
            os.set_blocking(stdin, False)
            self.poll.register(stdin, select.POLLOUT)
        else:
            self.stdin = None
            os.close(stdin)

    def turn(self, timeout_s: float) -> None:
        """Wait for something to move, at most so long, and move it."""
        for handle, event in self.poll.poll(int(timeout_s * 1000)):
            if handle in self.open:
                self.take(handle)
            elif handle == self.stdin:
                self.feed(handle)
            elif handle == 0 and event & (select.POLLHUP | select.POLLERR):
                os._exit(0)

    def take(self, handle: int) -> None:
        """Read some of an output."""
        data = os.read(handle, CHUNK)
        if data:
            self.outputs[handle].add(data)
        else:
            self.poll.unregister(handle)
            self.open.discard(handle)

    def feed(self, stdin: int) -> None:
        """Write some of the input; a command needn't read it."""
        try:
            self.left = self.left[os.write(stdin, self.left[:CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.left = self.left[:0]
        if not self.left:
            self.poll.unregister(stdin)
            self.stdin = None
            os.close(stdin)

    def drain(self) -> None:
        """Take what still lies in the pipes; nobody writes any more."""
        for handle in tuple(self.open):
            while handle in self.open:
                self.take(handle)

    def close(self) -> None:
        """Let go of everything."""
        for handle in (self.child, *self.outputs, *([self.stdin] if self.stdin is not None else [])):
            os.close(handle)


ANSWERS: dict[str, Callable[[dict[str, Any], bytearray], Answer]] = {"run": run, "write": write, "read": read}

if __name__ == "__main__":
    main()
