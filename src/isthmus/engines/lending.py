"""The files that a parent lends to its worker: open, verified, and under names that llama.cpp can load.

A worker inherits the open files themselves, so it loads the bytes that were verified and no others, even if
a path is swapped meanwhile. llama.cpp finds the further pieces of a split model by the name of its first, so
for them there is a private folder of links, as long as the model loads.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from isthmus.trust import VerifiedModel


class LentFiles(Struct, frozen=True):
    """Paths as a worker sees them, and the file descriptors that it must inherit for them to lead anywhere.

    Of a split model, ``model`` has a path for each piece. ``draft`` and ``projector`` are empty where there
    is none.
    """

    model: list[str]
    projector: str
    draft: str
    adapters: list[str]
    fds: tuple[int, ...]


@contextmanager
def lent_files(model: VerifiedModel, draft: VerifiedModel | None = None) -> Generator[LentFiles, None, None]:
    """What a worker loads, for as long as it does.

    Args:
        model: The weights, with their adapters.
        draft: Those of the draft model, if there is one.
    """
    with ExitStack() as opened:
        draft_paths = _loadable(draft, opened) if draft is not None else [""]
        projector = model.projector
        yield LentFiles(
            model=_loadable(model, opened),
            projector=_in_child(projector.file.fileno(), projector.path) if projector else "",
            draft=draft_paths[0],
            adapters=[_in_child(each.file.fileno(), each.path) for each in model.adapters],
            fds=(
                *model.fds,
                *(draft.fds if draft else ()),
                *((projector.file.fileno(),) if projector else ()),
                *(each.file.fileno() for each in model.adapters),
            ),
        )


def _loadable(model: VerifiedModel, opened: ExitStack) -> list[str]:
    """The paths to load a model from; those of a split one are links, named as llama.cpp looks for them."""
    targets = [_in_child(fd, path) for fd, path in zip(model.fds, model.paths, strict=True)]
    if len(targets) == 1:
        return targets
    folder = Path(opened.enter_context(TemporaryDirectory(prefix="isthmus-")))
    links = [folder / f"model-{number:05}-of-{len(targets):05}.gguf" for number in range(1, len(targets) + 1)]
    for link, target in zip(links, targets, strict=True):
        link.symlink_to(target)
    return [str(link) for link in links]


def _in_child(fd: int, path: Path) -> str:
    """An open file as a child sees it. Where there is no /proc, only its path is left."""
    return f"/proc/self/fd/{fd}" if Path("/proc/self/fd").is_dir() else str(path)
