"""Sums, against sums made by hand."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from isthmus.ledger import Ledger, QuestionRecord, Selection, report
from isthmus.ledger.database import writing
from isthmus.ledger.labels import label
from isthmus.ledger.report import report as add_up
from isthmus.ledger.schema import questions
from isthmus.messages import Usage

from .samples import NOON, SetClock, call, question

ALL = Selection()


def price(usage: Usage) -> Decimal:
    return (2 * Decimal(usage.prompt_tokens) + 8 * Decimal(usage.completion_tokens)) / 1_000_000


def kept(**changes: Any) -> QuestionRecord:
    return question(**{"prompt_tokens": 1000, "completion_tokens": 500, **changes})


def sent(cost: str, **changes: Any) -> QuestionRecord:
    return question(
        target="hosted",
        provider="openai",
        model="large",
        reason="looks_hard",
        cost_usd=Decimal(cost),
        **changes,
    )


def test_an_empty_ledger_comes_to_nothing(engine: Engine):
    made = add_up(engine, ALL, price=price, now=NOON)
    assert (made.all.questions, made.all.share_handed_over, made.days, made.everything_usd) == (
        0,
        None,
        {},
        0,
    )


def test_what_was_saved_is_what_home_answered_at_the_hosted_price(ledger: Ledger, engine: Engine):
    ledger.record([kept(), kept(), kept(key="team"), sent("0.01"), question(target="refuse")])
    made = add_up(engine, ALL, price=price, now=NOON)
    assert made.all.share_handed_over == 0.25
    assert made.all.saved_usd == Decimal("0.018")
    assert made.everything_usd == Decimal("0.028")
    assert {name: group.questions for name, group in made.reasons.items()} == {
        "looks_easy": 4,
        "looks_hard": 1,
    }
    assert {name: group.questions for name, group in made.keys.items()} == {"": 4, "team": 1}
    assert made.models["large"].spent_usd == Decimal("0.01")
    assert made.all.refused == 1


def test_without_a_price_nothing_is_said_to_be_saved(ledger: Ledger, engine: Engine):
    ledger.record([kept()])
    made = add_up(engine, ALL, price=None, now=NOON)
    assert (made.priced, made.all.saved_usd) == (False, 0)


def test_days_are_utcs_in_their_order(ledger: Ledger, engine: Engine):
    ledger.record([kept(at=NOON + timedelta(hours=hours)) for hours in (12, 0, 11, 50)])
    made = add_up(engine, ALL, price=price, now=NOON)
    assert [(day, group.kept) for day, group in made.days.items()] == [
        ("2026-03-14", 2),
        ("2026-03-15", 1),
        ("2026-03-16", 1),
    ]


def test_labels_say_how_good_answers_were(ledger: Ledger, engine: Engine):
    ledger.record([kept(id="a"), kept(id="b"), kept(id="c"), sent("1", id="d")])
    label(engine, {"a": True, "b": False, "d": True})
    group = add_up(engine, ALL, price=price, now=NOON).all
    assert (group.kept_right, group.kept_labelled) == (1, 2)
    assert (group.handed_over_right, group.handed_over_labelled) == (1, 1)


def shadowed(target: str, cost: str, **changes: Any) -> QuestionRecord:
    foreseen = {"target": target, "reason": "looks_hard", "cost_usd": cost}
    return kept(mode="shadow", evidence={"shadow": foreseen}, **changes)


def test_shadow_mode_says_what_auto_would_have_sent(ledger: Ledger, engine: Engine):
    ledger.record([shadowed("hosted", "9")])  # too long ago
    ledger.record([shadowed("hosted", "0.01"), shadowed("local", "0"), shadowed("hosted", "0.0031"), kept()])
    made = add_up(engine, ALL, price=price, now=NOON, last=4)
    assert str(made.shadow) == "on your last 3 questions auto would have sent 2, for $0.0131"


@pytest.mark.parametrize("evidence", [{"shadow": 3}, {"shadow": None}, {"detail": '"shadow"'}])
def test_other_evidence_of_that_name_does_no_harm(ledger: Ledger, engine: Engine, evidence: dict[str, Any]):
    ledger.record([question(evidence=evidence)])
    assert add_up(engine, ALL, price=price, now=NOON).shadow.questions == 0


def test_calls_whose_end_is_unknown_are_told_once_they_have_expired(
    ledger: Ledger, engine: Engine, clock: SetClock
):
    ledger.reserve(call("3", lifetime_s=60))
    ledger.settle(ledger.reserve(call("5", lifetime_s=60)).id, Decimal(1))
    assert add_up(engine, ALL, price=None, now=clock.moment).unknown_usd == 0
    clock.advance(hours=1)
    assert add_up(engine, ALL, price=None, now=clock.moment).unknown_usd == 3
    assert add_up(engine, Selection(since=clock.moment), price=None, now=clock.moment).unknown_usd == 0


rows = st.builds(
    question,
    target=st.sampled_from(["local", "hosted", "refuse"]),
    reason=st.sampled_from(["looks_easy", "looks_hard"]),
    key=st.sampled_from([None, "team"]),
    cost_usd=st.decimals(0, 1, places=9),
    prompt_tokens=st.integers(0, 5000),
    at=st.integers(0, 100).map(lambda hours: NOON + timedelta(hours=hours)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=12))
def test_every_partition_comes_to_the_same_sums(
    ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch, recorded: list[QuestionRecord]
):
    monkeypatch.setattr(report, "_BATCH", 5)
    with writing(engine) as connection:
        connection.execute(delete(questions))
    ledger.record(recorded)
    made = add_up(engine, ALL, price=price, now=NOON)
    assert made.all.questions == len(recorded)
    assert made.all.spent_usd == sum(row.cost_usd for row in recorded)
    for groups in (made.reasons, made.days, made.keys, made.models):
        for name in ("questions", "kept", "handed_over", "refused", "spent_usd", "saved_usd"):
            assert sum(getattr(group, name) for group in groups.values()) == getattr(made.all, name)
