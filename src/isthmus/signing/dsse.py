"""Envelopes of signed content: DSSE, the Dead Simple Signing Envelope, version 1.0.

What is signed is the pre-authentication encoding (PAE) of the content and of its type, so that bytes that
were signed as one thing can't be shown as another. https://github.com/secure-systems-lab/dsse
"""

from collections.abc import Iterable
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from isthmus.errors import SignatureInvalid
from isthmus.signing.keys import PublicKey, SigningKey

MAX_SIGNATURES = 64
"""More than any release has reviewers: each costs a check."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: lengths, type and content, so that no two pairs look the same."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


class Signature(Struct, frozen=True):
    """One signature; ``keyid`` is a hint that nothing vouches for."""

    sig: bytes
    keyid: str = ""

    @classmethod
    def by(cls, key: SigningKey, payload_type: str, payload: bytes) -> Self:
        """The key's signature over the content."""
        return cls(key.sign(pae(payload_type, payload)), key.public.id)


class Envelope(Struct, frozen=True, rename="camel"):
    """Content, its type, and any number of signatures over the two."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...] = ()

    @classmethod
    def seal(cls, payload: bytes, payload_type: str, *keys: SigningKey) -> Self:
        """The content, signed by each of the keys."""
        return cls(payload, payload_type, tuple(Signature.by(key, payload_type, payload) for key in keys))

    def also_signed(self, *signatures: Signature) -> Self:
        """The same content with further signatures."""
        return replace(self, signatures=(*self.signatures, *signatures))

    def open(self, keys: Iterable[PublicKey], payload_type: str) -> tuple[bytes, frozenset[PublicKey]]:
        """The content, and which of the keys have signed it: at least one, and each counts once.

        A signature by a key that isn't among them proves nothing, and is passed over.

        Raises:
            SignatureInvalid: None of the keys has, or the content is of another type.
        """
        if self.payload_type != payload_type:
            raise SignatureInvalid(f"it holds {self.payload_type[:80]}, not {payload_type}")
        if len(self.signatures) > MAX_SIGNATURES:
            raise SignatureInvalid(f"it has {len(self.signatures):,} signatures, more than {MAX_SIGNATURES}")
        signed, known = pae(self.payload_type, self.payload), tuple(keys)
        found = frozenset(
            key
            for each in self.signatures
            for key in known
            if each.keyid in ("", key.id) and key.verifies(each.sig, signed)
        )
        if not found:
            raise SignatureInvalid("none of its signatures is by a key that is trusted here")
        return self.payload, found
