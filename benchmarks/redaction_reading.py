"""The model at home as a recogniser: of 300 texts of the redaction benchmark, what it adds to the detectors.

`python -m benchmarks redaction-reading --base-url http://127.0.0.1:4774/v1` has a model that is being served
read them, one after the other; what it lists is kept (redaction-reading.jsonl) as soon as it is there, so
that a run goes on where it stopped. Two thirds of the texts hold a name or an address, the others none, and
show what is hidden for nothing. Beside it stand the other recognisers, on the same texts.
"""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

from benchmarks.redaction_texts import NAMED, Maker
from benchmarks.results import RESULTS, environment, save, summary
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import RedactionFailed
from isthmus.handoff.redaction import Known
from isthmus.handoff.redaction.detector import Detector
from isthmus.handoff.redaction.reading import ModelReader
from isthmus.handoff.redaction.repeats import repeats
from isthmus.handoff.redaction.spans import settled
from isthmus.settings import ProviderSettings, RedactionSettings

TEXTS = 300
LEARNT = ("rampart",)
ROWS = "redaction-reading.jsonl"
DEADLINE_S = 600.0


def texts(seed, split, count):
    """Texts with their private values, two with a name or an address to one without: number, text, truth."""
    maker, left = Maker(seed, split), [count - count // 3, count // 3]
    number = 0
    while any(left):
        (text, truth), _, _ = maker.text()
        side = 0 if any(kind in NAMED for *_, kind in truth) else 1
        if left[side]:
            left[side] -= 1
            yield number, text, truth
        number += 1


def measure(base_url, model, seed=1, split="report", *, count=TEXTS, into=RESULTS, others=LEARNT):
    """Have a model read the texts that it hasn't read, and report; without an address, only report."""
    path = Path(into) / ROWS
    there = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(row["model"], row["split"], row["number"]) for row in there}
    chosen = list(texts(seed, split, count))
    with path.open("a") as file:
        for number, text, _ in chosen:
            if base_url and (model, split, number) not in done:
                row = {"model": model, "split": split, "number": number, **_read(base_url, model, text)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
    rows = {
        row["number"]: row
        for row in map(json.loads, path.read_text().splitlines())
        if (row["model"], row["split"]) == (model, split)
    }
    told = [(text, truth, rows[number]) for number, text, truth in chosen if number in rows]
    report(told, model, {"seed": seed, "split": split, "texts_wanted": count}, into, others)


def _read(base_url, model, text):
    """What a model lists in a text, and how long it takes; None where its answer can't be read."""

    async def main():
        home = RunnerEngine("home", ProviderSettings(base_url, local=True), model)
        try:
            return await ModelReader(DEADLINE_S).known(home, [text])
        finally:
            await home.close()

    began = time.perf_counter()
    try:
        known = [[each.value, each.kind] for each in asyncio.run(main())]
    except RedactionFailed:
        known = None
    return {"known": known, "seconds": round(time.perf_counter() - began, 3)}


def report(told, model, how, into, others=()):
    """Recall of names and addresses, and precision, by each recogniser."""
    builtin = Detector(RedactionSettings(recogniser="builtin"))
    found = {"builtin": _counted(told, lambda text, _: builtin.find(text))}
    for other in others:
        detector = Detector(RedactionSettings(recogniser=other))
        found[other] = _counted(told, lambda text, _, detector=detector: detector.find(text))
    found[model] = _counted(told, lambda text, row: _with_known(builtin, text, row["known"] or ()))
    result = {
        "benchmark": "redaction-reading",
        "environment": environment(),
        **how,
        "texts": len(told),
        "unreadable": sum(row["known"] is None for *_, row in told),
        "found": found,
        "seconds": summary([row["seconds"] for *_, row in told]),
    }
    for name, each in found.items():
        print(f"{name}: {each['recall']}, precision of both {each['precision_named']}")
    save("redaction-reading", result, into)


def _with_known(detector, text, known):
    spans = detector.find(text)
    listed = repeats([Known(value, kind) for value, kind in known])
    return settled([*spans, *listed(text)]) if listed else spans


def _counted(told, spans_of):
    hit, total, named, right, hidden_chars = Counter(), Counter(), 0, 0, 0
    for text, truth, row in told:
        spans = spans_of(text, row)
        hidden = bytearray(len(text))
        for span in spans:
            hidden[span.start : span.end] = b"\1" * (span.end - span.start)
            if span.kind in NAMED:
                named += 1
                right += any(start < span.end and span.start < end for start, end, _ in truth)
        hidden_chars += sum(hidden)
        for start, end, kind in truth:
            if kind in NAMED:
                total[kind] += 1
                hit[kind] += not any(text[i].isalnum() and not hidden[i] for i in range(start, end))
    return {
        "recall": {kind: round(hit[kind] / total[kind], 4) for kind in NAMED if total[kind]},
        "n": {kind: total[kind] for kind in NAMED},
        "recall_named": round(hit.total() / max(1, total.total()), 4),
        "precision_named": round(right / max(1, named), 4),
        "share_hidden": round(hidden_chars / sum(len(text) for text, *_ in told), 4),
    }
