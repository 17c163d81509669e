"""A vote while it forms: samples side by side, what each came to, and who leads.

`Board` holds what was seen and draws it; it knows no terminal. `ThinkingView` shows one on stderr, where it
is drawn anew a few times a second and its last frame stays above the answer.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from isthmus.cli import console
from isthmus.cli.amounts import duration
from isthmus.messages import SampleDelta

_FRAME_S = 0.1
_LINES = 3
"""Lines of each sample that are shown, its last ones; a single one where there are more rows of samples."""
_ROWS = 2
_NARROWEST = 26
"""Cells that a sample has at least; a narrower terminal shows fewer side by side."""
_SPACE = 2
_BAR = 24
_CANDIDATES = 4
_LONGEST_VALUE = 28


class Seen(Struct):
    """One sample as far as it has come."""

    text: str = ""
    ended: bool = False
    value: str | None = None


class Board:
    """What is known of a vote, drawn to the width that there is.

    Args:
        clock: Seconds, from anywhere on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._took: float | None = None
        self.samples: dict[int, Seen] = {}

    def add(self, delta: SampleDelta) -> None:
        """Take more of one sample."""
        seen = self.samples.setdefault(delta.sample, Seen())
        seen.text += delta.text
        seen.ended = seen.ended or delta.ended
        seen.value = delta.value if delta.ended else seen.value

    def close(self) -> None:
        """Take note that the vote is over; the clock stops."""
        self._took = self._took or self._clock() - self._began

    @property
    def standings(self) -> list[tuple[str, int]]:
        """What samples came to, and how many of them, the most frequent first."""
        return Counter(each.value for each in self.samples.values() if each.value is not None).most_common()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich asks for it: the samples, and the standings below them."""
        yield from self._side_by_side(options.max_width)
        yield from self._bars()
        yield self._footer()

    def _side_by_side(self, width: int) -> Iterator[Table | Text]:
        columns = max(1, min(len(self.samples), (width + _SPACE) // (_NARROWEST + _SPACE)))
        # Rows of the same length: eight where six fit are four and four, not six and two.
        rows = -(-len(self.samples) // columns)
        columns = -(-len(self.samples) // rows)
        cell = (width - _SPACE * (columns - 1)) // columns
        numbers = sorted(self.samples)
        for first in range(0, len(numbers), columns):
            row = numbers[first : first + columns]
            grid = Table.grid(padding=(0, _SPACE, 0, 0), pad_edge=False)
            for _ in range(columns):
                grid.add_column(width=cell, no_wrap=True, overflow="crop")
            grid.add_row(*(self._heading(number, cell) for number in row))
            lines = _LINES if rows <= _ROWS else 1
            ends = [last_lines(self.samples[number].text, cell, lines) for number in row]
            for line in range(lines):
                grid.add_row(*(Text(end[line], "dim") for end in ends))
            yield grid
            if rows <= _ROWS:
                yield Text("")

    def _heading(self, number: int, width: int) -> Text:
        seen = self.samples[number]
        if not seen.ended:
            return Text(f"{number + 1}  …", "bold")
        if seen.value is None:
            return Text(f"{number + 1}  no vote", "dim")
        leads = self.standings[0][0] == seen.value
        return Text(
            f"{number + 1}  {shortened(seen.value, width - 4)}", "bold green" if leads else "bold yellow"
        )

    def _bars(self) -> Iterator[Text]:
        """A line a candidate: its value, a bar of its votes, their number."""
        shown = [(shortened(value, _LONGEST_VALUE), votes) for value, votes in self.standings[:_CANDIDATES]]
        widest = max((cell_len(value) for value, _ in shown), default=0)
        for place, (value, votes) in enumerate(shown):
            bar = "█" * max(1, _BAR * votes // len(self.samples))
            colour = "yellow" if place else "green"
            yield Text.assemble(
                (set_cell_size(value, widest), f"bold {colour}"), "  ", (bar, colour), f" {votes}"
            )

    def _footer(self) -> Text:
        ended = sum(each.ended for each in self.samples.values())
        took = self._took or self._clock() - self._began
        return Text(f"{ended} of {len(self.samples)} samples ended · {duration(took)}", "dim")


class ThinkingView:
    """Shows votes on stderr; `close` leaves the last frame, and the next sample begins another."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._board: Board | None = None
        self._drawn_at = 0.0

    @property
    def open(self) -> bool:
        """Whether a vote is being shown."""
        return self._board is not None

    def add(self, delta: SampleDelta) -> None:
        """Take more of a sample, and show it, unless that was just done."""
        if self._board is None:
            self._board, self._drawn_at = Board(), 0.0
            self._live = Live(
                self._board, console=console.stderr(), auto_refresh=False, vertical_overflow="crop"
            )
            self._live.start()
        self._board.add(delta)
        now = time.monotonic()
        if self._live is not None and now - self._drawn_at >= _FRAME_S:
            self._live.refresh()
            self._drawn_at = now

    def close(self) -> None:
        """Show how it ended."""
        board, live, self._board, self._live = self._board, self._live, None, None
        if board is not None and live is not None:
            board.close()
            live.refresh()
            live.stop()
            console.say("")


def last_lines(text: str, width: int, count: int) -> list[str]:
    """The end of a text, wrapped to a width in cells; always so many lines."""
    # Only so much can be seen of it, however long it is.
    words = console.printable(" ".join(text[-4 * width * _LINES :].split())).split(" ")
    lines = [""]
    for word in words:
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(set_cell_size(word, width) if cell_len(word) > width else word)
    return lines[-count:] + [""] * (count - len(lines))


def shortened(value: str, width: int) -> str:
    """A value on one line, cut with an ellipsis where it is wider than ``width`` cells."""
    line = console.printable(" ".join(value.split()))
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"
