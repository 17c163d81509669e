"""Real answers to redacted prompts: asked of a hosted model, kept as they came.

`python -m benchmarks redaction-answers --base-url http://127.0.0.1:4799/v1` asks; each row is on disk as soon
as it is there, so that a run can be taken up again. What the rows say of restoration is worked out by
`redaction`, so that a better restorer is judged by the same answers.
"""

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from benchmarks.redaction_tasks import task
from isthmus.handoff.redaction import Known, Redactor
from isthmus.messages import GenerationRequest, Message
from isthmus.settings import RedactionSettings

FORMATS = {"<>": r"<\1>", "[]": r"[\1]", "bare": r"\1"}
"""How a placeholder could be written; what was measured is why it is the first."""
_CLIENTS = 6
_TOKEN = re.compile(r"<([A-Z_]+_\d+)>")


def ask(base_url, model, path, count, seed, formats=("<>",)):
    """Ask until there are ``count`` rows of each format."""
    path = Path(path)
    done = set()
    if path.exists():
        done = {(row["number"], row["format"]) for row in map(json.loads, path.read_text().splitlines())}
    redactor = Redactor(RedactionSettings(recogniser="off"))

    def row(number, form):
        text, names = task(number, seed)
        request = GenerationRequest((Message("user", text),))
        redacted = redactor.redact(request, [Known(name, "PERSON") for name in names])
        sent = _TOKEN.sub(FORMATS[form], redacted.request.messages[0].text)
        asked = {"number": number, "seed": seed, "format": form, "prompt": text, "names": names, "sent": sent}
        return asked | {"answer": _answer(base_url, model, sent)}

    wanted = [(n, form) for n in range(count) for form in formats if (n, form) not in done]
    with path.open("a") as file, ThreadPoolExecutor(_CLIENTS) as clients:
        for each in as_completed([clients.submit(row, *key) for key in wanted]):
            file.write(json.dumps(each.result(), ensure_ascii=False) + "\n")
            file.flush()


def _answer(base_url, model, text):
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 120,
        "temperature": 0,
    }
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as response:
        return json.load(response)["choices"][0]["message"]["content"]
