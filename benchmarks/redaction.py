"""Redaction measured: what is found, what is found wrongly, what comes back, and how long it takes.

- **Recall**, for each kind: the share of private values of which no letter or digit is left, whatever they
  were taken for. **Precision**: the share of what was hidden that was (part of) a private value.
- **Restoration**: of the placeholders that a model mentions in real answers (see `redaction_answers`), in
  whatever form, the share that the restorer puts values back for, fed in small pieces as they stream.
- **Time**: of 1,000 characters of prose and of 100,000 of prose, code, logs and JSON, on one core.
"""

import json
import random
import re
import time
from collections import Counter
from pathlib import Path

from benchmarks.redaction_texts import FORMS, NAMED, Maker
from benchmarks.results import RESULTS, environment, save, summary, verdict
from isthmus.handoff.redaction import Known, Redactor
from isthmus.handoff.redaction.detector import Detector
from isthmus.messages import GenerationRequest, Message, TextDelta
from isthmus.settings import RedactionSettings

STRUCTURED, LEARNT, RESTORED = 0.99, 0.85, 0.98
"""The targets."""


def found(recogniser, texts, seed, split):
    """Recall for each kind, precision, and what was missed or hidden wrongly."""
    detector = Detector(RedactionSettings(recogniser=recogniser))
    maker = Maker(seed, split)
    hit, total, kinds, right, forms = Counter(), Counter(), Counter(), Counter(), Counter()
    missed, wrong = [], []
    for _ in range(texts):
        (text, truth), form, locale = maker.text()
        forms[form] += 1
        spans = detector.find(text)
        hidden = bytearray(len(text))
        for span in spans:
            hidden[span.start : span.end] = b"\1" * (span.end - span.start)
        for start, end, kind in truth:
            total[kind] += 1
            left = [text[i] for i in range(start, end) if not hidden[i] and text[i].isalnum()]
            if left:
                missed.append((kind, locale, form, text[max(0, start - 30) : end + 10]))
            else:
                hit[kind] += 1
        for span in spans:
            kinds[span.kind] += 1
            if any(start < span.end and span.start < end for start, end, _ in truth):
                right[span.kind] += 1
            else:
                wrong.append(
                    (span.kind, text[max(0, span.start - 30) : span.end + 10], text[span.start : span.end])
                )
    result = {
        "recogniser": recogniser,
        "texts": texts,
        "values": total.total(),
        "forms": {form: forms[form] for form in FORMS},
        "recall": {kind: round(hit[kind] / total[kind], 4) for kind in sorted(total)},
        "n": dict(sorted(total.items())),
        "recall_structured": _share(hit, total, lambda kind: kind not in NAMED),
        "recall_named": _share(hit, total, lambda kind: kind in NAMED),
        "precision": round(right.total() / kinds.total(), 4),
        "precision_by_kind": {kind: round(right[kind] / kinds[kind], 4) for kind in sorted(kinds)},
    }
    return result, missed, wrong


def _share(hit, total, wanted):
    kinds = [kind for kind in total if wanted(kind)]
    return round(sum(hit[kind] for kind in kinds) / sum(total[kind] for kind in kinds), 4)


# ---------------------------------------------------------------- restoration

_LEFT = re.compile(r"[<\[{(\"'`*]*\b(?:{kinds})[\s_\\\-]*\d{1,3}\b", re.IGNORECASE)


def restored(path, seed=0):
    """How much of what real answers mention comes back."""
    redactor = Redactor(RedactionSettings(recogniser="off"))
    chooser = random.Random(seed)
    answers = mentions = back = invented = lost = changed = 0
    failures = []
    for row in map(json.loads, Path(path).read_text().splitlines()):
        if row["format"] != "<>":
            continue
        request = GenerationRequest((Message("user", row["prompt"]),))
        redacted = redactor.redact(request, [Known(name, "PERSON") for name in row["names"]])
        tokens = {placeholder.token for placeholder in redacted.placeholders}
        # Only what was handed out when it was asked counts.
        if set(re.findall(r"<[A-Z_]+_\d+>", row["sent"])) != tokens:
            changed += 1
            continue
        restorer = redacted.restorer()
        text = _streamed(restorer, row["answer"], chooser)
        kinds = "|".join(
            sorted({p.kind.replace("_", "[ _-]?") for p in redacted.placeholders}, key=len, reverse=True)
        )
        left = re.findall(_LEFT.pattern.replace("{kinds}", kinds), text, re.IGNORECASE)
        answers += 1
        mentions += restorer.restored + len(left)
        back += restorer.restored
        invented += restorer.invented
        lost += sum(token not in row["answer"] and token.strip("<>") not in row["answer"] for token in tokens)
        if left:
            failures.append({"answer": row["answer"], "left": left})
    return {
        "answers": answers,
        "of_another_numbering": changed,
        "mentions": mentions,
        "restored": round(back / max(1, mentions), 4),
        "whole_answers": round(1 - len(failures) / max(1, answers), 4),
        "invented": invented,
        "never_mentioned": lost,
        "failures": failures[:20],
    }


def _streamed(restorer, answer, chooser):
    pieces, position = [], 0
    while position < len(answer):
        size = chooser.randint(1, 6)
        pieces += restorer.event(TextDelta(answer[position : position + size]))
        position += size
    pieces += restorer.end()
    return "".join(event.text for event in pieces)


def formats(path):
    """Of each way to write a placeholder: how often the model gives one back exactly, and at all."""
    exact, loose, handed = Counter(), Counter(), Counter()
    for row in map(json.loads, Path(path).read_text().splitlines()):
        form = row["format"]
        pattern = {"<>": r"<[A-Z_]+_\d+>", "[]": r"\[[A-Z_]+_\d+\]", "bare": r"\b[A-Z_]+_\d+\b"}[form]
        tokens = set(re.findall(pattern, row["sent"]))
        handed[form] += len(tokens)
        exact[form] += sum(token in row["answer"] for token in tokens)
        loose[form] += sum(token.strip("<>[]").lower() in row["answer"].lower() for token in tokens)
    return {
        form: {"handed_out": handed[form], "exact": exact[form], "in_any_form": loose[form]}
        for form in sorted(handed)
    }


# ---------------------------------------------------------------- time


def times(rounds=15):
    """Milliseconds for texts of two sizes, each of them new to the redactor."""
    detector = Detector(RedactionSettings(recogniser="builtin"))
    prose = "The committee met on Tuesday to discuss the new library, and Mrs. Jones took notes until noon. "
    log = "2026-03-01 10:22:31,{:03d} INFO worker-{} handled /api/v1/items/{} in {} ms\n"
    samples = {
        "prose, 1,000 characters": (prose * 11)[:1000],
        "prose, 100,000 characters": (prose * 1100)[:100_000],
        "code, 100,000 characters": (Path(__file__).read_text() * 30)[:100_000],
        "logs, 100,000 characters": "".join(log.format(i % 1000, i % 9, i, i % 77) for i in range(1600))[
            :100_000
        ],
        "JSON, 100,000 characters": json.dumps(
            [
                {"id": i, "name": f"item {i}", "price": i * 1.25, "at": "2026-01-02T03:04:05Z"}
                for i in range(1500)
            ]
        )[:100_000],
    }
    measured = {}
    for name, text in samples.items():
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            detector.find(text)
            taken.append((time.perf_counter() - began) * 1000)
        measured[name] = summary(taken)
    return measured


def measure(texts, seed, recognisers, answers=None, format_answers=None, into=RESULTS):
    """Everything, on the half of the sentences that nothing was tuned on."""
    result = {"benchmark": "redaction", "environment": environment(), "seed": seed, "split": "report"}
    result["found"] = [found(each, texts, seed, "report")[0] for each in recognisers]
    result["ms"] = times()
    if answers is not None:
        result["restoration"] = restored(answers)
    if format_answers is not None:
        result["formats"] = formats(format_answers)
    best = result["found"][-1]
    worst = {kind: share for kind, share in best["recall"].items() if kind not in NAMED}
    result["met"] = {
        f"recall of structured values and secrets >= {STRUCTURED}": best["recall_structured"] >= STRUCTURED,
        f"of each kind >= {STRUCTURED}": min(worst.values()) >= STRUCTURED,
        f"recall of names and addresses >= {LEARNT}": best["recall_named"] >= LEARNT,
    }
    if answers is not None:
        result["met"][f"restored >= {RESTORED}"] = result["restoration"]["restored"] >= RESTORED
    for what, met in result["met"].items():
        print(f"{what}: {verdict(met)}")
    save("redaction", result, into)
