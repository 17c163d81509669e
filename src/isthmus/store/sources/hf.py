"""``hf:org/repo[:QUANT]`` and ``hf:org/repo/FILE.gguf``: models in repositories of Hugging Face.

The listing comes through huggingface_hub, with each file's length and SHA-256; the files themselves are
fetched as from any web server, of the very commit that was listed. A model that sees comes with its
projector (mmproj-*.gguf), where the repository has it, and a release with what it states: model.sig, gate/.
"""

import re
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec
from huggingface_hub import HfApi, ModelInfo
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage] - of httpx or httpx2, whichever the Hub's client uses
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id
from msgspec import Struct

from isthmus.errors import FetchError, IsthmusError, UnknownModel, UsageError
from isthmus.store import web
from isthmus.store.releases import SIGNATURE, is_statement
from isthmus.store.sources.base import Bearer, Offer, OfferedFile, SourceContext, Url
from isthmus.store.sources.variants import (
    Choice,
    RepositoryFile,
    Variant,
    choose,
    projector_of,
    variants,
)

LISTING_TIMEOUT_S = 10.0
LISTING_ATTEMPTS = 3
_REFERENCE = re.compile(
    r"hf:(?P<repository>[^/:\s]+/[^/:\s]+)(?:/(?P<file>[^:]+\.gguf)|:(?P<quant>[^/:\s]+))?", re.IGNORECASE
)


class HuggingFaceSource:
    """Hugging Face, or a mirror that speaks as it does."""

    needs_network = True

    async def resolve(self, reference: str, context: SourceContext) -> Offer:
        """The repository's model of a quantization, of a file, or the best that fits."""
        wanted = _parse(reference, context.quant)
        hub = _Hub(context.hf_endpoint.rstrip("/"), context.hf_bearer, wanted.repository)
        listed = await hub.list()
        offered = variants(listed.files)
        if not offered:
            raise UnknownModel(
                f"{wanted.repository} holds no GGUF file", hint=f"look at {hub.endpoint}/{wanted.repository}"
            )
        if wanted.file:
            choice = Choice(_with_file(offered, wanted.file, wanted.repository))
        else:
            choice = choose(offered, wanted.quant, context.fits, f"hf:{wanted.repository}")
        return hub.offer(listed, choice)


class _Wanted(Struct, frozen=True):
    """A parsed reference."""

    repository: str
    file: str | None
    quant: str | None


def _parse(reference: str, quant: str | None) -> _Wanted:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            f"{reference} doesn't name a repository of Hugging Face, or a GGUF file in one",
            hint="isthmus pull hf:ORG/REPOSITORY:Q4_K_M",
        )
    try:
        validate_repo_id(match["repository"])
    except HFValidationError as error:
        raise UsageError(f"{match['repository']} can't be the name of a repository") from error
    if quant and (match["file"] or (match["quant"] and match["quant"].lower() != quant.lower())):
        raise UsageError(f"{reference} and --quant {quant} ask for two different things")
    return _Wanted(match["repository"], match["file"], match["quant"] or quant)


def _with_file(offered: list[Variant], path: str, repository: str) -> Variant:
    for variant in offered:
        if any(file.path == path for file in variant.files):
            return variant
    known = ", ".join(variant.files[0].path for variant in offered)
    raise UnknownModel(
        f"hf:{repository} has no {path}; on offer are {known}",
        hint=f"isthmus pull hf:{repository}/{offered[0].files[0].path}",
    )


# ---------------------------------------------------------------- the listing


class _Listing(Struct, frozen=True):
    """What a repository holds at one commit."""

    commit: str
    files: list[RepositoryFile]
    statements: list[RepositoryFile]
    licence: str | None


class _Hub:
    """One repository, as one person sees it."""

    def __init__(self, endpoint: str, bearer: Bearer | None, repository: str) -> None:
        self.endpoint = endpoint
        self._bearer = bearer
        self._repository = repository

    async def list(self) -> _Listing:
        """The repository's files.

        Raises:
            UnknownModel: There is no such repository, as far as this person may know.
            FetchError: The Hub can't be reached, refuses, or makes no sense.
        """
        web.check_address(self.endpoint)
        for attempt in range(1, LISTING_ATTEMPTS + 1):
            try:
                info = await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True)
            except HfHubHTTPError as error:
                pause_s = web.retry_pause_s(error.response.status_code, error.response.headers)
                if pause_s is None or attempt == LISTING_ATTEMPTS:
                    raise self._refusal(error) from error
                await anyio.sleep(pause_s)
            except OfflineModeIsEnabled as error:
                raise FetchError("HF_HUB_OFFLINE forbids it", hint="unset HF_HUB_OFFLINE") from error
            except HTTPError as error:
                raise FetchError(_in_few_words(error)) from error
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise FetchError("its listing makes no sense") from error
            else:
                return _read_listing(info)
        raise AssertionError("the last attempt returns or raises")

    def offer(self, listed: _Listing, choice: Choice) -> Offer:
        """What a repository offers, once it is known which of its models to take."""
        variant = choice.variant
        projector = projector_of(variant, listed.files)
        chosen = variant.quant or variant.files[0].path
        return Offer(
            source=f"hf:{self._repository}{variant.selector}",
            name=_name(self._repository, variant),
            weights=tuple(self._offered(file, listed.commit) for file in variant.files),
            projector=self._offered(projector, listed.commit) if projector else None,
            licence=listed.licence,
            choice=f"{chosen} of {self._repository}: {choice.why}" if choice.why else None,
            statements=tuple(self._offered(file, listed.commit) for file in listed.statements),
        )

    def _offered(self, file: RepositoryFile, commit: str) -> OfferedFile:
        return OfferedFile(
            label=file.path,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            version=commit,
            way=Url(
                url=f"{self.endpoint}/{self._repository}/resolve/{commit}/{quote(file.path)}",
                bearer=self._bearer,
                denied_hint=self._denied_hint,
            ),
        )

    def _ask(self) -> ModelInfo:
        # False: no token that huggingface_hub may find by itself, as settings say where ours comes from.
        api = HfApi(endpoint=self.endpoint, token=self._bearer.token.reveal() if self._bearer else False)
        return api.model_info(self._repository, files_metadata=True, timeout=LISTING_TIMEOUT_S)

    def _refusal(self, error: HfHubHTTPError) -> IsthmusError:
        status = error.response.status_code
        if status == 404 or (status == 401 and isinstance(error, RepositoryNotFoundError)):
            return UnknownModel(
                f"there is no repository {self._repository} at {self.endpoint}, or it is a private one",
                hint=None if self._bearer else "for a private one: export HF_TOKEN=...",
            )
        return web.refused(status, error.response.reason_phrase, self._denied_hint)

    @property
    def _denied_hint(self) -> str:
        page = f"{self.endpoint}/{self._repository}"
        if self._bearer:
            return f"accept its terms at {page}, or use a token that may read it"
        return f"accept its terms at {page}, then: export HF_TOKEN=..."


def _read_listing(info: ModelInfo) -> _Listing:
    """The part of a listing that counts, checked: it may come from anywhere."""
    try:
        files = [
            msgspec.convert(
                {
                    "path": file.rfilename,
                    "size_bytes": file.size,
                    "sha256": file.lfs.sha256 if file.lfs else None,
                },
                RepositoryFile,
            )
            for file in info.siblings or []
            if file.rfilename.lower().endswith(".gguf") or is_statement(file.rfilename)
        ]
    except (msgspec.ValidationError, AttributeError) as error:
        raise FetchError("its listing makes no sense") from error
    if not re.fullmatch(r"[0-9a-f]{40,64}", info.sha or ""):
        raise FetchError("its listing doesn't say of which commit it is")
    statements = [file for file in files if is_statement(file.path)]
    signed = SIGNATURE in {file.path for file in statements}
    models = [file for file in files if not is_statement(file.path)]
    return _Listing(str(info.sha), models, statements if signed else [], _licence(info))


def _licence(info: ModelInfo) -> str | None:
    tags = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    return tags[0] if tags else None


def _name(repository: str, variant: Variant) -> str:
    """``org/Qwen3-8B-GGUF`` and Q4_K_M are ``qwen3-8b:q4_k_m``."""
    family = re.sub(r"[-_.]gguf$", "", repository.partition("/")[2], flags=re.IGNORECASE)
    return f"{family}:{variant.quant}" if variant.quant else family


def _in_few_words(error: HTTPError) -> str:
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).rstrip(".").lower()
    return reason or type(error).__name__
