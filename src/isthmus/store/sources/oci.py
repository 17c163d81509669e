"""``oci:HOST/REPOSITORY[:TAG][@sha256:...]``: models in container registries.

Docker's model runner, Ollama's registry and ORAS all push GGUF files as layers of an image; what a registry
answers is the OCI distribution specification 1.1. A manifest is held to its hash and names each layer's, so
that whoever trusts the manifest's hash trusts the bytes, wherever the registry redirects to.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from isthmus.errors import DoesNotFit, FetchError, InvalidWeights, UnknownModel
from isthmus.store.sources.base import Offer, OfferedFile, SourceContext, Url
from isthmus.store.sources.layers import (
    DESCRIPTION,
    LICENCES,
    ImageManifest,
    licence_line,
    read_manifest,
)
from isthmus.store.sources.oci_access import Access
from isthmus.store.sources.oci_reference import Reference
from isthmus.store.sources.variants import Choice, RepositoryFile, choose

MANIFEST_LIMIT_BYTES = 4 << 20
"""What the specification has registries accept."""
LICENCE_LIMIT_BYTES = 1 << 20
MAX_INDEXED = 16
"""How many manifests of an index are looked at."""


class OciSource:
    """Models that a container registry has."""

    needs_network = True

    async def resolve(self, reference: str, context: SourceContext) -> Offer:
        """What a reference stands for; see `isthmus.store.sources.base.Source`.

        Raises:
            UsageError: It isn't a registry's reference.
            UnknownModel: There is no such repository or tag, or none for the public; or several models are
                packed together, and none, or more than one, is of the quantization that was asked for.
            DoesNotFit: Several are, and not even the smallest fits.
            InvalidWeights: What is there is no GGUF, or not all of one.
            FetchError: The registry can't be reached, or contradicts itself.
        """
        wanted = Reference.parse(reference)
        registry = _Registry(wanted)
        manifest, digest = await registry.model_manifest()
        choice = _chosen(manifest, context, wanted)
        notes = manifest.annotations or {}
        left_out = f"without {_listed(manifest.left_out)}" if manifest.left_out else ""
        return Offer(
            source=str(msgspec.structs.replace(wanted, digest=digest)),
            name=wanted.name,
            weights=tuple(registry.offered(file) for file in choice.variant.files),
            projector=registry.offered(manifest.projector) if manifest.projector else None,
            licence=notes.get(LICENCES) or await registry.licence(manifest),
            description=licence_line(notes.get(DESCRIPTION, "")),
            choice=", ".join(filter(None, (choice.why, left_out))) or None,
            statements=tuple(registry.offered(file) for file in manifest.statements),
            contents=manifest.contents,
        )


class _Registry:
    """What one repository of a registry has."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._access = Access(reference)

    async def model_manifest(self) -> tuple[ImageManifest, str]:
        """The manifest of the model, and the SHA-256 of what the reference names: that manifest or an index.

        Raises:
            UnknownModel: The registry hasn't any, or doesn't show it.
            InvalidWeights: It is of something else.
            FetchError: As `resolve` says.
        """
        reference = self._reference
        manifest, digest = await self._manifest(reference.selector)
        if not manifest.manifests:
            return manifest, digest
        for entry in manifest.manifests[:MAX_INDEXED]:
            packed, _ = await self._manifest(entry.digest)
            if packed.models():
                return packed, digest
        raise InvalidWeights(f"none of the images that {reference} lists holds GGUF weights")

    async def licence(self, manifest: ImageManifest) -> str | None:
        """The name of the licence that is packed with the weights; None where none is, or it can't be had."""
        layer = manifest.licence_layer
        if layer is None or layer.size > LICENCE_LIMIT_BYTES:
            return None
        try:
            text = (await self._access.get(f"blobs/{layer.digest}", layer.size)).body
        except (FetchError, UnknownModel):
            return None
        return licence_line(text.decode(errors="replace")) if _sha256(text) == layer.sha256 else None

    def offered(self, file: RepositoryFile) -> OfferedFile:
        """A layer as a file to be fetched."""
        return OfferedFile(
            label=file.path, size_bytes=file.size_bytes, sha256=file.sha256, way=self._way(file)
        )

    def _way(self, file: RepositoryFile) -> Url:
        async def renew() -> Url:
            await self._access.get(f"manifests/{self._reference.selector}", MANIFEST_LIMIT_BYTES, anew=True)
            return self._way(file)

        bearer = self._access.bearer
        url = self._access.url(f"blobs/sha256:{file.sha256}")
        # Tokens are for minutes, and large weights take longer.
        return Url(url=url, bearer=bearer, renew=renew if bearer else None)

    async def _manifest(self, name: str) -> tuple[ImageManifest, str]:
        """A manifest by tag or hash, and its SHA-256, checked wherever somebody has said it."""
        answer = await self._access.get(f"manifests/{name}", MANIFEST_LIMIT_BYTES)
        digest = _sha256(answer.body)
        said = name if name.startswith("sha256:") else answer.headers.get("Docker-Content-Digest", "")
        if said.startswith("sha256:") and said != f"sha256:{digest}":
            raise FetchError(f"it sends a manifest with the hash {digest[:12]}..., not {said[7:19]}...")
        try:
            return read_manifest(answer.body), digest
        except ValueError as error:
            raise FetchError(f"its manifest makes no sense: {error}") from error


def _chosen(manifest: ImageManifest, context: SourceContext, reference: Reference) -> Choice:
    """The one model of a manifest, or of several the one that was asked for, or else fits."""
    models = manifest.models()
    if not models:
        kinds = {layer.media_type or layer.title for layer in manifest.layers}
        raise InvalidWeights(f"{reference} holds no whole GGUF model, only {_listed(kinds) or 'nothing'}")
    if len(models) == 1:
        return Choice(models[0])
    try:
        return choose(models, context.quant, context.fits, str(reference))
    except (UnknownModel, DoesNotFit) as error:
        hint = f"isthmus pull {reference} --quant {models[0].quant}" if models[0].quant else None
        raise type(error)(error.message, hint=hint) from error


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(filter(None, words)))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
