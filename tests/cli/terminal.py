"""A command under a pseudo-terminal: what a person would type goes in, what they would see comes out."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from contextlib import contextmanager

# The command makes the pseudo-terminal its own, so that Ctrl-C reaches it as a signal.
_TAKE_TERMINAL = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
_ISTHMUS = "from isthmus.cli.main import main; main(sys.argv[1:])"
_WHERE_IS_THE_CURSOR = b"\x1b[6n"
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """A pseudo-terminal with a process in it."""

    def __init__(self, descriptor, process):
        self._descriptor = descriptor
        self._unseen = ""
        self.process = process
        self.screen = ""

    def type(self, keys):
        os.write(self._descriptor, keys.encode())

    def wait_for(self, pattern, within_s=60):
        """Wait until a pattern is seen; a later wait looks at what comes after it."""
        deadline = time.monotonic() + within_s
        while not (match := re.search(pattern, self._unseen, re.DOTALL)):
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"{pattern!r} was not seen, but {self._unseen!r}")
        self._unseen = self._unseen[match.end() :]
        return match

    def end(self, within_s=30):
        """Wait until the process ends; give its exit code."""
        deadline = time.monotonic() + within_s
        while self._read() and time.monotonic() < deadline:
            pass
        return self.process.wait(within_s)

    def _read(self):
        """Take in what is written; whether there may be more."""
        ready, _, _ = select.select([self._descriptor], [], [], 0.2)
        if not ready:
            return self.process.poll() is None
        try:
            piece = os.read(self._descriptor, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            return False
        if _WHERE_IS_THE_CURSOR in piece:
            self.type("\x1b[1;1R")
        text = _ESCAPES.sub("", piece.decode(errors="replace")).replace("\r", "")
        self._unseen += text
        self.screen += text
        return bool(piece)


@contextmanager
def terminal(*words, script=_ISTHMUS, **environment):
    """Run ``isthmus`` with these words, or another script, in a terminal of its own."""
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL + script, *words],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(inner)
    try:
        yield Terminal(outer, process)
    finally:
        process.kill()
        process.wait()
        os.close(outer)
