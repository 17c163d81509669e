"""What a model needs of memory, before it is loaded."""

from isthmus.fit.budget import budget_of, weights_room
from isthmus.fit.nouns import Budget, Plan
from isthmus.fit.planning import CONTEXT_STEP, plan

__all__ = ["CONTEXT_STEP", "Budget", "Plan", "budget_of", "plan", "weights_room"]
