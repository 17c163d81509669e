"""The hand-off policy, without I/O: a generator that says what it wants next and is told what came of it.

    steps = conduct(question, rules)
    step = next(steps)                 # Hold, Consent, Local, Hosted or Refuse
    step = steps.send(outcome)         # Draft, Failed, True, False or None

It knows no model, clock or network; `isthmus.runtime.answer` drives it, and so do the tests, by hand.

What was shown can't be taken back, so a question changes hands only before its first visible token: the
driver sends `Failed` while nothing has been shown, and sends nothing more once something was. The rules
come first and in this order: the hard switches, the modes, what home can't do at all, then the estimate.
"""

from collections.abc import Generator, Sequence
from typing import TypeAlias

from msgspec import Struct

from isthmus.errors import (
    BudgetExceeded,
    ContextLengthExceeded,
    HandoffRefused,
    IsthmusError,
    PriceUnknown,
    ProviderError,
    RequestError,
)
from isthmus.handoff.estimate import Estimate, can_change, from_question, with_answer
from isthmus.messages import Decision, Evidence, HandoffMode, Notice, Reason, Stage, Target

# ---------------------------------------------------------------- what is known beforehand

_STRICTEST_FIRST: tuple[HandoffMode, ...] = ("off", "ask", "auto", "always")


def stricter(one: HandoffMode, other: HandoffMode) -> HandoffMode:
    """The mode of two that lets less leave."""
    return one if _STRICTEST_FIRST.index(one) <= _STRICTEST_FIRST.index(other) else other


class Question(Struct, frozen=True):
    """What the policy needs to know of a request. ``text`` is the last user message's."""

    text: str
    careful: bool = False
    """Whether the whole local answer may be read before any of it is shown."""
    lacks: str | None = None
    """What the request needs and the local model doesn't have: "vision", "tools"."""
    several: bool = False
    """Whether several choices are asked for; they are not judged one by one."""
    raw: bool = False
    """Whether it is a prompt without a conversation, which only the local model reads."""
    grammar: bool = False
    """Whether its answer has a grammar of its own, which only the local model keeps to."""


class Rules(Struct, frozen=True):
    """What the person has decided."""

    mode: HandoffMode = "off"
    asked: HandoffMode | None = None
    """What this very request asks for; it counts where it is stricter."""
    local_only: bool = False
    offline: bool = False
    provider: str | None = None
    threshold: float = 0.5
    max_hold_tokens: int = 16

    @property
    def effective(self) -> HandoffMode:
        """The stricter of the two modes."""
        if self.asked is None:
            return self.mode
        return stricter(self.mode, self.asked)


# ---------------------------------------------------------------- what is wanted


class Hold(Struct, frozen=True):
    """Run the local model without showing anything; report after ``tokens``, or the whole answer if None."""

    tokens: int | None


class Consent(Struct, frozen=True):
    """Ask the person; the outcome is True, False, or None where nobody can be asked."""

    decision: Decision


class Local(Struct, frozen=True):
    """Show the local answer: what was held, then the rest."""

    decision: Decision
    notice: Notice | None = None


class Hosted(Struct, frozen=True):
    """Let the question leave, and show the hosted answer."""

    decision: Decision


class Refuse(Struct, frozen=True):
    """Nobody may answer."""

    decision: Decision
    error: IsthmusError


Step: TypeAlias = Hold | Consent | Local | Hosted | Refuse

# ---------------------------------------------------------------- what came of it


class Draft(Struct, frozen=True):
    """The local answer so far: the log-probabilities of its tokens, and whether it is whole."""

    logprobs: Sequence[float]
    whole: bool


class Failed(Struct, frozen=True):
    """The step failed before anything was shown."""

    error: IsthmusError


Outcome: TypeAlias = Draft | Failed | bool | None
Conduct: TypeAlias = Generator[Step, Outcome, None]

# ---------------------------------------------------------------- the conduct of one question


def conduct(question: Question, rules: Rules) -> Conduct:
    """Decide who answers, step by step."""
    closed = _tied(question) or _closed(rules)
    if question.lacks:
        decision = _decide("hosted", "capability_missing", detail=question.lacks)
        home = RequestError(f"the local model can't do this: it has no {question.lacks}")
        yield from _refuse(closed, home) if closed else _away(decision, rules, home_error=home)
        return
    if closed:
        yield from _home(Local(closed, _hint(question, closed)), rules, closed)
        return
    if rules.effective == "always":
        yield from _away(_decide("hosted", "mode_always"), rules, fallback=True)
        return
    yield from _judged(question, rules)


def _tied(question: Question) -> Decision | None:
    """Why nobody but the local model can answer, where that is so."""
    if question.raw:
        return _decide("local", "raw_prompt")
    return _decide("local", "grammar") if question.grammar else None


def _judged(question: Question, rules: Rules) -> Conduct:
    """Modes ask and auto: by the question's shape, then, where that leaves doubt, by the answer's tokens."""
    estimate, stage = from_question(question.text), "estimate"
    tokens = None if question.careful else rules.max_hold_tokens
    waits = question.careful or (tokens and can_change(estimate, rules.threshold, tokens))
    if waits and not question.several:
        outcome = yield Hold(tokens)
        if isinstance(outcome, Failed):
            yield from _after_failure(outcome.error, rules, None)
            return
        if isinstance(outcome, Draft) and outcome.logprobs:
            estimate = with_answer(estimate, outcome.logprobs, whole=outcome.whole)
            stage = "check" if outcome.whole else "watch"
    decision = _weigh(estimate, stage, rules.threshold)
    if decision.target == "hosted":
        yield from _away(decision, rules, fallback=True)
    else:
        yield from _home(Local(decision), rules, None)


def _home(step: Local, rules: Rules, closed: Decision | None) -> Conduct:
    """Home answers; if it can't, the question may leave after all, under the same rules."""
    outcome = yield step
    if isinstance(outcome, Failed):
        yield from _after_failure(outcome.error, rules, closed)


def _after_failure(error: IsthmusError, rules: Rules, closed: Decision | None) -> Conduct:
    reason: Reason = "context_too_long" if isinstance(error, ContextLengthExceeded) else "local_failed"
    decision = _decide("hosted", reason, "failure", detail=error.message)
    # A request that home refuses as malformed is no better elsewhere.
    hopeless = isinstance(error, RequestError) and not isinstance(error, ContextLengthExceeded)
    if closed or hopeless:
        yield from _refuse(closed or decision, error)
    else:
        yield from _away(decision, rules, home_error=error)


def _away(
    decision: Decision,
    rules: Rules,
    *,
    fallback: bool = False,
    home_error: IsthmusError | None = None,
) -> Conduct:
    """Hand over, with consent where the mode wants it; ``fallback``: home can answer if that fails."""
    if rules.effective == "ask":
        agreed = yield Consent(decision)
        if agreed is not True:
            reason: Reason = "consent_declined" if agreed is False else "consent_required"
            yield from _stay(decision, reason, None, fallback, home_error, rules)
            return
        decision = _because(decision, "consent_given")
    outcome = yield Hosted(decision)
    if isinstance(outcome, Failed):
        yield from _stay(decision, _failure_reason(outcome.error), outcome.error, fallback, home_error, rules)


def _stay(
    decision: Decision,
    reason: Reason,
    error: IsthmusError | None,
    fallback: bool,
    home_error: IsthmusError | None,
    rules: Rules,
) -> Conduct:
    """The hand-over didn't come to pass: the local answer with a notice, or the error that led here."""
    stays = Decision("local", reason, "failure" if error else decision.stage, decision.evidence)
    if fallback:
        # What failed away is not tried again, so home is now on its own.
        outcome = yield Local(stays, _notice(reason, error, rules))
        if isinstance(outcome, Failed):
            yield Refuse(Decision("refuse", "local_failed", "failure"), outcome.error)
        return
    why = (
        error or home_error or HandoffRefused("the local model can't answer this, and it wasn't handed over")
    )
    yield Refuse(Decision("refuse", reason, "failure"), why)


def _refuse(decision: Decision, error: IsthmusError) -> Conduct:
    yield Refuse(Decision("refuse", decision.reason, decision.stage, decision.evidence), error)


# ---------------------------------------------------------------- decisions


def _closed(rules: Rules) -> Decision | None:
    """The decision of a rule that keeps everything home, if there is one."""
    if rules.local_only:
        return _decide("local", "local_only")
    if rules.offline:
        return _decide("local", "offline")
    if rules.mode == "off":
        return _decide("local", "mode_off")
    if rules.effective == "off":
        return _decide("local", "asked_local")
    if rules.provider is None:
        return _decide("local", "no_provider")
    return None


def _weigh(estimate: Estimate, stage: Stage, threshold: float) -> Decision:
    hard = estimate.p_local_wrong > threshold
    evidence = Evidence(estimate.p_local_wrong, threshold, estimate.strongest())
    if stage == "estimate":
        reason: Reason = "looks_hard" if hard else "looks_easy"
    else:
        reason = "answer_doubtful" if hard else "answer_confident"
    return Decision("hosted" if hard else "local", reason, stage, evidence)


def _decide(target: Target, reason: Reason, stage: Stage = "rules", detail: str | None = None) -> Decision:
    return Decision(target, reason, stage, Evidence(detail=detail))


def _because(decision: Decision, reason: Reason) -> Decision:
    """The same decision with a later reason; the earlier one stays in the evidence."""
    evidence = decision.evidence
    kept = Evidence(
        evidence.p_local_wrong, evidence.threshold, evidence.features, evidence.detail or decision.reason
    )
    return Decision(decision.target, reason, decision.stage, kept)


def _failure_reason(error: IsthmusError) -> Reason:
    if isinstance(error, BudgetExceeded):
        return "budget_exceeded"
    if isinstance(error, PriceUnknown):
        return "price_unknown"
    return "provider_failed"


def _hint(question: Question, closed: Decision) -> Notice | None:
    """Where hand-off was never set up: a word that it could help, if the question looks hard."""
    if closed.reason not in ("mode_off", "no_provider") or from_question(question.text).p_local_wrong < 0.5:
        return None
    text = "this question may be beyond the local model, so check the answer"
    return Notice("beyond_local", text, hint="the README says how to set a hand-off up")


def _notice(reason: Reason, error: IsthmusError | None, rules: Rules) -> Notice | None:
    if reason == "consent_required":
        text = f"this may be beyond the local model; {rules.provider} would be asked if you agreed"
        return Notice("consent_required", text, hint="isthmus ask --handoff auto ...")
    if error is None:
        return None
    kind = "unanswered" if isinstance(error, ProviderError) else "kept home"
    return Notice(reason, f"{kind}: {error.message}; here is the local answer", error.hint)
