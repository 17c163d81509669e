from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event

from isthmus.errors import BudgetExceeded, LedgerError, NotFound, UsageError
from isthmus.ledger import HostedAttempt, Ledger, QuestionRecord, Selection, Summary
from isthmus.messages import Usage

from .samples import NOON, SetClock, call, caps, question


class TestQuestions:
    def test_a_row_comes_back_as_it_was_recorded(self, ledger: Ledger):
        row = question(
            source="api",
            key="laptop",
            target="hosted",
            reason="looks_hard",
            stage="watch",
            model="gpt-5",
            provider="openai",
            prompt_tokens=120,
            completion_tokens=512,
            reasoning_tokens=256,
            cached_tokens=64,
            cost_usd=Decimal("0.012345678"),
            first_token_s=0.25,
            total_s=4.5,
            outcome="cut",
            error_code="provider_cut",
            answer_digest="b" * 64,
            sent_digest="c" * 64,
            sent_bytes=2048,
            evidence={"p_local_wrong": 0.75, "features": {"numbers": 3.0}, "detail": "naïve “text” ✓"},
            redacted={"EMAIL": 2, "IBAN": 1},
            attempts=(
                HostedAttempt(provider="groq", model="fast", error_code="provider_failed"),
                HostedAttempt(
                    provider="openai", model="gpt-5", cost_usd=Decimal("0.012345678"), sent_digest="c" * 64
                ),
            ),
        )
        ledger.record([row, question()])
        assert len(ledger.questions(10)) == 2
        assert row in ledger.questions(10)

    def test_the_newest_come_first_whenever_they_were_recorded(self, ledger: Ledger):
        for name, minutes in (("middle", 2), ("newest", 3), ("oldest", 1), ("newest, recorded later", 3)):
            ledger.record([question(id=name, at=NOON + timedelta(minutes=minutes))])
        names = [row.id for row in ledger.questions(10)]
        assert names == ["newest, recorded later", "newest", "middle", "oldest"]
        assert [row.id for row in ledger.questions(2)] == names[:2]

    def test_rows_are_chosen_by_time_and_target(self, ledger: Ledger):
        ledger.record([question(id="old", at=NOON - timedelta(microseconds=1))])
        ledger.record([question(id="kept")])
        ledger.record([question(id="sent", target="hosted")])
        assert {row.id for row in ledger.questions(10, Selection(since=NOON))} == {"kept", "sent"}
        assert [row.id for row in ledger.questions(10, Selection(target="hosted"))] == ["sent"]
        in_tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
        assert {row.id for row in ledger.questions(10, Selection(since=in_tokyo))} == {"kept", "sent"}

    def test_a_question_is_recorded_once(self, ledger: Ledger):
        ledger.record([question(id="q")])
        with pytest.raises(LedgerError, match="question q can't be recorded"):
            ledger.record([question(id="q")])
        assert len(ledger.questions(10)) == 1

    @pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
    def test_a_time_is_a_number_of_seconds(self, seconds: float):
        with pytest.raises(LedgerError, match="a question can't take"):
            question(total_s=seconds)

    def test_evidence_that_json_cannot_hold_is_refused_and_leaves_no_row(self, ledger: Ledger):
        with pytest.raises(LedgerError):
            ledger.record([question(evidence={"model": object()})])
        assert ledger.questions(10) == []

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_shows_something(self, ledger: Ledger, limit: int):
        with pytest.raises(UsageError, match="a limit of"):
            ledger.questions(limit)

    def test_since_needs_a_zone(self):
        with pytest.raises(LedgerError, match="since needs a time zone"):
            Selection(since=datetime(2026, 3, 14))


class TestSummary:
    def test_an_empty_ledger_comes_to_nothing(self, ledger: Ledger):
        assert ledger.summary() == Summary(0, 0, 0, 0, Decimal(0), Decimal(0), Usage())

    def test_questions_tokens_and_costs_are_summed(self, ledger: Ledger):
        ledger.record([question(at=NOON - timedelta(days=1), prompt_tokens=1000, cost_usd=Decimal(5))])
        ledger.record([question(prompt_tokens=10, completion_tokens=20, reasoning_tokens=5, cached_tokens=8)])
        ledger.record([question(prompt_tokens=3, target="hosted", cost_usd=Decimal("0.000000001"))])
        ledger.record([question(target="hosted", cost_usd=Decimal("0.2"))])
        ledger.record([question(target="refuse", outcome="refused")])
        assert ledger.summary(Selection(since=NOON)) == Summary(
            4, 1, 2, 1, Decimal("0.200000001"), Decimal(0), Usage(13, 20, 5, 8)
        )
        assert ledger.summary().count == 5
        assert ledger.summary().spent_usd == Decimal("5.200000001")

    def test_reservations_that_nobody_settled_are_named(self, ledger: Ledger, clock: SetClock):
        ledger.reserve(call("1"))
        clock.advance(days=1)
        ledger.reserve(call("0.25"))
        ledger.settle(ledger.reserve(call("7")).id, Decimal(6))
        assert ledger.summary().unsettled_usd == Decimal("1.25")
        assert ledger.summary(Selection(since=clock.moment)).unsettled_usd == Decimal("0.25")


class TestReserve:
    def test_what_is_reserved_counts_until_it_is_settled(self, ledger: Ledger):
        reservation = ledger.reserve(call("0.5", key="laptop"))
        assert reservation.amount_usd == Decimal("0.5")
        assert reservation.reserved_at == NOON
        assert reservation.expires_at == NOON + timedelta(seconds=600)
        assert ledger.spent("day") == ledger.spent("month") == Decimal("0.5")
        ledger.settle(reservation.id, Decimal("0.125"))
        assert ledger.spent("day") == ledger.spent("month") == Decimal("0.125")

    def test_a_release_frees_everything(self, ledger: Ledger):
        reservation = ledger.reserve(call("1", caps=caps(day="1")))
        ledger.release(reservation.id)
        ledger.release(reservation.id)
        assert ledger.spent("day") == 0
        ledger.reserve(call("1", caps=caps(day="1")))

    def test_a_cap_may_be_reached_but_not_passed(self, ledger: Ledger):
        ledger.reserve(call("0.7", caps=caps(day="1")))
        with pytest.raises(BudgetExceeded):
            ledger.reserve(call("0.300000001", caps=caps(day="1")))
        ledger.reserve(call("0.3", caps=caps(day="1")))
        assert ledger.spent("day") == 1
        with pytest.raises(BudgetExceeded):
            ledger.reserve(call("0.000000001", caps=caps(day="1")))

    def test_less_than_a_nano_dollar_counts_as_one(self, ledger: Ledger):
        with pytest.raises(BudgetExceeded):
            ledger.reserve(call("0.0000000021", caps=caps(day="0.0000000025")))
        assert ledger.reserve(call("0.0000000011")).amount_usd == Decimal("0.000000002")

    def test_a_cap_of_nothing_lets_only_the_free_through(self, ledger: Ledger):
        ledger.reserve(call("0", caps=caps("0", "0", "0")))
        with pytest.raises(BudgetExceeded):
            ledger.reserve(call("0.000000001", caps=caps(month="0")))

    def test_without_caps_anything_goes(self, ledger: Ledger):
        ledger.reserve(call("1000000"))
        assert ledger.spent("month") == 1_000_000

    @pytest.mark.parametrize(
        ("limits", "said", "hint"),
        [
            (
                caps("0.2", "9", "9"),
                "this could cost $0.25, and the cap on one request is $0.20",
                "raise handoff.budget.request_usd in isthmus.toml, or ask for fewer tokens",
            ),
            (
                caps("1", "1", "9"),
                (
                    "this could cost $0.25, and of the day's cap of $1.00 $0.80 is spent or reserved, "
                    "which leaves $0.20"
                ),
                "raise handoff.budget.day_usd in isthmus.toml",
            ),
            (
                caps(None, None, "0.5"),
                (
                    "this could cost $0.25, and of the month's cap of $0.50 $0.80 is spent or reserved, "
                    "which leaves $0.00"
                ),
                "raise handoff.budget.month_usd in isthmus.toml",
            ),
        ],
    )
    def test_a_refusal_names_the_cap_and_changes_nothing(self, ledger: Ledger, limits, said, hint):
        ledger.reserve(call("0.8"))
        with pytest.raises(BudgetExceeded) as caught:
            ledger.reserve(call("0.25", caps=limits))
        assert (caught.value.message, caught.value.hint) == (said, hint)
        assert ledger.spent("day") == Decimal("0.8")

    def test_an_expired_reservation_goes_on_counting(self, ledger: Ledger, clock: SetClock):
        ledger.reserve(call("1", caps=caps(day="1"), lifetime_s=1))
        clock.advance(hours=5)
        with pytest.raises(BudgetExceeded):
            ledger.reserve(call("0.01", caps=caps(day="1")))

    def test_the_clock_must_be_aware(self, engine: Engine):
        naive = Ledger(engine, now=lambda: datetime(2026, 3, 14))
        with pytest.raises(LedgerError, match="the clock needs a time zone"):
            naive.reserve(call("1"))

    def test_a_reservation_waits_for_the_disk_and_a_row_does_not(self, engine: Engine, ledger: Ledger):
        said: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2]))
        ledger.reserve(call("1"))
        assert said[:2] == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"]
        said.clear()
        ledger.record([question()])
        assert said[:2] == ["PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"]


class TestSettle:
    def test_settling_again_at_the_same_cost_changes_nothing(self, ledger: Ledger):
        reservation = ledger.reserve(call("1"))
        for _ in range(3):
            ledger.settle(reservation.id, Decimal("0.3"))
        ledger.settle(reservation.id, Decimal("0.30000"))
        assert ledger.spent("day") == Decimal("0.3")

    def test_settling_again_at_another_cost_is_refused(self, ledger: Ledger):
        reservation = ledger.reserve(call("1"))
        ledger.settle(reservation.id, Decimal("0.3"))
        with pytest.raises(LedgerError, match=r"settled at \$0\.30, so it can't be settled at \$0\.40"):
            ledger.settle(reservation.id, Decimal("0.4"))
        with pytest.raises(LedgerError, match=r"so it can't be settled at \$0\.00"):
            ledger.release(reservation.id)
        assert ledger.spent("day") == Decimal("0.3")

    def test_what_was_released_cost_nothing(self, ledger: Ledger):
        reservation = ledger.reserve(call("1"))
        ledger.release(reservation.id)
        ledger.settle(reservation.id, Decimal(0))
        with pytest.raises(LedgerError, match=r"settled at \$0\.00"):
            ledger.settle(reservation.id, Decimal("0.1"))

    def test_an_unknown_reservation_is_named(self, ledger: Ledger):
        with pytest.raises(LedgerError, match="there is no reservation 42"):
            ledger.settle(42, Decimal(1))
        with pytest.raises(LedgerError, match="there is no reservation 42"):
            ledger.release(42)

    @pytest.mark.parametrize("cost", ["-0.1", "NaN", "Infinity"])
    def test_a_cost_is_an_amount_of_dollars(self, ledger: Ledger, cost: str):
        reservation = ledger.reserve(call("1"))
        with pytest.raises(LedgerError, match="a call's cost is an amount of dollars"):
            ledger.settle(reservation.id, Decimal(cost))
        assert ledger.spent("day") == 1

    def test_a_call_that_cost_more_than_feared_or_ended_late_is_counted(
        self, ledger: Ledger, clock: SetClock
    ):
        reservation = ledger.reserve(call("1", caps=caps(day="2"), lifetime_s=1))
        clock.advance(hours=1)
        ledger.settle(reservation.id, Decimal(3))
        assert ledger.spent("day") == 3
        with pytest.raises(BudgetExceeded, match=r"leaves \$0\.00"):
            ledger.reserve(call("0.01", caps=caps(day="2")))


class TestPeriods:
    @pytest.mark.parametrize(
        ("last", "next_day", "same_month"),
        [
            ("2026-03-14T23:59:59.999999+00:00", "2026-03-15T00:00:00+00:00", True),
            ("2026-12-31T23:59:59.999999+00:00", "2027-01-01T00:00:00+00:00", False),
            ("2024-02-29T23:59:59.999999+00:00", "2024-03-01T00:00:00+00:00", False),
            ("2026-02-28T23:59:59.999999+00:00", "2026-03-01T00:00:00+00:00", False),
            ("2026-01-31T23:59:59.999999+00:00", "2026-02-01T00:00:00+00:00", False),
            # Elsewhere on Earth the day is another; the caps' day is UTC's.
            ("2026-03-15T08:59:59+09:00", "2026-03-15T09:00:00+09:00", True),
            ("2026-03-31T19:59:59-04:00", "2026-03-31T20:00:00-04:00", False),
        ],
    )
    def test_days_and_months_end_at_midnight_utc(
        self, ledger: Ledger, clock: SetClock, last: str, next_day: str, same_month: bool
    ):
        limits = caps(day="1", month="1.5")
        clock.moment = datetime.fromisoformat(last)
        ledger.reserve(call("1", caps=limits))
        with pytest.raises(BudgetExceeded, match="the day's cap"):
            ledger.reserve(call("1", caps=limits))

        clock.moment = datetime.fromisoformat(next_day)
        assert ledger.spent("day") == 0
        assert ledger.spent("month") == (1 if same_month else 0)
        if same_month:
            with pytest.raises(BudgetExceeded, match="the month's cap"):
                ledger.reserve(call("1", caps=limits))
        else:
            ledger.reserve(call("1", caps=limits))
        assert ledger.spent("day", datetime.fromisoformat(last)) == 1

    def test_a_call_costs_the_day_on_which_it_left(self, ledger: Ledger, clock: SetClock):
        clock.moment = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
        reservation = ledger.reserve(call("1"))
        clock.advance(minutes=5)
        ledger.settle(reservation.id, Decimal("0.75"))
        assert ledger.spent("day") == ledger.spent("month") == 0
        assert ledger.spent("month", reservation.reserved_at) == Decimal("0.75")

    def test_spent_needs_a_zone(self, ledger: Ledger):
        with pytest.raises(LedgerError, match="now needs a time zone"):
            ledger.spent("day", datetime(2026, 3, 14))


class TestKeyCaps:
    def test_a_keys_caps_count_that_keys_calls_alone(self, ledger: Ledger):
        ledger.reserve(call("5", key="other"))
        ledger.reserve(call("0.9", key="team", key_caps=caps(day="1")))
        with pytest.raises(BudgetExceeded, match=r"the day's cap on key 'team' of \$1.00 \$0.90") as caught:
            ledger.reserve(call("0.2", key="team", key_caps=caps(day="1")))
        assert caught.value.hint == "isthmus key limit team --usd-day DOLLARS"
        ledger.reserve(call("0.1", key="team", key_caps=caps(day="1")))
        assert ledger.spent("day", key="team") == Decimal(1)
        assert ledger.spent("day") == Decimal(6)

    def test_what_was_settled_lower_is_free_again(self, ledger: Ledger):
        limits = caps(month="1")
        ledger.settle(ledger.reserve(call("1", key="team", key_caps=limits)).id, Decimal("0.25"))
        with pytest.raises(BudgetExceeded, match="month's cap on key 'team'"):
            ledger.reserve(call("0.76", key="team", key_caps=limits))
        ledger.reserve(call("0.75", key="team", key_caps=limits))

    def test_the_caps_for_all_hold_beside_them(self, ledger: Ledger):
        with pytest.raises(BudgetExceeded, match="the day's cap of"):
            ledger.reserve(call("1", key="team", key_caps=caps(day="5"), caps=caps(day="0.5")))

    def test_they_are_exact_however_many_reserve_at_once(self, ledger: Ledger):
        def reserve(_: int) -> bool:
            try:
                ledger.reserve(call("0.1", key="team", key_caps=caps(day="1")))
            except BudgetExceeded:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(reserve, range(40))) == 10


class TestProviderCaps:
    def test_a_providers_caps_count_the_calls_to_it_alone(self, ledger: Ledger):
        ledger.reserve(call("5", provider="other"))
        ledger.reserve(call("0.9", provider="openai", provider_caps=caps(day="1")))
        with pytest.raises(
            BudgetExceeded, match=r"day's cap on provider 'openai' of \$1.00 \$0.90"
        ) as caught:
            ledger.reserve(call("0.2", provider="openai", provider_caps=caps(day="1")))
        assert caught.value.hint == "raise providers.openai.day_usd in isthmus.toml"
        ledger.reserve(call("0.1", provider="openai", provider_caps=caps(day="1")))
        assert ledger.spent("day", provider="openai") == 1
        assert ledger.spent("day", provider="openai", key="nobody") == 0

    def test_the_months_too(self, ledger: Ledger, clock: SetClock):
        limits = caps(month="1")
        ledger.reserve(call("1", provider_caps=limits))
        clock.advance(days=2)
        with pytest.raises(BudgetExceeded, match="month's cap on provider 'openai'"):
            ledger.reserve(call("0.1", provider_caps=limits))
        clock.advance(days=31)
        ledger.reserve(call("1", provider_caps=limits))


class TestQuestionCap:
    def test_all_calls_of_a_question_count_together(self, ledger: Ledger):
        first = ledger.reserve(call("0.2", question_id="q", caps=caps("0.3")))
        with pytest.raises(BudgetExceeded) as caught:
            ledger.reserve(call("0.2", question_id="q", caps=caps("0.3"), provider="another"))
        assert caught.value.message == (
            "this could cost $0.20, after $0.20 for this question's earlier calls, "
            "and the cap on one request is $0.30"
        )
        ledger.reserve(call("0.2", question_id="other", caps=caps("0.3")))
        ledger.settle(first.id, Decimal("0.1"))
        ledger.reserve(call("0.2", question_id="q", caps=caps("0.3"), provider="another"))


class TestFinding:
    def test_a_question_is_found_by_its_id_or_how_that_begins(self, ledger: Ledger):
        ledger.record([question(id="abc1"), question(id="abd2"), question(id="ab")])
        assert ledger.find("abc").record.id == ledger.find("abc1").record.id == "abc1"
        assert ledger.find("ab").record.id == "ab"

    @pytest.mark.parametrize("id_", ["", "z", "a", "abc1x", "%", "_bc1"])
    def test_what_names_none_or_several_is_refused(self, ledger: Ledger, id_: str):
        ledger.record([question(id="abc1"), question(id="abd2")])
        with pytest.raises(NotFound):
            ledger.find(id_)

    def test_its_calls_are_told(self, ledger: Ledger):
        ledger.settle(ledger.reserve(call("1", question_id="q")).id, Decimal("0.5"))
        ledger.reserve(call("2", question_id="q", provider="other", key="team"))
        first, second = ledger.calls("q")
        assert (first.reserved_usd, first.settled_usd) == (1, Decimal("0.5"))
        assert (second.provider, second.key, second.settled_usd, second.settled_at) == (
            "other",
            "team",
            None,
            None,
        )
        assert ledger.calls("nobody") == []

    def test_all_are_read_in_their_order_however_many(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("isthmus.ledger.ledger._BATCH", 10)
        rows = [question(at=NOON - timedelta(minutes=number), target="hosted") for number in range(25)]
        ledger.record([*rows, question()])
        found = list(ledger.each(Selection(target="hosted")))
        assert [each.record for each in found] == rows
        assert [each.link for each in found] == list(range(1, 26))


class TestTokens:
    def test_a_keys_tokens_of_today_are_summed(self, ledger: Ledger, clock: SetClock):
        def asked(**changes: Any) -> QuestionRecord:
            return question(prompt_tokens=10, completion_tokens=5, key="team", **changes)

        ledger.record(
            [asked(), asked(), asked(at=NOON - timedelta(days=1)), question(prompt_tokens=7, key="other")]
        )
        assert ledger.tokens_today("team") == 30
        assert ledger.tokens_today("nobody") == 0
        clock.advance(days=1)
        assert ledger.tokens_today("team") == 0
