import pytest
from sqlalchemy import Engine

from isthmus.errors import NotFound, SettingsError
from isthmus.ledger import ledger_of
from isthmus.ledger.clock import utc_now
from isthmus.ledger.sealing import Unsealer, copies_of, new_key
from isthmus.settings import HandoffSettings, Settings

from .samples import question


def test_by_default_nothing_is_sealed(engine: Engine):
    ledger = ledger_of(engine, Settings())
    ledger.add(question(id="q"), [b"body"])
    ledger.close()
    with pytest.raises(NotFound):
        copies_of(engine, "q")


def test_what_left_is_sealed_for_the_persons_key(engine: Engine):
    secret, public = new_key()
    ledger = ledger_of(engine, Settings(handoff=HandoffSettings(keep_sent="sealed", sealing_key=public)))
    ledger.add(question(id="q", at=utc_now()), [b"body"])
    ledger.close()
    assert Unsealer(secret).unseal(copies_of(engine, "q")[0]) == b"body"


@pytest.mark.parametrize("key", [None, "x25519:nonsense"])
def test_sealing_without_a_key_is_refused_before_anything_leaves(engine: Engine, key: str | None):
    with pytest.raises(SettingsError, match="sealing_key"):
        ledger_of(engine, Settings(handoff=HandoffSettings(keep_sent="sealed", sealing_key=key)))
