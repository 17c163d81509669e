"""A generator that says what it was told to: the seam at which tests are exact."""

import asyncio
from collections.abc import Iterable

from isthmus.generator import EventStream
from isthmus.messages import Event, GenerationRequest, ModelInfo


class ScriptedEngine:
    """Plays one script for each call: events are yielded, exceptions raised, numbers waited (seconds).

    ``requests`` keeps what was asked; ``closed`` counts the streams that ended, however they did.
    """

    def __init__(self, *scripts: Iterable[Event | Exception | float], model: ModelInfo | None = None) -> None:
        self._scripts = [list(script) for script in scripts]
        self._info = model or ModelInfo("scripted", local=True, context_length=4096)
        self.requests: list[GenerationRequest] = []
        self.closed = 0

    @property
    def model(self) -> ModelInfo:
        """The model that it plays."""
        return self._info

    async def stream(self, request: GenerationRequest) -> EventStream:
        """Play the next script; the last one is played again and again."""
        script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        self.requests.append(request)
        try:
            for step in script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float | int):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.closed += 1

    async def close(self) -> None:
        """Nothing is held."""
