"""A release in a container registry: all of its files, its statements among them, as one artifact."""

from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
from msgspec import Struct

from isthmus.errors import FetchError
from isthmus.gate.lifecycle import Seal
from isthmus.store.sources.logins import Login
from isthmus.store.sources.oci_push import DOCUMENTS, SETTINGS, WEIGHTS, PushedFile, push
from isthmus.store.sources.oci_reference import Reference
from isthmus.trust.contents import OnProgress, hash_member
from isthmus.trust.origin import SIGNATURE, ContentFile, Proof
from isthmus.trust.statements import CARD, GATE

_WEIGHTS = frozenset({".gguf", ".safetensors"})
_DOCUMENTS = frozenset({"", ".md", ".txt", ".rst", ".pdf"})


class RegistryTarget(Struct, frozen=True):
    """Where a release is to be pushed, and as whom."""

    reference: Reference
    login: Login | None = None

    def push(
        self, folder: Path, seal: Seal, proof: Proof, at: datetime, on_progress: OnProgress | None
    ) -> str:
        """Push a release that was written to a folder and checked there; gives the manifest's SHA-256.

        Raises:
            StorageError: The tag is there already: no release is ever replaced.
            FetchError: The registry can't be reached, or refuses.
        """
        signature = hash_member(folder, SIGNATURE)
        files = [_pushed(folder, file) for file in (*proof.files, signature)]
        work = partial(
            push,
            self.reference,
            files,
            _config(seal, at),
            _annotations(seal, at),
            login=self.login,
            on_progress=on_progress,
        )
        try:
            return anyio.run(work)
        except FetchError as error:
            raise FetchError(f"{self.reference} could not be published ({error})", hint=error.hint) from error


def _pushed(folder: Path, file: ContentFile) -> PushedFile:
    path = folder / file.name
    return PushedFile(path, file.name, _media_type(file.name), file.sha256, path.stat().st_size)


def _media_type(name: str) -> str:
    ending = PurePosixPath(name).suffix.lower()
    if ending in _WEIGHTS:
        return WEIGHTS
    states = name in (SIGNATURE, CARD) or name.startswith(GATE)
    return DOCUMENTS if states or ending in _DOCUMENTS else SETTINGS


def _config(seal: Seal, at: datetime) -> dict[str, Any]:
    """What ModelPack's configuration says of a model; nothing here relies on it, as nobody signs it."""
    descriptor = {"name": seal.name, "version": seal.version, "vendor": seal.publisher, "createdAt": at}
    formats = sorted({PurePosixPath(file.name).suffix.lower() for file in seal.files} & _WEIGHTS)
    return {
        "descriptor": descriptor,
        "config": {"format": formats[0].removeprefix(".")} if formats else {},
    }


def _annotations(seal: Seal, at: datetime) -> dict[str, str]:
    prefix = "org.opencontainers.image"
    return {
        f"{prefix}.title": seal.name,
        f"{prefix}.version": seal.version,
        f"{prefix}.vendor": seal.publisher,
        f"{prefix}.created": at.isoformat(),
    }
