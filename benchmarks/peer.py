"""The peer: llama.cpp's own server, as xllamacpp carries it, with nothing of Isthmus in front."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

PROGRAM = """
import json, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel, params.kv_unified = int(sys.argv[2]), int(sys.argv[3]), True
params.cache_ram_mib = 1024
params.verbosity = 2
server = xllamacpp.Server(params)
print(json.dumps(server.listening_address), flush=True)
sys.stdin.read()
"""


@contextmanager
def llama_server(path, context_length, parallel):
    """Its base URL; slots and context are those of Isthmus's own worker."""
    words = [sys.executable, "-c", PROGRAM, str(path), str(context_length), str(parallel)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        try:
            yield json.loads(process.stdout.readline()) + "/v1"
        finally:
            process.kill()
