"""``https://host/file.gguf``: one file of a web server; ``http:`` on this machine alone.

A server gives no hash, so what it names the file by (a strong ETag, or the date of its last change) has to
say whether an unfinished download may go on; where it gives neither, the file is fetched in one go.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from yarl import URL

from isthmus.errors import FetchError, UsageError
from isthmus.settings import is_loopback, without_credentials
from isthmus.store import web
from isthmus.store.sources.base import Offer, OfferedFile, SourceContext, Url


class HttpsSource:
    """Any web server."""

    needs_network = True

    async def resolve(self, reference: str, context: SourceContext) -> Offer:
        """The file at an address: its length and version are asked for by its first byte."""
        address = _checked(reference, context)
        async with (
            web.open_session() as session,
            web.get(session, reference, headers={"Range": "bytes=0-0"}) as response,
        ):
            if response.status not in (200, 206):
                raise web.refused(response.status, response.reason)
            size_bytes = _length(response.status, response.headers)
            validator = _validator(response.headers)
        name = PurePosixPath(address.path).name
        return Offer(
            source=reference,
            name=re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE),
            weights=(
                OfferedFile(
                    label=name,
                    size_bytes=size_bytes,
                    version=validator,
                    way=Url(url=reference, validator=validator),
                ),
            ),
        )


def _checked(reference: str, context: SourceContext) -> URL:
    try:
        address = URL(reference)
    except ValueError as error:
        raise UsageError(f"{without_credentials(reference)} is not an address") from error
    if not address.host or not PurePosixPath(address.path).name:
        raise UsageError(f"{reference} is not the address of a file", hint="https://HOST/FILE.gguf")
    if address.user or address.password:
        raise UsageError(
            f"{without_credentials(reference)} holds a password, which would be written down with the model",
            hint="fetch the file another way, then: isthmus pull ./FILE.gguf",
        )
    if address.scheme == "http" and not is_loopback(address.host):
        raise UsageError(
            f"{reference} is not encrypted, so anyone on the way could change the bytes",
            hint=f"isthmus pull https{reference.removeprefix('http')}",
        )
    if context.quant:
        raise UsageError(f"--quant is for repositories, and {reference} is one file")
    return address


def _length(status: int, headers: Mapping[str, str]) -> int:
    """The length of the whole file."""
    if status == 206:
        match = re.fullmatch(r"bytes 0-0/(\d{1,18})", headers.get("Content-Range", ""), re.ASCII)
        length = match[1] if match else ""
    else:
        length = headers.get("Content-Length", "")
    if not re.fullmatch(r"0*[1-9]\d{0,17}", length, re.ASCII):
        raise FetchError("it doesn't say how long the file is")
    return int(length)


def _validator(headers: Mapping[str, str]) -> str | None:
    """What ``If-Range`` can hold the server to: weak tags are for bytes that are merely alike."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified") or None
