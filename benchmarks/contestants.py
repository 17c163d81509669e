"""The servers that are compared: how each is started at its documented defaults, and what had to be set."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from benchmarks.peer import listening_server, xllamacpp_server
from benchmarks.processes import family, memory
from benchmarks.served import isthmus_serve
from isthmus.engines.builds import chosen
from isthmus.settings import EngineSettings

ISTHMUS = "isthmus"
XLLAMACPP = "xllamacpp"
XLLAMACPP_SLOTS = "xllamacpp-slots"
LLAMA_CPP_PYTHON = "llama-cpp-python"
LLAMA_SERVER = "llama-server"
PEERS = (XLLAMACPP, LLAMA_CPP_PYTHON, LLAMA_SERVER, XLLAMACPP_SLOTS)

HAD_TO_BE_SET = {
    ISTHMUS: "nothing",
    XLLAMACPP: "nothing",
    XLLAMACPP_SLOTS: f"n_parallel={EngineSettings().parallel} and kv_unified, as Isthmus's worker has",
    LLAMA_CPP_PYTHON: "interrupt_requests=false: by default each request cuts short the one before it. "
    "Its n_ctx of 2048 stays: it serves one request at a time, and all of these fit",
    LLAMA_SERVER: "nothing",
}


class Running(Struct, frozen=True):
    """A server that listens. ``pid`` is its process; Isthmus's workers are its children."""

    name: str
    url: str
    pid: int

    @property
    def processes(self):
        """All that is of this server."""
        return family(self.pid)

    @property
    def worker(self):
        """Memory of the processes that hold the model."""
        return memory(self.processes[1:] if self.name == ISTHMUS else self.processes)

    @property
    def front(self):
        """Memory of what stands before them, if it is a process of its own."""
        return memory(self.processes[:1]) if self.name == ISTHMUS else None


class Contestant(Struct, frozen=True):
    """A server that can be started. ``program`` is a Python, or llama-server's file."""

    name: str
    program: str = sys.executable
    home: str = ""

    @contextmanager
    def started(self, model, context_length=None):
        """Serve a model, with the context length that it takes by default or with this one."""
        match self.name:
            case "isthmus":
                with isthmus_serve(self.home, "-m", model.name) as run:
                    yield Running(self.name, run.base_url, run.pid)
            case "xllamacpp" | "xllamacpp-slots":
                changes = {} if context_length is None else {"n_ctx": context_length}
                if self.name == XLLAMACPP_SLOTS:
                    changes |= {"n_parallel": EngineSettings().parallel, "kv_unified": True}
                with xllamacpp_server(self.program, model.path, changes) as (url, process):
                    yield Running(self.name, url, process.pid)
            case _:
                with listening_server(self._words(model, context_length)) as (url, process):
                    yield Running(self.name, url, process.pid)

    def _words(self, model, context_length):
        path = str(model.path)
        if self.name == LLAMA_SERVER:
            context = [] if context_length is None else ["--ctx-size", str(context_length)]
            return [self.program, "--model", path, *context]
        context = [] if context_length is None else ["--n_ctx", str(context_length)]
        words = ["-m", "llama_cpp.server", "--model", path, "--interrupt_requests", "false"]
        return [self.program, *words, *context]

    def described(self):
        """Version, and what had to be set."""
        return {"version": self._version(), "set": HAD_TO_BE_SET[self.name]}

    def _version(self):
        if self.name == LLAMA_SERVER:
            done = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True)
            return re.sub(r"\s+", " ", (done.stdout + done.stderr).strip())[:200]
        packages = {
            ISTHMUS: ("isthmus", "xllamacpp"),
            XLLAMACPP: ("xllamacpp",),
            XLLAMACPP_SLOTS: ("xllamacpp",),
            LLAMA_CPP_PYTHON: ("llama-cpp-python",),
        }
        said = ", ".join(f"{name} {_version_of(self.program, name)}" for name in packages[self.name])
        return f"{said}, engine {chosen(Path(self.home), 'auto').name}" if self.name == ISTHMUS else said


def _version_of(python, package):
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
