"""A stream that can be held back: read ahead without being shown, then shown from its beginning."""

import math
import time
from collections.abc import Callable, Iterable

from isthmus.errors import IsthmusError, WorkerDied
from isthmus.generator import EventStream
from isthmus.handoff.judging import LocalAnswer
from isthmus.messages import (
    Confidence,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    TokenScores,
    ToolCallDelta,
)

_RETRIES = 1
"""A worker that fell before anything was shown is asked once more."""
_STRETCH = 1.3
"""By how much holding may put off the first visible token."""
_WORST_LOGPROB = -20.0
"""Less is not told apart: an engine may say minus infinity."""


class HeldStream:
    """Reads a generator's stream ahead of showing it.

    Args:
        start: Begins the stream; called again where a worker fell before anything was shown.
    """

    def __init__(self, start: Callable[[], EventStream]) -> None:
        self._start = start
        self._stream = start()
        self._events: list[Event] = []
        self._tokens = 0  # that have come, as far as can be told
        self._began = time.perf_counter()
        self._visible_after_s: float | None = None
        self.first_after_s: float | None = None
        """How long the first token took, be it of thinking; None before it has come."""
        self._retries = _RETRIES
        self._whole = False
        self.error: IsthmusError | None = None
        """Why the stream ended early, if it did."""

    async def begin(self) -> bool:
        """Read up to the first event; whether there is one."""
        await self._fill(lambda: bool(self._events))
        return self.error is None

    async def hold(self, tokens: int | None) -> bool:
        """Read ``tokens`` tokens, or all of the answer if None; whether it went well.

        Fewer are read where waiting for them would put off the first visible one by more than three tenths.
        """
        if tokens is None:
            await self._fill(None)
        else:
            await self._fill(lambda: self._tokens >= tokens or self._is_late())
        return self.error is None

    def draft(self) -> LocalAnswer:
        """What the policy may know of the answer so far."""
        return answer_in(self._events, whole=self._whole)

    def release(self, *, joined: bool = False) -> tuple[list[Event], EventStream]:
        """What was held, and the stream of the rest: to be shown in this order, once, if all went well.

        Args:
            joined: Whether texts that follow each other may come as one, where nobody watches them come.
        """
        held, self._events = self._events, []
        return _joined(held) if joined else held, self._stream

    @property
    def whole(self) -> bool:
        """Whether all of the answer has been read."""
        return self._whole

    async def close(self) -> None:
        """Stop the work behind the stream."""
        await self._stream.aclose()

    async def _fill(self, enough: Callable[[], bool] | None) -> None:
        """Read until there is enough; None: to the end."""
        while not (self._whole or self.error or (enough is not None and enough())):
            try:
                event = await anext(self._stream)
            except StopAsyncIteration:
                self._whole = True
            except WorkerDied as error:
                self._restart(error)
            except IsthmusError as error:
                self.error = error
            else:
                self._take(event)

    def _take(self, event: Event) -> None:
        self._events.append(event)
        if self.first_after_s is None and isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
            self.first_after_s = time.perf_counter() - self._began
        match event:
            case TokenScores(tokens):
                self._tokens += len(tokens)
            case TextDelta() | ToolCallDelta():
                if self._visible_after_s is None:
                    self._visible_after_s = time.perf_counter() - self._began
            case Finish(usage=usage):
                self._whole = usage is not None
            case _:
                pass

    def _is_late(self) -> bool:
        visible = self._visible_after_s
        return visible is not None and time.perf_counter() - self._began >= _STRETCH * visible

    def _restart(self, error: WorkerDied) -> None:
        """Nothing was shown, so a second try starts from the beginning."""
        if self._retries == 0:
            self.error = error
            return
        self._retries -= 1
        self._events.clear()
        self._tokens = 0
        self._visible_after_s = self.first_after_s = None
        self._stream = self._start()


def _joined(events: Iterable[Event]) -> list[Event]:
    """The same events, but each run of texts of one choice as one: who passes them on has less to do."""
    found: list[Event] = []
    run: list[TextDelta] = []
    for event in events:
        if isinstance(event, TextDelta):
            if run and run[0].index != event.index:
                found.append(_as_one(run))
                run = []
            run.append(event)
            continue
        # A token's scores stand between its text and the next one's.
        if run and not isinstance(event, TokenScores):
            found.append(_as_one(run))
            run = []
        found.append(event)
    return [*found, _as_one(run)] if run else found


def _as_one(run: list[TextDelta]) -> TextDelta:
    return run[0] if len(run) == 1 else TextDelta("".join([each.text for each in run]), run[0].index)


def answer_in(events: Iterable[Event], *, whole: bool) -> LocalAnswer:
    """The answer that some events make up, as it is judged: the first choice's."""
    pieces: list[str] = []
    scores: list[TokenScore] = []
    reason: FinishReason | None = None
    voted: float | None = None
    for event in events:
        match event:
            case TextDelta(text, 0):
                pieces.append(text)
            case TokenScores(tokens, 0):
                scores.extend(tokens)
            case Confidence(value, "vote", 0):
                voted = value
            case Finish(index=0):
                reason = event.reason
            case _:
                pass
    return LocalAnswer(
        "".join(pieces),
        tuple(max(each.logprob, _WORST_LOGPROB) for each in scores if not math.isnan(each.logprob)),
        whole,
        reason,
        tuple(_entropy(each) for each in scores if each.top),
        voted=voted,
    )


def _entropy(score: TokenScore) -> float:
    """In nats, over a token's likeliest rivals and the rest taken as one."""
    shares = [math.exp(min(each.logprob, 0.0)) for each in score.top]
    shares.append(max(0.0, 1.0 - math.fsum(shares)))
    return -math.fsum(share * math.log(share) for share in shares if share > 0)
