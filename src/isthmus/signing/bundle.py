"""A signed envelope as OpenSSF Model Signing keeps it: a Sigstore bundle with the key's id, and no log.

https://docs.sigstore.dev/about/bundle/, version 0.3, as `model_signing` 1.x reads and writes it.
"""

from typing import Self

import msgspec
from msgspec import Struct

from isthmus.errors import SignatureInvalid
from isthmus.signing.dsse import Envelope
from isthmus.signing.keys import PublicKey, SigningKey
from isthmus.signing.statement import Statement

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class KeyHint(Struct, frozen=True):
    """Which key has signed: its id, for which nothing vouches."""

    hint: str = ""


class VerificationMaterial(Struct, frozen=True, rename="camel"):
    """What Sigstore would prove the key by; here it is pinned, and only named."""

    public_key: KeyHint = KeyHint()
    tlog_entries: tuple[msgspec.Raw, ...] = ()


class Bundle(Struct, frozen=True, rename="camel"):
    """An envelope, and whose it is."""

    media_type: str
    verification_material: VerificationMaterial
    dsse_envelope: Envelope

    @classmethod
    def of(cls, statement: Statement, key: SigningKey) -> Self:
        """A statement, signed by one key.

        Raises:
            SignatureInvalid: Model Signing knows no such keys.
        """
        require_nist(key.public)
        return cls(MEDIA_TYPE, VerificationMaterial(KeyHint(key.public.id)), statement.sealed(key))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """A bundle's file.

        Raises:
            SignatureInvalid: It is something else.
        """
        try:
            bundle = msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise SignatureInvalid(f"it is no signature bundle: {error}") from error
        if bundle.media_type != MEDIA_TYPE:
            raise SignatureInvalid(f"it is {bundle.media_type[:80]}, not {MEDIA_TYPE}")
        return bundle

    def to_bytes(self) -> bytes:
        """The bundle's file."""
        return msgspec.json.encode(self)


def require_nist(key: PublicKey) -> None:
    """Make sure that Model Signing's own tool can check what a key signs.

    Raises:
        SignatureInvalid: It can't: it knows ECDSA on NIST's curves only.
    """
    if key.algorithm == "ed25519":
        raise SignatureInvalid(
            "a release is signed by an ECDSA key, and this one is Ed25519, which is for people's records",
            hint="isthmus gate keygen PUBLISHER.pem --algorithm ecdsa-p256",
        )
