"""Keys, signatures, and the envelopes they travel in: DSSE, in-toto statements, Sigstore bundles."""

from isthmus.signing.bundle import Bundle
from isthmus.signing.dsse import Envelope, Signature, pae
from isthmus.signing.keys import (
    PrivateKey,
    PublicKey,
    SigningKey,
    generate_key,
    read_private_key,
    read_public_key,
)
from isthmus.signing.statement import STATEMENT_TYPE, ResourceDescriptor, Statement

__all__ = [
    "STATEMENT_TYPE",
    "Bundle",
    "Envelope",
    "PrivateKey",
    "PublicKey",
    "ResourceDescriptor",
    "Signature",
    "SigningKey",
    "Statement",
    "generate_key",
    "pae",
    "read_private_key",
    "read_public_key",
]
