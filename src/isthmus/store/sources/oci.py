"""``oci:HOST/REPOSITORY[:TAG][@sha256:...]``: models in container registries.

Docker's model runner, Ollama's registry and ORAS all push GGUF files as layers of an image; what a registry
answers is the OCI distribution specification 1.1. A manifest is held to its hash and names each layer's, so
that whoever trusts the manifest's hash trusts the bytes, wherever the registry redirects to.
"""

import hashlib
import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct
from yarl import URL

from isthmus.errors import DoesNotFit, FetchError, InvalidWeights, UnknownModel, UsageError
from isthmus.settings import Secret, is_loopback
from isthmus.store import web
from isthmus.store.sources.base import Bearer, Offer, OfferedFile, SourceContext, Url
from isthmus.store.sources.layers import (
    DESCRIPTION,
    LICENCES,
    ImageManifest,
    licence_line,
    read_manifest,
)
from isthmus.store.sources.variants import Choice, RepositoryFile, choose

MANIFEST_LIMIT_BYTES = 4 << 20
"""What the specification has registries accept."""
LICENCE_LIMIT_BYTES = 1 << 20
MAX_INDEXED = 16
"""How many manifests of an index are looked at."""

_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry.hub.docker.com"})
_HUB = "registry-1.docker.io"
_MANIFEST_KINDS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_REFERENCE = re.compile(
    r"oci:(?P<host>[a-z0-9.-]+(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?)/"
    r"(?P<repository>[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@sha256:(?P<digest>[0-9a-f]{64}))?",
    re.ASCII,
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Reference(Struct, frozen=True):
    """A registry's model. ``digest`` is the manifest's SHA-256 as hex; with it, ``tag`` is only a name."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read a reference.

        Raises:
            UsageError: It isn't one.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text} doesn't name a registry's model",
                hint="isthmus pull oci:HOST/REPOSITORY:TAG, such as oci:docker.io/ai/smollm2:latest",
            )
        host, repository, tag, digest = match.group("host", "repository", "tag", "digest")
        if not re.search(r"[.:]|^localhost$", host):
            raise UsageError(
                f"{text} doesn't name its registry",
                hint=f"isthmus pull oci:docker.io/{text.removeprefix('oci:')}",
            )
        if host in _HUB_NAMES and "/" not in repository:
            repository = f"library/{repository}"
        return cls(host, repository, tag if tag or digest else "latest", digest)

    @property
    def base(self) -> str:
        """Where the repository's manifests and blobs are: without encryption on this machine alone."""
        host = _HUB if self.host in _HUB_NAMES else self.host
        scheme = "http" if is_loopback(URL(f"//{host}").host or "") else "https"
        return f"{scheme}://{host}/v2/{self.repository}"

    @property
    def name(self) -> str:
        """What a model with that reference may be called."""
        last = self.repository.rpartition("/")[2]
        return f"{last}:{self.tag}" if self.tag and self.tag != "latest" else last

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"oci:{self.host}/{self.repository}{tag}" + (f"@sha256:{self.digest}" if self.digest else "")


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
        )


class _Registry:
    """One repository of a registry, and the token that it gave us."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._bearer: Bearer | None = None

    @property
    def _wanted(self) -> str:
        """What the manifest is asked for by."""
        digest, tag = self._reference.digest, self._reference.tag
        return f"sha256:{digest}" if digest else tag or "latest"

    async def model_manifest(self) -> tuple[ImageManifest, str]:
        """The manifest of the model, and the SHA-256 of what the reference names: that manifest or an index.

        Raises:
            UnknownModel: The registry hasn't any, or doesn't show it.
            InvalidWeights: It is of something else.
            FetchError: As `resolve` says.
        """
        reference = self._reference
        manifest, digest = await self._manifest(self._wanted)
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
            text = (await self._get(f"blobs/{layer.digest}", layer.size)).body
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
            await self._get(f"manifests/{self._wanted}", MANIFEST_LIMIT_BYTES, anew=True)
            return self._way(file)

        url = self._url(f"blobs/sha256:{file.sha256}")
        # Tokens are for minutes, and large weights take longer.
        return Url(url=url, bearer=self._bearer, renew=renew if self._bearer else None)

    async def _manifest(self, name: str) -> tuple[ImageManifest, str]:
        """A manifest by tag or hash, and its SHA-256, checked wherever somebody has said it."""
        answer = await self._get(f"manifests/{name}", MANIFEST_LIMIT_BYTES)
        digest = _sha256(answer.body)
        said = name if name.startswith("sha256:") else answer.headers.get("Docker-Content-Digest", "")
        if said.startswith("sha256:") and said != f"sha256:{digest}":
            raise FetchError(f"it sends a manifest with the hash {digest[:12]}..., not {said[7:19]}...")
        try:
            return read_manifest(answer.body), digest
        except ValueError as error:
            raise FetchError(f"its manifest makes no sense: {error}") from error

    async def _get(self, path: str, limit_bytes: int, *, anew: bool = False) -> web.Answer:
        """Something short of the repository, with a token if the registry wants one; ``anew``: a new one."""
        if anew:
            self._bearer = None
        answer = await self._ask(path, limit_bytes)
        if answer.status == 401 and self._bearer is None:
            self._bearer = await self._token(answer.headers.get("WWW-Authenticate", ""))
            answer = await self._ask(path, limit_bytes)
        if answer.status == 404:
            raise UnknownModel(f"the registry has no {self._reference}", hint="isthmus search")
        if answer.status in (401, 403):
            raise UnknownModel(
                f"the registry shows no {self._reference} to the public", hint="isthmus search"
            )
        if answer.status != 200:
            raise web.refused(answer.status, answer.reason)
        return answer

    async def _ask(self, path: str, limit_bytes: int) -> web.Answer:
        return await web.ask(
            self._url(path),
            bearer=self._bearer,
            headers={"Accept": ", ".join(_MANIFEST_KINDS)},
            limit_bytes=limit_bytes,
        )

    def _url(self, path: str) -> str:
        return f"{self._reference.base}/{path}"

    async def _token(self, challenge: str) -> Bearer:
        """A token such as anybody gets, from the server that the registry's challenge names."""
        scheme, _, rest = challenge.partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        realm = _realm(parameters.get("realm", ""))
        if scheme.lower() != "bearer" or realm is None:
            raise FetchError("it wants a password, and Isthmus reads public repositories only")
        scope = parameters.get("scope") or f"repository:{self._reference.repository}:pull"
        query = {"service": parameters.get("service", ""), "scope": scope}
        answer = await web.ask(str(realm.update_query({key: value for key, value in query.items() if value})))
        if answer.status != 200:
            raise web.refused(answer.status, answer.reason)
        try:
            given = msgspec.json.decode(answer.body, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FetchError("what gives its tokens gives none") from error
        return Bearer.of(self._reference.base, Secret(given.token or given.access_token))


class _Token(Struct, frozen=True):
    """What a token server answers; either name will do."""

    token: str = ""
    access_token: str = ""


def _realm(address: str) -> URL | None:
    """The address that gives tokens, if it may be asked: encrypted, or on this machine."""
    try:
        url = URL(address)
    except ValueError:
        return None
    allowed = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host or ""))
    return url if allowed and url.host else None


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
