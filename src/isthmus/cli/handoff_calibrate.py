"""``isthmus handoff calibrate`` and ``score``: learning a profile, and what it says of rows."""

import json
from collections.abc import Iterator
from contextlib import aclosing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.extras import Extra
from isthmus.cli.options import Json, MaxTokensOption, ModelOption
from isthmus.cli.running import run
from isthmus.configuration import Configuration
from isthmus.errors import UsageError
from isthmus.handoff.estimator import BUILTIN, Profile, load_profile, save_profile
from isthmus.handoff.estimator.rows import Row, read_objects, read_rows
from isthmus.handoff.estimator.storage import profile_path
from isthmus.handoff.judging import LocalAnswer
from isthmus.handoff.policy import foresee
from isthmus.handoff.rules import Question, Rules
from isthmus.ledger import show_usd

if TYPE_CHECKING:
    from isthmus.handoff.estimator.calibration import Calibrated
    from isthmus.handoff.estimator.targets import Outlook, Target
    from isthmus.runtime.collecting import Collected, Prompt

_NOTHING_READ = LocalAnswer("", (), whole=True)
ProfileOption = Annotated[str, typer.Option("--profile", metavar="NAME", help="The profile's name.")]

_KNOWN = {
    "estimate": "the question alone",
    "watch": "the first tokens, in a stream",
    "check": "the whole answer",
    "alone": "the same, without samples",
}


def calibrate(
    profile: ProfileOption,
    data: Annotated[
        Path | None, typer.Option("--data", help="Labelled rows: .jsonl or .csv, also .gz.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", help="Prompts with their right `answer`: both models are run over them."),
    ] = None,
    budget_usd: Annotated[
        str | None,
        typer.Option("--budget-usd", help="With --prompts: what the hosted calls may cost in all."),
    ] = None,
    grading: Annotated[
        str, typer.Option("--grade", help="With --prompts: exact, numeric or choice; a column `grade` wins.")
    ] = "exact",
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows", help="With --prompts: where rows are written as they come; PROMPTS.rows.jsonl."
        ),
    ] = None,
    model: ModelOption = None,
    max_tokens: MaxTokensOption = None,
    cost_share: Annotated[
        float | None, typer.Option("--cost-share", help="Hand over this share of questions, such as 0.3.")
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option("--quality", help="Reach this share of the hosted model's quality, such as 0.95."),
    ] = None,
    risk: Annotated[
        float | None,
        typer.Option("--risk", help="At most this share of the answers kept at home is wrong, such as 0.1."),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option("--confidence", help="With --risk: how surely, such as 0.9.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn a profile for your pair of models, from labelled rows or your own prompts.

    A row has `prompt`, `weak_correct`, `strong_correct` and, where they are known, `weak_response`,
    `logprobs`, `entropy` and `samples`. Without a target, the hardest 30% of questions are handed over.
    """
    Extra.CALIBRATION.require()
    from isthmus.handoff.estimator.calibration import Models
    from isthmus.handoff.estimator.calibration import calibrate as learn

    config = configuration.load(flags={"model": model, "max_tokens": max_tokens})
    home = config.settings.home_path
    profile_path(home, profile)  # a bad name is refused before the work, not after it
    target = _target(cost_share, quality, risk, confidence)
    if (data is None) == (prompts is None):
        raise UsageError("either --data or --prompts says what to learn from", hint="--data rows.jsonl")
    models = Models()
    if prompts is not None:
        data = rows or prompts.with_suffix(".rows.jsonl")
        models = Models(*run(_collect(prompts, data, _budget(budget_usd), grading, config)))
    found = learn(read_rows(_given(data), labelled=True), profile, target, models)
    path = save_profile(home, found.profile)
    _show(found, path, target, as_json=as_json)


def score(
    rows: Annotated[
        Path, typer.Argument(help="Rows with a `prompt` and, if there is one, the `weak_response`.")
    ],
    profile: ProfileOption = BUILTIN,
    question_only: Annotated[
        bool, typer.Option("--question-only", help="Judge by the question, also where an answer is there.")
    ] = False,
) -> None:
    """Print what a profile says of each row, one JSON object a line.

    A row with a local answer is judged by it, any other by its question: by the very code that decides in
    mode auto. Its `samples` are always part of the score; of the decision where they are drawn, in doubt.
    Labels in the rows are passed over.
    """
    judge = load_profile(configuration.load().settings.home_path, profile)
    table = read_rows(rows, labelled=False)
    for number, row in enumerate(table.rows):
        console.write(json.dumps({"row": number, **_judged(judge, row, question_only=question_only)}))


def _judged(judge: Profile, row: Row, *, question_only: bool) -> dict[str, Any]:
    estimate, stage = judge.before(row.prompt), "estimate"
    read = row.answer is not None and judge.data.after is not None and not question_only
    answer = row.answer if read and row.answer is not None else _NOTHING_READ
    if read:
        estimate, stage = judge.after(estimate, answer), "check"
    decision = foresee(Question(row.prompt, careful=read), _rules(answer), judge, answer)
    return {
        "stage": stage,
        "score": round(estimate.score, 6),
        "p_local_wrong": round(estimate.p_local_wrong, 6),
        "p_hosted_right": round(estimate.p_hosted_right or 0.0, 6),
        "threshold": round(decision.evidence.threshold or 0.0, 6),
        "hand_over": decision.target == "hosted",
        "features": estimate.strongest(),
    }


def _rules(answer: LocalAnswer) -> Rules:
    """Mode auto, with further answers drawn in doubt if a row has some."""
    return Rules(mode="auto", provider="hosted", max_hold_tokens=0, samples=len(answer.samples))


# ---------------------------------------------------------------- what is asked for


def _target(
    cost_share: float | None, quality: float | None, risk: float | None, confidence: float | None
) -> "Target":
    from isthmus.handoff.estimator.targets import Target

    if confidence is not None and risk is None:
        raise UsageError("--confidence goes with --risk", hint="--risk 0.1 --confidence 0.9")
    if sum(each is not None for each in (cost_share, quality, risk)) > 1:
        raise UsageError("a profile has one target", hint="one of --cost-share, --quality and --risk")
    if quality is not None:
        return Target("quality", quality)
    if risk is not None:
        return Target("risk", risk, 0.9 if confidence is None else confidence)
    return Target("cost_share", 0.3 if cost_share is None else cost_share)


def _budget(budget_usd: str | None) -> Decimal:
    try:
        budget = Decimal(budget_usd or "")
    except InvalidOperation as error:
        raise UsageError(
            "what the hosted calls may cost must be said", hint="--prompts FILE --budget-usd 0.50"
        ) from error
    if not (budget.is_finite() and budget >= 0):
        raise UsageError(f"a budget of {budget} is no sum of money", hint="--budget-usd 0.50")
    return budget


def _given(data: Path | None) -> Path:
    if data is None:
        raise UsageError("there are no rows", hint="--data rows.jsonl")
    return data


# ---------------------------------------------------------------- running both models


async def _collect(
    prompts: Path, into: Path, budget: Decimal, grading: str, config: Configuration
) -> tuple[str | None, str | None]:
    """Add a graded row for each prompt that has none yet; the names of both models."""
    from isthmus.cli.session import open_runtime
    from isthmus.runtime.collecting import collect, for_collecting

    done = _there(into)
    wanted = [each for each in _prompts(prompts, grading) if each.text not in done]
    console.say(f"{len(wanted)} prompts to run, {len(done)} are there; rows go to {into}")
    names: tuple[str | None, str | None] = (None, None)
    limits = {"max_tokens": config.settings.max_tokens, "temperature": config.settings.temperature}
    async with open_runtime(for_collecting(config)) as runtime:
        with into.open("ab") as file:
            async with aclosing(collect(wanted, runtime, budget, **limits)) as collected:
                async for row in collected:
                    file.write(msgspec.json.encode(row) + b"\n")
                    file.flush()
                    names = row.weak_model, row.strong_model
                    console.say(f"{_told(row)}: {row.prompt[:60]}")
    return names


def _told(row: "Collected") -> str:
    home, away = ("right" if each else "wrong" for each in (row.weak_correct, row.strong_correct))
    return f"{home} at home, {away} away ({show_usd(row.cost_usd)})"


def _prompts(path: Path, grading: str) -> Iterator["Prompt"]:
    """The prompts of a file.

    Raises:
        UsageError: One has no prompt or no answer.
    """
    from isthmus.runtime.collecting import Prompt
    from isthmus.scoring import grading_of

    for where, given in read_objects(path)[1]:
        text, answer = given.get("prompt"), given.get("answer")
        if not isinstance(text, str) or not text.strip() or answer in (None, ""):
            raise UsageError(
                f"{where}: it has no {'prompt' if not text else 'answer'}",
                hint='a row: {"prompt": "What is 6 times 7?", "answer": "42", "grade": "numeric"}',
            )
        yield Prompt(text, str(answer), grading_of(str(given.get("grade") or grading)))


def _there(path: Path) -> set[str]:
    """Prompts that an earlier run has rows for."""
    return (
        {row.prompt for row in read_rows(path, labelled=True).rows}
        if path.exists() and path.stat().st_size
        else set()
    )


# ---------------------------------------------------------------- what came of it


def _show(found: "Calibrated", path: Path, target: "Target", *, as_json: bool) -> None:
    for remark in found.remarks:
        console.note(remark)
    if as_json:
        console.write_json(
            {
                "profile": found.profile.name,
                "path": str(path),
                "outlooks": _outlooks(found),
                "remarks": found.remarks,
                "target": str(target),
            }
        )
        return
    console.write(f"{found.profile.name}, learnt from {found.profile.data.provenance.rows} rows: {path}")
    console.write(f"Target: {target}. On rows that were not learnt from, it would come to:")
    header = ("KNOWN", "HANDED OVER", "RIGHT", "OF HOSTED", "KEPT WRONG", "THRESHOLD")
    console.write_table(header, [_line(_KNOWN[known], each) for known, each in _outlooks(found).items()])


def _outlooks(found: "Calibrated") -> "dict[str, Outlook]":
    """By how much is known when it is decided."""
    alone = {} if found.alone is None else {"alone": found.alone}
    return {**{str(depth): each for depth, each in found.outlooks.items()}, **alone}


def _line(known: str, outlook: "Outlook") -> tuple[str, ...]:
    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    return (
        known,
        percent(outlook.handed_over),
        percent(outlook.accuracy),
        percent(outlook.of_hosted),
        percent(outlook.kept_wrong),
        f"{outlook.threshold:.3f}",
    )
