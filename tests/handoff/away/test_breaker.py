"""The circuit breaker, by examples and as a state machine beside a model of its own history."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from isthmus.handoff.away.breaker import Breaker, Health


class Clock:
    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s


def broken(clock, failures=3, rest_s=10.0):
    breaker = Breaker(failures, rest_s, now=clock)
    for _ in range(failures):
        assert breaker.take()
        breaker.failed()
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_no_sooner():
    breaker = Breaker(3, 10.0, now=Clock())
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert breaker.health == Health("closed", 2, 0.0)
    breaker.failed()
    assert breaker.health == Health("open", 3, 10.0)
    assert not breaker.take()


def test_when_its_rest_is_over_one_question_tries():
    clock = Clock()
    breaker = broken(clock)
    clock.s += 10
    assert breaker.health.state == "half_open"
    assert [breaker.take() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.health == Health("closed", 0, 0.0)


def test_each_try_that_fails_doubles_the_rest_up_to_eight_times():
    clock = Clock()
    breaker, rests = broken(clock), []
    for _ in range(6):
        rests.append(breaker.health.rests_s)
        clock.s += rests[-1]
        assert breaker.take()
        breaker.failed()
    assert rests == [10, 20, 40, 80, 80, 80]


def test_an_answer_that_has_begun_closes_it_and_one_that_is_cut_opens_it_again():
    clock = Clock()
    breaker = broken(clock)
    clock.s += 10
    assert breaker.take()
    breaker.begun()
    assert breaker.take()
    breaker.failed()
    assert breaker.health.state == "open"


def test_a_try_that_nobody_heard_out_lets_the_next_one_try():
    clock = Clock()
    breaker = broken(clock)
    clock.s += 10
    assert breaker.take()
    breaker.released()
    assert breaker.take()


class Machine(RuleBasedStateMachine):
    """Questions that begin, end and go away in any order, while time passes."""

    @initialize(failures=st.integers(1, 4), rest_s=st.sampled_from([1.0, 7.5]))
    def begin(self, failures, rest_s):
        self.clock = Clock()
        self.limit, self.rest_s = failures, rest_s
        self.breaker = Breaker(failures, rest_s, now=self.clock)
        self.in_flight = 0
        self.in_a_row = 0
        self.probes = 0

    @rule()
    def ask(self):
        state = self.breaker.health.state
        if self.breaker.take():
            assert state != "open"
            self.in_flight += 1
            self.probes += state == "half_open"
        else:
            assert state == "open" or (state == "half_open" and self.probes)

    @precondition(lambda self: self.in_flight)
    @rule(how=st.sampled_from(["succeeded", "failed", "released", "begun"]))
    def report(self, how):
        before = self.breaker.health
        getattr(self.breaker, how)()
        after = self.breaker.health
        if how != "begun":
            self.in_flight -= 1
        self.in_a_row = {"succeeded": 0, "failed": self.in_a_row + 1}.get(how, self.in_a_row)
        if how == "failed":
            assert after.failures == before.failures + 1
            if before.state == "half_open":
                assert after.state == "open"
        if how == "succeeded" or (how == "begun" and before.state != "closed"):
            assert after.state == "closed"
        if after.state != "half_open" or how != "begun":
            self.probes = 0

    @rule(seconds=st.floats(0.1, 100))
    def wait(self, seconds):
        self.clock.s += seconds

    @invariant()
    def holds(self):
        health = self.breaker.health
        assert 0 <= health.rests_s <= 8 * self.rest_s
        assert (health.rests_s > 0) == (health.state == "open")
        if self.in_a_row < self.limit and health.state != "closed":
            # Only an answer that began and was cut may open it sooner.
            assert health.failures >= self.limit
        if health.state == "closed":
            assert health.failures < self.limit
            assert self.breaker.admits


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40)
