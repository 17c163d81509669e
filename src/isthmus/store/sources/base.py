"""What a source of weights is, and the nouns that it speaks in.

A source turns a reference (``oci:ghcr.io/org/model:7b``) into an `Offer`: which files the model is made of,
how long they are, what is known of their bytes, and how each is reached. It fetches no weights: resumable,
parallel, checked transfer is the same for all of them and lies elsewhere. To add a source, write a class
with a no-argument constructor that meets `Source`, and register it under its scheme:

    [project.entry-points."isthmus.sources"]
    oci = "isthmus.store.sources.oci:OciSource"

The module of a source is imported when its scheme is first used, so it may import what is slow.

A request of a source's own (a listing, a manifest, a token) goes through `isthmus.store.web`, which bounds
its time and size, follows redirects by rule, and never shows a token to a host it isn't meant for.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from isthmus.settings import Secret, is_loopback
from isthmus.store.catalogue import Wheels

File = TypeVar("File")

Fits: TypeAlias = Callable[[int], bool]
"""Whether weights of so many bytes can be run here."""


def anything_fits(size_bytes: int) -> bool:
    """Says yes to every size: for those who have no machine to fit."""
    return size_bytes >= 0


def origin(url: str) -> str:
    """Scheme, host and port of an address: what a token is given to. 127.0.0.1 is not localhost here."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


class Bearer(Struct, frozen=True):
    """A token, and the one `origin` that may see it: no redirect takes it anywhere else."""

    origin: str
    token: Secret

    @classmethod
    def of(cls, url: str, token: Secret) -> "Bearer":
        """A token for the server that ``url`` is of."""
        return cls(origin(url), token)

    def headers(self, url: str) -> dict[str, str]:
        """The header to send with a request for ``url``: none, where that is another server's."""
        return {"Authorization": f"Bearer {self.token.reveal()}"} if origin(url) == self.origin else {}


class Credential(Protocol):
    """What lets a person in somewhere, and who may see it: a `Bearer`, a login."""

    def headers(self, url: str) -> dict[str, str]:
        """The header to send with a request for ``url``: none, where that may not see it."""
        ...


# ---------------------------------------------------------------- how a file is reached


class Url(Struct, frozen=True, kw_only=True):
    """A file that a web server sends. It is fetched in ranges where the server has them.

    ``validator`` is a strong ETag or a date that the server gave for the file: with it, a file that changes
    between two requests is noticed. ``denied_hint`` is what to type where the server answers 401 or 403.
    ``renew``, where tokens are short-lived, gives the same way with a fresh one.
    """

    url: str
    bearer: Bearer | None = None
    validator: str | None = None
    denied_hint: str | None = None
    renew: Callable[[], Awaitable["Url"]] | None = None


class WheelMember(Struct, frozen=True):
    """A member of a wheel that has been fetched into the context's workshop."""

    wheel: Path
    member: str


class LocalFile(Struct, frozen=True):
    """A file of this machine, which is linked or copied, and never changed."""

    path: Path


Way: TypeAlias = Url | Wheels | WheelMember | LocalFile
"""How a file is reached; `Wheels` are those of the catalogue that hold a file in pieces."""


# ---------------------------------------------------------------- what is offered


class OfferedFile(Struct, frozen=True, kw_only=True):
    """One file of a model.

    Args:
        label: What the source calls it: for people, and never a path.
        size_bytes: Its length; a file of any other length is refused.
        way: How it is reached.
        sha256: Its hash in lower-case hex, where the source knows it beforehand. Then the bytes are held
            to it, and an unfinished download may be finished from anywhere.
        version: Where there is no hash: what changes whenever the bytes do (a strong ETag, a commit), so
            that an unfinished download goes on only with the same file. Without both it starts over.
    """

    label: str
    size_bytes: int
    way: Way
    sha256: str | None = None
    version: str | None = None


class Offer(Struct, frozen=True, kw_only=True):
    """A model that a source has.

    Args:
        source: The reference that gets the very same model again, written into its manifest.
        name: What to call it, where the person doesn't say; made into a valid name by whoever uses it.
        weights: The files of the weights in order: one, or all pieces of a split model.
        projector: What makes the model see, if it does.
        licence: The licence's name, where the source knows it.
        description: A line about the model, where there is one.
        choice: Which of several was chosen and why, in words for the person; None if there was no choice.
        statements: What its release states of itself, by the names that they have in the release.
        contents: Each file that lies beside the weights, they included: its name in the release and its
            SHA-256. None where the source can't say, or says it of other models too.
    """

    source: str
    name: str
    weights: tuple[OfferedFile, ...]
    projector: OfferedFile | None = None
    licence: str | None = None
    description: str | None = None
    choice: str | None = None
    statements: tuple[OfferedFile, ...] = ()
    contents: tuple[tuple[str, str], ...] | None = None

    @property
    def files(self) -> tuple[OfferedFile, ...]:
        """All files: the weights, then the projector."""
        return (*self.weights, *((self.projector,) if self.projector else ()))

    @property
    def size_bytes(self) -> int:
        """The length of all files together."""
        return sum(file.size_bytes for file in self.files)

    def apart(self, files: Sequence[File]) -> tuple[Sequence[File], File | None]:
        """Of what stands for each of the files: what stands for the weights, and for the projector."""
        count = len(self.weights)
        return files[:count], files[count] if self.projector else None


class SourceContext(Struct, frozen=True, kw_only=True):
    """What a source may need to know.

    Args:
        workshop: A folder of this pull alone, on the store's disk, removed after it. It may not exist yet.
        hf_endpoint: Where Hugging Face, or a mirror of it, answers.
        hf_token: The person's token for it.
        quant: The quantization that the person asked for beside the reference (``--quant``).
        fits: Which sizes can be run here, for a source that has several to choose from.
        on_bytes: Told how many bytes have come, by a source that must fetch in order to resolve.
    """

    workshop: Path
    hf_endpoint: str = "https://huggingface.co"
    hf_token: Secret | None = None
    quant: str | None = None
    fits: Fits = anything_fits
    on_bytes: Callable[[int], None] = lambda done_bytes: None

    @property
    def hf_bearer(self) -> Bearer | None:
        """The token for Hugging Face, if there is one and it wouldn't travel unencrypted."""
        try:
            parts = urlsplit(self.hf_endpoint)
            safe = parts.scheme == "https" or is_loopback(parts.hostname or "")
            return Bearer.of(self.hf_endpoint, self.hf_token) if self.hf_token and safe else None
        except ValueError:  # no address, as whoever asks it will say
            return None


class Source(Protocol):
    """A place that has models."""

    needs_network: bool
    """Whether it is of no use offline. One that needs the network is never asked while that is off limits."""

    async def resolve(self, reference: str, context: SourceContext) -> Offer:
        """What a reference stands for.

        Args:
            reference: All of it, with its scheme: ``oci:ghcr.io/org/model:7b``.
            context: What the source may need to know.

        Raises:
            UsageError: The reference isn't one of this source's.
            UnknownModel: There is no such model, or no such variant; the message or hint lists those on
                offer.
            FetchError: The source can't be reached, refuses, or says something that makes no sense. The
                message says so in few words.
        """
        ...
