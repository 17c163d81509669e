import threading
import time

import pytest

from isthmus.errors import LedgerError, StorageError
from isthmus.ledger import Ledger, journal
from isthmus.ledger.journal import Journal

from .samples import question


class Paper:
    """Takes what is written; refuses it where ``refuses`` says so."""

    def __init__(self, refuses=lambda rows: None):
        self.batches = []
        self.refuses = refuses

    def write(self, rows):
        if error := self.refuses(rows):
            raise error
        self.batches.append([row.id for row in rows])

    @property
    def rows(self):
        return [name for batch in self.batches for name in batch]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(journal, "_RETRY_S", 0.001)


def test_rows_that_come_together_are_written_together():
    paper = Paper()
    book = Journal(paper.write)
    names = [str(number) for number in range(100)]
    for name in names:
        book.add(question(id=name))
    book.flush()
    assert paper.rows == names
    assert len(paper.batches) <= 2
    book.close()


def test_nothing_is_held_back_for_long():
    paper = Paper()
    book = Journal(paper.write)
    book.add(question(id="a"))
    deadline = time.monotonic() + 5
    while not paper.rows and time.monotonic() < deadline:
        time.sleep(0.005)
    assert paper.rows == ["a"]
    book.add(question(id="b"))
    book.close()
    assert paper.rows == ["a", "b"]


def test_many_threads_lose_nothing():
    paper = Paper()
    book = Journal(paper.write)

    def add(thread):
        for number in range(50):
            book.add(question(id=f"{thread}-{number}"))
            if number % 20 == 0:
                book.flush()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    book.close()
    assert sorted(paper.rows) == sorted(f"{thread}-{number}" for thread in range(8) for number in range(50))


def test_what_fails_for_a_moment_is_written_later(caplog):
    failures = [StorageError("the disk is full"), None]
    paper = Paper(lambda _: failures.pop(0))
    book = Journal(paper.write)
    book.add(question(id="a"))
    book.flush()
    assert paper.rows == ["a"]
    assert "not recorded yet: the disk is full" in caplog.text
    book.close()


def test_one_bad_row_takes_no_other_with_it_and_is_told_at_the_end(caplog):
    paper = Paper(lambda rows: LedgerError("no") if any(row.id == "bad" for row in rows) else None)
    book = Journal(paper.write)
    for name in ("a", "bad", "b"):
        book.add(question(id=name))
    book.flush()
    assert paper.rows == ["a", "b"]
    assert "question bad could not be recorded: no" in caplog.text
    with pytest.raises(LedgerError, match="no"):
        book.close()
    book.close()  # it was told


def test_a_journal_that_was_closed_may_be_used_again():
    paper = Paper()
    book = Journal(paper.write)
    book.close()
    book.add(question(id="a"))
    book.close()
    book.add(question(id="b"))
    book.close()
    assert paper.rows == ["a", "b"]


def test_what_a_ledger_was_given_is_there_when_it_is_asked(ledger: Ledger):
    for number in range(5):
        ledger.add(question(id=str(number)))
        assert [row.id for row in ledger.questions(1)] == [str(number)]
    assert ledger.summary().count == 5
    ledger.close()
