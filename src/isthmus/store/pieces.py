"""The files that make up one model: a file by itself, or all the pieces of a split one, and a projector."""

import os
from pathlib import Path

import msgspec

from isthmus.errors import InvalidWeights
from isthmus.store.gguf import GgufHeader, open_weights, parse_projector, read_headers, split_siblings
from isthmus.store.manifest import StoredModel
from isthmus.store.shape import ProjectorShape


def whole_model(path: Path) -> tuple[Path, ...]:
    """All files of the model that ``path`` is, or begins, in order.

    Raises:
        InvalidWeights: ``path`` is a later piece, or a piece isn't beside it.
    """
    files = split_siblings(path)
    if len(files) == 1 or not os.path.lexists(path):
        return (path,)
    if path != files[0]:
        raise InvalidWeights(
            f"{path} is a later one of the {len(files)} files of a split model, which goes by its first",
            hint=f"isthmus pull {files[0]}",
        )
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        verb = "are" if others else "is"
        raise InvalidWeights(
            f"{path} is one of {len(files)} files of a split model, and {missing[0]}{others} {verb} missing",
            hint=f"put all {len(files)} files into {path.parent}",
        )
    return files


def read_model(model: StoredModel | Path) -> GgufHeader:
    """What a model of the store says of itself, with its projector; or one that a person's file is or begins.

    Raises:
        UnknownModel: A file isn't there.
        InvalidWeights: It is not a whole GGUF.
        ModelError: It can't be read.
    """
    if isinstance(model, Path):
        return read_headers(whole_model(model))
    header = read_headers(model.paths)
    projector = read_projector(model.projector_path) if model.projector_path else None
    return with_projector(header, projector)


def read_projector(path: Path) -> ProjectorShape:
    """Read the header of a projector.

    Raises:
        UnknownModel: There is no such file.
        InvalidWeights: It is none.
        ModelError: It can't be read.
    """
    with open_weights(path) as file:
        return parse_projector(file, path)


def with_projector(header: GgufHeader, projector: ProjectorShape | None) -> GgufHeader:
    """What a model says of itself, with the projector that it has."""
    shape = msgspec.structs.replace(header.shape, projector=projector)
    return msgspec.structs.replace(header, shape=shape)


def piece_labels(name: str, count: int) -> list[str]:
    """What to call each file of a model while it is worked on: ``NAME``, or ``NAME (2 of 3)``."""
    return [name] if count == 1 else [f"{name} ({number} of {count})" for number in range(1, count + 1)]
