"""The policy is driven by hand: no model, no clock, no network."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import (
    BudgetExceeded,
    ContextLengthExceeded,
    EngineError,
    PriceUnknown,
    ProviderUnreachable,
    RedactionFailed,
    RequestError,
    WorkerDied,
)
from isthmus.handoff.judging import Estimate, LocalAnswer
from isthmus.handoff.policy import conduct, foresee
from isthmus.handoff.rules import Question, Rules
from isthmus.handoff.steps import Consent, Deferred, Failed, Hold, Hosted, Local, Refuse, Sample, Samples
from isthmus.messages import Decision
from tests.judge import Judge

EASY = Question("What is the capital of France?")
HARD = Question(
    "Ann has 12 apples, and Bob has twice as many. If each of them eats 3 apples every day, "
    "how many apples are left after 2 days, when 5 more are bought?"
)
DOUBTFUL = Question("Tom has 3 cats and then buys 4 more; how many?")
AUTO = Rules(mode="auto", provider="big")
WHOLE = LocalAnswer("so", (-0.1,) * 20, whole=True)
UNREACHABLE = Failed(ProviderUnreachable("big can't be reached"))


def run(question, rules, *outcomes):
    """The steps that the policy takes when it is told these outcomes."""
    steps = conduct(question, rules, Judge())
    taken = [next(steps)]
    for outcome in outcomes:
        try:
            taken.append(steps.send(outcome))
        except StopIteration:
            break
    return taken


def reasons(steps):
    return [step.decision.reason for step in steps if not isinstance(step, Hold)]


# ---------------------------------------------------------------- rules that keep everything home


@pytest.mark.parametrize("mode", ["off", "ask", "auto", "always"])
def test_a_raw_prompt_never_leaves(mode):
    rules = Rules(mode=mode, provider="big")
    raw = Question(HARD.text, raw=True, careful=True)
    assert run(raw, rules) == [Local(Decision("local", "raw_prompt"))]
    for error in (WorkerDied("it fell"), ContextLengthExceeded("too long")):
        _, refused = run(raw, rules, Failed(error))
        assert isinstance(refused, Refuse)
        assert refused.error is error


@pytest.mark.parametrize("mode", ["off", "ask", "auto", "always"])
def test_a_grammar_is_kept_to_at_home(mode):
    question = Question(HARD.text, grammar=True, careful=True)
    assert run(question, Rules(mode=mode, provider="big")) == [Local(Decision("local", "grammar"))]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (Rules(), "mode_off"),
        (Rules(mode="always", provider="big", local_only=True), "local_only"),
        (Rules(mode="always", provider="big", offline=True), "offline"),
        (Rules(mode="always", provider="big", asked="off"), "asked_local"),
        (Rules(mode="always"), "no_provider"),
    ],
)
def test_a_closed_rule_keeps_the_question_home(rules, reason):
    (step,) = run(HARD, rules)
    assert isinstance(step, Local)
    assert step.decision.reason == reason


def test_local_only_is_named_before_every_other_rule():
    rules = Rules(mode="off", local_only=True, offline=True)
    assert reasons(run(HARD, rules)) == ["local_only"]


def test_where_hand_off_was_never_set_up_a_hard_question_gets_a_hint_and_an_easy_one_does_not():
    hard, easy = (msgspec.structs.replace(each, hints=True) for each in (HARD, EASY))
    assert run(hard, Rules())[0].notice.code == "beyond_local"
    assert run(easy, Rules())[0].notice is None
    assert run(HARD, Rules())[0].notice is None
    assert run(HARD, Rules(mode="auto", provider="big", local_only=True))[0].notice is None


def test_a_failure_at_home_stays_an_error_where_nothing_may_leave():
    for rules in (Rules(), Rules(mode="always", provider="big", local_only=True)):
        error = EngineError("the engine failed")
        steps = run(EASY, rules, Failed(error))
        assert isinstance(steps[-1], Refuse)
        assert steps[-1].error is error


# ---------------------------------------------------------------- modes


def test_always_hands_over_without_asking_home():
    (step,) = run(EASY, Rules(mode="always", provider="big"))
    assert isinstance(step, Hosted)
    assert step.decision.reason == "mode_always"


def test_auto_decides_by_the_text_where_the_first_tokens_could_not_change_it():
    assert isinstance(run(EASY, AUTO)[0], Local)
    assert isinstance(run(HARD, AUTO)[0], Hosted)
    assert reasons(run(EASY, AUTO)) == ["looks_easy"]
    assert reasons(run(HARD, AUTO)) == ["looks_hard"]


def test_auto_holds_a_doubtful_answer_back_and_is_moved_by_its_tokens():
    assert run(DOUBTFUL, AUTO)[0] == Hold(16)
    sure = run(DOUBTFUL, AUTO, LocalAnswer("so", tuple([-0.001] * 16), False))[-1]
    unsure = run(DOUBTFUL, AUTO, LocalAnswer("so", tuple([-1.5] * 16), False))[-1]
    assert isinstance(sure, Local)
    assert sure.decision.reason == "answer_confident"
    assert isinstance(unsure, Hosted)
    assert unsure.decision.reason == "answer_doubtful"
    assert unsure.decision.stage == "watch"


def test_careful_reads_the_whole_answer_first():
    careful = Question(HARD.text, careful=True)
    assert run(careful, AUTO)[0] == Hold(None)
    kept = run(careful, AUTO, LocalAnswer("so", tuple([-0.001] * 20), True))[-1]
    assert isinstance(kept, Local)
    assert kept.decision.stage == "check"


def test_every_judgement_carries_its_numbers_and_the_terms_that_moved_it():
    evidence = run(HARD, AUTO)[0].decision.evidence
    assert evidence.p_local_wrong == evidence.score > evidence.threshold == 0.5
    assert 1 <= len(evidence.features) <= 3


def test_several_choices_are_not_judged_one_by_one():
    assert not isinstance(run(Question(DOUBTFUL.text, careful=True, several=True), AUTO)[0], Hold)


def test_ask_asks_and_only_yes_means_yes():
    rules = Rules(mode="ask", provider="big")
    for outcome, target in ((True, Hosted), (False, Local), (None, Local)):
        consent, step = run(HARD, rules, outcome)
        assert isinstance(consent, Consent)
        assert isinstance(step, target)
    assert reasons(run(HARD, rules, None))[-1] == "consent_required"
    assert run(HARD, rules, None)[-1].notice.code == "consent_required"
    assert reasons(run(HARD, rules, False))[-1] == "consent_declined"


def test_a_request_can_only_be_stricter_than_the_settings():
    modes = ("off", "ask", "auto", "always")
    for mode, asked in itertools.product(modes, modes):
        effective = Rules(mode=mode, asked=asked).effective
        assert modes.index(effective) == min(modes.index(mode), modes.index(asked))


# ---------------------------------------------------------------- what home can't do


def test_a_missing_capability_hands_over_or_is_refused():
    question = Question("What is on this picture?", lacks="vision")
    assert reasons(run(question, AUTO)) == ["capability_missing"]
    assert isinstance(run(question, AUTO)[0], Hosted)
    refused = run(question, Rules())[0]
    assert isinstance(refused, Refuse)
    assert "vision" in refused.error.message


def test_a_prompt_that_is_too_long_for_home_leaves_if_it_may():
    error = ContextLengthExceeded("the prompt has 9000 tokens, and the context is 4096")
    steps = run(EASY, AUTO, Failed(error))
    assert isinstance(steps[-1], Hosted)
    assert steps[-1].decision.reason == "context_too_long"
    assert run(EASY, Rules(), Failed(error))[-1].error is error


def test_a_request_that_home_refuses_as_malformed_is_not_sent_elsewhere():
    error = RequestError("the engine refuses the request: bad grammar")
    assert run(EASY, AUTO, Failed(error))[-1].error is error


def test_a_dead_worker_hands_over_with_the_consent_that_the_mode_wants():
    died = Failed(WorkerDied("it fell"))
    assert isinstance(run(EASY, AUTO, died)[-1], Hosted)
    assert isinstance(run(EASY, Rules(mode="ask", provider="big"), died)[-1], Consent)
    refused = run(EASY, Rules(mode="ask", provider="big"), died, None)[-1]
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, WorkerDied)


# ---------------------------------------------------------------- what the hosted side can't do


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProviderUnreachable("no"), "provider_failed"),
        (BudgetExceeded("no"), "budget_exceeded"),
        (PriceUnknown("no"), "price_unknown"),
    ],
)
def test_a_failing_hand_over_gives_the_local_answer_with_a_notice(error, reason):
    step = run(HARD, AUTO, Failed(error))[-1]
    assert isinstance(step, Local)
    assert step.decision.reason == reason
    assert step.decision.target == "local"
    assert step.notice.code == reason


def test_when_both_fail_the_person_hears_of_it():
    steps = run(HARD, AUTO, UNREACHABLE, Failed(EngineError("home failed too")))
    assert isinstance(steps[-1], Refuse)
    assert steps[-1].error.message == "home failed too"


# ---------------------------------------------------------------- whatever happens

outcomes = st.sampled_from(
    [
        LocalAnswer("so", tuple([-0.01] * 16), False),
        LocalAnswer("so", tuple([-2.0] * 400), True),
        LocalAnswer("so", (), True),
        Failed(EngineError("no")),
        Failed(ContextLengthExceeded("no")),
        Failed(ProviderUnreachable("no")),
        Failed(BudgetExceeded("no")),
        Failed(RedactionFailed("no")),
        Samples(("so", "not so")),
        Samples(()),
        Deferred("c1"),
        True,
        False,
        None,
    ]
)
questions = st.builds(
    Question,
    st.text(),
    careful=st.booleans(),
    lacks=st.sampled_from([None, "vision", "tools"]),
    several=st.booleans(),
    raw=st.booleans(),
    grammar=st.booleans(),
    home_only=st.sampled_from([None, "a path"]),
    switching=st.floats(-0.5, 0.5),
    approved=st.none() | st.just(Decision("hosted", "looks_hard", "estimate")),
    hints=st.booleans(),
)
modes = st.sampled_from(["off", "shadow", "ask", "auto", "always"])
rules = st.builds(
    Rules,
    mode=modes,
    asked=st.none() | modes,
    local_only=st.booleans(),
    offline=st.booleans(),
    provider=st.sampled_from([None, "big"]),
    threshold=st.none() | st.floats(0, 1),
    max_hold_tokens=st.integers(0, 64),
    samples=st.integers(0, 3),
)


@given(questions, rules, st.lists(outcomes, max_size=12))
def test_nothing_leaves_against_a_rule_and_every_conduct_ends(question, rules, told):
    steps = run(question, rules, *told)
    agreed = [outcome for step, outcome in zip(steps, told, strict=False) if isinstance(step, Consent)]
    assert len(steps) <= 6
    for step in steps:
        if isinstance(step, Hosted | Consent):
            assert not question.raw
            assert not question.grammar
            assert not question.home_only
            assert not rules.local_only
            assert not rules.offline
            assert rules.provider is not None
            assert rules.effective not in ("off", "shadow")
        if isinstance(step, Hosted) and rules.effective == "ask" and not question.approved:
            assert agreed
            assert agreed[-1] is True
        if isinstance(step, Local):
            assert step.decision.target == "local"
        if isinstance(step, Hosted):
            assert step.decision.target == "hosted"
        if isinstance(step, Sample):
            assert question.careful
            assert step.count == rules.samples > 0


# ---------------------------------------------------------------- shadow, marks, second opinions


def test_shadow_answers_from_home_and_foresees_what_auto_would_do():
    shadow = Rules(mode="shadow", provider="big")
    (step,) = run(HARD, shadow)
    assert (type(step), step.decision.reason) == (Local, "mode_shadow")
    answer = LocalAnswer("so", (-0.5,) * 200, True)
    for question in (EASY, HARD, DOUBTFUL, msgspec.structs.replace(DOUBTFUL, careful=True)):
        told = answer if question.careful else answer.beginning(AUTO.max_hold_tokens)
        first, *rest = run(question, AUTO, told)
        auto = rest[0] if isinstance(first, Hold) else first
        assert foresee(question, shadow, Judge(), answer) == auto.decision
    assert foresee(Question("?", lacks="vision"), shadow, Judge(), answer).reason == "capability_missing"
    for tied in (
        Question(HARD, home_only="it"),
        Question(HARD, raw=True),
        Question(HARD, lacks="vision", grammar=True),
    ):
        assert foresee(tied, shadow, Judge(), answer).target == "local"


def test_what_is_marked_stays_home_however_it_fails():
    marked = msgspec.structs.replace(HARD, home_only="a tool's output")
    (step,) = run(marked, Rules(mode="always", provider="big"))
    assert (step.decision.reason, step.decision.evidence.detail) == ("home_only", "a tool's output")
    *_, refused = run(marked, AUTO, Failed(ContextLengthExceeded("too long")))
    assert isinstance(refused, Refuse)


def test_the_price_of_changing_hands_moves_the_threshold():
    hands = Judge().before(DOUBTFUL.text).score
    near = Rules(mode="auto", provider="big", threshold=hands - 0.05, max_hold_tokens=0)
    assert isinstance(run(DOUBTFUL, near)[0], Hosted)
    assert isinstance(run(msgspec.structs.replace(DOUBTFUL, switching=0.1), near)[0], Local)


def test_a_whole_answer_in_doubt_is_asked_for_again_and_judged_with_its_like():
    seen = []

    class Doubting(Judge):
        def after(self, before, answer):
            seen.append(answer.samples)
            score = 0.9 if "other" in answer.samples else 0.53
            return Estimate(score, None, score, {})

    steps = conduct(
        msgspec.structs.replace(DOUBTFUL, careful=True),
        Rules("auto", None, samples=3, provider="big"),
        Doubting(),
    )
    assert next(steps) == Hold(None)
    answer = LocalAnswer("so", (-0.1,), True)
    assert steps.send(answer) == Sample(3)
    assert isinstance(steps.send(Samples(("so", "other"))), Hosted)
    assert seen == [(), ("so", "other")]
    question = msgspec.structs.replace(DOUBTFUL, careful=True)
    told = msgspec.structs.replace(answer, samples=("so", "so"))
    for samples, scored in ((3, [(), ("so", "so")]), (0, [()])):
        seen.clear()
        foresee(question, Rules("auto", None, samples=samples, provider="big"), Doubting(), told)
        assert seen == scored


def test_no_second_opinion_is_asked_for_where_it_could_tell_nothing_new():
    question = msgspec.structs.replace(DOUBTFUL, careful=True)
    answer = LocalAnswer("so", (-0.1,), True)

    class Torn(Judge):
        def after(self, before, answer):
            return Estimate(0.5, None, 0.5, {})

    class Wordless(Torn):
        def compares(self, answer):
            return False

    class Certain(Torn):
        def after(self, before, answer):
            return Estimate(0.1, None, 0.1, {})

    for judge, samples, asked in (
        (Torn, 3, True),
        (Torn, 0, False),
        (Wordless, 3, False),
        (Certain, 3, False),
    ):
        steps = conduct(question, Rules("auto", None, samples=samples, provider="big"), judge())
        next(steps)
        assert isinstance(steps.send(answer), Sample) is asked


def test_where_nobody_can_be_asked_the_local_answer_says_how_to_consent_later():
    (*_, step) = run(HARD, Rules(mode="ask", provider="big"), Deferred("c1"))
    assert (step.decision.reason, step.consent_id) == ("consent_required", "c1")
    assert step.notice.hint == "isthmus handoff approve c1"
    (*_, refused) = run(Question("?", lacks="vision"), Rules(mode="ask", provider="big"), Deferred("c1"))
    assert refused.error.hint == "isthmus handoff approve c1"


def test_consent_that_came_later_asks_nobody_again_and_never_goes_home():
    late = msgspec.structs.replace(HARD, approved=Decision("hosted", "looks_hard", "estimate"))
    step, refused = run(late, Rules(mode="ask", provider="big"), UNREACHABLE)
    assert (type(step), step.decision.reason) == (Hosted, "consent_given")
    assert (type(refused), refused.error) == (Refuse, UNREACHABLE.error)
    (closed,) = run(late, Rules(mode="ask", provider="big", local_only=True))
    assert isinstance(closed, Refuse)


def test_what_cannot_be_made_safe_stays_home():
    for rules, told in ((AUTO, []), (Rules(mode="ask", provider="big"), [True])):
        (*_, step) = run(HARD, rules, *told, Failed(RedactionFailed("an image can't be redacted")))
        assert (type(step), step.decision.reason) == (Local, "redaction_failed")


# ---------------------------------------------------------------- one threshold for each way to decide


class Depths(Judge):
    """A threshold of its own for each depth, and for whole answers without second opinions."""

    def threshold(self, depth, *, opinions=True):
        return {"estimate": 0.51, "watch": 0.52, "check": 0.53 if opinions else 0.54}[depth]


class Promising(Depths):
    promises = True


def thresholds(question, rules, judge, *outcomes):
    steps = conduct(question, rules, judge)
    step = next(steps)
    for outcome in outcomes:
        step = steps.send(outcome)
    return step.decision.evidence.threshold


@pytest.mark.parametrize(
    ("question", "rules", "outcomes", "threshold"),
    [
        (EASY, {}, (), 0.52),
        (EASY, {"max_hold_tokens": 0}, (), 0.51),
        (msgspec.structs.replace(EASY, several=True), {}, (), 0.51),
        (msgspec.structs.replace(EASY, careful=True), {}, (WHOLE,), 0.54),
        (msgspec.structs.replace(EASY, careful=True), {"samples": 3}, (WHOLE,), 0.53),
        (msgspec.structs.replace(EASY, careful=True), {}, (LocalAnswer("", (), whole=True),), 0.51),
        (DOUBTFUL, {}, (WHOLE,), 0.52),
        (EASY, {"threshold": 0.3}, (), 0.3),
    ],
)
def test_all_stages_of_a_question_share_the_threshold_of_how_it_is_decided(
    question, rules, outcomes, threshold
):
    assert thresholds(question, msgspec.structs.replace(AUTO, **rules), Depths(), *outcomes) == threshold


@pytest.mark.parametrize(
    ("judge", "rules", "switching", "threshold"),
    [
        (Depths(), {}, 0.1, 0.62),
        (Promising(), {}, 0.1, 0.52),
        (Promising(), {}, -0.1, 0.42),
        (Promising(), {"threshold": 0.3}, 0.1, 0.4),
    ],
)
def test_the_price_of_changing_hands_never_raises_a_threshold_that_promises(
    judge, rules, switching, threshold
):
    question = msgspec.structs.replace(EASY, switching=switching)
    rules = msgspec.structs.replace(AUTO, **rules)
    assert thresholds(question, rules, judge) == pytest.approx(threshold)
