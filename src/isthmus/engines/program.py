"""A llama-server binary as a worker, with the very protocol of `isthmus.engines.worker`.

Started as ``python -m isthmus.engines.program PATH_OF_LLAMA_SERVER``. It reads a `WorkerConfig` as one line
of JSON from stdin, starts the program, writes ``{"address": "http://127.0.0.1:PORT"}`` to stdout once the
model is loaded, and ends with the program, or when stdin ends. The program doesn't outlive it, however it
ends. Stderr is the program's log.
"""

import ctypes
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil

from isthmus.engines.worker_config import NGRAM_DRAFT, NGRAM_LOOKUP, OPENMP_SPINS, WorkerConfig

_POLL_S = 0.05
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Start the program, say where, and stay until one of the three processes is gone."""
    config: WorkerConfig = json.loads(sys.stdin.readline())
    child = _start(sys.argv[1], config)
    guard = None if sys.platform == "linux" else post_guard(child.pid)
    unwanted = threading.Event()
    threading.Thread(target=_end_with_parent, args=(child, unwanted), daemon=True).start()
    while child.poll() is None:
        port = _listening_port(child.pid)
        if port is not None and _is_ready(port):
            os.write(1, json.dumps({"address": f"http://127.0.0.1:{port}"}).encode() + b"\n")
            child.wait()
        time.sleep(_POLL_S)
    if guard is not None:
        guard.kill()
    if not unwanted.is_set():
        _end_like(child.returncode)


def arguments(config: WorkerConfig) -> list[str]:
    """llama-server's arguments for a worker; those that would say what it does anyway are left out."""
    words = ["--model", config["model"][0], "--alias", config["alias"]]
    # A port of its own choice: one that we chose could be taken by somebody else before it binds.
    words += ["--host", "127.0.0.1", "--port", "0", "--no-webui", "--no-slots", "--offline"]
    words += ["--ctx-size", str(config["context_length"]), "--parallel", str(config["parallel"])]
    if config["batch_tokens"] and not config["pooling"]:
        words += ["--batch-size", str(config["batch_tokens"])]
    # One pool of context for all slots: more slots take no more memory, and one long prompt may use it all.
    # An answer that fills it ends there; its beginning is never dropped without a word.
    words += ["--kv-unified", "--no-context-shift", "--cache-ram", str(config["prompt_cache_mb"])]
    # Errors and warnings only; prompts are logged at higher levels.
    words += ["--jinja", "--log-verbosity", "2"]
    if config["chat_template"]:
        words += ["--chat-template", config["chat_template"]]
    if config["threads"]:
        words += ["--threads", str(config["threads"]), "--threads-batch", str(config["threads"])]
    if config["flash_attention"] != "auto":
        words += ["--flash-attn", config["flash_attention"]]
    if config["kv_type"] != "f16":
        words += ["--cache-type-k", config["kv_type"], "--cache-type-v", config["kv_type"]]
    for adapter in config["adapters"]:
        words += ["--lora", adapter]
    if config["projector"]:
        words += ["--mmproj", config["projector"], *([] if config["gpu_layers"] else ["--no-mmproj-offload"])]
    return words + _placement(config) + _speculation(config) + _embedding(config)


def _placement(config: WorkerConfig) -> list[str]:
    """What lies where."""
    words: list[str] = []
    if config["gpu_layers"] >= 0:  # otherwise it finds out by itself what fits
        words += ["--n-gpu-layers", str(config["gpu_layers"]), "--fit", "off"]
    if config["cpu_expert_layers"] > 0:
        words += ["--n-cpu-moe", str(config["cpu_expert_layers"])]
    return words


def _speculation(config: WorkerConfig) -> list[str]:
    """What guesses tokens ahead."""
    if config["speculation"] == "ngram":
        sizes = [
            "--spec-ngram-simple-size-n",
            str(NGRAM_LOOKUP),
            "--spec-ngram-simple-size-m",
            str(NGRAM_DRAFT),
        ]
        return ["--spec-type", "ngram-simple", *sizes]
    if config["speculation"] == "draft":
        return ["--spec-type", "draft-simple", "--model-draft", config["draft"]]
    return []


def _embedding(config: WorkerConfig) -> list[str]:
    """Texts to vectors, each read in one micro-batch."""
    if not config["pooling"]:
        return []
    size = str(config["text_tokens"])
    words = ["--embeddings", "--batch-size", size, "--ubatch-size", size]
    return [*words, "--pooling", "mean"] if config["pooling"] == "mean" else words


def _start(program: str, config: WorkerConfig) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [program, *arguments(config)],
            env=environment(config),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            close_fds=False,  # the weights are often an inherited descriptor
            preexec_fn=_bind_to(os.getpid()),
        )
    except OSError as error:
        sys.stderr.write(f"error: {program} can't be started: {error}\n")
        sys.exit(3)


def environment(config: WorkerConfig) -> dict[str, str]:
    """The program's environment, without the person's own LLAMA_ARG_* variables: they are for another server.

    The key is here, since anyone may read a command line, and so is what some versions know as one option
    and others as another: one that a version doesn't know, it passes over.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
    reading = {} if config["map_weights"] else {"LLAMA_ARG_LOAD_MODE": "none", "LLAMA_ARG_NO_MMAP": "1"}
    return {**OPENMP_SPINS, **own, **reading, "LLAMA_API_KEY": config["key"]}


# ---------------------------------------------------------------- beginning


def _listening_port(pid: int) -> int | None:
    """The port on which a process listens, if it does yet."""
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp4")
    except psutil.Error:
        return None
    return next((each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN), None)


def _is_ready(port: int) -> bool:
    """Whether the model is loaded: until then the program answers 503."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# ---------------------------------------------------------------- ending


def _end_with_parent(child: "subprocess.Popen[bytes]", unwanted: threading.Event) -> None:
    """Wait for the end of stdin, then end the program at once, which is the end of us."""
    sys.stdin.read()
    unwanted.set()
    child.kill()


def _bind_to(parent: int) -> Callable[[], None] | None:
    """What makes Linux kill a new process when its parent dies; run in it, before the program."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was too late to ask
            os._exit(1)

    return bind


def post_guard(pid: int) -> "subprocess.Popen[bytes]":
    """Elsewhere, a process that waits for our end, which closes its stdin, and then kills the program."""
    return subprocess.Popen(["/bin/sh", "-c", f"read _; kill -9 {pid}"], stdin=subprocess.PIPE)


def _end_like(status: int) -> None:
    """End as the program did, so that whoever started us hears of the same status or signal."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
