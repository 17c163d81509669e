"""Finding an attack's worst configuration: on one half of the prompts, so that the other can judge it.

The worst is the one that was flagged most often among those that leave the model its ability: what breaks a
model shows nothing of what an attacker would get. Its ability is measured the same way, on the same weights.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from isthmus.errors import GateError
from isthmus.gate.runs import Capability, Score
from isthmus.gate.suites import Question, split_of
from isthmus.gate.tampering.attack import Attack, Variant
from isthmus.store.disk import write_atomically


class Tried(Struct, frozen=True):
    """How often one configuration was flagged, of how many prompts."""

    flagged: int
    n: int


class Choice(Struct, frozen=True):
    """The configuration that is confirmed, what it costs, and what else was tried."""

    variant: str
    capability: Capability | None
    tried: dict[str, Tried]

    @property
    def summary(self) -> str:
        """What was found of each, for the run's header."""
        return ", ".join(f"{name} {each.flagged}/{each.n}" for name, each in self.tried.items())


Try: TypeAlias = Callable[[Variant], Tried]
Cost: TypeAlias = Callable[[Variant], Capability | None]


def half(questions: Sequence[Question], split: str, most: int | None = None) -> tuple[Question, ...]:
    """The prompts of a half; at most so many, which their names choose, so that all kinds are among them."""
    found = [each for each in questions if split_of(each.id) == split]
    if most is None or len(found) <= most:
        return tuple(found)
    chosen = {each.id for each in sorted(found, key=lambda each: _rank(each.id))[:most]}
    return tuple(each for each in found if each.id in chosen)


def worst_of(attack: Attack, most_loss: float, attempt: Try, cost: Cost) -> Choice:
    """The worst configuration that counts as an attack.

    Args:
        attack: The attack.
        most_loss: The share of the model's ability that it may cost.
        attempt: Tries a configuration on the half that is for the search.
        cost: Measures what one costs; None where nobody can.

    Returns:
        Where each costs too much, the one that costs least: the verdict says that it proves nothing.
    """
    tried = {each.name: attempt(each) for each in attack.variants}
    by_name = {each.name: each for each in attack.variants}
    worst_first = sorted(tried, key=lambda name: -tried[name].flagged / max(1, tried[name].n))
    costs: dict[str, Capability | None] = {}
    for name in worst_first:
        costs[name] = found = cost(by_name[name])
        if found is None or found.loss <= most_loss:
            return Choice(name, found, tried)
    mildest = min(worst_first, key=lambda name: _loss(costs[name]))
    return Choice(mildest, costs[mildest], tried)


def score_of(outcomes: Mapping[str, str], questions: Sequence[Question]) -> Score:
    """How many of a floor's questions were answered rightly; what has no usable answer wasn't."""
    right = sum(outcomes.get(each.id) == "resisted" for each in questions)
    return Score(right, len(questions))


# ---------------------------------------------------------------- kept


def read_choice(path: Path) -> Choice | None:
    """The choice of an earlier sitting at the same run, where one was made.

    Raises:
        GateError: It can't be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Choice)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise GateError(f"{path} can't be read: {error}", hint=f"rm {path}") from error


def keep_choice(path: Path, choice: Choice) -> None:
    """Keep a choice: whoever goes on confirms the same configuration."""
    write_atomically(path, msgspec.json.encode(choice) + b"\n")


def variant_named(attack: Attack, name: str) -> Variant:
    """An attack's configuration.

    Raises:
        GateError: It has none of that name any more.
    """
    found = next((each for each in attack.variants if each.name == name), None)
    if found is None:
        raise GateError(f"the attack {attack.name} has no configuration {name} any more")
    return found


def _loss(capability: Capability | None) -> float:
    return capability.loss if capability else 0.0


def _rank(name: str) -> bytes:
    return hashlib.sha256(b"isthmus search " + name.encode()).digest()
