from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine

from isthmus.errors import LedgerError
from isthmus.ledger import KeyRing, Keys, Ledger

from .samples import question


@pytest.fixture
def keys(engine: Engine) -> Keys:
    return Keys(engine)


@pytest.fixture
def ring(engine: Engine) -> Iterator[KeyRing]:
    with closing(KeyRing(engine)) as ring:
        yield ring


def test_a_ring_reads_the_keys_only_when_they_have_changed(
    keys: Keys, ring: KeyRing, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    read: list[None] = []
    really = KeyRing._read
    monkeypatch.setattr(KeyRing, "_read", lambda self: (read.append(None), really(self)))
    _, secret = keys.create("team")
    for _ in range(3):
        assert ring.find(secret.reveal())
    Ledger(engine).record([question()])  # somebody writes, but not about keys
    assert ring.find(secret.reveal())
    assert len(read) == 1
    keys.revoke("team")
    assert ring.find(secret.reveal()) is None
    assert len(read) == 2


def test_a_ring_that_can_not_be_read_does_not_look_empty(
    keys: Keys, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
):
    keys.create("team")
    assert not ring.empty
    keys.create("other")

    def fails(*_: object) -> None:
        raise LedgerError("the disk went away")

    with monkeypatch.context() as patched:
        patched.setattr("isthmus.ledger.key_ring.reading", fails)
        for _ in range(2):
            with pytest.raises(LedgerError):
                _ = ring.empty
    assert not ring.empty
