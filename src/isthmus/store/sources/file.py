"""``file:PATH`` and ``file:///PATH``: a GGUF file of this machine, with the other pieces of a split one."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import anyio.to_thread

from isthmus.errors import UnknownModel, UsageError
from isthmus.settings import is_loopback
from isthmus.store.gguf import open_weights
from isthmus.store.pieces import whole_model
from isthmus.store.sources.base import LocalFile, Offer, OfferedFile, SourceContext


class FileSource:
    """This machine's file systems."""

    needs_network = False

    async def resolve(self, reference: str, context: SourceContext) -> Offer:
        """The file at a path."""
        if context.quant:
            raise UsageError(f"--quant is for repositories, and {reference} is one file")
        return await anyio.to_thread.run_sync(_offer, _path(reference))


def _path(reference: str) -> Path:
    where = reference.removeprefix("file:")
    if not where.startswith("//"):
        path = Path(where)
    elif (host := urlsplit(reference).hostname) and not is_loopback(host):
        raise UsageError(f"{reference} is a file of another machine", hint="file:///PATH")
    else:
        path = Path(unquote(urlsplit(reference).path))
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise UnknownModel(f"there is no file {path}", hint="isthmus list") from error


def _offer(path: Path) -> Offer:
    files = whole_model(path)
    sizes: list[int] = []
    for file in files:
        with open_weights(file) as opened:
            sizes.append(opened.seek(0, 2))
    return Offer(
        source=f"file:{path}",
        name=path.stem,
        weights=tuple(
            OfferedFile(label=file.name, size_bytes=size, way=LocalFile(file.resolve()))
            for file, size in zip(files, sizes, strict=True)
        ),
    )
