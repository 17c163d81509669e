"""The API keys of this server: made, limited, listed, revoked. A `KeyRing` checks them at each request.

A secret is ``isk-`` and 43 characters, 256 random bits, shown once. The database holds its SHA-256.
A slow, salted hash (bcrypt, Argon2) makes guessing a *password* dear, because people choose passwords from
few. Nobody guesses 256 random bits at any speed, no two secrets are alike, and a request needn't wait.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from isthmus.errors import UsageError
from isthmus.ledger.clock import Clock, utc_now
from isthmus.ledger.database import reading, writing
from isthmus.ledger.money import LARGEST_USD
from isthmus.ledger.records import Caps
from isthmus.ledger.schema import keys
from isthmus.naming import closest
from isthmus.settings import Secret

Scope: TypeAlias = Literal["infer", "manage"]

_MARK = "isk-"
SECRET = re.compile(rf"{_MARK}[A-Za-z0-9_-]{{43}}", re.ASCII)
PREFIX_LENGTH = 8
_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_LARGEST_COUNT = 10**15
_LARGEST_VERSION = 2**31 - 1


class KeyLimits(Struct, frozen=True):
    """What a key may use; None: no limit.

    Raises:
        UsageError: A number is out of range.
    """

    rpm: int | None = None
    """Requests a minute."""
    tpm: int | None = None
    """Tokens a minute, of prompts and completions together."""
    tokens_day: int | None = None
    """Tokens a day (UTC)."""
    usd_day: Decimal | None = None
    """What its hosted calls may cost in a day (UTC), in dollars; 0: it has none."""
    usd_month: Decimal | None = None
    """What they may cost in a month (UTC)."""

    def __post_init__(self) -> None:
        for name in ("rpm", "tpm", "tokens_day"):
            count = getattr(self, name)
            if count is not None and not 0 < count <= _LARGEST_COUNT:
                raise UsageError(f"{name} is a number from 1 to {_LARGEST_COUNT}, so it can't be {count}")
        for name in ("usd_day", "usd_month"):
            amount = getattr(self, name)
            if amount is not None and (not amount.is_finite() or not 0 <= amount <= LARGEST_USD):
                raise UsageError(f"{name} is an amount of dollars, so it can't be {amount}")


_UNLIMITED = KeyLimits()


class KeyInfo(Struct, frozen=True):
    """An API key without its secret. ``prefix`` is how that begins, to recognise it by."""

    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created: datetime
    revoked: datetime | None = None
    rpm: int | None = None
    tpm: int | None = None
    tokens_day: int | None = None
    usd_day: Decimal | None = None
    usd_month: Decimal | None = None

    @property
    def limits(self) -> KeyLimits:
        """What it may use."""
        return KeyLimits(self.rpm, self.tpm, self.tokens_day, self.usd_day, self.usd_month)

    @property
    def caps(self) -> Caps:
        """What its hosted calls may cost."""
        return Caps(day_usd=self.usd_day, month_usd=self.usd_month)


INFO = tuple(keys.c[name] for name in KeyInfo.__struct_fields__)
_FIRST_ACTIVE = select(keys.c.name).where(keys.c.revoked.is_(None)).limit(1)


class Keys:
    """The keys of one database. Safe to share between threads.

    Args:
        engine: What `open_database` gave.
        now: The clock, for the times of creation and revocation.
    """

    def __init__(self, engine: Engine, *, now: Clock = utc_now) -> None:
        self._engine = engine
        self._now = now

    @property
    def engine(self) -> Engine:
        """Their database, for a `KeyRing`."""
        return self._engine

    def create(
        self, name: str, *, scopes: Sequence[Scope] = ("infer",), limits: KeyLimits = _UNLIMITED
    ) -> tuple[KeyInfo, Secret]:
        """Make a key. The secret is given here and never again.

        Raises:
            UsageError: The name is taken (a revoked key keeps its name), or isn't one; or no scope is given.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} can't name a key: a name holds letters, digits, '.', '_' and '-'",
                hint="isthmus key create my-laptop",
            )
        if not scopes or not set(scopes) <= set(get_args(Scope)):
            raise UsageError(f"a key's scopes are some of {', '.join(get_args(Scope))}")
        secret = _MARK + secrets.token_urlsafe(32)
        info = KeyInfo(
            name,
            secret[:PREFIX_LENGTH],
            tuple(dict.fromkeys(scopes)),
            self._now(),
            **msgspec.structs.asdict(limits),
        )
        values = {**msgspec.structs.asdict(info), "sha256": digest_of(secret)}
        with writing(self._engine) as connection:
            try:
                connection.execute(insert(keys), values)
            except IntegrityError as error:
                raise UsageError(
                    f"there is, or was, a key named {name}", hint=f"isthmus key create {name}-2"
                ) from error
            _tell_servers(connection)
        return info, Secret(secret)

    def limit(self, name: str, limits: KeyLimits) -> KeyInfo:
        """Set all of a key's limits, from the next request on, in all processes.

        Raises:
            UsageError: No key has that name.
        """
        return self._change("limit", name, keys.c.name == name, **msgspec.structs.asdict(limits))

    def list(self) -> tuple[KeyInfo, ...]:
        """All keys, oldest first, the revoked among them."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*INFO).order_by(keys.c.created, keys.c.name)).mappings()
            return tuple(info_of(row) for row in rows)

    def revoke(self, name: str) -> KeyInfo:
        """End a key, from the next request on, in all processes. Revoking it again changes nothing.

        Raises:
            UsageError: No key has that name.
        """
        mine = (keys.c.name == name) & keys.c.revoked.is_(None)
        return self._change("revoke", name, mine, revoked=self._now())

    def any_active(self) -> bool:
        """Whether there is a key that opens anything."""
        with reading(self._engine) as connection:
            return connection.execute(_FIRST_ACTIVE).first() is not None

    def _change(self, command: str, name: str, which: ColumnElement[bool], **values: Any) -> KeyInfo:
        with writing(self._engine) as connection:
            connection.execute(update(keys).where(which).values(values))
            row = connection.execute(select(*INFO).where(keys.c.name == name)).mappings().one_or_none()
            _tell_servers(connection)
        if row is None:
            near = closest(name, [info.name for info in self.list()])
            raise UsageError(
                f"no key is named {name}",
                hint=f"isthmus key {command} {near}" if near else "isthmus key list",
            )
        return info_of(row)


def _tell_servers(connection: Connection) -> None:
    """Count the change where every `KeyRing` looks; it is part of the transaction."""
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA user_version = {version % _LARGEST_VERSION + 1}")


def digest_of(secret: str) -> str:
    """What the database holds of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def info_of(row: RowMapping) -> KeyInfo:
    """A row of the table, without its digest."""
    values: dict[str, Any] = {name: row[name] for name in KeyInfo.__struct_fields__}
    values["scopes"] = tuple(row["scopes"])
    return KeyInfo(**values)
