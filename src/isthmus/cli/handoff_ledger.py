"""``isthmus handoff ledger`` and ``show``: what was asked, who answered and why, what it cost, what left."""

from typing import Annotated

import msgspec
import typer

from isthmus.cli import console
from isthmus.cli.amounts import duration, moment, size
from isthmus.cli.database import database
from isthmus.cli.handoff_filters import (
    KeyOption,
    ProviderOption,
    ReasonOption,
    Since,
    TargetOption,
    Until,
    selection,
)
from isthmus.cli.options import Json
from isthmus.ledger import Call, ChainedQuestion, Ledger, QuestionRecord, Summary, show_usd
from isthmus.ledger.labels import label_of

HEADER = ("ID", "WHEN", "WHO ANSWERED", "WHY", "MODEL", "TOKENS", "COST", "TIME", "OUTCOME")
SHORT = 8
"""As much of an id as usually names one question."""

Id = Annotated[str, typer.Argument(metavar="ID", help="A question's id, or how it begins.")]


def ledger(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    since: Since = None,
    until: Until = None,
    target: TargetOption = None,
    reason: ReasonOption = None,
    key: KeyOption = None,
    provider: ProviderOption = None,
    as_json: Json = False,
) -> None:
    """List the latest questions: who answered, why, and at what cost."""
    chosen = selection(since, until, target, reason, key, provider)
    with database() as engine:
        ledger = Ledger(engine)
        questions, summary = ledger.questions(limit, chosen), ledger.summary(chosen)
    if as_json:
        console.write_json({"questions": questions, "summary": summary})
    elif questions:
        console.write_table(HEADER, [_row(each) for each in questions])
        console.write()
        console.write(_in_all(summary))
    elif chosen == selection():
        console.say('Nothing was asked yet: isthmus ask "Why is the sky blue?"')
    else:
        console.say("No question is like that.")


def show(id_: Id, as_json: Json = False) -> None:
    """Show all that is known of one question: the decision, the money, what left, its place in the chain."""
    with database() as engine:
        ledger = Ledger(engine)
        question = ledger.find(id_)
        calls = ledger.calls(question.record.id)
        correct = label_of(engine, question.record.id)
    if as_json:
        chain = {name: getattr(question, name) for name in ("link", "previous_hash", "hash")}
        record = msgspec.structs.asdict(question.record)
        console.write_json({**record, **chain, "calls": calls, "correct": correct})
        return
    console.write_fields(_fields(question, correct))
    for call in calls:
        console.write(_call(call))


def _row(question: QuestionRecord) -> tuple[str, ...]:
    return (
        question.id[:SHORT],
        moment(question.at),
        _who(question),
        question.reason.replace("_", " "),
        question.model,
        str(question.prompt_tokens + question.completion_tokens),
        show_usd(question.cost_usd),
        "" if question.total_s is None else duration(question.total_s),
        _outcome(question),
    )


def _who(question: QuestionRecord) -> str:
    return {"local": "home", "hosted": question.provider or "hosted", "refuse": "nobody"}[question.target]


def _outcome(question: QuestionRecord) -> str:
    outcome = question.outcome
    return f"{outcome}: {question.error_code}" if question.error_code else outcome


def _in_all(summary: Summary) -> str:
    parts = [f"{summary.kept} kept at home", f"{summary.handed_over} handed over"]
    if summary.refused:
        parts.append(f"{summary.refused} refused")
    parts.append(f"{show_usd(summary.spent_usd)} spent")
    if summary.unsettled_usd:
        parts.append(f"{show_usd(summary.unsettled_usd)} put aside for calls whose end is unknown")
    return f"In all: {', '.join(parts)}."


def _fields(question: ChainedQuestion, correct: bool | None) -> dict[str, str]:
    record = question.record
    hidden = ", ".join(f"{count} {kind}" for kind, count in sorted(record.redacted.items()))
    left = f"{size(record.sent_bytes)}, SHA-256 {record.sent_digest}" if record.sent_digest else "nothing"
    return {
        "question": record.id,
        "asked": f"{moment(record.at)} by {record.source}" + (f", key {record.key}" if record.key else ""),
        "mode": record.mode,
        "answered by": f"{_who(record)}, {record.model}",
        "why": f"{record.reason.replace('_', ' ')} ({record.stage})",
        "evidence": msgspec.json.encode(record.evidence).decode(),
        "outcome": _outcome(record),
        "called": {None: "", True: "right", False: "wrong"}[correct],
        "tokens": f"{record.prompt_tokens} of prompt, {record.completion_tokens} of answer",
        "time": "" if record.total_s is None else duration(record.total_s),
        "cost": show_usd(record.cost_usd),
        "left": left,
        "hidden": hidden,
        "prompt": f"SHA-256 {record.prompt_digest}",
        "answer": f"SHA-256 {record.answer_digest}" if record.answer_digest else "",
        "link": "beside the chain" if question.link is None else f"{question.link}, {question.hash}",
    }


def _call(call: Call) -> str:
    spent = "its end is unknown" if call.settled_usd is None else f"it cost {show_usd(call.settled_usd)}"
    return f"call {call.id} to {call.provider}: {show_usd(call.reserved_usd)} put aside, {spent}"
