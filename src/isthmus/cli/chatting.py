"""A conversation under way: questions are answered, commands obeyed, errors shown, and it goes on.

Every change is saved at once, so that nothing is lost however the command ends. An answer that was stopped,
or that broke off, stays as far as it was shown, marked as cut; a question of which no answer was shown
leaves no trace, but /retry asks it again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from isthmus.cli import console
from isthmus.cli.amounts import moment
from isthmus.cli.answering import AnswerView
from isthmus.cli.consent import Consenter
from isthmus.cli.conversation import Conversation, turn_from
from isthmus.cli.saved import (
    SavedConversations,
    checked_name,
    is_automatic,
    name_for_question,
    name_for_time,
)
from isthmus.cli.session import Switchboard
from isthmus.cli.slash import Call, help_text, parse
from isthmus.cli.stopping import stoppable
from isthmus.errors import IsthmusError, UsageError
from isthmus.messages import Effort, GenerationRequest, HandoffMode
from isthmus.naming import closest, parse_model
from isthmus.runtime.answer import Ask
from isthmus.settings import Settings, ShowReasoning
from isthmus.store import CATALOGUE, Store

DEFAULT = "default"
"""The effort that the model takes by itself, as it is typed and shown."""

EFFORTS: tuple[str, ...] = (DEFAULT, *get_args(Effort))
SHOWN: tuple[str, ...] = get_args(ShowReasoning)
MODES: tuple[str, ...] = get_args(HandoffMode)

_LISTED = 10
_EXCERPT = 50


class Chat:
    """Takes what is typed, one thing after another.

    Args:
        switchboard: Who answers.
        saved: Where conversations are kept.
        conversation: What was said before.
        name: The name that it is saved under, if it has one.
        attended: Whether a person sits at a terminal: consent can then be asked for, and Ctrl-C stops an
            answer instead of everything.
    """

    def __init__(
        self,
        switchboard: Switchboard,
        saved: SavedConversations,
        conversation: Conversation,
        name: str | None = None,
        *,
        attended: bool,
    ) -> None:
        self.conversation = conversation
        self.name = name
        self.exit_code = 0
        """That of the first error, for a chat that nobody attends."""
        self._switchboard = switchboard
        self._saved = saved
        self._attended = attended
        self._consenter = Consenter(conversation=True)
        self._home_only_throughout = conversation.home_only
        self._unanswered: str | None = None
        self._show_reasoning: ShowReasoning | None = None
        self._commands = {
            "help": self._help,
            "model": self._model,
            "effort": self._effort,
            "reasoning": self._reasoning,
            "handoff": self._handoff,
            "home-only": self._home_only,
            "system": self._system,
            "save": self._save,
            "load": self._load,
            "retry": self._retry,
            "clear": self._clear,
        }

    async def take(self, typed: str) -> bool:
        """Do what was typed, and show what goes wrong; whether the chat goes on."""
        if not self._attended:
            return await self._do(typed)
        with stoppable():
            return await self._do(typed)
        console.dim("stopped\n")
        return True

    def status(self) -> str:
        """Who answers, in a line."""
        effort = self.conversation.effort or DEFAULT
        mode = "home-only" if self.conversation.home_only else _mode_in_force(self._settings)
        return f"{self._settings.model} · hand-off {mode} · effort {effort}"

    def choices(self, command: str) -> Iterable[str]:
        """What a command's argument may be, where there is a list to choose from."""
        match command:
            case "model":
                here = [each.name for each in Store(self._settings.home_path).models()]
                return sorted({*here, *(each.name for each in CATALOGUE), *self._settings.runners})
            case "effort":
                return EFFORTS
            case "reasoning":
                return SHOWN
            case "handoff":
                return MODES
            case "load":
                return self._saved.names()
            case _:
                return ()

    def recall(self) -> None:
        """Show where the conversation stands: its last question and answer."""
        turns = self.conversation.turns
        if not turns:
            return
        last, count = turns[-1], f"{len(turns)} question{'s' if len(turns) > 1 else ''}"
        console.dim(f"{self.name}: {count}, the last at {moment(last.at)}")
        if self._attended:
            console.dim(f"> {last.question}")
            console.dim(f"{last.answer} (cut)" if last.cut else last.answer)

    async def _do(self, typed: str) -> bool:
        try:
            match parse(typed):
                case Call("quit"):
                    return False
                case Call(name, argument):
                    await self._commands[name](argument)
                case str(question) if question:
                    await self._answer(question, self.conversation)
                case _:
                    pass
        except IsthmusError as error:
            self._show(error)
        return True

    # ------------------------------------------------------------ questions

    async def _answer(self, question: str, before: Conversation) -> None:
        """Answer a question that follows on what was said ``before``, and keep what was shown of it."""
        settings, at = self._settings, datetime.now(UTC)
        request = GenerationRequest(
            messages=before.messages(question),
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            effort=before.effort,
            home_only=before.home_only,
        )
        view = AnswerView(self._show_reasoning or settings.show_reasoning)
        consenter = self._consenter if self._attended else None
        events = self._switchboard.runtime().answer(Ask(request, "chat"), consenter)
        try:
            await view.show(events)
            if self._attended:
                console.say("")
        finally:
            turn = turn_from(question, view.completion, at)
            if turn is not None:
                self._unanswered = None
                self._become(before.with_turn(turn))
            elif before is self.conversation:
                self._unanswered = question

    async def _retry(self, _: str) -> None:
        if self._unanswered is not None:
            await self._answer(self._unanswered, self.conversation)
        elif self.conversation.turns:
            question = self.conversation.turns[-1].question
            await self._answer(question, self.conversation.without_last())
        else:
            raise UsageError("nothing was asked yet")

    # ------------------------------------------------------------ who answers, and how

    async def _model(self, name: str) -> None:
        if name:
            await self._switchboard.change_model(name)
            self._change(model=lasting_model(self._settings))
        console.say(f"model: {self._settings.model}")

    async def _effort(self, level: str) -> None:
        if level:
            chosen = _one_of(EFFORTS, level, "/effort")
            self._change(effort=None if chosen == DEFAULT else chosen)
        console.say(f"effort: {self.conversation.effort or DEFAULT}")

    async def _reasoning(self, how: str) -> None:
        if how:
            self._show_reasoning = msgspec.convert(_one_of(SHOWN, how, "/reasoning"), ShowReasoning)
        console.say(f"reasoning: {self._show_reasoning or self._settings.show_reasoning}")

    async def _handoff(self, mode: str) -> None:
        if mode:
            chosen = _one_of(MODES, mode, "/handoff")
            await self._switchboard.change_mode(msgspec.convert(chosen, HandoffMode))
            self._consenter.always = False
        handoff = self._settings.handoff
        agreed = ", and you agreed to all of this conversation" if self._consenter.always else ""
        console.say(f"hand-off: {_mode_in_force(self._settings)}{agreed}")
        if handoff.local_only or self._settings.offline:
            switch = "handoff.local_only" if handoff.local_only else "offline"
            console.note(f"{switch} is set, so nothing leaves, whatever the mode", "isthmus config show")
        elif not handoff.order and handoff.mode != "off":
            console.note("no provider is configured, so nothing leaves", "isthmus handoff setup")

    async def _home_only(self, _: str) -> None:
        self._change(home_only=True)
        console.say("home-only: nothing of this conversation leaves, nor anything made of it; /clear ends it")

    async def _system(self, text: str) -> None:
        if text:
            self._change(system=None if text == '""' else text)
        console.say(f"system message: {self.conversation.system or 'none'}")

    # ------------------------------------------------------------ saved conversations

    async def _save(self, typed: str) -> None:
        turns = self.conversation.turns
        if not turns:
            raise UsageError("nothing was asked yet, so there is nothing to save")
        if typed:
            name = checked_name(typed)
        elif self.name is None or is_automatic(self.name):
            name = self._saved.free(name_for_question(turns[0].question, turns[0].at))
        else:
            name = self.name
        if name != self.name and self._saved.has(name):
            raise UsageError(f"another conversation is called {name!r}", hint="/save OTHER-NAME")
        self._saved.save(name, self.conversation)
        before, self.name = self.name, name
        if before is not None and before != name and is_automatic(before):
            self._saved.remove(before)
        console.say(f"saved as {name}")

    async def _load(self, typed: str) -> None:
        if not typed:
            lines = [self._line(name) for name in self._saved.names()[:_LISTED]]
            console.say("\n".join(lines) if lines else "none is saved yet")
            return
        name = checked_name(typed)
        conversation = self._saved.load(name)
        self.name, self._unanswered = name, None
        self._consenter.always = False
        self._become(msgspec.structs.replace(conversation, model=lasting_model(self._settings)))
        self.recall()
        if conversation.model != self.conversation.model:
            try:
                await self._model(conversation.model)
            except IsthmusError as error:
                self._show(error)
                console.note(f"it was held with {conversation.model}; {self._settings.model} goes on with it")

    def _line(self, name: str) -> str:
        """A saved conversation in the list: its name, and how it begins."""
        try:
            turns = self._saved.load(name).turns
        except IsthmusError as error:
            return f"{name}  ({error.message})"
        words = " ".join(turns[0].question.split()) if turns else ""
        return f"{name}  {words[:_EXCERPT]}{'…' if len(words) > _EXCERPT else ''}"

    async def _clear(self, _: str) -> None:
        before, self.name, self._unanswered = self.name, None, None
        self._consenter.always = False
        self._change(turns=(), home_only=self._home_only_throughout)
        console.say(f"a new conversation; the one before is saved as {before}" if before else "all clear")

    async def _help(self, _: str) -> None:
        console.say(help_text())

    # ------------------------------------------------------------ within

    @property
    def _settings(self) -> Settings:
        return self._switchboard.settings

    def _change(self, **changes: Any) -> None:
        self._become(msgspec.structs.replace(self.conversation, **changes))

    def _become(self, conversation: Conversation) -> None:
        """Go on with ``conversation``, and save it; that it can't be saved doesn't end it."""
        self.conversation = conversation
        if not conversation.turns:
            return
        try:
            self.name = self.name or self._saved.free(name_for_time(conversation.turns[0].at))
            self._saved.save(self.name, conversation)
        except IsthmusError as error:
            self._show(error)

    def _show(self, error: IsthmusError) -> None:
        console.error(error)
        self.exit_code = self.exit_code or error.exit_code


def lasting_model(settings: Settings) -> str:
    """The model's name as it is saved: a file's holds from any folder."""
    ref = parse_model(settings.model, settings.runners)
    return str(ref.path.absolute()) if ref.kind == "path" and ref.path.is_file() else settings.model


def _mode_in_force(settings: Settings) -> str:
    handoff = settings.handoff
    if handoff.local_only or settings.offline:
        return f"off ({'local_only' if handoff.local_only else 'offline'})"
    return handoff.mode if handoff.order or handoff.mode == "off" else f"{handoff.mode} (no provider)"


def _one_of(known: Sequence[str], typed: str, command: str) -> str:
    if typed.lower() in known:
        return typed.lower()
    near = closest(typed.lower(), known)
    raise UsageError(
        f"{typed!r} is not one of {', '.join(known)}", hint=f"{command} {near}" if near else command
    )
