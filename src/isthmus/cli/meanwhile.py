"""Fetching a model while something else is done.

A fetch that is cut short, by Ctrl-C or by the end of the process, goes on with `isthmus use`.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from isthmus.cli import console
from isthmus.cli.default_model import make_default
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.stopping import stoppable
from isthmus.configuration import Configuration
from isthmus.errors import IsthmusError
from isthmus.messages import Notice, Progress
from isthmus.store import CatalogueEntry, Store, pull


class Meanwhile:
    """A model that is fetched while something else is done; `fetching_meanwhile` makes one.

    ``entry`` None: nothing is fetched, and nothing said.
    """

    def __init__(
        self, entry: CatalogueEntry | None, config: Configuration, tasks: TaskGroup | None = None
    ) -> None:
        self._entry = entry
        self._config = config
        self._tasks = tasks
        self._begun = False
        self._last: Progress | None = None
        self._display: ProgressDisplay | None = None
        self._notices: list[Notice] = []
        self._outcome: IsthmusError | str | None = None
        self._done = anyio.Event()

    def begin(self) -> None:
        """Begin to fetch: the starter is here, and needs the line no more."""
        if self._entry is not None and self._tasks is not None:
            self._begun = True
            self._tasks.start_soon(self._fetch, self._entry)

    @property
    def status(self) -> str:
        """How far it has come, in a few words; nothing where nothing is fetched."""
        if self._entry is None or not self._begun:
            return ""
        if self._outcome is not None:
            whole = isinstance(self._outcome, str)
            return f"{self._entry.name} is here (/model)" if whole else ""
        return f"{self._entry.name}: {self._share()}"

    async def finish(self) -> None:
        """Wait for the rest, shown as it comes; Ctrl-C leaves it for later."""
        if self._entry is None or not self._begun:
            return
        if not self._done.is_set():
            with stoppable(), ProgressDisplay() as self._display:
                console.say(
                    f"Fetching {self._entry.name}, {self._share()} so far; Ctrl-C leaves it for later."
                )
                self._tell_notices()
                await self._done.wait()
            self._display = None
        self._tell_notices()
        match self._outcome:
            case None:
                self.leave()
            case str(name):
                make_default(name)
            case IsthmusError() as error:
                console.note(f"{self._entry.name} isn't here: {error}", error.hint)

    def leave(self) -> None:
        """Say how to go on, where it isn't whole."""
        if self._entry is not None and self._begun and self._outcome is None:
            console.note(f"{self._entry.name}: {self._share()} here", f"isthmus use {self._entry.name}")

    async def _fetch(self, entry: CatalogueEntry) -> None:
        settings = self._config.settings
        try:
            model = await pull(
                entry,
                Store(settings.home_path),
                offline=settings.offline,
                hf_endpoint=settings.hf_endpoint,
                hf_token=self._config.hf_token,
                on_progress=self._show,
                on_notice=self._notices.append,
            )
        except IsthmusError as error:  # said when the answer is over
            self._outcome = error
        else:
            self._outcome = model.name
        self._done.set()

    def _show(self, progress: Progress) -> None:
        self._last = progress
        if self._display is not None:
            self._tell_notices()
            self._display(progress)

    def _tell_notices(self) -> None:
        for notice in self._notices:
            console.note(notice.text, notice.hint)
        self._notices.clear()

    def _share(self) -> str:
        last = self._last
        return f"{last.done / last.total:.0%}" if last and last.total else "0%"


@asynccontextmanager
async def fetching_meanwhile(
    entry: CatalogueEntry | None, config: Configuration
) -> AsyncGenerator[Meanwhile, None]:
    """Fetch a model beside what is done inside, from when `Meanwhile.begin` is called; then finish it."""
    if entry is None:
        yield Meanwhile(None, config)
        return
    async with anyio.create_task_group() as tasks:
        meanwhile = Meanwhile(entry, config, tasks)
        try:
            yield meanwhile
            await meanwhile.finish()
        except BaseException:
            meanwhile.leave()
            raise
        tasks.cancel_scope.cancel()
