import pytest
from sqlalchemy import Engine

from isthmus.errors import NotFound
from isthmus.ledger import Ledger
from isthmus.ledger.labels import label, label_of
from isthmus.ledger.verify import verify

from .samples import question


def test_the_last_word_counts_and_is_no_part_of_the_chain(ledger: Ledger, engine: Engine):
    ledger.record([question(id="a"), question(id="b")])
    head = verify(engine).head
    label(engine, {"a": True, "b": False})
    label(engine, {"b": True})
    assert (label_of(engine, "a"), label_of(engine, "b"), label_of(engine, "c")) == (True, True, None)
    assert verify(engine).head == head


def test_nothing_is_labelled_where_one_is_unknown(ledger: Ledger, engine: Engine):
    ledger.record([question(id=str(number)) for number in range(600)])
    with pytest.raises(NotFound, match="no question is named nobody"):
        label(engine, {**{str(number): True for number in range(600)}, "nobody": True})
    assert label_of(engine, "0") is None
    label(engine, {str(number): number % 2 == 0 for number in range(600)})
    assert [label_of(engine, str(number)) for number in (0, 599)] == [True, False]


def test_labelling_nothing_is_nothing(engine: Engine):
    label(engine, {})
