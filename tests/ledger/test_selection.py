from datetime import datetime, timedelta

import pytest

from isthmus.errors import LedgerError
from isthmus.ledger import Ledger, Selection

from .samples import NOON, question


@pytest.fixture
def asked(ledger: Ledger) -> Ledger:
    ledger.record(
        [
            question(id="home", key="team"),
            question(id="sent", target="hosted", provider="openai", reason="looks_hard"),
            question(id="later", at=NOON + timedelta(hours=1), target="hosted", provider="groq", key="team"),
            question(id="measured", source="bench", at=NOON - timedelta(hours=1)),
        ]
    )
    return ledger


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), {"home", "sent", "later", "measured"}),
        (Selection(bench=False), {"home", "sent", "later"}),
        (Selection(bench=True), {"measured"}),
        (Selection(since=NOON + timedelta(seconds=1)), {"later"}),
        (Selection(until=NOON), {"measured"}),
        (Selection(since=NOON, until=NOON + timedelta(hours=1)), {"home", "sent"}),
        (Selection(target="hosted"), {"sent", "later"}),
        (Selection(target="hosted", key="team"), {"later"}),
        (Selection(reason="looks_hard"), {"sent"}),
        (Selection(provider="groq"), {"later"}),
        (Selection(key="nobody"), set()),
    ],
)
def test_what_is_chosen_is_listed_and_summed(asked: Ledger, selection: Selection, names: set[str]):
    assert {row.id for row in asked.questions(10, selection)} == names
    assert {each.record.id for each in asked.each(selection)} == names
    assert asked.summary(selection).count == len(names)


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_moment_has_a_zone(name: str):
    with pytest.raises(LedgerError, match=f"{name} needs a time zone"):
        Selection(**{name: datetime(2026, 3, 14)})
