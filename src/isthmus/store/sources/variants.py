"""The models that a repository holds: which files belong together, and which of them to take."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from isthmus.errors import DoesNotFit, UnknownModel
from isthmus.store.manifest import Digest
from isthmus.store.sources.base import Fits

PREFERRED = "Q4_K_M"
"""The quantization to take where none is asked for: the field's balance of size and quality."""

_QUANT = re.compile(
    r"(?<![A-Z0-9])(?:UD-)?(?:I?Q[1-9]_[A-Z0-9_]+|TQ[12]_0|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4)(?![A-Z0-9])"
)
_PIECE = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.ASCII | re.IGNORECASE)
_NO_MODEL = re.compile(r"(?:^|[-_./])(?:mmproj|imatrix)", re.IGNORECASE)
"""What stands in a repository beside the models: projectors of images, and how quantizations were made."""
_PROJECTOR = re.compile(r"(?:^|[-_./])mmproj.*\.gguf$", re.IGNORECASE)
_PROJECTOR_FORMATS = ("F16", "BF16", "Q8_0", "F32")
"""Those that projectors come in, the best first: half the size of F32, and no worse."""


class RepositoryFile(Struct, frozen=True):
    """A file of a repository: ``path`` in it, and its SHA-256 where the repository gives one."""

    path: str
    size_bytes: Annotated[int, Meta(ge=1)]
    sha256: Digest | None = None


class Variant(Struct, frozen=True):
    """A model of a repository: its files in order, and its quantization as far as their names say it."""

    quant: str | None
    files: tuple[RepositoryFile, ...]

    @property
    def size_bytes(self) -> int:
        """The length of all its files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def selector(self) -> str:
        """What is written behind the repository to name it: ``:Q4_K_M`` or ``/file.gguf``."""
        return f":{self.quant}" if self.quant else f"/{self.files[0].path}"


class Choice(Struct, frozen=True):
    """The variant that was taken, and why, in words; None where there was nothing to choose."""

    variant: Variant
    why: str | None = None


def variants(files: Iterable[RepositoryFile]) -> list[Variant]:
    """The models among a repository's files, the smallest first; a split one needs all its pieces."""
    groups: dict[tuple[str, int], list[tuple[int, RepositoryFile]]] = {}
    for file in files:
        if not file.path.lower().endswith(".gguf") or _NO_MODEL.search(file.path):
            continue
        piece = _PIECE.fullmatch(file.path)
        stem, number, count = (
            (piece["stem"], int(piece["number"]), int(piece["count"])) if piece else (file.path[:-5], 1, 1)
        )
        groups.setdefault((stem, count), []).append((number, file))
    found = [
        Variant(quant_of(stem), tuple(file for _, file in sorted(pieces, key=lambda piece: piece[0])))
        for (stem, count), pieces in groups.items()
        if sorted(number for number, _ in pieces) == list(range(1, count + 1))
    ]
    return sorted(found, key=lambda variant: (variant.size_bytes, variant.selector))


def projector_of(variant: Variant, files: Iterable[RepositoryFile]) -> RepositoryFile | None:
    """The projector that belongs to a model of a repository; None where it has none.

    One beside the model's own files comes before one of another folder, F16 before other formats.
    """

    def rank(file: RepositoryFile) -> tuple[bool, int, int]:
        quant = quant_of(file.path) or ""
        known = quant in _PROJECTOR_FORMATS
        place = _PROJECTOR_FORMATS.index(quant) if known else len(_PROJECTOR_FORMATS)
        return _folder(file) != _folder(variant.files[0]), place, file.size_bytes

    return min((file for file in files if is_projector(file.path)), key=rank, default=None)


def is_projector(path: str) -> bool:
    """Whether a file is a projector, by its name."""
    return _PROJECTOR.search(path) is not None


def _folder(file: RepositoryFile) -> str:
    return file.path.rpartition("/")[0]


def quant_of(path: str) -> str | None:
    """The quantization that a file's name says it is of, or else its folder's, in capitals."""
    for part in reversed(path.upper().split("/")):
        if found := _QUANT.findall(part):
            return found[-1]
    return None


def choose(offered: Sequence[Variant], wanted: str | None, fits: Fits, repository: str) -> Choice:
    """The variant of a quantization, or, where none is asked for, the best that fits.

    Args:
        offered: The repository's models; at least one.
        wanted: A quantization in any case; "latest" asks for none.
        fits: Which sizes can be run here.
        repository: Its reference, for what errors say.

    Raises:
        UnknownModel: There is none of that quantization, or several models are.
        DoesNotFit: None was asked for, and not even the smallest fits.
    """
    if wanted and wanted.lower() != "latest":
        variant = _only(
            [each for each in offered if each.quant == wanted.upper()], wanted, offered, repository
        )
        return Choice(
            variant, None if fits(variant.size_bytes) else "it is larger than what this machine runs"
        )
    if len(offered) == 1:
        return Choice(offered[0])
    fitting = [each for each in offered if fits(each.size_bytes)]
    if not fitting:
        smallest = offered[0]
        raise DoesNotFit(
            f"none of the {len(offered)} models in {repository} can run on this machine: "
            f"the smallest takes {smallest.size_bytes:,} bytes",
            hint=f"isthmus pull {repository}{smallest.selector} fetches it all the same",
        )
    if preferred := [each for each in fitting if each.quant == PREFERRED]:
        return Choice(
            _only(preferred, PREFERRED, offered, repository), "the usual balance of size and quality"
        )
    return Choice(fitting[-1], f"the largest of {len(offered)} that fits this machine")


def _only(found: Sequence[Variant], wanted: str, offered: Sequence[Variant], repository: str) -> Variant:
    """The one variant that was found."""
    if len(found) == 1:
        return found[0]
    if found:
        files = ", ".join(each.files[0].path for each in found)
        raise UnknownModel(
            f"{repository} has {len(found)} models of {wanted.upper()}: {files}",
            hint=f"isthmus pull {repository}/{found[0].files[0].path}",
        )
    known = ", ".join(dict.fromkeys(each.quant or each.files[0].path for each in offered))
    raise UnknownModel(
        f"{repository} has no {wanted}; on offer are {known}",
        hint=f"isthmus pull {repository}{offered[0].selector}",
    )
