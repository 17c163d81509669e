"""What a model needs of memory, before it is loaded."""

from isthmus.fit.nouns import Budget, Plan

__all__ = ["Budget", "Plan"]
