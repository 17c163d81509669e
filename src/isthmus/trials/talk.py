"""Where trials tell how far they are."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from isthmus.messages import Progress

OnDone: TypeAlias = Callable[[str, int, int, int], None]
"""Told of what is asked, how many answers are there, of how many, and how many of them are of no use."""


class Talk(Struct, frozen=True):
    """Told of answers, and of long work such as hashing or training."""

    on_done: OnDone
    on_progress: Callable[[Progress], None]
