"""Who is asked next, with a clock that only the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import (
    BudgetExceeded,
    ProviderCut,
    ProviderFailed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnreachable,
)
from isthmus.handoff.away.attempts import Attempts, Next


def anybody(number):
    return True


def attempts(count=2, retries=2, deadline=60.0, chance=0.0):
    return Attempts(count, retries=retries, deadline=deadline, chance=lambda: chance)


def test_the_first_in_line_is_asked_first_and_the_next_at_once_when_it_fails():
    line = attempts()
    assert line.next(0.0, anybody) == Next(0, 0.0)
    line.failed(0, ProviderFailed("x"), 1.0, booked=False)
    assert line.next(1.0, anybody) == Next(1, 0.0)


def test_who_failed_without_a_bill_is_asked_again_after_waits_that_grow():
    line, waits, now = attempts(count=1, retries=4), [], 0.0
    for _ in range(4):
        line.failed(0, ProviderUnreachable("x"), now, booked=False)
        then = line.next(now, anybody)
        waits.append(then.wait_s)
        now += then.wait_s
    assert waits == [0.25, 0.5, 1.0, 2.0]
    line.failed(0, ProviderUnreachable("x"), now, booked=False)
    assert line.next(now, anybody) is None


def test_chance_spreads_those_who_failed_together():
    line = attempts(count=1, chance=1.0)
    line.failed(0, ProviderFailed("x"), 0.0, booked=False)
    assert line.next(0.0, anybody) == Next(0, 0.5)


def test_what_a_provider_wants_waited_for_is_waited_for_unless_it_is_past_the_deadline():
    line = attempts(count=1, deadline=60.0)
    line.failed(0, ProviderFailed("x", retry_after_s=20.0), 10.0, booked=False)
    assert line.next(10.0, anybody) == Next(0, 20.0)
    line.failed(0, ProviderFailed("x", retry_after_s=40.0), 30.0, booked=False)
    assert line.next(30.0, anybody) is None


@pytest.mark.parametrize("kind", [ProviderTimeout, ProviderCut, ProviderRejected, BudgetExceeded])
def test_who_may_have_billed_or_said_no_is_not_asked_again(kind):
    line = attempts()
    line.failed(0, kind("x"), 0.0, booked=getattr(kind, "billed", False))
    assert line.next(0.0, anybody) == Next(1, 0.0)
    line.failed(1, kind("y"), 0.0, booked=getattr(kind, "billed", False))
    assert line.next(0.0, anybody) is None


def test_who_rests_is_passed_over():
    line = attempts()
    assert line.next(0.0, lambda number: number == 1) == Next(1, 0.0)
    assert line.next(0.0, lambda number: False) is None
    assert line.error is None


def test_a_failure_says_more_than_a_refusal():
    line = attempts(count=3)
    line.failed(0, BudgetExceeded("too dear"), 0.0, booked=False)
    assert line.error.message == "too dear"
    line.failed(1, ProviderTimeout("too slow"), 0.0, booked=True)
    line.failed(2, BudgetExceeded("too dear, too"), 0.0, booked=False)
    assert line.error.message == "too slow"


ERRORS = st.sampled_from(
    [
        ProviderUnreachable("x"),
        ProviderFailed("x"),
        ProviderFailed("x", retry_after_s=3.0),
        ProviderTimeout("x"),
        ProviderCut("x"),
        ProviderRejected("x"),
        BudgetExceeded("x"),
    ]
)


@given(
    count=st.integers(1, 4),
    retries=st.integers(0, 3),
    errors=st.lists(ERRORS, min_size=20, max_size=20),
    chance=st.floats(0, 1),
    took=st.floats(0, 5),
)
def test_it_ends_in_time_and_each_may_bill_once(count, retries, errors, chance, took):
    line, now, asked = attempts(count, retries, 30.0, chance), 0.0, []
    for error in errors:
        then = line.next(now, anybody)
        if then is None:
            break
        now += then.wait_s
        assert now < 30.0
        asked.append((then.number, error))
        now += took
        line.failed(then.number, error, now, booked=getattr(error, "billed", False))
    else:
        assert count * (retries + 1) > 20 or line.next(now, anybody) is None
    billed = [number for number, error in asked if getattr(error, "billed", False)]
    assert len(billed) == len(set(billed))
    assert all([number for number, _ in asked].count(each) <= retries + 1 for each in range(count))
