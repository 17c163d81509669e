"""Who a person is to a container registry, as ``docker login`` and its like have written it down.

The file's form is Docker's: docs.docker.com/reference/cli/docker/login. Only what stands in it is read; a
password that is kept by a helper program is not asked for.
"""

import base64
import binascii
from pathlib import Path

import msgspec
from msgspec import Struct

from isthmus.errors import SettingsError
from isthmus.settings import Secret, is_loopback
from isthmus.store.sources.base import origin

_HUB = "docker.io"
_HUB_ENTRY = "https://index.docker.io/v1/"
"""What Docker Hub goes by in these files, for old times' sake."""


class Login(Struct, frozen=True):
    """A person's name and password for one registry; ``host`` is the registry's, with its port."""

    host: str
    user: str
    password: Secret

    def headers(self, url: str) -> dict[str, str]:
        """The header that shows them to a server; none for one that isn't the registry's, or unencrypted."""
        if not self.may_see(url):
            return {}
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def may_see(self, url: str) -> bool:
        """Whether a server may see them: the registry's own, or one of its domain that gives its tokens.

        A registry says itself where tokens are given. Were it believed, it could have the password sent
        anywhere; so that must be the registry itself, its parent domain, or a neighbour in that:
        auth.docker.io for registry-1.docker.io.
        """
        scheme, _, rest = origin(url).partition("://")
        asked, ours = rest.rpartition(":")[0], _without_port(self.host)
        if scheme != "https" and not is_loopback(asked):
            return False
        parent = ours.partition(".")[2]
        related = "." in parent and not _is_address(ours) and f".{asked}".endswith(f".{parent}")
        return asked == ours or related


def read_login(file: Path | None, host: str) -> Login | None:
    """The person's login for a registry; None where the file has none.

    Args:
        file: In Docker's form; None where the person has no such file.
        host: The registry, with its port where it has one.

    Raises:
        SettingsError: The file can't be read.
    """
    if file is None:
        return None
    try:
        known = msgspec.json.decode(file.read_bytes(), type=_File).auths
        entry = known.get(host) or known.get(f"https://{host}")
        if host == _HUB:
            entry = entry or known.get(_HUB_ENTRY)
        if entry is None or not entry.auth:
            return None
        user, _, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
    except (OSError, msgspec.DecodeError, binascii.Error, UnicodeDecodeError) as error:
        # The error may quote what it choked on: only its kind is told.
        raise SettingsError(
            f"the logins in {file} can't be read ({type(error).__name__})", hint=f"docker login {host}"
        ) from None
    return Login(host, user, Secret(password))


class _Entry(Struct, frozen=True):
    auth: str = ""


class _File(Struct, frozen=True):
    auths: dict[str, _Entry] = {}


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host


def _is_address(host: str) -> bool:
    return host.startswith("[") or host.replace(".", "").isdigit()
