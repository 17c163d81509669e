"""Requests to one repository of a container registry, and the token that it wants to see with them.

The registry answers 401 and says where tokens are given (distribution.github.io/distribution/spec/auth).
Anybody gets one for what is public; whoever has a login there gets one for what is theirs.
"""

import re
from collections.abc import Mapping

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from isthmus.errors import FetchError, UnknownModel
from isthmus.settings import Secret, is_loopback
from isthmus.store import web
from isthmus.store.sources.base import Bearer
from isthmus.store.sources.logins import Login
from isthmus.store.sources.oci_reference import Reference

MANIFEST_KINDS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Access:
    """One repository of a registry, as one person sees it.

    Args:
        reference: The repository's, and which of its manifests is meant.
        login: Who asks; None: anybody.
    """

    def __init__(self, reference: Reference, login: Login | None = None) -> None:
        self.reference = reference
        self._login = login
        self.credential: Bearer | Login | None = None

    @property
    def bearer(self) -> Bearer | None:
        """The token that the registry gave, if it wanted to see one."""
        return self.credential if isinstance(self.credential, Bearer) else None

    def url(self, path: str) -> str:
        """The address of something of the repository's: ``blobs/sha256:...``."""
        return f"{self.reference.base}/{path}"

    async def get(self, path: str, limit_bytes: int, *, anew: bool = False) -> web.Answer:
        """Something short of the repository, with a token if the registry wants one; ``anew``: a new one.

        Raises:
            UnknownModel: It isn't there, or not for this person.
            FetchError: The registry can't be reached, refuses, or contradicts itself.
        """
        if anew:
            self.credential = None
        answer = await self._ask(path, limit_bytes)
        if answer.status == 401 and self.credential is None:
            await self.authorize(answer)
            answer = await self._ask(path, limit_bytes)
        if answer.status == 404:
            raise UnknownModel(f"the registry has no {self.reference}", hint="isthmus search")
        if answer.status in (401, 403):
            raise UnknownModel(f"the registry shows no {self.reference} to the public", hint="isthmus search")
        if answer.status != 200:
            raise web.refused(answer.status, answer.reason)
        return answer

    async def send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        *,
        body: web.Body = None,
        headers: Mapping[str, str] | None = None,
    ) -> web.Answer:
        """A request that may change the repository: no redirect of it is followed.

        Raises:
            FetchError: The registry can't be reached, or wants a login that isn't there.
        """
        answer = await web.send(session, method, url, credential=self.credential, body=body, headers=headers)
        if answer.status == 401:  # no token yet, or one for less than this
            await self.authorize(answer)
            answer = await web.send(
                session, method, url, credential=self.credential, body=body, headers=headers
            )
        return answer

    async def authorize(self, refusal: web.Answer) -> None:
        """Get what the registry wants to see, from where its refusal says that it is given.

        Raises:
            FetchError: It can't be had.
        """
        scheme, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        realm = _realm(parameters.get("realm", ""))
        if scheme.lower() == "basic" and self._login is not None:
            self.credential = self._login
        elif scheme.lower() == "bearer" and realm is not None:
            self.credential = await self._token(realm, parameters)
        else:
            raise FetchError(
                "it wants a password" if self._login is None else "it knows no such login as is written down",
                hint=f"docker login {self.reference.host}",
            )

    async def _ask(self, path: str, limit_bytes: int) -> web.Answer:
        headers = {"Accept": ", ".join(MANIFEST_KINDS)}
        return await web.ask(
            self.url(path), credential=self.credential, headers=headers, limit_bytes=limit_bytes
        )

    async def _token(self, realm: URL, parameters: Mapping[str, str]) -> Bearer:
        """A token for this repository, from the server that the registry's challenge names."""
        scope = parameters.get("scope") or f"repository:{self.reference.repository}:pull"
        query = {"service": parameters.get("service", ""), "scope": scope}
        url = str(realm.update_query({key: value for key, value in query.items() if value}))
        if self._login is not None and not self._login.may_see(url):
            raise FetchError(
                f"it wants its password to be shown to {realm.host}, which isn't of {self.reference.host}"
            )
        answer = await web.ask(url, credential=self._login)
        if answer.status != 200:
            raise web.refused(answer.status, answer.reason, f"docker login {self.reference.host}")
        try:
            given = msgspec.json.decode(answer.body, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FetchError("what gives its tokens gives none") from error
        return Bearer.of(self.reference.base, Secret(given.token or given.access_token))


class _Token(Struct, frozen=True):
    """What a token server answers; either name will do."""

    token: str = ""
    access_token: str = ""


def _realm(address: str) -> URL | None:
    """The address that gives tokens, if it may be asked: encrypted, or on this machine."""
    try:
        url = URL(address)
    except ValueError:
        return None
    allowed = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host or ""))
    return url if allowed and url.host else None
