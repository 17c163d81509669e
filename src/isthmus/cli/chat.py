"""``isthmus chat``: a conversation, in a terminal or from a pipe."""

import os
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import anyio
import msgspec
import typer

from isthmus import configuration
from isthmus.cli.answering import can_ask
from isthmus.cli.chatting import Chat, lasting_model
from isthmus.cli.conversation import Conversation
from isthmus.cli.first_run import choose
from isthmus.cli.meanwhile import fetching_meanwhile
from isthmus.cli.options import (
    EffortOption,
    HandoffOption,
    HomeOnlyOption,
    MaxTokensOption,
    ModelOption,
    SystemOption,
    TemperatureOption,
    YesOption,
)
from isthmus.cli.running import run
from isthmus.cli.saved import SavedConversations, checked_name
from isthmus.cli.session import open_switchboard
from isthmus.cli.stopping import stoppable
from isthmus.configuration import Configuration
from isthmus.errors import NotFound, UsageError
from isthmus.store import CatalogueEntry

if TYPE_CHECKING:
    from isthmus.cli.prompt import Prompt

_PIECE_BYTES = 2**16
_STATUS_S = 1.0
"""How often the status says anew how far a fetch has come."""


def chat(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The conversation to resume.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Go on with the last conversation, or with NAME.")
    ] = False,
    model: ModelOption = None,
    system: SystemOption = None,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    effort: EffortOption = None,
    handoff: HandoffOption = None,
    home_only: HomeOnlyOption = False,
    yes: YesOption = False,
) -> None:
    """Hold a conversation; /help in it lists its commands.

    Every conversation is saved. Ctrl-C stops an answer, which is kept as far as it was shown, marked as cut.
    Where standard input is no terminal, each of its lines is a question.
    """
    if name is not None and not resume:
        raise UsageError("a conversation's name goes with --resume", hint=f"isthmus chat --resume {name}")
    flags = {
        "model": model,
        "system": system,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "effort": effort,
        "handoff.mode": handoff,
    }
    config = configuration.load(flags=flags)
    saved = SavedConversations(config.settings.home_path / "conversations")
    conversation = Conversation(
        lasting_model(config.settings), config.settings.system, config.settings.effort
    )
    if resume:
        name = checked_name(name) if name else _last(saved)
        before = saved.load(name)
        if model is None:
            config = _with_model(config, before.model)
        conversation = msgspec.structs.replace(
            before,
            model=lasting_model(config.settings),
            system=before.system if system is None else system,
            effort=before.effort if effort is None else conversation.effort,
        )
    if home_only:
        conversation = msgspec.structs.replace(conversation, home_only=True)
    larger = None if yes or resume else choose(config)
    raise typer.Exit(run(_chat(config, saved, conversation, name, larger)))


async def _chat(
    config: Configuration,
    saved: SavedConversations,
    conversation: Conversation,
    name: str | None,
    larger: CatalogueEntry | None,
) -> int:
    attended = can_ask()
    async with (
        fetching_meanwhile(larger, config) as meanwhile,
        open_switchboard(config) as switchboard,
    ):
        meanwhile.begin()
        chat = Chat(switchboard, saved, conversation, name, attended=attended)
        chat.recall()
        if attended:
            from isthmus.cli.prompt import Prompt  # a pipe can do without it

            history = config.settings.home_path / "chat-history"

            def status() -> str:
                return " · ".join(filter(None, (chat.status(), meanwhile.status)))

            refresh_s = _STATUS_S if larger else 0.0
            prompt = Prompt(history, status=status, choices=chat.choices, refresh_s=refresh_s)
            await converse(chat, prompt)
            return 0
        async with aclosing(lines_of(sys.stdin.fileno())) as lines:
            async for line in lines:
                if not await chat.take(line):
                    break
        return chat.exit_code


async def converse(chat: Chat, prompt: "Prompt") -> None:
    """Take what is typed until the person leaves.

    Raises:
        KeyboardInterrupt: They left by Ctrl-C.
    """
    goes_on = True
    while goes_on:
        with stoppable():  # a Ctrl-C that comes a moment after the answer ended ends no conversation
            try:
                goes_on = await chat.take(await prompt.read())
            except EOFError:
                return


async def lines_of(descriptor: int) -> AsyncGenerator[str, None]:
    """The lines of a pipe or a file as they come; waiting for them can be cancelled."""
    mode = os.fstat(descriptor).st_mode
    waits = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
    pending = b""
    while True:
        if waits:
            await anyio.wait_readable(descriptor)
        piece = os.read(descriptor, _PIECE_BYTES)
        *lines, pending = (pending + piece).split(b"\n")
        if not piece and pending:
            lines, pending = [pending], b""
        for line in lines:
            yield line.decode(errors="replace")
        if not piece:
            return


def _last(saved: SavedConversations) -> str:
    names = saved.names()
    if not names:
        raise NotFound("no conversation is saved yet", hint="isthmus chat")
    return names[0]


def _with_model(config: Configuration, model: str) -> Configuration:
    settings = msgspec.structs.replace(config.settings, model=model)
    return msgspec.structs.replace(config, settings=settings)
