"""Asking other programs, for a moment: what isn't there, fails or hangs has said nothing."""

import shutil
import time
from collections.abc import Mapping, Sequence
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

TIMEOUT_S = 5.0


def outputs(commands: Mapping[str, Sequence[str]], timeout_s: float = TIMEOUT_S) -> dict[str, str]:
    """What programs write to stdout; they run side by side, and all have ``timeout_s`` together.

    Args:
        commands: Command lines, by any name. Those whose program isn't on the PATH are passed over.
        timeout_s: When those that still run are ended.
    """
    running = {name: process for name, command in commands.items() if (process := _start(command))}
    deadline = time.monotonic() + timeout_s
    return {name: _collect(process, deadline) for name, process in running.items()}


def output(*command: str, timeout_s: float = TIMEOUT_S) -> str:
    """What one program writes to stdout; empty where it has nothing to say."""
    return outputs({"": command}, timeout_s).get("", "")


def _start(command: Sequence[str]) -> "Popen[str] | None":
    if shutil.which(command[0]) is None:
        return None
    try:
        return Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, text=True, errors="replace")
    except OSError:
        return None


def _collect(process: "Popen[str]", deadline: float) -> str:
    try:
        text, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutExpired:
        process.kill()
        process.communicate()
        return ""
    return "" if process.returncode else text
