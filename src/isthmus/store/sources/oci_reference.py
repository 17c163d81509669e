"""What names a model in a container registry: ``oci:HOST/REPOSITORY[:TAG][@sha256:...]``."""

import re

from msgspec import Struct
from yarl import URL

from isthmus.errors import UsageError
from isthmus.settings import is_loopback

_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry.hub.docker.com"})
_HUB = "registry-1.docker.io"
_REFERENCE = re.compile(
    r"oci:(?P<host>[a-z0-9.-]+(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?)/"
    r"(?P<repository>[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@sha256:(?P<digest>[0-9a-f]{64}))?",
    re.ASCII,
)


class Reference(Struct, frozen=True):
    """A registry's model. ``digest`` is the manifest's SHA-256 as hex; with it, ``tag`` is only a name."""

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read a reference.

        Raises:
            UsageError: It isn't one.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text} doesn't name a registry's model",
                hint="isthmus pull oci:HOST/REPOSITORY:TAG, such as oci:docker.io/ai/smollm2:latest",
            )
        host, repository, tag, digest = match.group("host", "repository", "tag", "digest")
        if not re.search(r"[.:]|^localhost$", host):
            raise UsageError(
                f"{text} doesn't name its registry",
                hint=f"isthmus pull oci:docker.io/{text.removeprefix('oci:')}",
            )
        if host in _HUB_NAMES and "/" not in repository:
            repository = f"library/{repository}"
        return cls(host, repository, tag if tag or digest else "latest", digest)

    @property
    def base(self) -> str:
        """Where the repository's manifests and blobs are: without encryption on this machine alone."""
        host = _HUB if self.host in _HUB_NAMES else self.host
        scheme = "http" if is_loopback(URL(f"//{host}").host or "") else "https"
        return f"{scheme}://{host}/v2/{self.repository}"

    @property
    def selector(self) -> str:
        """What the manifest is asked for by."""
        return f"sha256:{self.digest}" if self.digest else self.tag or "latest"

    @property
    def name(self) -> str:
        """What a model with that reference may be called."""
        last = self.repository.rpartition("/")[2]
        return f"{last}:{self.tag}" if self.tag and self.tag != "latest" else last

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"oci:{self.host}/{self.repository}{tag}" + (f"@sha256:{self.digest}" if self.digest else "")
