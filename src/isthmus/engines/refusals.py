"""What a request is told that gets no slot of its model: why, with the numbers, and when to come back."""

from collections.abc import Sequence

from isthmus.errors import Busy, DoesNotFit
from isthmus.fit import Plan


def does_not_fit(name: str, plan: Plan, budget_bytes: int) -> DoesNotFit:
    """The model alone takes more than all models may."""
    smaller = plan.max_context
    return DoesNotFit(
        f"{name} takes {_mib(plan.total_bytes)} with a context of {plan.context_length:,} tokens, "
        f"and models may take {_mib(budget_bytes)}",
        hint=f"engine.context_length = {smaller} fits" if smaller else "try a smaller model or quantization",
    )


def line_full(name: str, waiting: int, retry_after_s: int) -> Busy:
    """As many wait as may."""
    return Busy(
        f"{waiting} requests wait for {name} already",
        retry_after_s=retry_after_s,
        hint="try again later, or raise engine.max_queue",
    )


def too_long(name: str, waited_s: float, why: str, retry_after_s: int) -> Busy:
    """The request has waited for as long as it may."""
    return Busy(
        f"{name} wasn't free within {waited_s:.0f} s: {why}",
        retry_after_s=retry_after_s,
        hint="try again later, or raise engine.queue_timeout_s",
    )


def at_work(models: Sequence[tuple[str, int]]) -> str:
    """Models by their names, with how many answers each of them still works on."""
    return " and ".join(
        f"{name} still works on {count} answer{'' if count == 1 else 's'}" for name, count in models
    )


def stopping(name: str) -> Busy:
    """The server ends."""
    return Busy(f"the server stops, and {name} takes no more requests", retry_after_s=5)


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
