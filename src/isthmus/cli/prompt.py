"""The line where a person types in `isthmus chat`: history, completion, several lines, a status below."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.styles import Style

from isthmus.cli.slash import COMMANDS, unfinished
from isthmus.store.disk import storage_errors

Choices = Callable[[str], Iterable[str]]
"""The arguments that a command may take, by the command's name."""

_PLACEHOLDER = "Ask anything, or /help"
_LEAVING = "Ctrl-C again leaves"
_STYLE = Style.from_dict(
    {
        "bottom-toolbar": "noreverse",
        "bottom-toolbar.text": "fg:ansibrightblack",
        "continuation": "fg:ansibrightblack",
        "placeholder": "fg:ansibrightblack",
        "prompt": "bold fg:ansicyan",
    }
)


class Prompt:
    """Reads what a person types, a message or a command at a time.

    Args:
        history: The file that keeps earlier lines; made readable by its owner only.
        status: What stands below the line: who answers.
        choices: What a command's argument may be completed to.
        refresh_s: How often the status is drawn anew, in seconds; 0: with the next key.
        source: Where keys come from; the process's terminal by default.
        screen: Where it is drawn; by default stdout, or stderr where only that is a terminal.

    Raises:
        StorageError: The history's file can't be written.
    """

    def __init__(
        self,
        history: Path,
        *,
        status: Callable[[], str],
        choices: Choices,
        refresh_s: float = 0.0,
        source: Input | None = None,
        screen: Output | None = None,
    ) -> None:
        self._status = status
        self._leaving = False
        self._session: PromptSession[str] = PromptSession(
            [("class:prompt", "> ")],
            prompt_continuation=[("class:continuation", "· ")],
            placeholder=self._placeholder,
            bottom_toolbar=self._toolbar,
            style=_STYLE,
            multiline=True,
            history=FileHistory(_private(history)),
            completer=CommandCompleter(choices),
            complete_while_typing=Condition(lambda: self._session.default_buffer.text.startswith("/")),
            key_bindings=self._bindings(),
            enable_suspend=True,
            refresh_interval=refresh_s,
            input=source,
            output=screen or create_output(always_prefer_tty=True),
        )
        self._session.default_buffer.on_text_changed += self._stay

    async def read(self) -> str:
        """What was typed next.

        Raises:
            EOFError: Ctrl-D on an empty line, or the terminal is gone.
            KeyboardInterrupt: Ctrl-C on an empty line, twice.
        """
        self._leaving = False
        return await self._session.prompt_async()

    def _toolbar(self) -> StyleAndTextTuples:
        return [("", _LEAVING if self._leaving else self._status())]

    def _placeholder(self) -> StyleAndTextTuples:
        return [] if self._session.app.is_done else [("class:placeholder", _PLACEHOLDER)]

    def _stay(self, _: Buffer) -> None:
        self._leaving = False

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        typing = has_focus(DEFAULT_BUFFER)

        @bindings.add("enter", filter=typing)
        def send_or_go_on(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
                buffer.delete_before_cursor()
                buffer.newline(copy_margin=False)
            elif unfinished(buffer.text):
                buffer.newline(copy_margin=False)
            elif buffer.text.strip():
                buffer.text = _encodable(buffer.text)
                buffer.validate_and_handle()

        @bindings.add("escape", "enter", filter=typing)
        def new_line(event: KeyPressEvent) -> None:
            event.current_buffer.newline(copy_margin=False)

        @bindings.add("c-c", filter=typing)
        @bindings.add("<sigint>")
        def clear_or_leave(event: KeyPressEvent) -> None:
            if self._leaving:
                event.app.exit(exception=KeyboardInterrupt, style="class:aborting")
                return
            event.current_buffer.reset()
            self._leaving = True

        return bindings


class CommandCompleter(Completer):
    """Completes the names of commands, and their arguments where those are known.

    Args:
        choices: What a command's argument may be.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What the text before the cursor may go on with."""
        typed = document.text_before_cursor
        if not typed.startswith("/"):
            return
        word, space, argument = typed[1:].partition(" ")
        if not space:
            for each in COMMANDS:
                if each.name.startswith(word):
                    usage = f"/{each.name} {each.argument}".rstrip()
                    yield Completion(each.name, -len(word), display=usage, display_meta=each.summary)
            return
        argument = argument.lstrip()
        for choice in self._choices(word):
            if choice.startswith(argument):
                yield Completion(choice, -len(argument))


def _private(path: Path) -> Path:
    """The file, there and readable by its owner only."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    return path


def _encodable(text: str) -> str:
    """The text without the halves of characters that a terminal set to another encoding sends."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
