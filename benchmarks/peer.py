"""The peers: llama.cpp's own server, as others carry it, with nothing of Isthmus in front."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import Any

from benchmarks.served import end_with_parent, last_words

LOAD_S = 180
"""How long a peer may take to load."""

PROGRAM = """
import json, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
for name, value in json.loads(sys.argv[2]).items():
    setattr(params, name, value)
server = xllamacpp.Server(params)
print(json.dumps(server.listening_address), flush=True)
sys.stdin.read()
"""


@contextmanager
def llama_server(path, context_length, parallel):
    """xllamacpp's server with the slots and the context of Isthmus's own worker: its base URL."""
    changes = {"n_ctx": context_length, "n_parallel": parallel, "kv_unified": True, "cache_ram_mib": 1024}
    with xllamacpp_server(sys.executable, path, changes) as (url, _):
        yield url


@contextmanager
def xllamacpp_server(python, path, changes):
    """xllamacpp's server in a Python of its own, with ``changes`` to its parameters: base URL and process."""
    # Its log goes to a file nobody reads; less of it is all that the verbosity changes.
    words = [python, "-c", PROGRAM, str(path), json.dumps({"verbosity": 2, **changes})]
    with _process(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as (process, log):
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"xllamacpp's server did not come up: {last_words(log)}")
        yield json.loads(line) + "/v1", process


@contextmanager
def listening_server(words, ready=None):
    """A server that is told its port and says nothing when it is ready: base URL and process.

    ``ready`` tells whether the server at a base URL is; by default it lists its models then.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}/v1"
    with _process([*words, "--host", "127.0.0.1", "--port", str(port)]) as (process, log):
        deadline = time.monotonic() + LOAD_S
        while not (ready(url) if ready else _answers(f"{url}/models")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{' '.join(words)} did not come up: {last_words(log)}")
            time.sleep(0.1)
        yield url, process


@contextmanager
def _process(words, **pipes: Any):
    """A process that ends with the block, and its log."""
    with tempfile.TemporaryFile() as log:
        pipes = {"stdout": log, **pipes}
        with subprocess.Popen(words, stderr=log, preexec_fn=end_with_parent, **pipes) as process:
            try:
                yield process, log
            finally:
                process.kill()


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
