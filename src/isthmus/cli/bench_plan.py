"""``isthmus bench plan``: how many problems it takes."""

from typing import Annotated

import typer

from isthmus.cli import console
from isthmus.cli.options import Json
from isthmus.errors import UsageError

_SHARE = typer.Option("--accuracy", min=0, max=1, help="The accuracy that you expect, such as 0.6.")


def plan(
    accuracy: Annotated[float, _SHARE] = 0.5,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Know the accuracy to within this, such as 0.05.")
    ] = None,
    difference: Annotated[
        float | None, typer.Option("--difference", help="See a difference of this size, such as 0.1.")
    ] = None,
    disagreement: Annotated[
        float | None,
        typer.Option(
            "--disagreement", help="The share of problems that one gets right and the other doesn't."
        ),
    ] = None,
    power: Annotated[float, typer.Option("--power", min=0.5, max=0.999, help="How surely to see it.")] = 0.8,
    as_json: Json = False,
) -> None:
    """Plan how many problems a claim needs.

    For one model's accuracy: the exact 95% interval. For two on the same problems: McNemar's test at 5%.
    """
    from isthmus.evals.statistics import problems_for_difference, problems_for_margin

    try:
        if margin is not None and difference is None:
            needed = problems_for_margin(accuracy, margin)
            said = f"{needed} problems put the 95% interval of {accuracy:.0%} within {margin:.1%}"
        elif difference is not None and margin is None:
            apart = _disagreement(accuracy, difference) if disagreement is None else disagreement
            needed = problems_for_difference((apart + difference) / 2, (apart - difference) / 2, power=power)
            said = (
                f"{needed} problems show a difference of {difference:.1%} with {power:.0%} certainty, "
                f"if the two disagree on {apart:.0%} of them"
            )
        else:
            raise UsageError("either --margin or --difference says what is claimed", hint="--margin 0.05")
    except ValueError as error:
        raise UsageError(str(error), hint="--accuracy 0.6 --margin 0.05") from error
    if as_json:
        console.write_json({"problems": needed})
    else:
        console.write(said)


def _disagreement(accuracy: float, difference: float) -> float:
    """How often two disagree, if nothing is known: as if they were right independently of each other."""
    other = max(0.0, accuracy - difference)
    return accuracy * (1 - other) + other * (1 - accuracy)
