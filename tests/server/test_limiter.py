"""Requests and tokens that a key may use: exact, whatever comes at once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from isthmus.errors import RateLimited
from isthmus.ledger import KeyInfo
from isthmus.server.limiter import Limiter

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Clock:
    """A clock and a calendar that move together, when a test says so."""

    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        return self.s

    def now(self):
        return NOON + timedelta(seconds=self.s - 1000)


def key(name="team", **limits):
    return KeyInfo(name, "isk-abcd", ("infer",), NOON, **limits)


def limiter(clock, used=0):
    return Limiter(lambda name: used, clock=clock, now=clock.now)


def admitted(limits, team, times, body_bytes=0):
    count = 0
    for _ in range(times):
        try:
            limits.admit(team, body_bytes)
        except RateLimited:
            continue
        count += 1
    return count


def test_a_key_without_limits_is_not_counted():
    limits = limiter(Clock())
    assert limits.admit(key(), 10**9) is None
    assert limits.headers(key()) == []


def test_requests_a_minute_come_back_one_by_one():
    clock, team = Clock(), key(rpm=60)
    limits = limiter(clock)
    assert admitted(limits, team, 100) == 60
    with pytest.raises(RateLimited, match="'team' may make 60 requests a minute") as refused:
        limits.admit(team, 0)
    assert refused.value.retry_after_s == 1
    assert refused.value.hint == "isthmus key limit team --rpm N"
    clock.s += 2.5
    assert admitted(limits, team, 100) == 2
    clock.s += 3600
    assert admitted(limits, team, 100) == 60


def test_keys_do_not_count_for_each_other():
    limits = limiter(Clock())
    assert admitted(limits, key("a", rpm=3), 9) == 3
    assert admitted(limits, key("b", rpm=2), 9) == 2


def test_tokens_are_guessed_first_and_settled_later():
    clock, team = Clock(), key(tpm=1000)
    limits = limiter(clock)
    admission = limits.admit(team, 2000)  # 500 tokens, as a guess
    assert remaining(limits, team) == 500
    admission.settle(100)
    assert remaining(limits, team) == 900
    admission = limits.admit(team, 0)
    admission.settle(1500)  # more than there was: in debt
    assert remaining(limits, team) == 0
    with pytest.raises(RateLimited, match="1000 tokens a minute") as refused:
        limits.admit(team, 4)
    assert refused.value.retry_after_s == 37  # 601 tokens at 1000 a minute
    clock.s += 37
    limits.admit(team, 4)


def remaining(limits, team):
    return int(dict(limits.headers(team))[b"x-ratelimit-remaining-tokens"])


def test_a_body_larger_than_the_minutes_tokens_waits_for_a_full_bucket_and_no_longer():
    clock, team = Clock(), key(tpm=1000)
    limits = limiter(clock)
    limits.admit(team, 10**6)
    assert admitted(limits, team, 1, 4) == 0
    clock.s += 60
    limits.admit(team, 10**6).settle(0)
    assert remaining(limits, team) == 1000


def test_tokens_a_day_begin_with_what_the_ledger_knows_and_end_at_midnight():
    clock, team = Clock(), key(tokens_day=1000)
    limits = limiter(clock, used=900)
    limits.admit(team, 0).settle(200)
    with pytest.raises(RateLimited, match="1000 tokens a day") as refused:
        limits.admit(team, 0)
    assert refused.value.retry_after_s == 12 * 3600
    clock.s += 12 * 3600
    limits.admit(team, 0)


def test_changed_limits_count_at_once():
    clock = Clock()
    limits = limiter(clock)
    assert admitted(limits, key(rpm=1), 5) == 1
    assert admitted(limits, key(rpm=3), 5) == 3
    assert limits.admit(key(), 0) is None


def test_headers_are_openais():
    clock, team = Clock(), key(rpm=60, tpm=600)
    limits = limiter(clock)
    limits.admit(team, 400)
    assert {name.decode(): value.decode() for name, value in limits.headers(team)} == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "500",
        "x-ratelimit-reset-tokens": "10s",
    }
    clock.s += 0.5
    assert dict(limits.headers(team))[b"x-ratelimit-reset-requests"] == b"500ms"
    slow = key("slow", rpm=1)
    limits.admit(slow, 0)
    assert dict(limits.headers(slow))[b"x-ratelimit-reset-requests"] == b"1m0s"


@hypothesis_settings(deadline=None)
@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 20)), max_size=30),
)
def test_never_more_than_the_bucket_and_what_has_flowed_in(rpm, steps):
    clock, team = Clock(), key(rpm=rpm)
    limits, count = limiter(clock), 0
    began = clock.s
    for wait_s, times in steps:
        clock.s += wait_s
        count += admitted(limits, team, times)
        assert count <= rpm + (clock.s - began) * rpm / 60 + 1e-6
