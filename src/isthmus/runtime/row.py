"""The ledger's row of one question, filled in while its answer passes by."""

import secrets
import time
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import msgspec

from isthmus.errors import HandoffRefused, IsthmusError
from isthmus.handoff.hosted import HostedCall
from isthmus.ledger import Outcome, QuestionRecord, Source
from isthmus.messages import (
    Decision,
    Event,
    Finish,
    FinishReason,
    GenerationRequest,
    HandoffMode,
    ReasoningDelta,
    Route,
    TextDelta,
    Timings,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.runtime.observing import Answered


class Row:
    """Watches one question. ``id`` is the question's; ``call`` is its hosted call, where there is one."""

    def __init__(
        self, request: GenerationRequest, source: Source, key: str | None, mode: HandoffMode
    ) -> None:
        self.id = secrets.token_hex(16)
        self.decision: Decision | None = None
        self.call: HostedCall | None = None
        self._at = datetime.now(UTC)
        self._began = time.perf_counter()
        self._request = request
        self._source: Source = source
        self._key = key
        self._mode: HandoffMode = mode
        self._route: Route | None = None
        self._usage = Usage()
        self._first_s: float | None = None
        self._answer: list[str] = []
        self._outcome: Outcome = "cancelled"
        self._error: IsthmusError | None = None
        self._finish_reasons: list[FinishReason] = []
        self._timings: Timings | None = None

    def pass_on(self, event: Event) -> Event | None:
        """Take note of an event; the event as the person gets it, or None if it isn't for them."""
        match event:
            case TextDelta(text=text) | ReasoningDelta(text=text) | ToolCallDelta(arguments=text):
                if self._first_s is None:
                    self._first_s = self._elapsed()
                self._answer.append(text)
            case TokenScores() if self._request.top_logprobs is None:
                return None  # they were asked for to judge the answer by
            case Route():
                self._route = event
                self.decision = event.decision
            case Finish():
                return self._finished(event)
            case _:
                pass
        return event

    def _finished(self, finish: Finish) -> Finish:
        """The finish with the times as the person saw them beside the engine's own."""
        self._usage = finish.usage or self._usage
        self._finish_reasons.append(finish.reason)
        self._timings = timings = msgspec.structs.replace(
            finish.timings or Timings(), first_token_s=self._first_s, total_s=self._elapsed()
        )
        return msgspec.structs.replace(finish, timings=timings)

    def complete(self) -> None:
        """The answer is whole."""
        self._outcome = "complete"

    def fail(self, error: IsthmusError) -> None:
        """The answer failed, or broke off after some of it was shown."""
        self._error = error
        if self._first_s is not None:
            self._outcome = "cut"
        else:
            self._outcome = "refused" if isinstance(error, HandoffRefused) else "failed"

    def record(self, local_model: str) -> QuestionRecord:
        """The row as it is written."""
        decision = self.decision or Decision("refuse", "local_failed", "failure")
        call = self.call
        left = call.outgoing if call is not None and call.left else None
        return QuestionRecord(
            id=self.id,
            at=self._at,
            source=self._source,
            key=self._key,
            mode=self._mode,
            target=decision.target,
            reason=decision.reason,
            stage=decision.stage,
            model=self._route.model if self._route else local_model,
            local_model=local_model,
            provider=call.outgoing.provider if call else None,
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens,
            reasoning_tokens=self._usage.reasoning_tokens,
            cached_tokens=self._usage.cached_tokens,
            cost_usd=call.cost_usd if call else Decimal(0),
            first_token_s=self._first_s,
            total_s=self._elapsed(),
            outcome=self._outcome,
            error_code=self._error.code if self._error else None,
            prompt_digest=_digest(msgspec.json.encode(self._request.messages)),
            answer_digest=_digest("".join(self._answer).encode()) if self._answer else None,
            sent_digest=left.digest if left else None,
            sent_bytes=len(left.body) if left else 0,
            evidence=msgspec.to_builtins(decision.evidence),
        )

    def answered(self, record: QuestionRecord) -> Answered:
        """What observers are told."""
        return Answered(record, self._request, tuple(self._finish_reasons), self._timings, self._answer)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
