"""What a person types in `isthmus chat`: a message, or a command that begins with a slash.

/word ...     a command: the first word is a slash and letters or hyphens, so /etc/hosts is not one
\"\"\"...\"\"\"     a message, or a command's argument, of several lines; the fences are taken away
anything else a message
"""

import re
from typing import NamedTuple

from isthmus.errors import UsageError
from isthmus.naming import closest


class Command(NamedTuple):
    """A command's name, its argument as the help shows it, and what it does."""

    name: str
    argument: str
    summary: str


class Call(NamedTuple):
    """A command that was typed, with what follows its name."""

    name: str
    argument: str


COMMANDS = (
    Command("help", "", "show this"),
    Command("model", "[NAME]", "show the model, or load another; the conversation stays"),
    Command("effort", "[LEVEL]", "show or set the reasoning effort; default: the model's own"),
    Command("reasoning", "[HOW]", "show or set how thinking is shown: dim, hide, or live, as votes form"),
    Command("handoff", "[MODE]", "show or set who may answer: off, shadow, ask, auto, always"),
    Command("home-only", "", "keep this conversation, and all that is made of it, on this machine"),
    Command("system", "[TEXT]", 'show or set the system message; "" takes it away'),
    Command("save", "[NAME]", "give the conversation a name; without one, after its first question"),
    Command("load", "[NAME]", "go on with a saved conversation; without a name, list them"),
    Command("retry", "", "answer the last question again"),
    Command("clear", "", "begin a new conversation"),
    Command("quit", "", "leave, as Ctrl-D does"),
)

_ALIASES = {"?": "help", "exit": "quit", "bye": "quit"}
_CALL = re.compile(r"/([a-z?-]*)(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_FENCE = '"""'
_OPENING = re.compile(rf"\s*(?:/[a-z-]+\s+)?{_FENCE}", re.IGNORECASE)


def parse(typed: str) -> Call | str:
    """Read what was typed: a command, or the text of a message; an empty text is nothing at all.

    Raises:
        UsageError: It looks like a command, and there is none of that name, or it takes no argument.
    """
    match = _CALL.fullmatch(typed.rstrip())
    if match is None:
        return _without_fences(typed.strip())
    word, argument = match[1].lower(), _without_fences((match[2] or "").strip())
    known = {each.name: each for each in COMMANDS}
    command = known.get(_ALIASES.get(word, word))
    if command is None:
        near = closest(word, known)
        raise UsageError(
            f"there is no command /{word}",
            hint=f"did you mean /{near}? A message may begin with a space" if near else "/help",
        )
    if argument and not command.argument:
        raise UsageError(f"/{command.name} takes no argument", hint=f"/{command.name}")
    return Call(command.name, argument)


def unfinished(typed: str) -> bool:
    """Whether a fence was opened and not closed, so that more lines follow."""
    match = _OPENING.match(typed)
    return match is not None and not typed[match.end() :].rstrip().endswith(_FENCE)


def help_text() -> str:
    """All commands, and how to type more than a line."""
    rows = [(f"/{each.name} {each.argument}".rstrip(), each.summary) for each in COMMANDS]
    width = max(len(usage) for usage, _ in rows) + 2
    lines = [f"  {usage:<{width}}{summary}" for usage, summary in rows]
    return "\n".join(
        (
            "Commands",
            *lines,
            "",
            "Keys",
            f"  {'Enter':<{width}}send",
            f'  {"Alt-Enter":<{width}}a new line; so does Enter after a \\, or between """ and """',
            f"  {'Ctrl-C':<{width}}stop the answer, or clear the line; twice: leave",
            f"  {'Up, Ctrl-R':<{width}}earlier questions",
        )
    )


def _without_fences(text: str) -> str:
    fenced = len(text) >= 2 * len(_FENCE) and text.startswith(_FENCE) and text.endswith(_FENCE)
    return text[len(_FENCE) : -len(_FENCE)].strip("\n") if fenced else text
