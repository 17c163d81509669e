"""What the demo shows: a question kept, one in doubt with all that follows from it, and what was recorded."""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal

import anyio
from msgspec import Struct
from rich import box
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from isthmus.cli.answering import explain
from isthmus.cli.consent import Leaving, ask, leaving, marked, replaced
from isthmus.cli.session import Switchboard
from isthmus.generator import EventStream
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.ledger import Ledger, show_usd
from isthmus.ledger.verify import verify
from isthmus.messages import Decision, GenerationRequest, Message
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.terms import Terms
from isthmus.wire.gathered import Completion


class Question(Struct, frozen=True):
    """One that is asked. ``answer`` is the right one, where that is a matter of fact."""

    title: str
    text: str
    answer: str


EASY = Question("An easy question stays at home", "What is the capital of France?", "Paris")
HARD = Question(
    "A harder one, with somebody's name and address in it",
    "Anna Rossi (anna.rossi@example.com) rented 2 bikes for 6 days at 14 euros a day each, with a discount "
    "of 25 euros in total. What does she owe in total? Show each step in a short line, then write her a "
    "one-line mail.",
    "143 euros",
)

_WIDTH = 104
_TOKENS = 220
"""How long an answer may be."""
_FRAMES_S = 0.1
"""How often what is written is drawn anew."""


class Scenes:
    """The demo's stage: it asks real questions, and shows what comes of them.

    Args:
        home: The model at home.
        hosted: The one that passes for hosted.
        yes: Whether consent is taken as given.
        screen: Where it is shown; stdout by default.
    """

    def __init__(self, home: str, hosted: str, *, yes: bool, screen: Console | None = None) -> None:
        self._home = home
        self._hosted = hosted
        self._yes = yes
        self._screen = screen or _stdout()
        self._width = min(_WIDTH, self._screen.width)

    def open(self) -> None:
        """Say what this is."""
        self._print(
            Text.assemble(
                ("Isthmus", "bold cyan"),
                f": {self._home} is at home, and {self._hosted} passes for a hosted model.",
            )
        )
        self._print(
            Text(
                "Both run here, so nothing leaves. Your settings and your ledger stay as they are.",
                "dim",
            )
        )

    async def play(self, who: Switchboard) -> None:
        """All scenes."""
        for number, question in enumerate((EASY, HARD), 1):
            await self._scene(who, number, question)
        self._heading(3, "What was recorded")
        if (ledger := who.runtime().ledger) is not None:
            self._print(ledger_table(ledger))
            self._print(Text(await anyio.to_thread.run_sync(_proven, ledger), "dim"))

    def close(self) -> None:
        """Say what comes next."""
        self._print()
        self._print(Text.assemble("With a real one: ", ("isthmus handoff setup", "bold green")))

    # ------------------------------------------------------------ one question

    async def _scene(self, who: Switchboard, number: int, question: Question) -> None:
        self._heading(number, question.title)
        self._print(Text.assemble(("> ", "bold cyan"), (question.text, "bold")))
        request = GenerationRequest((Message("user", question.text),), max_tokens=_TOKENS, temperature=0)
        runtime, sent = who.runtime(), anyio.Event()
        answer, alone = Completion(), Completion()
        async with self._shown(question, answer, alone) as live, anyio.create_task_group() as asking:

            async def agree(outgoing: Outgoing, decision: Decision) -> bool:
                agreed = await self._agree(question, leaving(outgoing), decision)
                if agreed:
                    sent.set()
                live.start()
                return agreed

            async def at_home_too() -> None:
                """What home would have said, to compare; nobody asked it, so the ledger has no row of it."""
                await sent.wait()
                await _gather(Runtime(runtime.home, Terms()).answer(Ask(request, "ask")), alone)

            asking.start_soon(at_home_too)
            await _gather(runtime.answer(Ask(request, "ask"), agree), answer)
            if not sent.is_set():
                asking.cancel_scope.cancel()

    @asynccontextmanager
    async def _shown(
        self, question: Question, answer: Completion, alone: Completion
    ) -> AsyncGenerator[Live, None]:
        """Draw the answers as they come; nothing is drawn while a person is asked."""
        live = Live(console=self._screen, auto_refresh=False)

        def frame() -> RenderableType:
            return Constrain(self._answers(question, answer, alone), self._width)

        async def draw() -> None:
            while True:
                await anyio.sleep(_FRAMES_S)
                if answer.route is not None or alone.route is not None:
                    live.start()
                    live.update(frame(), refresh=True)

        async with anyio.create_task_group() as drawing:
            drawing.start_soon(draw)
            try:
                yield live
            finally:
                drawing.cancel_scope.cancel()
                live.start()  # an answer may be quicker than the first frame
                live.update(frame(), refresh=True)
                live.stop()

    async def _agree(self, question: Question, what: Leaving, decision: Decision) -> bool:
        self._print(Text.assemble(("● in doubt", "bold yellow"), f": {explain(decision)}{_moved(decision)}"))
        says = next(each for each in reversed(what.content["messages"]) if each["role"] == "user")
        self._print(
            self._side_by_side(
                self._panel("What was asked: stays here", Text(question.text), "dim"),
                self._panel(f"What would leave, to {what.host}", marked(says["content"], what), "cyan"),
            )
        )
        if what.placeholders:
            self._print(Text(f"{replaced(what)}.", "dim"))
        self._print(Text(f"{what.provider} ({what.model}) would cost at most {show_usd(what.worst_usd)}."))
        if self._yes:
            self._print(Text("Sent, as --yes says.", "dim"))
            return True
        return await ask(what, shown=True) == "yes"

    # ------------------------------------------------------------ drawn

    def _answers(self, question: Question, answer: Completion, alone: Completion) -> RenderableType:
        if answer.route is None and alone.route is None:
            return Text("")
        if answer.route is not None and answer.route.decision.target == "local":
            return Group(Text(answer.text), self._how(answer, "kept at home", "green"))
        cost = show_usd(answer.last.cost_usd or Decimal(0)) if answer.last else "…"
        panels = self._side_by_side(
            self._panel(f"{self._home} at home, for nothing", Text(alone.text), "dim"),
            self._panel(f"{self._hosted} hosted, for {cost}", Text(answer.text), "cyan"),
        )
        right = Text(f"She owes {question.answer}: see who got it right.", "dim")
        return Group(panels, self._how(answer, "handed over", "cyan"), right)

    def _how(self, answer: Completion, what: str, colour: str) -> Text:
        """Who answered and why, in a line."""
        parts = [explain(answer.route.decision)] if answer.route else ["…"]
        if answer.last is not None:
            parts.append(f"{answer.usage.completion_tokens} tokens")
            parts.append(show_usd(answer.last.cost_usd or Decimal(0)))
        return Text.assemble((f"● {what}", f"bold {colour}"), f": {' · '.join(parts)}")

    def _panel(self, title: str, text: Text, colour: str) -> Panel:
        return Panel(text, title=Text(title), title_align="left", border_style=colour, box=box.ROUNDED)

    def _side_by_side(self, left: RenderableType, right: RenderableType) -> Table:
        grid = Table.grid(expand=True, padding=(0, 1))
        grid.add_column(ratio=1)
        grid.add_column(ratio=1)
        grid.add_row(left, right)
        return grid

    def _heading(self, number: int, title: str) -> None:
        self._print()
        self._print(
            Rule(Text.assemble((f"{number} ", "bold cyan"), (title, "bold")), align="left", style="dim")
        )

    def _print(self, what: RenderableType = "") -> None:
        self._screen.print(what, width=self._width)


def _stdout() -> Console:
    """The terminal; where there is none, lines as long as they like to be."""
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def ledger_table(ledger: Ledger) -> RenderableType:
    """The rows of the demo's own ledger, oldest first, and what they come to."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for name in ("who answered", "why", "tokens", "left this home", "replaced"):
        table.add_column(name, justify="right" if name == "tokens" else "left", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    rows = ledger.questions(20)
    for row in reversed(rows):
        table.add_row(
            row.model if row.target == "local" else f"{row.provider}: {row.model}",
            row.reason.replace("_", " "),
            str(row.prompt_tokens + row.completion_tokens),
            f"{row.sent_bytes} bytes" if row.sent_bytes else "nothing",
            ", ".join(f"{count} {kind.lower()}" for kind, count in row.redacted.items()),
            show_usd(row.cost_usd),
        )
    return table


def _proven(ledger: Ledger) -> str:
    """Whether the rows are as they were written."""
    proof = verify(ledger.engine)
    state = "whole" if proof.whole else "broken"
    return f"Each of its {proof.links} links holds the hash of the one before; the chain is {state}."


def _moved(decision: Decision) -> str:
    """What moved the estimate most."""
    evidence = decision.evidence.features.items()
    features = [f"{name} {value:+.1f}" for name, value in evidence if name != "base"]
    return f" (moved most by {', '.join(features)})" if features else ""


async def _gather(events: EventStream, into: Completion) -> None:
    async with aclosing(events):
        async for event in events:
            into.add(event)
