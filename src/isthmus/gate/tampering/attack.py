"""What an attack is: configurations, each of which asks in its own way, or makes other weights, or both.

An attack knows nothing of whoever serves the model: a `Conversation` yields requests and is sent answers.
"""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct

from isthmus.messages import GenerationRequest, Progress


class Weights(Struct, frozen=True):
    """What is served: a GGUF file, and LoRA adapters (GGUF files) that are applied to it."""

    model: Path
    adapters: tuple[Path, ...] = ()


Conversation: TypeAlias = Generator[GenerationRequest, str, str]
"""Yields what is asked, is sent each answer's text, and returns the text that is judged."""


class Variant(Protocol):
    """One configuration of an attack."""

    @property
    def name(self) -> str:
        """A slug, unlike that of any other of the attack."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What it does, for the run's header; never a prompt's text."""
        ...

    def weights(self, released: Weights, folder: Path, on_progress: Callable[[Progress], None]) -> Weights:
        """The weights to serve: the released ones, or others, made in a folder of this configuration's own.

        What was finished there is found again after a kill. Blocks while it works.
        """
        ...

    def ask(self, question: GenerationRequest, seed: int) -> Conversation:
        """How one question is asked.

        Args:
            question: As it is asked untampered.
            seed: The sample's, for choices of the attack's own.
        """
        ...


class Attack(Protocol):
    """What a downloader may do to a release to have it do what it mustn't."""

    @property
    def name(self) -> str:
        """As a policy names it."""
        ...

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Its configurations, at least one."""
        ...
