"""The keys in force, as a server checks them at each request."""

import hmac
from typing import Any

from sqlalchemy import Engine, select

from isthmus.ledger.database import explained, reading
from isthmus.ledger.keys import INFO, PREFIX_LENGTH, SECRET, KeyInfo, digest_of, info_of
from isthmus.ledger.schema import keys

_ACTIVE = select(*INFO, keys.c.sha256).where(keys.c.revoked.is_(None))


class KeyRing:
    """The keys in force, held ready for a server that checks one at each request.

    Whether they have changed, in whatever process, is asked at each use. It costs a few microseconds: SQLite
    tells a connection that somebody else has written (``data_version``), and only then is it asked whether
    that was about keys (``user_version``). Not to be shared between threads.

    Args:
        engine: What `open_database` gave.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ring: dict[str, list[tuple[str, KeyInfo]]] = {}
        self._seen: tuple[int, int] | None = None
        with explained(engine):
            self._connection = engine.raw_connection()
            self._driver: Any = self._connection.driver_connection
            self._connection.detach()

    @property
    def empty(self) -> bool:
        """Whether nobody has a key."""
        self._look()
        return not self._ring

    def find(self, secret: str) -> KeyInfo | None:
        """The key that a secret belongs to; None if it is unknown or revoked."""
        if not SECRET.fullmatch(secret):
            return None
        self._look()
        digest, found = digest_of(secret), None
        # The prefix is public (`isthmus key list` shows it), so only the comparison of what follows must take
        # the same time whatever the secret is; and it compares digests, which nobody can choose byte by byte.
        for each, info in self._ring.get(secret[:PREFIX_LENGTH], ()):
            if hmac.compare_digest(each, digest):
                found = info
        return found

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _look(self) -> None:
        written = self._ask("PRAGMA data_version")
        if self._seen is not None and self._seen[0] == written:
            return
        version = self._ask("PRAGMA user_version")
        if self._seen is None or self._seen[1] != version:
            self._read()
        self._seen = written, version

    def _ask(self, pragma: str) -> int:
        with explained(self._engine):
            return self._driver.execute(pragma).fetchone()[0]

    def _read(self) -> None:
        ring: dict[str, list[tuple[str, KeyInfo]]] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(_ACTIVE).mappings():
                info = info_of(row)
                ring.setdefault(info.prefix, []).append((row["sha256"], info))
        self._ring = ring  # only now: a ring that could not be read mustn't look empty
