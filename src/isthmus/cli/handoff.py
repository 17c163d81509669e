"""``isthmus handoff``: what was asked, who answered and why, what it cost."""

from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.amounts import duration, moment
from isthmus.cli.database import database
from isthmus.cli.groups import new_group
from isthmus.cli.options import Json
from isthmus.ledger import Ledger, QuestionRecord, Summary, show_usd

app = new_group()

HEADER = ("WHEN", "WHO ANSWERED", "WHY", "MODEL", "TOKENS", "COST", "TIME", "OUTCOME")


@app.callback()
def handoff() -> None:
    """See what was handed over to a hosted model."""


@app.command()
def ledger(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the latest questions: who answered, why, and at what cost."""
    with database() as engine:
        questions, summary = Ledger(engine).questions(limit), Ledger(engine).summary()
    if as_json:
        console.write_json({"questions": questions, "summary": summary})
    elif questions:
        console.write_table(HEADER, [_row(each) for each in questions])
        console.write()
        console.write(_in_all(summary))
    else:
        console.say('Nothing was asked yet: isthmus ask "Why is the sky blue?"')


def _row(question: QuestionRecord) -> tuple[str, ...]:
    who = {"local": "home", "hosted": question.provider or "hosted", "refuse": "nobody"}[question.target]
    outcome = question.outcome
    return (
        moment(question.at),
        who,
        question.reason.replace("_", " "),
        question.model,
        str(question.prompt_tokens + question.completion_tokens),
        show_usd(question.cost_usd),
        "" if question.total_s is None else duration(question.total_s),
        f"{outcome}: {question.error_code}" if question.error_code else outcome,
    )


def _in_all(summary: Summary) -> str:
    parts = [f"{summary.kept} kept at home", f"{summary.handed_over} handed over"]
    if summary.refused:
        parts.append(f"{summary.refused} refused")
    parts.append(f"{show_usd(summary.spent_usd)} spent")
    if summary.unsettled_usd:
        parts.append(f"{show_usd(summary.unsettled_usd)} put aside for calls whose end is unknown")
    return f"In all: {', '.join(parts)}."
