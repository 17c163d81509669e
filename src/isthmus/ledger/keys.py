"""The API keys of this server: made, listed, revoked, and checked at each request.

A secret is ``isk-`` and 43 characters, 256 random bits, shown once. The database holds its SHA-256.
A slow, salted hash (bcrypt, Argon2) makes guessing a *password* dear, because people choose passwords from
few. Nobody guesses 256 random bits at any speed, no two secrets are alike, and a request needn't wait.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, RowMapping, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from isthmus.errors import UsageError
from isthmus.ledger.clock import Clock, utc_now
from isthmus.ledger.database import explained, reading, writing
from isthmus.ledger.schema import keys
from isthmus.naming import closest
from isthmus.settings import Secret

Scope: TypeAlias = Literal["infer", "manage"]

_MARK = "isk-"
_SECRET = re.compile(rf"{_MARK}[A-Za-z0-9_-]{{43}}", re.ASCII)
_PREFIX_LENGTH = 8
_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


class KeyInfo(Struct, frozen=True):
    """An API key without its secret. ``prefix`` is how that begins, to recognise it by."""

    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created: datetime
    revoked: datetime | None = None


_INFO = tuple(keys.c[name] for name in KeyInfo.__struct_fields__)
_ACTIVE_DIGESTS = select(keys.c.sha256).where(keys.c.prefix == bindparam("prefix"), keys.c.revoked.is_(None))
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
        self._active_digests = str(_ACTIVE_DIGESTS.compile(engine))
        self._first_active = str(_FIRST_ACTIVE.compile(engine, compile_kwargs={"literal_binds": True}))
        self._known: dict[str, KeyInfo] = {}

    def create(self, name: str, *, scopes: Sequence[Scope] = ("infer",)) -> tuple[KeyInfo, Secret]:
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
        info = KeyInfo(name, secret[:_PREFIX_LENGTH], tuple(scopes), self._now())
        values = {**msgspec.structs.asdict(info), "sha256": _digest(secret)}
        with writing(self._engine) as connection:
            try:
                connection.execute(insert(keys), values)
            except IntegrityError as error:
                raise UsageError(
                    f"there is, or was, a key named {name}", hint=f"isthmus key create {name}-2"
                ) from error
        return info, Secret(secret)

    def list(self) -> tuple[KeyInfo, ...]:
        """All keys, oldest first, the revoked among them."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*_INFO).order_by(keys.c.created, keys.c.name)).mappings()
            return tuple(_info(row) for row in rows)

    def revoke(self, name: str) -> KeyInfo:
        """End a key, from the next request on, in all processes. Revoking it again changes nothing.

        Raises:
            UsageError: No key has that name.
        """
        mine = keys.c.name == name
        with writing(self._engine) as connection:
            connection.execute(update(keys).where(mine, keys.c.revoked.is_(None)).values(revoked=self._now()))
            row = connection.execute(select(*_INFO).where(mine)).mappings().one_or_none()
        if row is None:
            near = closest(name, [info.name for info in self.list()])
            raise UsageError(
                f"no key is named {name}", hint=f"isthmus key revoke {near}" if near else "isthmus key list"
            )
        return _info(row)

    def verify(self, secret: str) -> KeyInfo | None:
        """The key that a secret belongs to; None if it is unknown or revoked.

        It costs about 25 microseconds, so it can be called from async code as it is.
        """
        if not _SECRET.fullmatch(secret):
            return None
        digest = _digest(secret)
        # The prefix is public (`list` shows it), so only the comparison of what follows must take the same
        # time whatever the secret is; and it compares digests, which a caller can't choose byte by byte.
        matches = [hmac.compare_digest(each, digest) for each in self._active(secret[:_PREFIX_LENGTH])]
        return self._describe(digest) if any(matches) else None

    def any_active(self) -> bool:
        """Whether there is a key that opens anything; as cheap as `verify`."""
        return bool(self._column(self._first_active))

    def _active(self, prefix: str) -> Sequence[str]:
        """The digests of the keys in force that begin so, as the database has them now."""
        return self._column(self._active_digests, prefix)

    def _column(self, query: str, *values: str) -> Sequence[str]:
        """What a query finds, asked of the driver itself: a sixth of the time that a `Connection` takes."""
        with explained(self._engine), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(query, values)
            return [value for (value,) in cursor.fetchall()]

    def _describe(self, digest: str) -> KeyInfo:
        """What the database says of a key in force. But for its revocation, that never changes."""
        if digest not in self._known:
            with reading(self._engine) as connection:
                row = connection.execute(select(*_INFO).where(keys.c.sha256 == digest)).mappings().one()
            self._known[digest] = _info(row)
        return self._known[digest]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _info(row: RowMapping) -> KeyInfo:
    return KeyInfo(row["name"], row["prefix"], tuple(row["scopes"]), row["created"], row["revoked"])
