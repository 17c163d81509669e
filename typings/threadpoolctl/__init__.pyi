"""What Isthmus uses of threadpoolctl, which ships no types."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

class threadpool_limits:  # noqa: N801
    @classmethod
    def wrap(cls, limits: int) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
