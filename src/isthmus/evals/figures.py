"""One cell's figures, each with its interval."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from isthmus.evals.plans import Cell, Subject
from isthmus.evals.results import Result, by_problem
from isthmus.evals.statistics import Interval, clopper_pearson, cluster_bootstrap, pass_at_k, pass_hat_k

Method: TypeAlias = Literal["exact", "cluster bootstrap"]


_KEPT_HOME = frozenset({"provider_failed", "budget_exceeded", "price_unknown", "redaction_failed"})
"""Reasons for which a hybrid answers as home alone would: told, lest nobody notices."""


class Share(Struct, frozen=True):
    """A share of answers: how many of how many, and its 95% interval by ``method``."""

    value: float
    low: float
    high: float
    count: int
    of: int
    method: Method


class Attempts(Struct, frozen=True):
    """What k attempts are worth: at least one right (pass@k), all of them right (pass^k)."""

    k: int
    any_right: Interval
    all_right: Interval


class Figures(Struct, frozen=True, kw_only=True):
    """One cell: a suite's problems answered by a subject.

    ``missing`` are attempts of which there is no result yet, ``errors`` those that failed; neither counts as
    right or wrong. ``cut`` were cut off at the limit of tokens. Costs are in dollars, for all of it.
    """

    suite: str
    subject: Subject
    label: str
    answered_by: str
    digest: str | None
    problems: int
    right: int
    wrong: int
    errors: int
    missing: int
    cut: int
    accuracy: Share
    attempts: tuple[Attempts, ...]
    handed_over: Share
    cost_usd: Decimal
    prompt_tokens: int
    completion_tokens: int
    kept_home: dict[str, int]
    """How many answers were to be handed over and came from home all the same, by the reason."""
    seconds: float
    """The median of a problem's wall time."""
    error_texts: tuple[str, ...]

    @property
    def answered(self) -> int:
        """How many answers are known to be right or wrong."""
        return self.right + self.wrong

    @property
    def cost_per_100_usd(self) -> float:
        """What a hundred answers cost."""
        return float(self.cost_usd) / self.answered * 100 if self.answered else 0.0


def figures(cell: Cell, results: Sequence[Result], size: int, attempts: int) -> Figures:
    """A cell's figures."""
    known = [each for each in results if each.outcome != "error"]
    errors = [each for each in results if each.outcome == "error"]
    right = sum(each.outcome == "right" for each in known)
    seconds = sorted(each.seconds for each in known)
    last = known[-1].spent if known else None
    hosted = next((each.spent for each in known if each.handed_over), None)
    return Figures(
        suite=cell.source.name,
        subject=cell.subject,
        label=cell.subject.label,
        answered_by=_answered_by(cell.subject, hosted.model if hosted else None),
        digest=last.digest if last else None,
        problems=size,
        right=right,
        wrong=len(known) - right,
        errors=len(errors),
        missing=size * attempts - len(results),
        cut=sum(each.stop == "max_tokens" for each in known),
        accuracy=share(known, [each.outcome == "right" for each in known]),
        attempts=tuple(_attempts(known, attempts)),
        handed_over=share(known, [each.handed_over for each in known]),
        cost_usd=sum((each.spent.cost_usd for each in results), Decimal(0)),
        prompt_tokens=sum(each.spent.prompt_tokens for each in results),
        completion_tokens=sum(each.spent.completion_tokens for each in results),
        kept_home=dict(Counter(each.spent.reason for each in known if each.spent.reason in _KEPT_HOME)),
        seconds=seconds[len(seconds) // 2] if seconds else 0.0,
        error_texts=tuple(dict.fromkeys(each.why for each in errors)),
    )


def share(results: Sequence[Result], hits: Sequence[bool]) -> Share:
    """A share of results, its interval exact where they are independent and else by whole clusters."""
    clusters: dict[str, list[float]] = {}
    for cluster, hit in zip(clusters_of(results), hits, strict=True):
        clusters.setdefault(cluster, []).append(float(hit))
    count, of = sum(hits), len(hits)
    if len(clusters) == of:
        found, method = clopper_pearson(count, of), "exact"
    else:
        found, method = cluster_bootstrap(list(clusters.values())), "cluster bootstrap"
    return Share(found.value, found.low, found.high, count, of, method)


def clusters_of(results: Sequence[Result]) -> list[str]:
    """What each result belongs with: others of its cluster, where there are several, else of its problem."""
    several = len({each.cluster for each in results}) > 1
    return [each.cluster if several and each.cluster else f"#{each.problem}" for each in results]


def _attempts(results: Sequence[Result], attempts: int) -> Iterator[Attempts]:
    """pass@k and pass^k for k of 1, 2, 4... up to the number of attempts."""
    if attempts < 2:
        return
    tries = list(by_problem(results).values())
    clusters = clusters_of([each[0] for each in tries])
    tallies = [
        (sum(one.outcome == "right" for one in each), len(each), cluster)
        for each, cluster in zip(tries, clusters, strict=True)
    ]
    for k in dict.fromkeys([*(2**power for power in range(attempts.bit_length())), attempts]):
        enough = [(right, n, cluster) for right, n, cluster in tallies if n >= k]
        yield Attempts(
            k,
            _mean([(cluster, pass_at_k(right, n, k)) for right, n, cluster in enough]),
            _mean([(cluster, pass_hat_k(right, n, k)) for right, n, cluster in enough]),
        )


def _mean(values: Sequence[tuple[str, float]]) -> Interval:
    clusters: dict[str, list[float]] = {}
    for cluster, value in values:
        clusters.setdefault(cluster, []).append(value)
    return cluster_bootstrap(list(clusters.values()))


def _answered_by(subject: Subject, hosted: str | None) -> str:
    if hosted is None or subject.handoff == "off":
        return subject.model
    return hosted if subject.handoff == "always" else f"{subject.model} and {hosted}"
