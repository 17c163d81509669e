import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from isthmus.errors import UsageError
from isthmus.ledger import Caps, KeyInfo, KeyLimits, KeyRing, Keys, open_database

from .samples import NOON, SetClock


@pytest.fixture
def keys(engine: Engine, clock: SetClock) -> Keys:
    return Keys(engine, now=clock)


@pytest.fixture
def ring(engine: Engine) -> Iterator[KeyRing]:
    with closing(KeyRing(engine)) as ring:
        yield ring


def test_a_key_opens_until_it_is_revoked(keys: Keys, ring: KeyRing, clock: SetClock):
    info, secret = keys.create("laptop")
    assert re.fullmatch(r"isk-[A-Za-z0-9_-]{43}", secret.reveal())
    assert info == KeyInfo("laptop", secret.reveal()[:8], ("infer",), NOON)
    assert ring.find(secret.reveal()) == info

    clock.advance(hours=1)
    revoked = keys.revoke("laptop")
    assert revoked.revoked == NOON + timedelta(hours=1)
    assert ring.find(secret.reveal()) is None
    assert keys.list() == (revoked,)


def test_secrets_differ_and_hide_from_repr(keys: Keys):
    shown = {keys.create(f"key-{number}")[1] for number in range(20)}
    assert len({secret.reveal() for secret in shown}) == 20
    assert all(secret.reveal() not in repr(secret) for secret in shown)


def test_only_the_hash_is_stored(keys: Keys, engine: Engine, path: Path):
    _, secret = keys.create("laptop")
    engine.dispose()  # the last connection writes the log into the file
    stored = path.read_bytes()
    assert secret.reveal()[9:].encode() not in stored
    assert hashlib.sha256(secret.reveal().encode()).hexdigest().encode() in stored


@pytest.mark.parametrize("secret", ["", "isk-", "isk-" + "A" * 43, "sk-proj-123", "ïsk-é", "isk-\udcff\x00"])
def test_a_strange_secret_opens_nothing(keys: Keys, ring: KeyRing, secret: str):
    keys.create("laptop")
    assert ring.find(secret) is None


def test_part_of_a_secret_opens_nothing(keys: Keys, ring: KeyRing):
    secret = keys.create("laptop")[1].reveal()
    for wrong in (
        secret[:-1],
        secret + "A",
        secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        secret.upper(),
    ):
        assert ring.find(wrong) is None


def test_keys_that_begin_alike_are_told_apart(keys: Keys, ring: KeyRing, monkeypatch: pytest.MonkeyPatch):
    endings = iter(["same" + "a" * 39, "same" + "b" * 39])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _length: next(endings))
    (one, its), (two, others) = keys.create("one"), keys.create("two")
    assert one.prefix == two.prefix
    assert ring.find(its.reveal()) == one
    assert ring.find(others.reveal()) == two
    keys.revoke("one")
    assert ring.find(its.reveal()) is None
    assert ring.find(others.reveal()) == two


def test_another_processes_key_and_its_revocation_are_seen_at_once(ring: KeyRing, path: Path):
    elsewhere = open_database(path)
    try:
        info, secret = Keys(elsewhere).create("laptop")
        assert ring.find(secret.reveal()) == info
        Keys(elsewhere).revoke("laptop")
        assert ring.find(secret.reveal()) is None
    finally:
        elsewhere.dispose()


def test_a_name_is_given_once(keys: Keys):
    keys.create("laptop")
    with pytest.raises(UsageError, match="there is, or was, a key named laptop") as caught:
        keys.create("laptop")
    assert caught.value.hint == "isthmus key create laptop-2"
    keys.revoke("laptop")
    with pytest.raises(UsageError):
        keys.create("laptop")
    assert len(keys.list()) == 1


@pytest.mark.parametrize("name", ["", "my laptop", "päivi", "a/b", "a\n", "x'; DROP TABLE keys; --"])
def test_a_name_is_letters_digits_and_three_signs(keys: Keys, name: str):
    with pytest.raises(UsageError, match="can't name a key"):
        keys.create(name)
    assert keys.create("CI.2026_build-7")[0].name == "CI.2026_build-7"


@pytest.mark.parametrize("scopes", [(), ("infer", "root")])
def test_scopes_are_known(keys: Keys, scopes: tuple[str, ...]):
    with pytest.raises(UsageError, match="infer, manage"):
        keys.create("laptop", scopes=scopes)  # type: ignore[arg-type]


def test_scopes_are_kept(keys: Keys, ring: KeyRing):
    _, secret = keys.create("operator", scopes=("infer", "manage"))
    found = ring.find(secret.reveal())
    assert found is not None
    assert found.scopes == ("infer", "manage")


def test_keys_are_listed_oldest_first(keys: Keys, clock: SetClock):
    keys.create("second")
    clock.advance(seconds=-1)
    keys.create("first")
    assert [info.name for info in keys.list()] == ["first", "second"]


def test_revoking_twice_keeps_the_first_time(keys: Keys, clock: SetClock):
    keys.create("laptop")
    first = keys.revoke("laptop")
    clock.advance(days=1)
    assert keys.revoke("laptop") == first


def test_revoking_nobody_suggests_somebody(keys: Keys):
    with pytest.raises(UsageError, match="no key is named laptop") as caught:
        keys.revoke("laptop")
    assert caught.value.hint == "isthmus key list"
    keys.create("laptop")
    with pytest.raises(UsageError) as caught:
        keys.revoke("latpop")
    assert caught.value.hint == "isthmus key revoke laptop"


def test_whether_any_key_opens(keys: Keys):
    assert not keys.any_active()
    keys.create("laptop")
    assert keys.any_active()
    keys.revoke("laptop")
    assert not keys.any_active()


# ---------------------------------------------------------------- limits


def test_limits_are_kept_changed_and_lifted(keys: Keys, ring: KeyRing):
    limits = KeyLimits(60, 1000, 50_000, Decimal("0.5"), Decimal(10))
    info, secret = keys.create("team", limits=limits)
    found = ring.find(secret.reveal())
    assert found == info
    assert (info.limits, info.caps) == (limits, Caps(day_usd=Decimal("0.5"), month_usd=Decimal(10)))
    assert keys.limit("team", KeyLimits(rpm=5)).limits == KeyLimits(rpm=5)
    found = ring.find(secret.reveal())
    assert found is not None
    assert found.limits == KeyLimits(rpm=5)


def test_limits_of_nobody_are_an_error(keys: Keys):
    keys.create("team")
    with pytest.raises(UsageError, match="no key is named taem") as caught:
        keys.limit("taem", KeyLimits())
    assert caught.value.hint == "isthmus key limit team"


@pytest.mark.parametrize(
    "wrong",
    [
        {"rpm": 0},
        {"tpm": -1},
        {"tokens_day": 10**16},
        {"usd_day": Decimal(-1)},
        {"usd_month": Decimal("NaN")},
        {"usd_day": Decimal("Infinity")},
    ],
)
def test_limits_are_in_range(wrong: dict[str, Any]):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        KeyLimits(**wrong)
