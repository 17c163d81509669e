"""Offering the models that fit this machine to a person at a terminal."""

import sys
from collections.abc import Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.answering import forget_typed_ahead
from isthmus.cli.line_speed import measure
from isthmus.cli.outlook import COLUMNS, Line, columns, describe, look
from isthmus.cli.running import run
from isthmus.fit.recommendation import Candidate
from isthmus.settings import Settings
from isthmus.store import CatalogueEntry


def offer(starter: CatalogueEntry, settings: Settings) -> CatalogueEntry | None:
    """Show what fits the machine, and ask what to take.

    Args:
        starter: The model that answers until another is here.
        settings: The person's.

    Returns:
        What they took; None where they took nothing, or nothing beyond the starter fits, or the Hub can't be
        reached.
    """
    line = run(measure(starter, settings))
    if line is None:
        return None
    outlook = look(settings)
    offers = outlook.recommended()
    if not offers or offers[0].entry.name == starter.name:
        return None
    console.say("No model is here yet. These fit this machine:")
    console.dim(f"{describe(outlook.machine)}; times to fetch are for {line}")
    _show(offers, line)
    if outlook.idle_gpus:
        console.note(f"the engine makes no use of {outlook.idle_gpus} yet", "isthmus doctor --install")
    console.say(f"The starter, {starter.name} ({size(starter.size_bytes)}), answers while yours is fetched.")
    chosen = _ask(offers)
    return chosen if chosen is None or chosen.name != starter.name else None


def _show(offers: Sequence[Candidate], line: Line) -> None:
    rows = [(str(number), *columns(each, line)) for number, each in enumerate(offers, 1)]
    for text in console.table(("#", *COLUMNS), rows):
        console.say(text)


def _ask(offers: Sequence[Candidate]) -> CatalogueEntry | None:
    """The offer whose number was typed; the first for Enter alone, None for s, Esc, Ctrl-C and Ctrl-D."""
    bindings = KeyBindings()

    @bindings.add("escape")
    def decline(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError)

    numbers = [str(number) for number in range(1, len(offers) + 1)]
    others = f", a number up to {numbers[-1]} another" if len(numbers) > 1 else ""
    session: PromptSession[str] = PromptSession(
        output=create_output(stdout=sys.stderr), key_bindings=bindings
    )
    forget_typed_ahead(session.input)
    while True:
        try:
            typed = session.prompt(f"Enter takes 1{others}, s none: ").strip().lower() or "1"
        except (EOFError, KeyboardInterrupt):
            typed = "s"
        if typed in numbers:
            return offers[int(typed) - 1].entry
        if typed in ("s", "n", "no", "skip"):
            console.say("None, then; isthmus recommend says the same later.")
            return None
