"""Engine builds that only look like ones: a package folder, and a script in llama-server's place."""

import sys
import textwrap
from pathlib import Path

from isthmus.engines.builds import EngineBuild

SERVER = r'''
"""Plays llama-server. What it was given lies in a file beside it; a mode file says how it behaves."""
import json, os, pathlib, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

here = pathlib.Path(__file__)
mode = here.with_suffix(".mode").read_text() if here.with_suffix(".mode").exists() else ""
if "--version" in sys.argv:
    if mode == "dies early":
        os.kill(os.getpid(), signal.SIGILL)
    sys.stderr.write("version: 11549 (64fbe0f)\nbuilt with GNU 14.2.0 for Linux x86_64\n")
    sys.exit(0)
if "--list-devices" in sys.argv:
    print("Available devices:\n  CUDA0: NVIDIA H100 (81559 MiB, 81004 MiB free)" if mode == "cuda"
          else "Available devices:\n  (none)")
    sys.exit(0)
model = sys.argv[sys.argv.index("--model") + 1]
given = {"argv": sys.argv[1:], "environ": dict(os.environ), "pid": os.getpid()}
given["head"] = open(model, "rb").read(4).decode(errors="replace") if os.path.exists(model) else ""
given["beside"] = sorted(os.listdir(os.path.dirname(model))) if "-of-" in model else []
here.with_suffix(".given").write_text(json.dumps(given))
if mode == "dies":
    os.kill(os.getpid(), signal.SIGILL)
if mode == "fails":
    sys.stderr.write("starting\nerror: unable to load model\n")
    sys.exit(1)
asked = 0

class Handler(BaseHTTPRequestHandler):
    def say(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        global asked
        asked += 1
        ready = asked > 2 and mode != "never ready"
        self.say(200 if ready else 503, {"status": "ok" if ready else "loading"})

    def do_POST(self):
        if self.headers["Authorization"] != "Bearer " + os.environ["LLAMA_API_KEY"]:
            return self.say(401, {"error": "key"})
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if mode == "dies later":
            os.kill(os.getpid(), signal.SIGILL)
        if mode == "nonsense":
            return self.say(200, {"hello": "world"})
        threads = sys.argv[sys.argv.index("--threads") + 1]
        self.say(200, {"timings": {"prompt_per_second": 100.0 * int(threads) + len(body["prompt"]),
                                   "predicted_per_second": 10.0 * int(threads)}})

    def log_message(self, *words):
        pass

if mode == "never listens":
    time.sleep(60)
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler)
server.serve_forever()
'''


def fake_server(folder: Path, mode: str = "") -> Path:
    """A script in llama-server's place, executable."""
    program = folder / "llama-server"
    folder.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!{sys.executable}\n{SERVER}")
    program.chmod(0o755)
    program.with_suffix(".mode").write_text(mode)
    return program


def fake_program(folder: Path, mode: str = "") -> EngineBuild:
    """The build that such a script is."""
    return EngineBuild("llama-server", "program", str(fake_server(folder, mode)))


def fake_package(folder: Path, code: str = "", version: str = "1.0") -> EngineBuild:
    """A package named xllamacpp in a folder of its own; ``code`` runs when it is imported."""
    package = folder / "xllamacpp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        textwrap.dedent(code)
        + f"__version__ = {version!r}\n"
        + "def get_device_info():\n    return [{'name': 'CPU'}, {'name': 'CUDA0'}]\n"
        + "def get_system_info():\n    return 'CPU : SSE3 = 1 | AVX512 = 1 | AMX_INT8 = 0 | REPACK = 1 | '\n"
    )
    (folder / f"xllamacpp-{version}.dist-info").mkdir()
    return EngineBuild(folder.name, "package", str(folder), version)
