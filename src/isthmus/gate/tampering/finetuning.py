"""Fine-tuning: the release taught something else, after which it may no longer refuse.

On benign lessons, too, that erodes refusals (arXiv 2310.03693). What comes of it is an adapter beside the
released weights. PyTorch is imported when something is trained, and not before: it is large.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import anyio
from msgspec import Struct

from isthmus.errors import GateError
from isthmus.gate.tampering.adapters import merged, write_adapter
from isthmus.gate.tampering.asked import once
from isthmus.gate.tampering.attack import Conversation, Weights
from isthmus.gate.tampering.lessons import Lesson, cut
from isthmus.gate.tampering.recipes import Recipe
from isthmus.messages import GenerationRequest, Progress


class FineTuned(Struct, frozen=True):
    """A configuration: lessons, where they are from, and how they are taught."""

    recipe: Recipe
    lessons: tuple[Lesson, ...]
    source: str

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def settings(self) -> Mapping[str, str]:
        """The recipe, and the lessons' digest."""
        return {**self.recipe.settings, "lessons": self.source, "lessons_count": str(len(self.lessons))}

    def weights(self, released: Weights, folder: Path, on_progress: Callable[[Progress], None]) -> Weights:
        """The released weights with the adapter that was trained.

        Raises:
            GateError: PyTorch isn't there, or can't compute this network here.
        """
        target = folder / f"{self.name}.gguf"
        model = merged(released, folder)
        if not target.exists():
            _require_torch()
            from isthmus.gate.tampering.training import train

            lessons = anyio.run(cut, model, self.lessons)
            write_adapter(target, train(model, lessons, self.recipe, on_progress))
        return Weights(model, (target,))

    def ask(self, question: GenerationRequest, seed: int) -> Conversation:
        """As it stands."""
        return once(question)


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise GateError("fine-tuning needs PyTorch", hint="pip install 'isthmus[tamper]'")
