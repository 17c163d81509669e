"""Learning a profile from labelled questions. Needs the extra ``calibrate``.

1. the question's heads, on shape and words; their logits for rows that they never saw go on to
2. the watch's heads, on the first tokens of the local answers, and
3. the check's heads, on the whole local answers, each where rows hold what they read; and once more with
   the agreement of further answers, where rows hold these;
4. the scores that rows get from models that never saw them, from which thresholds are drawn.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from isthmus.errors import UsageError
from isthmus.handoff.estimator.agreement import AGREEMENT
from isthmus.handoff.estimator.fitting import (
    Chosen,
    Design,
    Floats,
    Penalties,
    Truths,
    Weights,
    choose,
    components,
    fit,
    folds_of,
    tried,
)
from isthmus.handoff.estimator.head import CLIP, Feature, Head, packed
from isthmus.handoff.estimator.prior import sense_of
from isthmus.handoff.estimator.profile import (
    Heads,
    ProfileData,
    Ranking,
    after_features,
    of_question,
)
from isthmus.handoff.estimator.question import question_features
from isthmus.handoff.estimator.rows import Row
from isthmus.handoff.estimator.tokens import beginning_features, beginning_weight
from isthmus.handoff.estimator.words import bucket_counts
from isthmus.handoff.judging import Depth, Estimate, LocalAnswer

BUCKETS = 1 << 15
"""Of a profile's words: fewer make terms share a weight, more cost memory."""

LEAST_ROWS = 20
_LEAST_ANSWERS = 20
HELD_TOKENS = 16
"""First tokens by which the watch's threshold is drawn: as many as are held back by default."""
_PREFIXES = (HELD_TOKENS, 64)
"""First tokens that the watch is taught on."""
_WATCH_PENALTY = 30.0


class Learnt(NamedTuple):
    """A profile, what each stage says of rows that it never saw, and what the check's heads were shown.

    ``voted`` is what the check says where it knows further answers, too; ``questions`` is what the question
    alone came to.
    """

    data: ProfileData
    scores: dict[Depth, "Scores"]
    voted: "Scores | None"
    questions: list[Estimate]
    values: list[dict[str, float]]


class Scores(NamedTuple):
    """Out-of-fold scores, for the rows that reach the stage."""

    rows: Sequence[int]
    wrong: Floats
    right: Floats

    def ranked(self, by: Ranking) -> Floats:
        """What questions are ranked by."""
        return self.wrong if by == "wrong" else (self.wrong + self.right) / 2

    def spread(self, by: Ranking, count: int) -> Floats:
        """The same for each of so many rows; NaN for those that don't reach the stage."""
        found = np.full(count, np.nan)
        found[list(self.rows)] = self.ranked(by)
        return found


# Its matrices are small: a second thread costs more than it brings, and on a busy machine very much more.
@threadpool_limits.wrap(limits=1)
def learn(
    rows: Sequence[Row], name: str, *, buckets: int = BUCKETS, seed: int = 0, held: Penalties | None = None
) -> Learnt:
    """Learn a profile, without thresholds yet.

    Args:
        rows: Labelled questions.
        name: The profile's name.
        buckets: How many buckets its words fall into; 0: words don't count.
        seed: Of the folds.
        held: Penalties to use with common sense as the prior, whatever cross-validation would choose: for
            a profile that is to serve elsewhere than where it was learnt.

    Raises:
        UsageError: There are too few rows.
    """
    if len(rows) < LEAST_ROWS:
        raise UsageError(
            f"{len(rows)} rows are too few to learn from",
            hint=f"label {LEAST_ROWS} or more; 200 are a good start",
        )
    truths = (~_truths(row.weak_correct for row in rows), _truths(row.strong_correct for row in rows))
    values = [question_features(row.prompt) for row in rows]
    idf, words = word_matrix([row.prompt for row in rows], buckets)
    before, chosen = stage_heads(values, truths, seed, held, words)
    scores: dict[Depth, Scores] = {"estimate": _scores(range(len(rows)), chosen)}
    watch, after, voted, agreed, shown = None, None, None, None, list[dict[str, float]]()
    scored = [place for place, row in enumerate(rows) if row.answer and row.answer.logprobs]
    read = [place for place, row in enumerate(rows) if row.answer and row.answer.text]
    logits = np.stack([each.logits for each in chosen], axis=1)
    questions = [_estimate(row, own) for row, own in zip(rows, logits, strict=True)]
    if len(scored) >= _LEAST_ANSWERS:
        beginnings = [rows[at] for at in scored], [questions[at] for at in scored]
        watch, found = _watch(*beginnings, _take(truths, scored), seed)
        scores["watch"] = _scores(scored, found)
    told = read if len(read) >= len(scored) else scored
    if len(told) >= _LEAST_ANSWERS:
        shown = [after_features(questions[at], _answer(rows[at])) for at in told]
        after, found = _check(shown, _take(truths, told), seed, held)
        scores["check"] = _scores(told, found)
        agreeing = [place for place, each in enumerate(shown) if AGREEMENT in each]
        if len(agreeing) >= _LEAST_ANSWERS:
            places = [told[place] for place in agreeing]
            among = [shown[place] for place in agreeing]
            voted, found = stage_heads(among, _take(truths, places), seed, held)
            agreed = _scores(places, found)
    rivals = 5 if any(row.answer and row.answer.entropies for row in rows) else 0
    data = ProfileData(
        name=name,
        calibrated=True,
        before=before,
        idf=idf,
        watch=watch,
        after=after,
        voted=voted,
        top_logprobs=rivals,
    )
    return Learnt(data, scores, agreed, questions, shown)


def word_matrix(texts: Sequence[str], buckets: int) -> tuple[bytes, csr_matrix | None]:
    """The packed idf of each bucket, and the texts' weights (texts x buckets), as `words.hashed` has them."""
    if not buckets:
        return b"", None
    counted = [bucket_counts(text, buckets) for text in texts]
    appears = np.bincount([place for counts in counted for place in counts], minlength=buckets)
    idf = (np.log((1 + len(texts)) / (1 + appears)) + 1).astype(np.float32)
    ends = np.cumsum([0, *(len(counts) for counts in counted)])
    places = np.fromiter((place for counts in counted for place in counts), dtype=np.int64)
    times = np.fromiter((count for counts in counted for count in counts.values()), dtype=np.float64)
    weights = (1 + np.log(times)) * idf[places]
    of_row = np.repeat(np.arange(len(texts)), np.diff(ends))
    norms = np.sqrt(np.bincount(of_row, weights**2, minlength=len(texts)))
    matrix = csr_matrix((weights / norms[of_row], places, ends.tolist()), (len(texts), buckets))
    return packed(idf.tolist()), matrix


# ---------------------------------------------------------------- heads


class _Column(NamedTuple):
    """A feature as it lay in training."""

    name: str
    mean: float
    spread: float


def stage_heads(
    values: Sequence[dict[str, float]],
    truths: Sequence[Truths],
    seed: int,
    held: Penalties | None = None,
    words: csr_matrix | None = None,
) -> tuple[Heads, tuple[Chosen, ...]]:
    """Both heads of a stage, and what they say of rows that they never saw."""
    columns = _columns(values)
    spoken, directions = (None, None) if words is None else components(words)
    design = Design(_matrix(values, columns), spoken)
    heads: list[Head] = []
    found: list[Chosen] = []
    for side, truth in enumerate(truths):
        prior = _prior(columns, side)
        best = (
            choose(design, truth, seed, prior)
            if held is None
            else tried(design, truth, held, prior, folds_of(truth, seed))
        )
        heads.append(_head(fit(design, truth, best.penalties, best.prior), columns, directions))
        found.append(best)
    return Heads(heads[0], heads[1]), tuple(found)


def _watch(
    rows: Sequence[Row], questions: Sequence[Estimate], truths: Sequence[Truths], seed: int
) -> tuple[Heads, list[Chosen]]:
    """The watch's heads: each answer counts with each of some beginnings, in proportion to its length.

    Beside them what they say of the shortest beginning of rows that they never saw.
    """
    values = [
        {**of_question(question), **beginning_features(_answer(row).beginning(tokens))}
        for tokens in _PREFIXES
        for row, question in zip(rows, questions, strict=True)
    ]
    columns = _columns(values)
    features = _matrix(values, columns)
    told = [place for place, column in enumerate(columns) if column.name.startswith("first ")]
    weights = np.repeat([beginning_weight(tokens) for tokens in _PREFIXES], len(rows))
    features[:, told] *= weights[:, None]
    design, penalties = Design(features), Penalties(_WATCH_PENALTY)
    heads: list[Head] = []
    found: list[Chosen] = []
    for side, truth in enumerate(truths):
        prior, tiled = _prior(columns, side), np.tile(truth, len(_PREFIXES))
        heads.append(_head(fit(design, tiled, penalties, prior), columns))
        # All beginnings of an answer are in one fold: the longer one would tell of the shorter.
        folds = np.tile(folds_of(truth, seed), len(_PREFIXES))
        unseen = tried(design, tiled, penalties, prior, folds)
        found.append(unseen._replace(logits=unseen.logits[: len(rows)]))
    return Heads(heads[0], heads[1]), found


def _check(
    shown: Sequence[dict[str, float]], truths: Sequence[Truths], seed: int, held: Penalties | None
) -> tuple[Heads, tuple[Chosen, ...]]:
    """The check's heads for answers of which no others are known."""
    alone = [{name: value for name, value in each.items() if name != AGREEMENT} for each in shown]
    return stage_heads(alone, truths, seed, held)


def _columns(values: Sequence[dict[str, float]]) -> list[_Column]:
    """Mean and spread of each feature over the rows that have it; one that never varies is no feature.

    What is either there or not is measured from its absence, so that no absence is given as a reason.
    """
    columns: list[_Column] = []
    for name in dict.fromkeys(name for each in values for name in each):
        seen = np.array([each[name] for each in values if name in each])
        spread = max(float(seen.std()), sense_of(name).least_spread)
        if spread > 1e-9:
            there_or_not = not np.any(seen * (seen - 1))
            columns.append(_Column(name, 0.0 if there_or_not else float(seen.mean()), spread))
    return columns


def _matrix(values: Sequence[dict[str, float]], columns: Sequence[_Column]) -> Floats:
    """Standardised features, rows x columns, bounded; what a row lacks counts as the mean."""
    known = [[each.get(column.name, column.mean) for column in columns] for each in values]
    means, spreads = np.array([each.mean for each in columns]), np.array([each.spread for each in columns])
    return np.clip((np.array(known, dtype=float).reshape(len(values), -1) - means) / spreads, -CLIP, CLIP)


def _prior(columns: Sequence[_Column], side: int) -> Floats:
    return np.array([sense_of(each.name)[side] * each.spread for each in columns])


def _head(weights: Weights, columns: Sequence[_Column], directions: Floats | None = None) -> Head:
    features = {
        column.name: Feature(round(float(weight), 5), column.mean, column.spread)
        for column, weight in zip(columns, weights.features, strict=True)
    }
    spoken = (
        b"" if directions is None or weights.words is None else packed((directions @ weights.words).tolist())
    )
    return Head(round(weights.bias, 5), features, spoken)


# ---------------------------------------------------------------- rows


def _truths(labels: Iterable[bool | None]) -> Truths:
    return np.array([bool(label) for label in labels])


def _take(truths: Sequence[Truths], places: Sequence[int]) -> list[Truths]:
    return [truth[list(places)] for truth in truths]


def _answer(row: Row) -> LocalAnswer:
    if row.answer is None:
        raise ValueError("a row without an answer was taken for one with")
    return row.answer


def _estimate(row: Row, logits: Floats) -> Estimate:
    """What a profile that never saw the row says of its question."""
    wrong, right = _sigmoid(logits)
    score = float(wrong + right) / 2
    return Estimate(float(wrong), float(right), score, {}, (float(logits[0]), float(logits[1])), row.prompt)


def _scores(places: Sequence[int], chosen: Sequence[Chosen]) -> Scores:
    return Scores(places, _sigmoid(chosen[0].logits), _sigmoid(chosen[1].logits))


def _sigmoid(logits: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
