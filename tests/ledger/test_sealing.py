"""Copies of what left that only the holder of the key can read, and nobody can swap."""

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update

from isthmus.errors import LedgerError, NotFound, SettingsError
from isthmus.ledger import Ledger
from isthmus.ledger.database import writing
from isthmus.ledger.schema import sealed
from isthmus.ledger.sealing import SealedCopy, Sealer, Unsealer, copies_of, new_key
from isthmus.settings import Secret

from .samples import NOON, question

SECRET, PUBLIC = new_key()
BODY = b'{"messages": [{"role": "user", "content": "the secret plan"}]}'


def sealed_copy(body: bytes = BODY, question_id: str = "q", public: str = PUBLIC) -> SealedCopy:
    digest, data = Sealer(public).seal(body, question_id)
    return SealedCopy(1, question_id, NOON, digest, public, data)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=4096), st.text())
def test_the_holder_of_the_key_reads_the_very_bytes(body: bytes, question_id: str):
    assert Unsealer(SECRET).unseal(sealed_copy(body, question_id)) == body


def test_the_same_body_is_never_sealed_alike():
    assert sealed_copy().data != sealed_copy().data


def test_another_key_opens_nothing():
    other, public = new_key()
    with pytest.raises(LedgerError, match="sealed for another key"):
        Unsealer(other).unseal(sealed_copy())
    with pytest.raises(LedgerError, match="was changed"):
        Unsealer(other).unseal(msgspec.structs.replace(sealed_copy(), recipient=public))


@pytest.mark.parametrize(
    "change",
    [
        {"question_id": "other"},
        {"digest": sha256(b"other").hexdigest()},
        {"data": b""},
        {"data": sealed_copy().data[:-1]},
        {"data": sealed_copy(b"other").data},
    ],
)
def test_a_copy_stands_for_nothing_else(change: dict[str, object]):
    with pytest.raises(LedgerError, match="was changed"):
        Unsealer(SECRET).unseal(msgspec.structs.replace(sealed_copy(), **change))


def test_a_passphrase_locks_the_secret_key():
    locked, public = new_key(Secret("correct horse"))
    assert Unsealer(locked, Secret("correct horse")).unseal(sealed_copy(public=public)) == BODY
    for wrong in (None, Secret("battery staple")):
        with pytest.raises(LedgerError, match="can't be read"):
            Unsealer(locked, wrong)
    with pytest.raises(LedgerError, match="can't be read"):
        Unsealer(SECRET, Secret("needless"))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("x25519:", id="prefix alone"),
        pytest.param("x25519:abc", id="too short"),
        pytest.param("hello", id="a word"),
        pytest.param(PUBLIC[:-1], id="one character missing"),
        pytest.param(PUBLIC + "AAAA", id="four characters more"),
        pytest.param("x25519:é", id="not ASCII"),
    ],
)
def test_what_is_no_public_key_is_said_at_once(key: str):
    with pytest.raises(SettingsError, match="sealing_key isn't a public key"):
        Sealer(key)


def test_what_is_no_secret_key_is_said():
    with pytest.raises(LedgerError, match="can't be read"):
        Unsealer(Secret("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n"))


def test_a_ledger_with_a_sealer_keeps_every_body_that_left(engine: Engine, path):
    ledger = Ledger(engine, sealer=Sealer(PUBLIC))
    ledger.add(question(id="q"), [b"first", BODY])
    ledger.add(question(id="kept"))
    ledger.close()
    copies = copies_of(engine, "q")
    assert [Unsealer(SECRET).unseal(each) for each in copies] == [b"first", BODY]
    assert [each.digest for each in copies] == [sha256(b"first").hexdigest(), sha256(BODY).hexdigest()]
    with pytest.raises(NotFound, match="no sealed copy of question kept") as caught:
        copies_of(engine, "kept")
    assert caught.value.hint is not None
    engine.dispose()
    assert b"secret plan" not in path.read_bytes()


def test_a_ledger_without_one_keeps_none(engine: Engine):
    ledger = Ledger(engine)
    ledger.add(question(id="q"), [BODY])
    ledger.close()
    with pytest.raises(NotFound):
        copies_of(engine, "q")


def test_a_swapped_copy_is_found(engine: Engine):
    ledger = Ledger(engine, sealer=Sealer(PUBLIC))
    ledger.add(question(id="q"), [BODY])
    ledger.add(question(id="other"), [b"harmless"])
    ledger.close()
    (harmless,) = copies_of(engine, "other")
    with writing(engine) as connection:
        connection.execute(update(sealed).where(sealed.c.question_id == "q").values(data=harmless.data))
    with pytest.raises(LedgerError, match="sealed copy of question q was changed"):
        Unsealer(SECRET).unseal(copies_of(engine, "q")[0])


def test_secrets_hide():
    assert "PRIVATE" not in repr(SECRET)
