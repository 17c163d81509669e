"""The smallest words of a policy: names, digests, and files that are named by path and SHA-256."""

import hashlib
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from isthmus.errors import PolicyInvalid

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Pinned(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the policy depends on, by its digest."""

    path: Annotated[str, Meta(description="Where it lies, from the policy's folder.", min_length=1)]
    sha256: Annotated[Digest, Meta(description="Its SHA-256: another file in its place is refused.")]


def read_pinned(pinned: Pinned, folder: Path, what: str) -> bytes:
    """A file that the policy names by its digest.

    Args:
        pinned: The file.
        folder: The policy's, from which paths count.
        what: What errors call it.

    Raises:
        PolicyInvalid: It can't be read, or is another.
    """
    try:
        content = (folder / pinned.path).read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise PolicyInvalid(f"{what}, {pinned.path}, can't be read: {why}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != pinned.sha256:
        raise PolicyInvalid(
            f"{what}, {pinned.path}, isn't the file that the policy names", hint=f'sha256 = "{digest}"'
        )
    return content
