import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from isthmus.engines import neighbours
from isthmus.engines.neighbours import find_neighbours

OLLAMA = {"models": [{"name": "qwen3:8b", "size": 5}, {"name": "gpt-oss:120b-cloud"}]}
LM_STUDIO = {"object": "list", "data": [{"id": "qwen2.5-coder-7b", "object": "model"}]}
LLAMA = {"object": "list", "data": [{"id": "x.gguf", "owned_by": "llamacpp"}]}


@pytest.fixture
def serve():
    """Serves JSON (or raw bytes) by path on a port of its own, and gives the port."""
    servers = []

    def run(answers, delay_s=0.0):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(delay_s)
                answer = answers.get(self.path)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *words):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server.server_port

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def find(tmp_path, serve):
    """Looks for runners where they are said to be, and nobody else is."""
    nobody = serve({})

    def look(**ports):
        usual = {"ollama": nobody, "lmstudio": nobody, "llama-server": nobody}
        return find_neighbours(
            tmp_path, usual | {name.replace("_", "-"): port for name, port in ports.items()}
        )

    return look


def test_all_three(find, serve):
    ports = {
        "ollama": serve({"/api/tags": OLLAMA}),
        "lmstudio": serve({"/v1/models": LM_STUDIO}),
        "llama_server": serve({"/v1/models": LLAMA}),
    }
    ollama, lmstudio, llama = find(**ports)
    assert (ollama.kind, ollama.title, ollama.running) == ("ollama", "Ollama", True)
    assert ollama.models == ("qwen3:8b", "gpt-oss:120b-cloud")
    assert ollama.base_url == f"http://127.0.0.1:{ports['ollama']}/v1"
    assert lmstudio.models == ("qwen2.5-coder-7b",)
    assert llama.models == ("x.gguf",)


def test_nobody(find):
    assert find() == []


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"",
        b"[]",
        b"3",
        b'{"data": 3}',
        b'{"data": [1, null]}',
        b'{"data": [{"id": "x"}]}',
        b"\xff",
    ],
)
def test_what_else_answers_on_port_8080_is_no_runner(find, serve, answer):
    assert find(llama_server=serve({"/v1/models": answer})) == []


def test_what_does_not_answer_in_time_is_not_awaited(find, serve, monkeypatch):
    monkeypatch.setattr(neighbours, "TIMEOUT_S", 0.2)
    slow = serve({"/api/tags": OLLAMA, "/v1/models": LM_STUDIO}, delay_s=1.0)
    assert find(ollama=slow, lmstudio=slow) == []  # awaited, both would be found


def test_the_store_of_an_ollama_that_does_not_run(find, tmp_path):
    manifests = tmp_path / ".ollama/models/manifests"
    for name in (
        "registry.ollama.ai/library/qwen3/8b",
        "registry.ollama.ai/me/mine/latest",
        "hf.co/o/r/Q4_K_M",
    ):
        (manifests / name).parent.mkdir(parents=True, exist_ok=True)
        (manifests / name).write_text("{}")
    (ollama,) = find()
    assert not ollama.running
    assert ollama.models == ("hf.co/o/r:Q4_K_M", "qwen3:8b", "me/mine:latest")
    assert ollama.store == tmp_path / ".ollama/models"


def test_the_store_of_an_lm_studio_that_does_not_run(find, tmp_path):
    folder = tmp_path / ".lmstudio/models/qwen/Qwen3-8B-GGUF"
    folder.mkdir(parents=True)
    (folder / "Qwen3-8B-Q4_K_M.gguf").write_text("")
    (folder / "mmproj-Qwen3.gguf").write_text("")
    (lmstudio,) = find()
    assert lmstudio.models == ("qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf",)


def test_an_empty_store_is_no_runner(find, tmp_path):
    (tmp_path / ".ollama/models/manifests").mkdir(parents=True)
    assert find() == []
