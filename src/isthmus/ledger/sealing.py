"""Sealed copies of what left: encrypted for a key whose secret half this machine needn't hold.

Hybrid public key encryption as RFC 9180 has it (base mode; X25519, HKDF-SHA256, ChaCha20-Poly1305). Each copy
is bound to its question and to the digest that the question's row holds, so none can stand for another.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import Connection, Engine, insert, select

from isthmus.errors import LedgerError, NotFound, SettingsError
from isthmus.ledger.database import reading
from isthmus.ledger.schema import sealed
from isthmus.settings import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_MARK = "x25519:"
_INFO = b"isthmus sealed copy v1"


class SealedCopy(Struct, frozen=True):
    """A body that left, as it is kept."""

    id: int
    question_id: str
    at: datetime
    digest: str
    """SHA-256 of the body, in hex."""
    recipient: str
    """The public key that it was sealed for."""
    data: bytes


class Sealer:
    """Seals for one public key.

    Args:
        recipient: The key as `new_key` gives it, ``x25519:`` and 43 characters.

    Raises:
        SettingsError: It isn't one.
    """

    def __init__(self, recipient: str) -> None:
        # Loading this takes longer than a short question, and few people seal.
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        self.recipient = recipient
        try:
            raw = urlsafe_b64decode(recipient.removeprefix(_MARK) + "=")
            self._key = X25519PublicKey.from_public_bytes(raw)
        except (ValueError, binascii.Error) as error:
            raise SettingsError(
                "handoff.sealing_key isn't a public key", hint="isthmus handoff keygen prints one"
            ) from error
        self._suite = _suite()

    def seal(self, body: bytes, question_id: str) -> tuple[str, bytes]:
        """A body's digest, and what can be kept of it; some 100 us, and 1 ms a megabyte."""
        digest = sha256(body).hexdigest()
        return digest, self._suite.encrypt(body, self._key, info=_info(question_id, digest))


def new_key(passphrase: Secret | None = None) -> tuple[Secret, str]:
    """Make a pair: the secret key as a PEM file's text (PKCS #8), and the public one for the settings.

    Args:
        passphrase: Encrypts the secret key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    secret = X25519PrivateKey.generate()
    locked = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.reveal().encode())
    )
    pem = secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    return Secret(pem.decode()), _public(secret)


class Unsealer:
    """Opens what was sealed for one key.

    Args:
        pem: The secret key as `new_key` gave it.
        passphrase: What it is encrypted with, if it is.

    Raises:
        LedgerError: It isn't such a key, or the passphrase isn't its own.
    """

    def __init__(self, pem: Secret, passphrase: Secret | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        locked = None if passphrase is None else passphrase.reveal().encode()
        try:
            key = load_pem_private_key(pem.reveal().encode(), locked)
        except (ValueError, TypeError) as error:  # TypeError: a passphrase is missing, or there is none
            raise LedgerError(f"the secret key can't be read: {error}".rstrip(".")) from error
        if not isinstance(key, X25519PrivateKey):
            raise LedgerError("that key isn't one of isthmus handoff keygen")
        self._key = key
        self.recipient = _public(key)

    def unseal(self, copy: SealedCopy) -> bytes:
        """The very bytes that left.

        Raises:
            LedgerError: The copy is another key's, or was changed.
        """
        from cryptography.exceptions import InvalidTag

        if copy.recipient != self.recipient:
            raise LedgerError(f"this copy is sealed for another key: {copy.recipient}")
        try:
            info = _info(copy.question_id, copy.digest)
            body = _suite().decrypt(copy.data, self._key, info=info)
        except (InvalidTag, ValueError) as error:
            raise LedgerError(f"the sealed copy of question {copy.question_id} was changed") from error
        if sha256(body).hexdigest() != copy.digest:
            raise LedgerError(f"the sealed copy of question {copy.question_id} isn't what its digest says")
        return body


def keep(
    connection: Connection, sealer: Sealer, question_id: str, at: datetime, bodies: tuple[bytes, ...]
) -> None:
    """Write the sealed copies of a question's bodies."""
    for body in bodies:
        digest, data = sealer.seal(body, question_id)
        row: dict[str, Any] = {"question_id": question_id, "at": at, "digest": digest}
        connection.execute(insert(sealed), {**row, "recipient": sealer.recipient, "data": data})


def copies_of(engine: Engine, question_id: str) -> list[SealedCopy]:
    """A question's sealed copies, in the order in which they left.

    Raises:
        NotFound: None is kept.
    """
    mine = select(sealed).where(sealed.c.question_id == question_id).order_by(sealed.c.id)
    with reading(engine) as connection:
        found = [SealedCopy(**row) for row in connection.execute(mine).mappings()]
    if not found:
        raise NotFound(
            f"no sealed copy of question {question_id} is kept",
            hint='set handoff.keep_sent = "sealed" to keep those of questions to come',
        )
    return found


def _suite() -> Any:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _info(question_id: str, digest: str) -> bytes:
    return b"\0".join((_INFO, question_id.encode(), digest.encode()))


def _public(secret: "X25519PrivateKey") -> str:
    return _MARK + urlsafe_b64encode(secret.public_key().public_bytes_raw()).decode().rstrip("=")
