"""What a sandbox is given and gives back: the limits of a command, and how it ended."""

from typing import Literal, TypeAlias

from msgspec import Struct

KIB = 1 << 10
MIB = 1 << 20

Stopped: TypeAlias = Literal["time", "cpu", "memory", "files"]
"""Which limit ended a command: seconds on the clock, seconds of processor time, memory, number of files."""


class Limits(Struct, frozen=True):
    """What a command may take.

    The sizes of memory and disk are set when a sandbox begins and hold for everything in it; the others may
    differ from one command to the next.

    Attributes:
        wall_s: Seconds on the clock.
        cpu_s: Seconds of processor time, of all its processes together.
        memory_bytes: Memory: of all processes together where control groups are delegated, of each otherwise,
            and then of all together as often as somebody looks (20 times a second).
        disk_bytes: The size of the work folder, and of /tmp. Both lie in memory.
        file_bytes: The largest file that it may write.
        processes: Processes and threads at one time.
        open_files: Open files of one process.
        output_bytes: What is kept of its stdout, and of its stderr; the rest is read and dropped.
    """

    wall_s: float = 10.0
    cpu_s: float = 10.0
    memory_bytes: int = 512 * MIB
    disk_bytes: int = 64 * MIB
    file_bytes: int = 32 * MIB
    processes: int = 64
    open_files: int = 256
    output_bytes: int = MIB


class Completed(Struct, frozen=True):
    """How a command ended.

    Attributes:
        stdout: What it wrote, as UTF-8; other bytes are replaced.
        stderr: The same of its errors.
        exit: Its exit status; None where a signal ended it.
        signal: That signal: "SIGKILL".
        stopped: The limit that ended it, if one did.
        cut: Whether it wrote more than was kept.
        cpu_s: Processor time of all its processes.
        wall_s: Time on the clock.
        memory_peak_bytes: The most memory that its largest process held.
    """

    stdout: str
    stderr: str
    exit: int | None
    signal: str | None
    stopped: Stopped | None
    cut: bool
    cpu_s: float
    wall_s: float
    memory_peak_bytes: int

    @property
    def ok(self) -> bool:
        """Whether it ended by itself and found nothing wrong."""
        return self.exit == 0 and self.stopped is None

    @property
    def timed_out(self) -> bool:
        """Whether it took too long, on the clock or on the processor."""
        return self.stopped in ("time", "cpu")

    @property
    def said(self) -> str:
        """How it ended, in words: "it was stopped after 10.0 s; its output was cut"."""
        return f"{self._ending()}; its output was cut" if self.cut else self._ending()

    def _ending(self) -> str:
        match self.stopped:
            case "time":
                return f"it was stopped after {self.wall_s:.1f} s"
            case "cpu":
                return f"it was stopped after {self.cpu_s:.1f} s of processor time"
            case "memory":
                return "it was stopped because it took more memory than it may"
            case "files":
                return "it was stopped because it made more files than it may"
            case None if self.signal:
                return f"it was ended by {self.signal}"
            case None:
                return f"it exited with {self.exit}"
