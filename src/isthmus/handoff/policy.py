"""The hand-off policy, without I/O: a generator that says what it wants next and is told what came of it.

    steps = conduct(question, rules, estimator)
    step = next(steps)                 # Hold, Sample, Consent, Local, Hosted or Refuse
    step = steps.send(outcome)         # LocalAnswer, Samples, True, False, Deferred, Failed or None

It knows no model, clock or network; `isthmus.runtime.answer` drives it, and so do the tests, by hand.

What was shown can't be taken back, so a question changes hands only before its first visible token: the
driver sends `Failed` while nothing has been shown, and sends nothing more once something was. The rules
come first and in this order: the hard switches, the modes, what home can't do at all, then the estimate.
"""

import msgspec

from isthmus.errors import (
    BudgetExceeded,
    ContextLengthExceeded,
    HandoffRefused,
    IsthmusError,
    PriceUnknown,
    ProviderError,
    RedactionFailed,
    RequestError,
)
from isthmus.handoff.judging import DOUBT, Depth, Estimate, Estimator, LocalAnswer
from isthmus.handoff.rules import Question, Rules, closed, decide
from isthmus.handoff.steps import (
    Conduct,
    Consent,
    Deferred,
    Failed,
    Hold,
    Hosted,
    Local,
    Outcome,
    Refuse,
    Sample,
    Samples,
)
from isthmus.messages import Decision, Evidence, Notice, Reason, Stage

# ---------------------------------------------------------------- the conduct of one question


def conduct(question: Question, rules: Rules, estimator: Estimator) -> Conduct:
    """Decide who answers, step by step."""
    shut = closed(question, rules)
    if question.approved:
        yield from _approved(question.approved, shut)
    elif question.lacks:
        decision = decide("hosted", "capability_missing", detail=question.lacks)
        home = RequestError(f"the local model can't do this: it has no {question.lacks}")
        yield from _refuse(shut, home) if shut else _away(decision, rules, home_error=home)
    elif shut:
        yield from _home(Local(shut, _hint(question, shut, estimator)), rules, shut)
    elif rules.effective == "always":
        yield from _away(decide("hosted", "mode_always"), rules, fallback=True)
    else:
        yield from _Judgement(question, rules, estimator).conduct()


def foresee(question: Question, rules: Rules, estimator: Estimator, answer: LocalAnswer) -> Decision:
    """What mode auto would have decided, told afterwards: ``answer`` is the local model's."""
    if (kept := closed(question, msgspec.structs.replace(rules, mode="auto", asked=None))) is not None:
        return kept
    if question.lacks:
        return decide("hosted", "capability_missing", detail=question.lacks)
    return _Judgement(question, rules, estimator).foresee(answer)


class _Judgement:
    """Modes ask and auto: by the question's shape, then, where that leaves doubt, by the local answer."""

    def __init__(self, question: Question, rules: Rules, estimator: Estimator) -> None:
        self._rules = rules
        self._estimator = estimator
        self._before = estimator.before(question.text)
        self._shift = _shift(question, rules, estimator)
        self._depth: Depth = _depth(question, rules)
        self._hold = self._wanted(question)

    def conduct(self) -> Conduct:
        """Judge, then have the answer shown."""
        outcome: Outcome = None
        if self._hold is not None:
            outcome = yield self._hold
            if isinstance(outcome, Failed):
                yield from _after_failure(outcome.error, self._rules, None)
                return
        decision = self._read(outcome)
        if isinstance(outcome, LocalAnswer) and self._in_doubt(decision, outcome):
            samples = yield Sample(self._rules.samples)
            if isinstance(samples, Samples) and samples.texts:
                decision = self._read(msgspec.structs.replace(outcome, samples=samples.texts))
        if decision.target == "hosted":
            yield from _away(decision, self._rules, fallback=True)
        else:
            yield from _home(Local(decision), self._rules, None)

    def foresee(self, answer: LocalAnswer) -> Decision:
        """What it would have come to; second opinions are asked of those that the answer has."""
        if self._hold is None:
            return self._read(None)
        seen = answer if self._hold.tokens is None else answer.beginning(self._hold.tokens)
        decision = self._read(msgspec.structs.replace(seen, samples=()))
        return self._read(seen) if seen.samples and self._in_doubt(decision, seen) else decision

    def _wanted(self, question: Question) -> Hold | None:
        """How much of the local answer is worth waiting for."""
        if question.several:
            return None
        if question.careful:
            return Hold(None)
        tokens = self._rules.max_hold_tokens
        waits = tokens and self._estimator.can_change(self._before, self._threshold("watch"), tokens)
        return Hold(tokens) if waits else None

    def _read(self, answer: Outcome) -> Decision:
        """Judge by what there is of the local answer."""
        if not isinstance(answer, LocalAnswer) or not (answer.logprobs or answer.text):
            return self._weigh(self._before, "estimate")
        if answer.whole:
            checked = self._weigh(self._estimator.after(self._before, answer), "check")
            return checked if answer.disproved is None else _wrong(checked, answer.disproved)
        return self._weigh(self._estimator.watch(self._before, answer), "watch")

    def _weigh(self, estimate: Estimate, stage: Stage) -> Decision:
        threshold = self._threshold(stage)
        hard = estimate.score > threshold
        evidence = Evidence(
            estimate.p_local_wrong, estimate.p_hosted_right, estimate.score, threshold, estimate.strongest()
        )
        if stage == "estimate":
            reason: Reason = "looks_hard" if hard else "looks_easy"
        else:
            reason = "answer_doubtful" if hard else "answer_confident"
        return Decision("hosted" if hard else "local", reason, stage, evidence)

    def _threshold(self, stage: Stage) -> float:
        """The score above which it is handed over: one for all stages that a question goes through.

        But for a whole answer that tells nothing, such as a tool's call: it is judged as its question alone.
        """
        if (own := self._rules.threshold) is not None:
            return own + self._shift
        depth: Depth = self._depth
        if depth == "check" and stage == "estimate":
            depth = "estimate"
        return self._estimator.threshold(depth, opinions=self._rules.samples > 0) + self._shift

    def _in_doubt(self, decision: Decision, answer: LocalAnswer) -> bool:
        """Whether a second opinion is allowed, could turn the decision, and can be had."""
        score, threshold = decision.evidence.score, decision.evidence.threshold
        if not (self._rules.samples and answer.whole) or score is None or threshold is None:
            return False
        if answer.disproved is not None:
            return False
        return abs(score - threshold) <= DOUBT and self._estimator.compares(answer)


def _wrong(decision: Decision, why: str) -> Decision:
    """The decision about an answer that is known to be wrong: there is nothing to weigh."""
    evidence = msgspec.structs.replace(decision.evidence, p_local_wrong=1.0, detail=why)
    return Decision("hosted", "answer_doubtful", decision.stage, evidence)


def _depth(question: Question, rules: Rules) -> Depth:
    """How much may be known of the local answer when it is decided who gives one."""
    if question.several:
        return "estimate"
    if question.careful:
        return "check"
    return "watch" if rules.max_hold_tokens else "estimate"


def _shift(question: Question, rules: Rules, estimator: Estimator) -> float:
    """What is added to the threshold because changing hands has its price.

    A promised risk holds for the thresholds that it was tested at: the price may lower them, never raise
    them.
    """
    promised = rules.threshold is None and estimator.promises
    return min(0.0, question.switching) if promised else question.switching


# ---------------------------------------------------------------- home, away, and back


def _home(step: Local, rules: Rules, shut: Decision | None) -> Conduct:
    """Home answers; if it can't, the question may leave after all, under the same rules."""
    outcome = yield step
    if isinstance(outcome, Failed):
        yield from _after_failure(outcome.error, rules, shut)


def _after_failure(error: IsthmusError, rules: Rules, shut: Decision | None) -> Conduct:
    reason: Reason = "context_too_long" if isinstance(error, ContextLengthExceeded) else "local_failed"
    decision = decide("hosted", reason, "failure", detail=error.message)
    # A request that home refuses as malformed is no better elsewhere.
    hopeless = isinstance(error, RequestError) and not isinstance(error, ContextLengthExceeded)
    if shut or hopeless:
        yield from _refuse(shut or decision, error)
    else:
        yield from _away(decision, rules, home_error=error)


def _approved(decision: Decision, shut: Decision | None) -> Conduct:
    """The person agreed after the local answer was given, so there is no way back to it."""
    if shut is not None:
        why = shut.reason.replace("_", " ")
        yield from _refuse(shut, HandoffRefused(f"a rule keeps this question home by now: {why}"))
        return
    outcome = yield Hosted(_because(decision, "consent_given"))
    if isinstance(outcome, Failed):
        yield Refuse(Decision("refuse", _failure_reason(outcome.error), "failure"), outcome.error)


def _away(
    decision: Decision,
    rules: Rules,
    *,
    fallback: bool = False,
    home_error: IsthmusError | None = None,
) -> Conduct:
    """Hand over, with consent where the mode wants it; ``fallback``: home can answer if that fails."""
    asks = rules.effective == "ask"
    outcome = (yield Consent(decision)) if asks else True
    if outcome is True:
        decision = _because(decision, "consent_given") if asks else decision
        outcome = yield Hosted(decision)
    if fallback:
        yield from _back_home(decision, outcome, rules)
    else:
        yield _nobody(outcome, home_error)


def _back_home(decision: Decision, outcome: Outcome, rules: Rules) -> Conduct:
    """The hand-over didn't come to pass, so here is the local answer, with a notice."""
    stage = "failure" if isinstance(outcome, Failed) else decision.stage
    stays = Decision("local", _why_not(outcome), stage, decision.evidence)
    # What failed away is not tried again, so home is now on its own.
    outcome = yield Local(stays, _notice(outcome, rules), _consent_id(outcome))
    if isinstance(outcome, Failed):
        yield Refuse(Decision("refuse", "local_failed", "failure"), outcome.error)


def _nobody(outcome: Outcome, home_error: IsthmusError | None) -> Refuse:
    """The hand-over didn't come to pass, and home can't answer: the error that led here."""
    error = outcome.error if isinstance(outcome, Failed) else home_error
    error = error or HandoffRefused("the local model can't answer this, and it wasn't handed over")
    if (consent_id := _consent_id(outcome)) is not None:
        error.hint = _approve(consent_id)
    return Refuse(Decision("refuse", _why_not(outcome), "failure"), error)


def _refuse(decision: Decision, error: IsthmusError) -> Conduct:
    yield Refuse(Decision("refuse", decision.reason, decision.stage, decision.evidence), error)


def _because(decision: Decision, reason: Reason) -> Decision:
    """The same decision with a later reason; the earlier one stays in the evidence."""
    detail = decision.evidence.detail or decision.reason
    evidence = msgspec.structs.replace(decision.evidence, detail=detail)
    return Decision(decision.target, reason, decision.stage, evidence)


# ---------------------------------------------------------------- why it stays, and what is said of it


def _why_not(outcome: Outcome) -> Reason:
    """Why a question that was to leave didn't."""
    if isinstance(outcome, Failed):
        return _failure_reason(outcome.error)
    return "consent_declined" if outcome is False else "consent_required"


def _failure_reason(error: IsthmusError) -> Reason:
    if isinstance(error, BudgetExceeded):
        return "budget_exceeded"
    if isinstance(error, PriceUnknown):
        return "price_unknown"
    return "redaction_failed" if isinstance(error, RedactionFailed) else "provider_failed"


def _consent_id(outcome: Outcome) -> str | None:
    return outcome.id if isinstance(outcome, Deferred) else None


def _approve(consent_id: str) -> str:
    return f"isthmus handoff approve {consent_id}"


def _hint(question: Question, shut: Decision, estimator: Estimator) -> Notice | None:
    """Where hand-off was never set up: a word that it could help, if the question looks hard."""
    if not question.hints or shut.reason not in ("mode_off", "no_provider"):
        return None
    if estimator.before(question.text).score <= estimator.threshold("estimate", opinions=False):
        return None
    text = "this question may be beyond the local model, so check the answer"
    return Notice("beyond_local", text, hint="isthmus handoff setup")


def _notice(outcome: Outcome, rules: Rules) -> Notice | None:
    reason = _why_not(outcome)
    if reason == "consent_declined":
        return None
    if not isinstance(outcome, Failed):
        text = f"this may be beyond the local model; {rules.provider} would be asked if you agreed"
        consent_id = _consent_id(outcome)
        hint = "isthmus ask --handoff auto ..." if consent_id is None else _approve(consent_id)
        return Notice(reason, text, hint)
    error = outcome.error
    kind = "unanswered" if isinstance(error, ProviderError) else "kept home"
    return Notice(reason, f"{kind}: {error.message}; here is the local answer", error.hint)
