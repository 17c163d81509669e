"""What a reasoned answer has cost so far: tokens, and the time that the model wrote for."""

import asyncio

from isthmus.messages import Finish, ReasoningDelta, TextDelta, Timings, TokenScores, Usage


class Spending:
    """Adds up the passes of one answer.

    A pass that came to its end says what it took; of one that was broken off, tokens are counted as they
    came: by their scores where those were asked for, else a token for each piece of text.
    """

    def __init__(self, seconds: float | None) -> None:
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self.deadline = None if seconds is None else self._began + seconds
        """When thinking must end, by the event loop's clock."""
        self.written = 0
        """Tokens of all passes that are over."""
        self._prompt: Usage | None = None
        self._timings = Timings()

    @property
    def seconds(self) -> float:
        """Since the answer was begun."""
        return self._clock() - self._began

    @property
    def late(self) -> bool:
        """Whether the time for thinking is over."""
        return self.deadline is not None and self._clock() >= self.deadline

    def add(self, run: "Run") -> None:
        """A pass is over."""
        self.written += run.tokens
        if run.usage is not None and self._prompt is None:
            self._prompt = run.usage
        if (timings := run.timings) is not None:
            wait_s = max(self._timings.wait_s or 0.0, timings.wait_s or 0.0) or None
            first = self._timings if self._timings.prompt_s is not None else timings
            self._timings = Timings(prompt_s=first.prompt_s, wait_s=wait_s)

    def usage(self, answer: int) -> Usage:
        """Of all of it; ``answer`` tokens are the answer's. The prompt counts once, as it was first read."""
        prompt = self._prompt or Usage()
        return Usage(
            prompt_tokens=prompt.prompt_tokens,
            completion_tokens=self.written,
            reasoning_tokens=max(0, self.written - answer),
            cached_tokens=prompt.cached_tokens,
        )

    def timings(self) -> Timings:
        """Of all passes together: the speed is that of everything that was written, side by side or not."""
        decode_s = max(self.seconds - (self._timings.prompt_s or 0.0) - (self._timings.wait_s or 0.0), 1e-6)
        return Timings(
            prompt_s=self._timings.prompt_s,
            wait_s=self._timings.wait_s,
            decode_s=decode_s,
            tokens_per_s=self.written / decode_s,
        )


class Run:
    """One pass of the model, of one sample or several, as it is counted."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.timings: Timings | None = None
        self._scored = 0
        self._pieces = 0

    @property
    def tokens(self) -> int:
        """What it wrote, as far as it has come."""
        return self.usage.completion_tokens if self.usage is not None else max(self._scored, self._pieces)

    def take(self, event: TextDelta | ReasoningDelta | TokenScores | Finish) -> None:
        """Count an event."""
        match event:
            case TokenScores(tokens):
                self._scored += len(tokens)
            case Finish():
                self.usage = event.usage or self.usage
                self.timings = event.timings or self.timings
            case _:
                self._pieces += bool(event.text)
