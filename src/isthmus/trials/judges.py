"""Who judges an area: its rule, or the model that the policy names and no other."""

from pathlib import Path

from msgspec import Struct

from isthmus.errors import GateRefused
from isthmus.gate.judges import Decider, decider_of
from isthmus.gate.policy import Area, Judge
from isthmus.gate.project import Project
from isthmus.gate.sealing import judge_prompt
from isthmus.naming import parse_model
from isthmus.settings import Settings
from isthmus.store import Store
from isthmus.store.hashing import hash_file
from isthmus.trials.asking import JudgeModel


class Bench(Struct, frozen=True):
    """A judge that is ready: how it decides, and the model that it asks."""

    decider: Decider
    model: JudgeModel | None


def bench_of(project: Project, name: str, area: Area, settings: Settings) -> Bench:
    """The judge of an area.

    Raises:
        PolicyInvalid: It lacks what a judge of its kind needs.
        GateRefused: Its model isn't the one that the policy names by its digest.
        UnknownModel: It isn't here.
    """
    decider = decider_of(name, area, judge_prompt(project, name, area))
    judge = area.judge
    if judge.kind == "exact":
        return Bench(decider, None)
    if judge.hosted:
        return Bench(decider, JudgeModel("default", hosted=True))
    return Bench(decider, JudgeModel(_model(project, name, judge, settings)))


def _model(project: Project, name: str, judge: Judge, settings: Settings) -> str:
    """The name or file of a judge at home; a file counts from the policy's folder."""
    file = project.policy_path.parent / judge.model
    found = str(file.absolute()) if file.is_file() else judge.model
    if judge.weights is not None and _digest(found, settings) != judge.weights:
        raise GateRefused(
            f"the judge of {name} isn't the model that the policy names by its digest",
            hint=f"sha256sum of {judge.model}, or weights in its table",
        )
    return found


def _digest(name: str, settings: Settings) -> str | None:
    """A model's digest; None where it runs elsewhere, and nobody here can tell."""
    ref = parse_model(name, settings.runners)
    if ref.kind == "path":
        return hash_file(Path(name)).digest
    return Store(settings.home_path).require(ref).digest if ref.kind == "name" else None
