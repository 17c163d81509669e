"""What is said of which bytes: in-toto statements, version 1.

https://github.com/in-toto/attestation/tree/main/spec/v1
"""

from collections.abc import Iterable
from typing import Any, Self, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from isthmus.errors import SignatureInvalid
from isthmus.signing.dsse import Envelope
from isthmus.signing.keys import PublicKey, SigningKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

P = TypeVar("P")


class ResourceDescriptor(Struct, frozen=True, omit_defaults=True):
    """Some bytes: what they are called, and their digests by algorithm."""

    name: str = ""
    digest: dict[str, str] = {}
    uri: str = ""


class Statement(Struct, frozen=True, rename="camel"):
    """A predicate about subjects. The predicate's JSON is kept as it was signed."""

    subject: tuple[ResourceDescriptor, ...]
    predicate_type: str
    predicate: Raw
    type_: str = field(name="_type", default=STATEMENT_TYPE)

    @classmethod
    def of(cls, subject: Iterable[ResourceDescriptor], predicate_type: str, predicate: Any) -> Self:
        """A statement whose predicate is a Struct or plain values."""
        return cls(tuple(subject), predicate_type, Raw(to_json(predicate)))

    def to_bytes(self) -> bytes:
        """The statement as it is signed: the same values give the same bytes."""
        return to_json(self)

    def sealed(self, *keys: SigningKey) -> Envelope:
        """The statement in an envelope, signed by each of the keys."""
        return Envelope.seal(self.to_bytes(), PAYLOAD_TYPE, *keys)

    def read_as(self, predicate_type: str, shape: type[P]) -> P:
        """The predicate, which must be of that type and shape.

        Raises:
            SignatureInvalid: It isn't.
        """
        if self.predicate_type != predicate_type:
            raise SignatureInvalid(f"it states {self.predicate_type[:80]}, not {predicate_type}")
        try:
            return msgspec.json.decode(self.predicate, type=shape)
        except msgspec.DecodeError as error:
            raise SignatureInvalid(f"its predicate isn't {predicate_type}: {error}") from error


def open_statement(envelope: Envelope, keys: Iterable[PublicKey]) -> tuple[Statement, frozenset[PublicKey]]:
    """The statement in an envelope, and which of the keys have signed it.

    Raises:
        SignatureInvalid: None has, or it holds no statement.
    """
    payload, signers = envelope.open(keys, PAYLOAD_TYPE)
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except msgspec.DecodeError as error:
        raise SignatureInvalid(f"it holds no in-toto statement: {error}") from error
    if statement.type_ != STATEMENT_TYPE:
        raise SignatureInvalid(f"it holds {statement.type_[:80]}, not {STATEMENT_TYPE}")
    return statement, signers


def to_json(value: Any) -> bytes:
    """JSON with its keys sorted and no space, so that the same value gives the same bytes."""
    return msgspec.json.encode(value, order="sorted")
