"""The ``isthmus`` field, which every API's answers carry beside its own."""

from collections.abc import Sequence
from typing import Any

import msgspec

from isthmus.messages import Decision, Finish, Notice, Route, Timings

_NUMBERS = ("p_local_wrong", "p_hosted_right", "score", "threshold")


def describe_route(route: Route) -> dict[str, Any]:
    """Who answers and why."""
    described: dict[str, Any] = {
        "route": route.decision.target,
        **describe_decision(route.decision),
        "model": route.model,
        "provider": route.provider,
    }
    if route.consent_id is not None:
        described["consent_id"] = route.consent_id
    return described


def describe_decision(decision: Decision) -> dict[str, Any]:
    """Why, in words for programs and in numbers."""
    evidence = decision.evidence
    numbers = {name: getattr(evidence, name) for name in _NUMBERS}
    described: dict[str, Any] = {
        "reason": decision.reason,
        "stage": decision.stage,
    }
    described |= {name: round(value, 4) for name, value in numbers.items() if value is not None}
    if evidence.features:
        described["features"] = evidence.features
    if evidence.detail is not None:
        described["detail"] = evidence.detail
    return described


def remarks(
    route: Route | None,
    finish: Finish | None = None,
    notices: Sequence[Notice] = (),
    ignored: Sequence[str] = (),
) -> dict[str, Any]:
    """What there is to say beside an answer, or beside its beginning or end.

    Args:
        route: Who answers and why.
        finish: Its end, which tells what it cost, how long it took, and what effort came to.
        notices: What the person should know.
        ignored: Parameters of the request that had no effect.
    """
    said = describe_route(route) if route else {}
    if finish is not None:
        said["cost_usd"] = str(finish.cost_usd or 0)
        if finish.timings is not None:
            said["timings"] = _rounded(finish.timings)
        if finish.reasoned is not None:
            said["reasoning"] = msgspec.to_builtins(finish.reasoned)
    if notices:
        said["notices"] = [msgspec.to_builtins(each) for each in notices]
    if ignored:
        said["ignored_parameters"] = ignored
    return said


def _rounded(timings: Timings) -> dict[str, float]:
    """The times that are known, to the tenth of a millisecond."""
    known = ((name, getattr(timings, name)) for name in timings.__struct_fields__)
    return {name: round(value, 4) for name, value in known if value is not None}
