"""What Inspect finds of Isthmus, through the entry point ``inspect_ai``: provider, suites, sandbox.

Inspect imports this module when it looks for a name that it doesn't know. Needs the extra ``evals``.
"""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.hooks import Hooks, RunEnd, hooks
from inspect_ai.model import ModelAPI, modelapi

from isthmus.evals.data import load, locate
from isthmus.evals.plans import Terms
from isthmus.evals.provider import IsthmusAPI, close_all
from isthmus.evals.sandbox_environment import BubblewrapSandboxEnvironment
from isthmus.evals.suites import Suite, suites
from isthmus.evals.tasks import task_of

__all__ = ["BubblewrapSandboxEnvironment", "Closing", "isthmus"]


@modelapi("isthmus")
def isthmus() -> type[ModelAPI]:
    """Models at home, hosted ones, and both together."""
    return IsthmusAPI


@hooks("isthmus_closing", "Frees the workers of Isthmus's models.")  # pyright: ignore[reportUntypedClassDecorator]
class Closing(Hooks):
    """Ends with each run what its models have started."""

    async def on_run_end(self, data: RunEnd) -> None:
        """Free it."""
        await close_all()


# ---------------------------------------------------------------- suites


def _as_task(suite: Suite) -> None:
    """Have Inspect know a suite as ``isthmus/NAME``."""

    @task(name=suite.name)
    def build(  # pyright: ignore[reportUnusedFunction] - the decorator registers it
        data: str | None = None,
        rows: str | None = None,
        sha256: str | None = None,
        attempts: int = 1,
        seed: int = 0,
        temperature: float | None = None,
        max_tokens: int | None = None,
        judge: str | None = None,
    ) -> Task:
        source = locate(suite.name, Path(data) if data else None, sha256, rows)
        return task_of(load(source), Terms(attempts, seed, temperature, max_tokens, judge))


for _suite in suites().values():
    _as_task(_suite)
