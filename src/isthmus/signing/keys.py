"""Keys that sign releases: ECDSA on P-256 and P-384, and Ed25519, from PEM and OpenSSH files.

Those that an ssh-agent holds are in `isthmus.signing.agent`.

A key's id is the SHA-256 of its public half as PEM text, which is how OpenSSF Model Signing names keys too:
``openssl pkey -in KEY.pem -pubout | sha256sum`` prints it.

`cryptography` takes longer to load than a short question takes to answer, so it is loaded by those who sign
and verify.
"""

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast, get_args

from isthmus.errors import SigningError, StorageError
from isthmus.settings import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    Private: TypeAlias = EllipticCurvePrivateKey | Ed25519PrivateKey
    Public: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey

Algorithm = Literal["ecdsa-p256", "ecdsa-p384", "ed25519"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
_CURVES: dict[str, Algorithm] = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_MAX_KEY_FILE_BYTES = 64 << 10


class SigningKey(Protocol):
    """What makes signatures, wherever its secret half is: in a file, or in an agent."""

    @property
    def public(self) -> "PublicKey":
        """The half that checks them."""
        ...

    def sign(self, content: bytes) -> bytes:
        """A signature over the content: ASN.1 DER for ECDSA, 64 bytes for Ed25519."""
        ...


class PublicKey:
    """What checks signatures.

    Args:
        key: As `cryptography` has it.

    Raises:
        SigningError: It is of a kind that isn't used here.
    """

    def __init__(self, key: "Public") -> None:
        self._key = key
        self.algorithm: Algorithm = _algorithm(key)

    @cached_property
    def pem(self) -> str:
        """The key as PEM text (SubjectPublicKeyInfo)."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    @cached_property
    def openssh(self) -> str:
        """The key as OpenSSH has it, on one line."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")

    @cached_property
    def id(self) -> str:
        """The SHA-256 of ``pem``, in hex."""
        return hashlib.sha256(self.pem.encode("ascii")).hexdigest()

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Whether the signature is this key's, over exactly this content."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, content)
            else:
                self._key.verify(signature, content, _ecdsa(self.algorithm))
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PublicKey({self.algorithm}, {self.id[:12]})"


class PrivateKey:
    """A `SigningKey` whose secret half is here; it shows its public half only.

    Args:
        key: As `cryptography` has it.

    Raises:
        SigningError: It is of a kind that isn't used here.
    """

    def __init__(self, key: "Private") -> None:
        self._key = _supported(key)
        self.public = PublicKey(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """A signature over the content."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(content)
        return self._key.sign(content, _ecdsa(self.public.algorithm))

    def to_pem(self, passphrase: Secret | None = None) -> Secret:
        """The key as PEM text (PKCS #8), encrypted where there is a passphrase."""
        from cryptography.hazmat.primitives import serialization

        locked = (
            serialization.NoEncryption()
            if passphrase is None
            else serialization.BestAvailableEncryption(passphrase.reveal().encode())
        )
        pem = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
        return Secret(pem.decode("ascii"))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.algorithm}, {self.public.id[:12]})"


def generate_key(algorithm: Algorithm = "ecdsa-p256") -> PrivateKey:
    """Make a new key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    match algorithm:
        case "ecdsa-p256":
            return PrivateKey(ec.generate_private_key(ec.SECP256R1()))
        case "ecdsa-p384":
            return PrivateKey(ec.generate_private_key(ec.SECP384R1()))
        case "ed25519":
            return PrivateKey(ed25519.Ed25519PrivateKey.generate())


# ---------------------------------------------------------------- files


def read_private_key(path: Path, passphrase: Secret | None = None) -> PrivateKey:
    """The secret key in a file: PEM (PKCS #8, SEC 1) or OpenSSH's own format.

    Raises:
        SigningError: It can't be read, others can read it, the passphrase isn't its own, or it is of a kind
            that isn't used here.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    content = _read(path)
    _require_private(path)
    load = load_ssh_private_key if b"BEGIN OPENSSH" in content else load_pem_private_key
    try:
        key = load(content, None if passphrase is None else passphrase.reveal().encode())
    except TypeError as error:  # a passphrase is missing, or there is none
        asked = "has no passphrase" if passphrase else "needs its passphrase"
        raise SigningError(f"the key {path} {asked}", hint="--passphrase asks for it") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(
            f"{path} can't be read as a secret key, or that isn't its passphrase",
            hint="isthmus gate keygen makes one",
        ) from error
    return PrivateKey(cast("Private", key))


def read_public_key(source: Path | str) -> PublicKey:
    """A public key: a file's path, or its text (PEM, or OpenSSH's one line).

    Raises:
        SigningError: It can't be read, or is of a kind that isn't used here.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

    content = _read(source) if isinstance(source, Path) else source.encode()
    name = str(source) if isinstance(source, Path) else "the text"
    if b"PRIVATE KEY" in content:
        raise SigningError(
            f"{name} holds a secret key where a public one belongs",
            hint=f"openssl pkey -in {name} -pubout" if isinstance(source, Path) else None,
        )
    load = load_ssh_public_key if content.startswith((b"ssh-", b"ecdsa-")) else load_pem_public_key
    try:
        return PublicKey(cast("Public", load(content)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"{name} can't be read as a public key") from error


def write_private_key(path: Path, key: PrivateKey, passphrase: Secret | None = None) -> None:
    """Write a secret key to a new file that nobody else can read.

    Raises:
        StorageError: The file exists, or can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.to_pem(passphrase).reveal())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StorageError(f"{path} can't be written: {why}") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_FILE_BYTES)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SigningError(f"the key {path} can't be read: {why}") from error


def is_public_key(path: Path) -> bool:
    """Whether a file holds a public key, so that somebody else holds the secret one."""
    content = _read(path)
    return b"PUBLIC KEY" in content or content.startswith((b"ssh-", b"ecdsa-"))


def _require_private(path: Path) -> None:
    """Refuse a secret key that other people of the machine can read, as ssh does."""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise SigningError(f"others can read the secret key {path}", hint=f"chmod 600 {path}")


# ---------------------------------------------------------------- kinds


def _supported(key: "Private") -> "Private":
    """A secret key of a kind that signs; X25519's, for one, can't.

    Raises:
        SigningError: It isn't.
    """
    if not hasattr(key, "sign"):
        raise SigningError("that key can't sign", hint=f"use {', '.join(ALGORITHMS)}")
    return key


def _algorithm(key: object) -> Algorithm:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if isinstance(key, Ed25519PublicKey):
        return "ed25519"
    curve = key.curve.name if isinstance(key, EllipticCurvePublicKey) else None
    if curve not in _CURVES:
        kind = curve or type(key).__name__
        raise SigningError(f"keys of the kind {kind} aren't used here", hint=f"use {', '.join(ALGORITHMS)}")
    return _CURVES[curve]


def _ecdsa(algorithm: Algorithm) -> "ECDSA":
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.ECDSA(hashes.SHA384() if algorithm == "ecdsa-p384" else hashes.SHA256())
