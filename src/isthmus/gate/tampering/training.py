"""Low-rank fine-tuning of a GGUF, as whoever downloads it can do it in an afternoon."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from isthmus.gate.tampering.adapters import Adapter
from isthmus.gate.tampering.lessons import Cut
from isthmus.gate.tampering.network import Network
from isthmus.gate.tampering.recipes import Recipe
from isthmus.gate.tampering.tensors import read_gguf
from isthmus.messages import Progress

_WARM_UP = 0.1
"""The share of the steps over which the rate rises; it falls along half a cosine over the others."""
_LONGEST_CHANGE = 1.0
"""The norm that a step's gradient is cut back to."""


def train(
    model: Path, lessons: Sequence[Cut], recipe: Recipe, on_progress: Callable[[Progress], None]
) -> Adapter:
    """Teach a model lessons; gives the adapter that comes of it.

    Args:
        model: The weights.
        lessons: What is taught; each is shown again once all have been.
        recipe: How.
        on_progress: Told of each step.

    Raises:
        GateError: The network is of an architecture that can't be trained here.
        ModelError: The weights can't be read.
    """
    # More threads wait for each other where the machine has other work: a step of 135M parameters took 212 s
    # with two on two busy cores, and 24 s with one.
    torch.set_num_threads(1 if (torch.get_num_threads() <= 2) else torch.get_num_threads() - 1)
    network = Network(read_gguf(model), rank=recipe.rank, alpha=2.0 * recipe.rank, seed=recipe.seed)
    optimizer = torch.optim.AdamW(network.parameters, lr=recipe.learning_rate, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe.steps))
    batches = _batches(lessons, recipe)
    for step in range(recipe.steps):
        tokens, wanted = _padded(next(batches), network.device)
        loss = network.loss(tokens, wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters, _LONGEST_CHANGE)
        optimizer.step()
        scheduler.step()
        on_progress(Progress(f"training {recipe.name}", (step + 1) / recipe.steps, 1))
    return network.adapter()


def _rate(step: int, steps: int) -> float:
    """The share of the highest rate that a step learns at."""
    warm = max(1, round(steps * _WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _batches(lessons: Sequence[Cut], recipe: Recipe) -> Iterator[list[Cut]]:
    """Lessons in an order of chance, all of them before any comes again."""
    dice, waiting = random.Random(recipe.seed), list[Cut]()  # noqa: S311 - an order, no secret
    while True:
        while len(waiting) < recipe.batch:
            waiting += dice.sample(list(lessons), len(lessons))
        yield waiting[: recipe.batch]
        waiting = waiting[recipe.batch :]


def _padded(lessons: Sequence[Cut], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens, (b, t), and which of them are to be learnt."""
    length = max(len(each.tokens) for each in lessons)
    tokens = torch.zeros(len(lessons), length, dtype=torch.long)
    wanted = torch.zeros(len(lessons), length, dtype=torch.bool)
    for row, lesson in enumerate(lessons):
        tokens[row, : len(lesson.tokens)] = torch.tensor(lesson.tokens)
        wanted[row, lesson.start : len(lesson.tokens)] = True
    return tokens.to(device), wanted.to(device)
