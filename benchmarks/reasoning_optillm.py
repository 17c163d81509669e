"""OptiLLM over the same endpoint: its self-consistency, its majority vote and its CoT, at its own settings.

    python -m venv peer && peer/bin/pip install optillm==0.4.0
    python -m benchmarks.reasoning_optillm --data FOLDER --optillm peer/bin/optillm --base-url URL

OptiLLM (codelion/optillm, Apache-2.0) is a proxy: each question is asked of it as of any model, and it asks
the server. Its tokens are counted at a proxy between both, so that those of samples which it throws away
count too. A line a question; a run that was killed goes on.
"""

import argparse
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from msgspec import Struct

from benchmarks.reasoning_data import gsm8k
from benchmarks.reasoning_policies import LONGEST
from benchmarks.reasoning_replay import Outcome
from benchmarks.results import RESULTS
from benchmarks.rows import append_line, whole_lines
from benchmarks.served import end_with_parent

APPROACHES = ("self_consistency", "majority_voting", "cot_reflection")
FILE = "reasoning-optillm.jsonl"


class Asked(Struct, frozen=True):
    """One question as OptiLLM answered it; ``tokens`` were written for it, by all that it asked."""

    approach: str
    model: str
    set: str
    row: int
    text: str
    tokens: int
    seconds: float


def optillm_outcomes(folder, name, model, questions):
    """What OptiLLM came to, by approach: the policies ``OptiLLM APPROACH``."""
    by_row = {question.row: question for question in questions}
    found = {}
    for each in whole_lines(Path(folder) / FILE, Asked):
        if (each.set, each.model) == (name, model) and each.row in by_row:
            outcome = Outcome(float(by_row[each.row].right(each.text)), each.tokens, each.seconds)
            found.setdefault(f"OptiLLM {each.approach}", {})[each.row] = outcome
    return found


# ---------------------------------------------------------------- asking


class Counter:
    """A proxy before the server, which counts the tokens that it writes."""

    def __init__(self, base_url):
        self.tokens = 0
        counter, self._adding = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._pass(None)

            def do_POST(self):
                self._pass(self.rfile.read(int(self.headers["content-length"])))

            def _pass(self, body):
                url = base_url.removesuffix("/v1") + self.path
                asked = Request(url, body, {"content-type": "application/json"})
                with urlopen(asked, timeout=3600) as response:
                    answer = response.read()
                counter.count(json.loads(answer))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self, answer):
        with self._adding:
            self.tokens += (answer.get("usage") or {}).get("completion_tokens", 0)


def ask_all(given):
    done = {(each.approach, each.model, each.row) for each in whole_lines(given.into / FILE, Asked)}
    counter = Counter(given.base_url)
    url = f"http://127.0.0.1:{given.port}/v1/chat/completions"
    words = ["--base-url", counter.base_url, "--port", str(given.port), "--host", "127.0.0.1"]
    with subprocess.Popen(
        [given.optillm, *words],
        env={"OPENAI_API_KEY": "none", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent,
    ) as process:
        try:
            _wait_for(f"http://127.0.0.1:{given.port}/health", process)
            for question in gsm8k(given.data, given.rows):
                for approach in given.approaches.split(","):
                    if (approach, given.model, question.row) not in done:
                        append_line(given.into / FILE, _asked(url, approach, question, given.model, counter))
                        print(f"{approach}, row {question.row}", flush=True)
        finally:
            process.terminate()
            counter.close()


def _asked(url, approach, question, model, counter):
    """Ask it one question as anybody would; only the length is bounded, as it is for every policy."""
    counter.tokens, began = 0, time.perf_counter()
    body = {
        "model": f"{approach}-{model}",
        "messages": [{"role": "user", "content": question.prompt}],
        "max_tokens": LONGEST,
    }
    asked = Request(
        url, json.dumps(body).encode(), {"content-type": "application/json", "authorization": "Bearer none"}
    )
    with urlopen(asked, timeout=3600) as response:
        text = json.load(response)["choices"][0]["message"]["content"] or ""
    seconds = round(time.perf_counter() - began, 2)
    return Asked(approach, model, question.set, question.row, text, counter.tokens, seconds)


def _wait_for(url, process, patience_s=180):
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return urlopen(url, timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.5)
    raise SystemExit("OptiLLM did not come up: start its program by hand to see why")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--optillm", required=True, help="its program")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="qwen2.5-coder:0.5b")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--approaches", default=",".join(APPROACHES))
    parser.add_argument("--port", type=int, default=4789)
    parser.add_argument("--into", type=Path, default=RESULTS)
    ask_all(parser.parse_args())


if __name__ == "__main__":
    main()
