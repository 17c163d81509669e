"""Short questions to a person at a terminal, and their answers."""

import sys
from collections.abc import Sequence

from isthmus.cli import console
from isthmus.cli.answering import forget_typed_ahead
from isthmus.errors import Interrupted


def line(question: str, default: str | None = None) -> str | None:
    """What the person types; the default where that is nothing.

    Raises:
        Interrupted: They ended the input: that is no answer.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import create_output

    session: PromptSession[str] = PromptSession(output=create_output(stdout=sys.stderr))
    forget_typed_ahead(session.input)
    shown = f"{question} [{default}] " if default else f"{question} "
    try:
        return session.prompt(shown).strip() or default
    except EOFError:
        raise Interrupted("the question was not answered") from None


def confirm(question: str) -> bool:
    """Whether the person agrees; they do by pressing Enter."""
    return (line(f"{question} [Y/n]") or "y").lower() in ("y", "yes")


def choose(question: str, choices: Sequence[str]) -> int:
    """Which of several the person takes; the first where they type nothing that can be understood."""
    console.say(question)
    for number, choice in enumerate(choices, 1):
        console.say(f"  {number}  {choice}")
    typed = line("Number:", "1") or "1"
    return int(typed) - 1 if typed.isdecimal() and 1 <= int(typed) <= len(choices) else 0
