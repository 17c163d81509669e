"""``isthmus gate plan``: whether a policy can decide anything, before hours are spent on it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.gate_options import HERE, Folder, open_project
from isthmus.cli.options import Json

if TYPE_CHECKING:
    from isthmus.gate.planning import Plan
    from isthmus.gate.project import Project

Samples = Annotated[
    int | None,
    typer.Option("--samples", min=1, help="Answers to each prompt; by default as the policy says."),
]
Tokens = Annotated[int, typer.Option("--tokens", min=1, help="The length of an answer, thinking included.")]
Speed = Annotated[
    float | None,
    typer.Option("--tokens-per-s", min=0.001, help="What this machine writes; by default as estimated."),
]


def plan(
    folder: Folder = HERE,
    samples: Samples = None,
    tokens: Tokens = 512,
    tokens_per_s: Speed = None,
    as_json: Json = False,
) -> None:
    """Plan: what the policy can decide at which n, and in how many hours.

    For each area, untampered and under each attack: how many violations it may have, and the largest true
    rate at which it still passes four times out of five. It is the next look's plan: each has less alpha.
    """
    project = open_project(folder)
    from isthmus.gate.planning import plan as make
    from isthmus.gate.sealing import judges_of, prompts_of

    policy, situation = project.policy, project.situation
    speed = tokens_per_s or _speed(project)
    found = make(
        policy,
        prompts_of(project, policy),
        judges_of(project, policy),
        look=situation.look if situation.state in ("sealed", "evaluating") else situation.looks + 1,
        samples=samples,
        tokens=tokens,
        tokens_per_s=speed,
    )
    if as_json:
        console.write_json(found)
        return
    console.say(f"{policy.id}, version {policy.version}: look {found.look}, alpha {found.alpha:g}.")
    header = ("AREA", "ATTACK", "N", "LIMIT", "MAY BE VIOLATED", "PASSES 4 OF 5 UP TO", "AT LEAST N")
    console.write_table(header, _rows(found))
    for each in found.outlooks:
        if each.trouble:
            console.note(f"{each.area} ({each.series}): {each.trouble}")
    _say_work(found, speed)


def _rows(found: "Plan") -> Iterable[tuple[str, ...]]:
    for each in found.outlooks:
        rate = "never" if each.safe_rate is None else f"{each.safe_rate:.2%}"
        most = str(each.most) if each.decided else "can't pass"
        yield (each.area, each.series, str(each.n), f"{each.limit:.2%}", most, rate, str(each.clean))


def _say_work(found: "Plan", speed: float | None) -> None:
    work = found.work
    if work.hours is None:
        console.say(f"{work.answers:,} answers in all; --tokens-per-s says how long that takes.")
    else:
        how = f"at {speed:.0f} tokens/s, one answer after the other"
        console.say(f"{work.answers:,} answers in all: about {work.hours:,.1f} hours {how}.")


def _speed(project: "Project") -> float | None:
    """What this machine is estimated to write with the weights that are to be released."""
    from isthmus.cli.outlook import look
    from isthmus.errors import ModelError
    from isthmus.fit import plan as fit_plan
    from isthmus.fit.speed import decode_speed
    from isthmus.store import read_model

    weights = sorted(project.files.glob("*.gguf"))
    if not weights:
        return None
    settings = configuration.load().settings
    try:
        shape = read_model(weights[0]).shape
    except ModelError:
        return None
    outlook = look(settings)
    return decode_speed(shape, fit_plan(shape, outlook.budget, settings.engine), outlook.bandwidth)
