"""The worker process: one loaded model behind llama.cpp's own server, on a loopback port.

Started by `isthmus.engines.process` as ``python -m isthmus.engines.worker``. It reads a `WorkerConfig` as
one line of JSON from stdin, loads, writes ``{"address": "http://127.0.0.1:PORT"}`` to stdout, and serves
until stdin ends: its parent holds the other end, so that the worker ends with its parent, however the
parent ends. Its stderr is llama.cpp's log.
"""

import json
import os
import sys
import threading

from isthmus.engines.worker_config import WorkerConfig

# Threads that wait for each other spin this often before they sleep. llama.cpp's OpenMP spins for
# milliseconds by default: with as many threads as cores, any other busy process then halts decoding (measured
# on 2 cores beside busy processes, three rounds: 1.4, 1.5 and 7.5 tokens/s, against 6.1, 10.1 and 34.8).
# It is read when the library is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import xllamacpp


def main() -> None:
    """Load, say where, and serve until the parent is gone."""
    # llama.cpp may write to stdout, which carries our one line: keep a private copy, lend it stderr.
    say = os.dup(1)
    os.dup2(2, 1)
    config: WorkerConfig = json.loads(sys.stdin.readline())
    # From now on, so that a parent that dies while a large model loads isn't outlived by it.
    watch = threading.Thread(target=_end_with_parent, daemon=True)
    watch.start()
    try:
        server = xllamacpp.Server(parameters(config))
        os.write(say, json.dumps({"address": server.listening_address}).encode() + b"\n")
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
        os._exit(3)
    watch.join()


def _end_with_parent() -> None:
    """Wait for the end of stdin, then end at once: a clean exit would wait for batches nobody wants."""
    sys.stdin.read()
    os._exit(0)


def parameters(config: WorkerConfig) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for a worker."""
    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.model_alias = {config["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config["key"]]
    params.ui = False
    params.endpoint_slots = False
    params.n_ctx = config["context_length"]
    params.n_parallel = config["parallel"]
    # One pool of context for all slots: more slots take no more memory, and one long prompt may use it all.
    params.kv_unified = True
    params.cache_ram_mib = 1024
    params.n_gpu_layers = config["gpu_layers"]
    # Errors and warnings only; prompts are logged at higher levels.
    params.verbosity = 2
    if config["threads"]:
        params.cpuparams.n_threads = config["threads"]
        params.cpuparams_batch.n_threads = config["threads"]
    if config["chat_template"]:
        params.chat_template = config["chat_template"]
    return params


if __name__ == "__main__":
    main()
