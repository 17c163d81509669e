"""How a model is fine-tuned; apart from the training itself, which imports PyTorch."""

from collections.abc import Mapping

from msgspec import Struct


class Recipe(Struct, frozen=True):
    """How to train: the pairs' rank, steps of ``batch`` lessons each, and the highest rate of learning."""

    rank: int
    steps: int
    learning_rate: float
    batch: int = 8
    seed: int = 0

    @property
    def name(self) -> str:
        """A slug."""
        return f"r{self.rank}-s{self.steps}-lr{self.learning_rate:g}".replace(".", "_")

    @property
    def settings(self) -> Mapping[str, str]:
        """All of it, in words."""
        return {
            "rank": str(self.rank),
            "steps": str(self.steps),
            "learning_rate": f"{self.learning_rate:g}",
            "batch": str(self.batch),
            "training_seed": str(self.seed),
        }
