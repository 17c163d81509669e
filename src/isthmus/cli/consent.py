"""Asking a person: what would leave, as it would leave, to whom, for how much; no answer means no."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from isthmus.cli import console
from isthmus.cli.answering import explain, forget_typed_ahead
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.ledger import show_usd
from isthmus.messages import Decision

if TYPE_CHECKING:
    from rich.text import Text

Choice: TypeAlias = Literal["yes", "no", "always", "show"]

_MANY_LINES = 16
_MANY_CHARACTERS = 1600
"""What is longer is shown in part at first, its last message above all."""


class Leaving(Struct, frozen=True):
    """What would leave this machine, as far as a person wants to know."""

    provider: str
    model: str
    host: str
    worst_usd: Decimal
    content: Mapping[str, Any]
    """The body that would be sent."""
    size_bytes: int
    redacted: Mapping[str, int] = {}
    """How many of which kind were replaced."""
    placeholders: Mapping[str, str] = {}
    """What stands in their places, and for what."""
    alternatives: Sequence[str] = ()
    """The hosts that it goes to where this one fails."""


def leaving(outgoing: Outgoing) -> Leaving:
    """The same of what a hosted model has prepared."""
    return Leaving(
        provider=outgoing.provider,
        model=outgoing.model,
        host=outgoing.host,
        worst_usd=outgoing.at_most_usd,
        content=outgoing.content,
        size_bytes=len(outgoing.body),
        redacted=outgoing.redacted,
        placeholders={each.token: each.original for each in outgoing.replacements},
        alternatives=[each.host for each in outgoing.alternatives],
    )


class Consenter:
    """Shows what would leave and asks whether it may.

    Args:
        conversation: Whether there is one, for which a person may agree to all that follows.
    """

    def __init__(self, *, conversation: bool = False) -> None:
        self._conversation = conversation
        self.always = False
        """Whether they have agreed to all that follows."""

    async def __call__(self, outgoing: Outgoing, decision: Decision) -> bool:
        """Whether the person agrees. Ctrl-C and the end of the input are a no."""
        what = leaving(outgoing)
        if self.always:
            console.dim(f"sent as agreed for this conversation, at most {show_usd(what.worst_usd)}")
            return True
        console.say(f"This may be beyond the local model: {explain(decision)}.")
        console.say(offer(what))
        choice = await ask(what, ("always",) if self._conversation else ())
        self.always = choice == "always"
        return choice in ("yes", "always")


def offer(what: Leaving) -> str:
    """Who could answer, and for how much."""
    others = f", or {', or '.join(what.alternatives)} if that fails," if what.alternatives else ""
    return (
        f"{what.provider} ({what.model} at {what.host}){others} could answer for at most "
        f"{show_usd(what.worst_usd)}. "
        f"This would leave, {what.size_bytes:,} bytes:"
    )


async def ask(what: Leaving, more: Sequence[Choice] = (), *, shown: bool = False) -> Choice:
    """Show it, unless it is ``shown`` already, and ask: the answer is yes, no, or one of ``more``."""
    lines = list(what_leaves(what.content))
    beginning, whole = _in_part(lines)
    if not shown:
        _show(beginning, what)
    choices: tuple[Choice, ...] = ("yes", "no", *more, *(() if whole and not shown else ("show",)))
    while (choice := await _typed(choices)) == "show":
        _show(lines, what)
        choices = tuple(each for each in choices if each != "show")
    return choice


def show(what: Leaving) -> None:
    """Show all of it."""
    _show(list(what_leaves(what.content)), what)


def what_leaves(content: Mapping[str, Any]) -> Iterator[str]:
    """All of a request's body, in lines that a person can read: messages first, then the rest as it is."""
    rest = dict(content)
    for message in rest.pop("messages", ()):
        plain = message.keys() == {"role", "content"} and isinstance(message["content"], str)
        said = message["content"] if plain else msgspec.json.encode(message).decode()
        yield f"[{message['role']}] {said}"
    yield ", ".join(f"{name}: {msgspec.json.encode(value).decode()}" for name, value in rest.items())


def _in_part(lines: Sequence[str]) -> tuple[list[str], bool]:
    """What is shown at first, and whether that is all; of a long conversation it is the end."""
    text = "\n".join(lines)
    if text.count("\n") < _MANY_LINES and len(text) <= _MANY_CHARACTERS:
        return list(lines), True
    *before, last, rest = lines
    said = last.splitlines()[:_MANY_LINES]
    beginning = "\n".join(said)[:_MANY_CHARACTERS]
    shown = [f"… {len(before)} messages before it"] if before else []
    left = len(last) - len(beginning)
    shown.append(f"{beginning} … {left:,} more characters" if left else last)
    return [*shown, rest[:_MANY_CHARACTERS]], False


def _show(lines: Sequence[str], what: Leaving) -> None:
    for line in lines:
        for each in line.splitlines() or [""]:
            console.stderr().print(marked(f"  {each}", what))
    if what.placeholders:
        console.dim(f"  {replaced(what)}")


def replaced(what: Leaving) -> str:
    """What stands for what, and stays here."""
    stands = ", ".join(f"{token} for {original}" for token, original in what.placeholders.items())
    return f"replaced, and put back in the answer: {stands}"


def marked(line: str, what: Leaving) -> "Text":
    """Text in which placeholders stand out, fit for a terminal."""
    from rich.text import Text

    text = Text(console.printable(line))
    text.highlight_words(list(what.placeholders), "bold cyan")
    return text


async def _typed(choices: Sequence[Choice]) -> Choice:
    """What the person chooses; nothing, or nothing that makes sense, is a no."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import create_output

    session: PromptSession[str] = PromptSession(output=create_output(stdout=sys.stderr))
    forget_typed_ahead(session.input)
    try:
        typed = (await session.prompt_async(_question(choices))).strip().lower()
    except (EOFError, KeyboardInterrupt):
        return "no"
    for each in choices:
        if typed and each.startswith(typed):
            return each
    return "no"


def _question(choices: Sequence[Choice]) -> str:
    words = {"yes": "y", "no": "N", "always": "a", "show": "s"}
    said = {"always": "a: always in this conversation", "show": "s: show all"}
    more = "; ".join(said[each] for each in choices if each in said)
    return f"Send it? [{'/'.join(words[each] for each in choices)}]{f' ({more})' if more else ''} "
