"""Fitting a logistic head: penalised likelihood, the penalties chosen by cross-validation.

It minimises  sum of log(1 + exp(-y x logit)) + p/2 |weights|^2 + q/2 |word weights|^2, where the weights of
features are per spread and may be held near a prior instead of zero. Two penalties, because some twenty
features and some ten thousand words can't do with one. Words come as their principal components (latent
semantic analysis, Deerwester et al. 1990), which are orthonormal, so that the penalty means the same; a
hundred of them rank as well as all words do, and fit fifty times as fast. SciPy's L-BFGS-B does the work.
Needs the extra ``calibrate``.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]

FEATURE_PENALTIES = (3.0, 10.0, 30.0, 100.0)
WORD_PENALTIES = (0.25, 0.5, 1.0, 2.0, np.inf)
"""Infinite: without words."""

COMPONENTS = 150
FOLDS = 5
_STEPS = 200


class Design(NamedTuple):
    """What a head is fitted on: standardised features and components of words, if any; a line a row."""

    features: Floats
    words: Floats | None = None

    def take(self, rows: NDArray[np.int64]) -> "Design":
        """Some of its rows."""
        return Design(self.features[rows], None if self.words is None else self.words[rows])


class Penalties(NamedTuple):
    """How strongly weights are held back, of features and of words."""

    features: float = 10.0
    words: float = np.inf


class Weights(NamedTuple):
    """A fitted head."""

    bias: float
    features: Floats
    words: Floats | None

    def logits(self, design: Design) -> Floats:
        """Of each row."""
        found = self.bias + design.features @ self.features
        return found if self.words is None or design.words is None else found + design.words @ self.words


class Chosen(NamedTuple):
    """The best penalties and prior, and the logits that rows get from models that never saw them."""

    penalties: Penalties
    prior: Floats | None
    logits: Floats


def components(words: csr_matrix) -> tuple[Floats, Floats]:
    """The principal components of texts: what each text has of them, and the buckets (buckets x components).

    Weights of components become weights of buckets by the second.
    """
    count = min(COMPONENTS, min(words.shape) - 1)
    # A start that is given makes the result the same each time.
    _, _, directions = svds(words, k=count, v0=np.ones(min(words.shape)))
    return words @ directions.T, directions.T


def fit(design: Design, truth: Truths, penalties: Penalties, prior: Floats | None = None) -> Weights:
    """The weights of least penalised loss; features are held near ``prior`` (zeros by default)."""
    width = design.features.shape[1]
    near = np.zeros(width) if prior is None else prior
    # Smoothed, so that one class alone gives a large bias rather than an infinite one.
    share = (truth.sum() + 0.5) / (len(truth) + 1)
    start_bias = float(np.log(share / (1 - share)))
    if truth.all() or not truth.any():
        return Weights(start_bias, near, None)
    # In units in which each penalty is one: so the problem is round, and takes few steps.
    spoken = design.words if np.isfinite(penalties.words) else None
    scales = np.repeat(np.sqrt(penalties), [width, 0 if spoken is None else spoken.shape[1]])
    columns = design.features if spoken is None else np.hstack([design.features, spoken])
    columns = columns / scales
    centre = np.zeros(len(scales))
    centre[:width] = near * scales[:width]
    sign = np.where(truth, 1.0, -1.0)

    def loss(point: Floats) -> tuple[float, Floats]:
        margin = sign * (point[0] + columns @ point[1:])
        away = point[1:] - centre
        slope = -sign / (1 + np.exp(np.clip(margin, -500, 500)))
        value = np.logaddexp(0, -margin).sum() + (away @ away) / 2
        return float(value), np.concatenate([[slope.sum()], columns.T @ slope + away])

    start = np.concatenate([[start_bias], centre])
    # The tolerance is far below what a fold's sampling noise does to the weights.
    options = {"maxiter": _STEPS, "ftol": 1e-8, "gtol": 1e-3}
    found = minimize(loss, start, method="L-BFGS-B", jac=True, options=options).x
    weights = found[1:] / scales
    return Weights(float(found[0]), weights[:width], None if spoken is None else weights[width:])


def choose(design: Design, truth: Truths, seed: int, prior: Floats | None = None) -> Chosen:
    """The penalties of least cross-validated loss, and whether common sense helps.

    One after the other rather than all together: the words' penalty, the prior, the features' penalty.
    """
    folds = folds_of(truth, seed)

    def best(candidates: Sequence[tuple[Penalties, Floats | None]]) -> Chosen:
        found = [tried(design, truth, penalties, near, folds) for penalties, near in candidates]
        return min(found, key=lambda each: _loss(each.logits, truth))

    wording = (np.inf,) if design.words is None else WORD_PENALTIES
    words = best([(Penalties(30.0, each), None) for each in wording]).penalties.words
    priors = (None,) if prior is None else (prior, None)
    near = best([(Penalties(30.0, words), each) for each in priors]).prior
    return best([(Penalties(each, words), near) for each in FEATURE_PENALTIES])


def folds_of(truth: Truths, seed: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row: at random, with both classes spread evenly."""
    shuffled = np.random.default_rng(seed).permutation(len(truth))
    ordered = shuffled[np.argsort(truth[shuffled], kind="stable")]
    fold = np.empty(len(truth), dtype=np.int64)
    fold[ordered] = np.arange(len(truth)) % folds
    return fold


def tried(
    design: Design, truth: Truths, penalties: Penalties, prior: Floats | None, folds: NDArray[np.int64]
) -> Chosen:
    """These penalties and this prior, cross-validated over the folds that rows are in."""
    logits = np.empty(len(truth))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        weights = fit(design.take(inside), truth[inside], penalties, prior)
        logits[outside] = weights.logits(design.take(outside))
    return Chosen(penalties, prior, logits)


def _loss(logits: Floats, truth: Truths) -> float:
    return float(np.logaddexp(0, np.where(truth, -logits, logits)).mean())
