"""Where consent is given from the command line: at the running server, or, where none runs, right here."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, closing
from typing import Any, Protocol
from urllib.parse import quote

import anyio.to_thread
import msgspec

from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.server_control import as_told
from isthmus.cli.session import show_notice
from isthmus.configuration import Configuration
from isthmus.errors import AlreadyDecided
from isthmus.generator import EventStream, Generator
from isthmus.ledger import Ledger, PendingHandoffs, open_database
from isthmus.messages import Decision, Finish, Route
from isthmus.runtime.approving import Approver, Preview
from isthmus.runtime.assembly import Talk, open_home, open_terms
from isthmus.server import run_file
from isthmus.server.handoff_shapes import (
    Approval,
    PendingItem,
    PendingList,
    PendingPreview,
    item_of,
    preview_of,
)
from isthmus.server.run_file import RunFile
from isthmus.transport.chat_client import ChatClient, UpstreamError

_PATIENCE_S = 600.0
"""Longer than the server's own, whose word is better than none."""


class Desk(Protocol):
    """What waits for consent, and what can be done with it. Errors are those of the error tree."""

    async def waiting(self) -> list[PendingItem]:
        """All that wait, oldest first."""
        ...

    async def look(self, id_: str) -> PendingPreview:
        """What would leave."""
        ...

    def approve(self, shown: PendingPreview) -> EventStream:
        """Send it, if it would still leave as it was shown, and yield the answer."""
        ...

    async def decline(self, id_: str) -> None:
        """Have it never sent."""
        ...


@asynccontextmanager
async def open_desk(config: Configuration) -> AsyncGenerator[Desk, None]:
    """The desk: a server knows the providers' keys, and has their connections open."""
    server = run_file.read(config.settings.run_file)
    if server is not None:
        there = _There(server)
        try:
            yield there
        finally:
            await there.close()
        return
    database = await anyio.to_thread.run_sync(open_database, config.settings.ledger_path)
    try:
        with closing(Ledger(database)) as ledger:
            terms, home = open_terms(config, ledger), _Home(config)
            pending = terms.pending or PendingHandoffs(database)
            try:
                yield _Here(Approver(pending, terms, ledger, home.open))
            finally:
                with anyio.CancelScope(shield=True):
                    await home.close()
                    await terms.close()
    finally:
        database.dispose()


class _Home:
    """The local model, opened only if it has to look for names in what waits."""

    def __init__(self, config: Configuration) -> None:
        self._config = config
        self._opened: Generator | None = None

    async def open(self) -> Generator:
        if self._opened is None:
            with ProgressDisplay() as progress:
                talk = Talk(progress, show_notice)
                self._opened = await open_home(self._config, self._config.settings.model, talk)
        return self._opened

    async def close(self) -> None:
        """Free it."""
        if self._opened is not None:
            await self._opened.close()


class _Here:
    """This process's own."""

    def __init__(self, approver: Approver) -> None:
        self._approver = approver
        self._pending = approver.pending
        self._shown: dict[str, Preview] = {}

    async def waiting(self) -> list[PendingItem]:
        found = await anyio.to_thread.run_sync(self._pending.waiting)
        return [item_of(each, self._pending.hours) for each in found]

    async def look(self, id_: str) -> PendingPreview:
        self._shown[id_] = shown = await self._approver.preview(id_)
        return preview_of(shown, self._pending.hours)

    async def approve(self, shown: PendingPreview) -> EventStream:
        async with aclosing(self._approver.send(self._shown[shown.id])) as events:
            async for event in events:
                yield event

    async def decline(self, id_: str) -> None:
        await anyio.to_thread.run_sync(self._pending.decline, id_)


class _There:
    """The server's."""

    def __init__(self, server: RunFile) -> None:
        address = f"{server.base_url.removesuffix('/v1')}/isthmus/handoff/pending"
        self._client = ChatClient(address, key=server.secret, first_byte_timeout_s=_PATIENCE_S)

    async def close(self) -> None:
        """Give the connection back."""
        await self._client.close()

    async def waiting(self) -> list[PendingItem]:
        return msgspec.convert(await self._get(""), PendingList).pending

    async def look(self, id_: str) -> PendingPreview:
        found = await self._get(f"/{quote(id_, safe='')}")
        if found["status"] != "pending":
            raise AlreadyDecided(f"this hand-over is {found['status']}", hint="isthmus handoff pending")
        return msgspec.convert(found, PendingPreview)

    async def approve(self, shown: PendingPreview) -> EventStream:
        yield Route(Decision("hosted", "consent_given"), shown.model, shown.provider)
        body = msgspec.json.encode(Approval(digest=shown.digest, stream=True))
        try:
            async with aclosing(self._client.stream(body, path=f"/{shown.id}/approve")) as events:
                async for event in events:
                    yield await self._billed(event, shown.id) if isinstance(event, Finish) else event
        except UpstreamError as error:
            raise as_told(error) from error

    async def decline(self, id_: str) -> None:
        try:
            await self._client.post(f"/{quote(id_, safe='')}/decline")
        except UpstreamError as error:
            raise as_told(error) from error

    async def _billed(self, finish: Finish, id_: str) -> Finish:
        """The end of the answer with what it cost, which its stream says in a field of the server's own."""
        if finish.usage is None:
            return finish
        told = msgspec.convert(await self._get(f"/{id_}"), PendingItem)
        return msgspec.structs.replace(finish, cost_usd=told.cost_usd)

    async def _get(self, path: str) -> Any:
        try:
            return await self._client.get(path)
        except UpstreamError as error:
            raise as_told(error) from error
