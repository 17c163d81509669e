"""The ledger's row of one question, filled in while its answer passes by."""

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeAlias

import msgspec

from isthmus.errors import HandoffRefused, IsthmusError
from isthmus.handoff.away.attempt import Attempt
from isthmus.handoff.away.hosted import HostedCall
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.handoff.judging import LocalAnswer
from isthmus.ledger import HostedAttempt, Outcome, QuestionRecord, Source
from isthmus.messages import (
    Decision,
    Event,
    Finish,
    FinishReason,
    GenerationRequest,
    HandoffMode,
    Reasoned,
    ReasoningDelta,
    Route,
    TextDelta,
    Timings,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.runtime.delegation import Delegated
from isthmus.runtime.held import answer_in
from isthmus.runtime.observing import Answered

Shadow: TypeAlias = Callable[[LocalAnswer, Usage], dict[str, Any]]
"""What mode auto would have done, given the local answer and its tokens; for the evidence."""


class Row:
    """Watches one question.

    Attributes:
        id: The question's.
        decision: Who answers and why.
        call: Its hosted call, where there is one.
        shadow: Says what would have been done, in mode shadow.
        delegated: What the local model asked the hosted one, where it may.
    """

    def __init__(
        self, request: GenerationRequest, source: Source, key: str | None, mode: HandoffMode
    ) -> None:
        self.id = secrets.token_hex(16)
        self.decision: Decision | None = None
        self.call: HostedCall | None = None
        self.shadow: Shadow | None = None
        self.delegated: Delegated | None = None
        self._at = datetime.now(UTC)
        self._began = time.perf_counter()
        self._request = request
        self._source: Source = source
        self._key = key
        self._mode: HandoffMode = mode
        self._route: Route | None = None
        self._usage = Usage()
        self._first_s: float | None = None
        self._answered_s: float | None = None
        self._answer: list[str] = []
        self._seen: list[Event] = []
        self._outcome: Outcome = "cancelled"
        self._error: IsthmusError | None = None
        self._finish_reasons: list[FinishReason] = []
        self._timings: Timings | None = None
        self._reasoned: Reasoned | None = None

    def pass_on(self, event: Event) -> Event | None:
        """Take note of an event; the event as the person gets it, or None if it isn't for them."""
        if self.shadow is not None:
            self._seen.append(event)
        match event:
            case TextDelta(text=text) | ReasoningDelta(text=text) | ToolCallDelta(arguments=text):
                if self._first_s is None:
                    self._first_s = self._elapsed()
                if self._answered_s is None and not isinstance(event, ReasoningDelta):
                    self._answered_s = self._elapsed()
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

    def heard(self, after_s: float | None) -> None:
        """Take note of when an answer's first token came, though it is shown later."""
        self._first_s = after_s

    def _finished(self, finish: Finish) -> Finish:
        """The finish with the times as the person saw them beside the engine's own."""
        self._usage = finish.usage or self._usage
        self._finish_reasons.append(finish.reason)
        if finish.reasoned is not None:
            # What was shown before was no token of the answer, but what is done for it.
            self._reasoned, self._first_s = finish.reasoned, self._answered_s
        self._timings = timings = msgspec.structs.replace(
            finish.timings or Timings(), first_token_s=self._first_s, total_s=self._elapsed()
        )
        return msgspec.structs.replace(finish, timings=timings)

    @property
    def is_complete(self) -> bool:
        """Whether the answer is whole."""
        return self._outcome == "complete"

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
        calls, attempts = self._calls, self._attempts
        left = [attempt.outgoing for attempt in attempts if attempt.left]
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
            provider=calls[0].outgoing.provider if calls else None,
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens,
            reasoning_tokens=self._usage.reasoning_tokens,
            cached_tokens=self._usage.cached_tokens,
            cost_usd=sum((call.cost_usd for call in calls), Decimal(0)),
            first_token_s=self._first_s,
            total_s=self._elapsed(),
            outcome=self._outcome,
            error_code=self._error.code if self._error else None,
            prompt_digest=_digest(msgspec.json.encode(self._request.messages)),
            answer_digest=_digest("".join(self._answer).encode()) if self._answer else None,
            sent_digest=left[0].digest if left else None,
            sent_bytes=sum(len(each.body) for each in left),
            redacted=_counted(left),
            attempts=tuple([_described(each) for each in attempts]),
            evidence=self._evidence(decision),
        )

    @property
    def sent(self) -> tuple[bytes, ...]:
        """The exact bodies that left, one by one."""
        return tuple(each.outgoing.body for each in self._attempts if each.left)

    def answered(self, record: QuestionRecord) -> Answered:
        """What observers are told."""
        return Answered(record, self._request, tuple(self._finish_reasons), self._timings, self._answer)

    @property
    def _calls(self) -> list[HostedCall]:
        """Its hosted calls: the one that it was handed over by, and those that the local model made."""
        made = [] if self.call is None else [self.call]
        return made if self.delegated is None else [*made, *self.delegated.calls]

    @property
    def _attempts(self) -> list[Attempt]:
        return [attempt for call in self._calls for attempt in call.attempts]

    def _evidence(self, decision: Decision) -> dict[str, Any]:
        evidence: dict[str, Any] = msgspec.to_builtins(decision.evidence)
        if self._reasoned is not None:
            evidence["reasoning"] = msgspec.to_builtins(self._reasoned)
        if self.delegated is not None and self.delegated.calls:
            evidence["delegated"] = self.delegated.evidence
        if self.shadow is not None and self._outcome == "complete":
            evidence["shadow"] = self.shadow(answer_in(self._seen, whole=True), self._usage)
        return evidence

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def _described(attempt: Attempt) -> HostedAttempt:
    outgoing = attempt.outgoing
    return HostedAttempt(
        provider=outgoing.provider,
        model=outgoing.model,
        error_code=attempt.error.code if attempt.error else None,
        cost_usd=attempt.cost_usd,
        sent_digest=outgoing.digest if attempt.left else None,
        sent_bytes=len(outgoing.body) if attempt.left else 0,
    )


def _counted(left: Sequence[Outgoing]) -> dict[str, int]:
    """How many of each kind were taken out of what left; what leaves again, after a failure, counts once."""
    counts: dict[str, int] = {}
    for each in left:
        for kind, count in each.redacted.items():
            counts[kind] = max(counts.get(kind, 0), count)
    return counts


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
