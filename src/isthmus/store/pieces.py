"""The files that make up one model: a file by itself, or all the pieces of a split one."""

import os
from pathlib import Path

from isthmus.errors import InvalidWeights
from isthmus.store.gguf import split_siblings


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


def piece_labels(name: str, count: int) -> list[str]:
    """What to call each file of a model while it is worked on: ``NAME``, or ``NAME (2 of 3)``."""
    return [name] if count == 1 else [f"{name} ({number} of {count})" for number in range(1, count + 1)]
