"""Pushing files to a container registry, as one artifact that appears whole or not at all.

A file is a layer, as it is, titled with its path: what ``oras pull`` writes back as a folder. The manifest's
types are those of the ModelPack specification (github.com/modelpack/model-spec), so that tools for models
know which layer is what. The tag comes last: until then nobody sees anything.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
from msgspec import Struct
from yarl import URL

from isthmus.errors import FetchError, StorageError, UsageError
from isthmus.messages import Progress
from isthmus.store import web
from isthmus.store.disk import storage_errors
from isthmus.store.sources.layers import FILE_PATH, TITLE
from isthmus.store.sources.logins import Login
from isthmus.store.sources.oci_access import MANIFEST_KINDS, Access
from isthmus.store.sources.oci_reference import Reference

ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHTS = "application/vnd.cncf.model.weight.v1.raw"
SETTINGS = "application/vnd.cncf.model.weight.config.v1.raw"
DOCUMENTS = "application/vnd.cncf.model.doc.v1.raw"

SLOWEST_BYTES_PER_S = 32 << 10
"""An upload that is slower than this has stalled."""
_PATIENCE_S = 60.0
_CHUNK_BYTES = 1 << 20

OnProgress = Callable[[Progress], None]


class PushedFile(Struct, frozen=True):
    """A file to push: where it lies, what it is called in the artifact, its media type, and its bytes."""

    path: Path
    name: str
    media_type: str
    sha256: str
    size_bytes: int


class Blob(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A descriptor of the OCI image specification."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}


def require_tag(text: str) -> Reference:
    """The reference that something is to be pushed to.

    Raises:
        UsageError: It isn't one, names no tag, or a manifest's hash, which nobody can choose.
    """
    reference = Reference.parse(text)
    if reference.digest or not text.endswith(f":{reference.tag}"):
        raise UsageError(
            f"{text} doesn't say which tag is to be pushed",
            hint=f"oci:{reference.host}/{reference.repository}:1.0",
        )
    return reference


async def push(
    reference: Reference,
    files: Sequence[PushedFile],
    config: Mapping[str, Any],
    annotations: Mapping[str, str],
    *,
    login: Login | None,
    on_progress: OnProgress | None = None,
) -> str:
    """Push files as an artifact under a tag that isn't there yet; gives the manifest's SHA-256.

    What the registry has of an earlier try isn't sent again.

    Args:
        reference: With a tag.
        files: In the order of their layers.
        config: The model's configuration, without ``modelfs``, which follows from the files.
        annotations: Of the manifest.
        login: Who pushes; None: anybody.
        on_progress: Told of bytes sent.

    Raises:
        StorageError: The tag is there already, or a file can't be read.
        FetchError: The registry can't be reached, or refuses.
    """
    digests = [f"sha256:{file.sha256}" for file in files]
    body = msgspec.json.encode({**config, "modelfs": {"type": "layers", "diffIds": digests}}, order="sorted")
    layers = [
        Blob(file.media_type, digest, file.size_bytes, {TITLE: file.name, FILE_PATH: file.name})
        for file, digest in zip(files, digests, strict=True)
    ]
    manifest = msgspec.json.encode(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_KINDS[0],
            "artifactType": ARTIFACT_TYPE,
            "config": _blob(body, CONFIG_TYPE),
            "layers": layers,
            "annotations": dict(annotations),
        }
    )
    access = Access(reference, login)
    async with web.open_session() as session:
        pushing = _Push(access, session, sum(file.size_bytes for file in files), on_progress)
        await pushing.require_free()
        for file in files:
            await pushing.file(file)
        await pushing.blob(_blob(body, CONFIG_TYPE), lambda: body)
        return await pushing.tag(manifest)


class _Push:
    """One push, while it runs."""

    def __init__(
        self, access: Access, session: aiohttp.ClientSession, total_bytes: int, on_progress: OnProgress | None
    ) -> None:
        self._access = access
        self._session = session
        self._total_bytes = total_bytes
        self._on_progress = on_progress
        self._before_bytes = 0

    async def require_free(self) -> None:
        answer = await self._send("HEAD", self._tagged, headers={"Accept": ", ".join(MANIFEST_KINDS)})
        if answer.status == 200:
            raise StorageError(
                f"{self._access.reference} is there already",
                hint="a release is never replaced: name another tag",
            )
        if answer.status not in (401, 403, 404):
            raise web.refused(answer.status, answer.reason)

    async def file(self, file: PushedFile) -> None:
        blob = Blob(file.media_type, f"sha256:{file.sha256}", file.size_bytes)
        await self.blob(blob, lambda: self._read(file.path))
        self._before_bytes += file.size_bytes
        self._tell(0)

    async def blob(self, blob: Blob, content: Callable[[], AsyncGenerator[bytes] | bytes]) -> None:
        """Have the registry hold some bytes. It refuses those whose hash isn't what was said."""
        if (await self._send("HEAD", self._access.url(f"blobs/{blob.digest}"))).status == 200:
            return
        begun = await self._send("POST", self._access.url("blobs/uploads/"))
        if begun.status != 202:
            raise web.refused(begun.status, begun.reason, f"docker login {self._access.reference.host}")
        place = str(_upload_address(begun).update_query({"digest": blob.digest}))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        with anyio.move_on_after(_PATIENCE_S + blob.size / SLOWEST_BYTES_PER_S) as waiting:
            answer = await self._send("PUT", place, headers=headers, body=content)
            if answer.status != 201:
                raise web.refused(answer.status, answer.reason)
        if waiting.cancelled_caught:
            raise FetchError("it takes in next to nothing")

    async def tag(self, manifest: bytes) -> str:
        digest = hashlib.sha256(manifest).hexdigest()
        headers = {"Content-Type": MANIFEST_KINDS[0]}
        answer = await self._send("PUT", self._tagged, headers=headers, body=lambda: manifest)
        if answer.status != 201:
            raise web.refused(answer.status, answer.reason)
        if (said := answer.headers.get("Docker-Content-Digest")) not in (None, f"sha256:{digest}"):
            raise FetchError(f"it holds another manifest than it was sent: {said}")
        return digest

    @property
    def _tagged(self) -> str:
        return self._access.url(f"manifests/{self._access.reference.tag}")

    async def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: web.Body = None,
    ) -> web.Answer:
        return await self._access.send(self._session, method, url, headers=headers, body=body)

    async def _read(self, path: Path) -> AsyncGenerator[bytes]:
        done = 0
        with storage_errors(path), path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
                done += len(chunk)
                self._tell(done)

    def _tell(self, done_bytes: int) -> None:
        if self._on_progress is not None:
            label = f"pushing {self._access.reference.name}"
            self._on_progress(Progress(label, self._before_bytes + done_bytes, self._total_bytes))


def _blob(content: bytes, media_type: str) -> Blob:
    return Blob(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def _upload_address(begun: web.Answer) -> URL:
    """Where a blob's bytes are to be sent, as the registry said, if they may be sent there."""
    asked, location = URL(begun.url), begun.headers.get("Location", "")
    try:
        place = web.check_address(asked.join(URL(location, encoded=True)))
    except ValueError as error:
        raise FetchError("it says of no place where bytes can be sent") from error
    if not location or (asked.scheme == "https" and place.scheme != "https"):
        raise FetchError("it wants the bytes to be sent unencrypted, or nowhere")
    return place
