"""Draws the pictures in docs/images from real sessions: `python docs/picture.py --home HOME`.

HOME is a home of Isthmus that holds both models (`isthmus pull` fetches them). The smaller answers at home;
a second Isthmus on loopback, with the larger, is the hosted side: the demo starts its own. The commands run
under a pseudo-terminal, where consent is typed, and a picture is what its screen shows at the end.
"""

import argparse
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from io import StringIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from rich.color import parse_rgb_hex
from rich.console import Console
from rich.padding import Padding
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from isthmus.naming import parse_model
from isthmus.store import Store

IMAGES = Path(__file__).parent / "images"
ROWS = 60
COLUMNS = {"demo": 106, "ask": 124, "reasoning": 118}
HOME_MODEL, HOSTED_MODEL = "qwen2.5-coder:0.5b", "qwen2.5-coder:1.5b"
COMMANDS = (
    ("ask", "What is the capital of France?"),
    ("ask", "A baker has 4 trays of 18 rolls and sells 50. How many are left? Explain in a line."),
    ("handoff", "ledger"),
)
EFFORT = ("ask", "--effort", "high", "--show-reasoning", "--max-tokens", "300")
PUZZLE = "17 hens lay 5 eggs each. How many boxes of 6 do they fill?"
ASKS, CONSENT = b"Send it? [y/N", b"y\r"
SETTINGS = """\
model = "{home_model}"
max_tokens = 120
temperature = 0

[handoff]
mode = "ask"
provider = "big"

[providers.big]
base_url = "{base_url}"
model = "{hosted_model}"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60
"""


def main() -> None:
    """Hold the sessions and draw them."""
    sessions = {"demo": _demo, "ask": _asking, "reasoning": _reasoning}
    parser = argparse.ArgumentParser(description="Draw the README's pictures from real sessions.")
    parser.add_argument("--home", type=Path, required=True, help=f"holds {HOME_MODEL} and {HOSTED_MODEL}")
    parser.add_argument("--only", choices=sessions, help="draw this one")
    arguments = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    for name in [arguments.only] if arguments.only else sessions:
        screen = Screen(COLUMNS[name])
        sessions[name](screen, Store(arguments.home))
        (IMAGES / f"{name}.svg").write_text(draw(screen.ansi(), screen.columns), encoding="utf-8")


# ---------------------------------------------------------------- the sessions


def _demo(screen: "Screen", models: Store) -> None:
    """`isthmus demo`, which brings its own hosted side."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "home")
        variables = _settle(home, models, HOME_MODEL, HOSTED_MODEL)
        screen.feed(_command_line(("demo",)) + _session(("demo",), home, variables, screen.columns))


def _asking(screen: "Screen", models: Store) -> None:
    """Two questions and the ledger."""
    with tempfile.TemporaryDirectory() as name:
        home, away = Path(name, "home"), Path(name, "away")
        variables = _settle(home, models, HOME_MODEL)
        with _serving(away, _settle(away, models, HOSTED_MODEL)) as base_url:
            (home / "isthmus.toml").write_text(
                SETTINGS.format(home_model=HOME_MODEL, base_url=base_url, hosted_model=HOSTED_MODEL)
            )
            for words in COMMANDS:
                screen.feed(_command_line(words) + _session(words, home, variables, screen.columns))


def _reasoning(screen: "Screen", models: Store) -> None:
    """A question answered by a vote, which is shown as it forms."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        variables, words = _settle(home, models, HOME_MODEL), (*EFFORT, PUZZLE)
        variables["ISTHMUS_REASONING_TIME_LIMIT_S"] = "0"  # so that a busy machine draws the same
        screen.feed(_command_line(words) + _session(words, home, variables, screen.columns))


def _settle(home: Path, models: Store, *names: str) -> dict[str, str]:
    """Make a home with some models and an empty ledger; the environment for commands there."""
    for name in names:
        Store(home).add_file(models.require(parse_model(name)).path, name)
    kept = {variable: os.environ[variable] for variable in ("PATH", "LANG", "TZ") if variable in os.environ}
    return kept | {
        "HOME": str(home),  # no settings but those of the working folder
        "ISTHMUS_HOME": str(home),
        "TERM": "xterm-256color",
        "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody is there to say where the cursor is
    }


@contextmanager
def _serving(home: Path, variables: Mapping[str, str]) -> Generator[str]:
    """Serve the larger model, which passes for a hosted one; the server's address."""
    with subprocess.Popen(
        [sys.executable, "-m", "isthmus", "serve", "--port", "0", "--model", HOSTED_MODEL],
        cwd=home,
        env=variables,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            said = server.stderr.readline() if server.stderr else ""
            address = re.search(r"http://\S+/v1", said)
            if address is None:
                raise SystemExit(f"the hosted side did not come up: {said}")
            yield address[0]
        finally:
            server.terminate()


def _command_line(words: tuple[str, ...]) -> str:
    """The command as it is typed after a prompt."""
    typed = " ".join(f'"{word}"' if " " in word else word for word in words)
    return f"\r\n\x1b[1;32m$\x1b[0m \x1b[1misthmus {typed}\x1b[0m\r\n"


def _session(words: tuple[str, ...], folder: Path, variables: Mapping[str, str], columns: int) -> str:
    """Run a command in a terminal and consent if it asks; all that the terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", ROWS, columns, 0, 0))
    command = [sys.executable, "-m", "isthmus", *words]
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        got = b""
        while piece := _read(ours):
            asked = ASKS in got
            got += piece
            if not asked and ASKS in got:
                os.write(ours, CONSENT)
        os.close(ours)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{got.decode()}")
    return got.decode()


def _read(terminal: int) -> bytes:
    """What comes next; nothing once the command has ended, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


# ---------------------------------------------------------------- the screen


class Screen:
    """As much of a terminal as the session needs: it resolves moves of the cursor and what is wiped away.

    Args:
        columns: Where lines break.
    """

    _TOKEN = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])|(.)", re.DOTALL)

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._rows: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def feed(self, text: str) -> None:
        """Show text with its control codes."""
        for values, code, character in self._TOKEN.findall(text):
            if code:
                self._control(values, code)
            elif character == "\r":
                self._column = 0
            elif character == "\n":
                self._go_down()
            else:
                self._put(character)

    def ansi(self) -> str:
        """The screen's lines; each run of a style says it anew."""
        return "\n".join(
            "".join(
                f"{style}{''.join(character for _, character in run)}\x1b[0m"
                for style, run in groupby(row, key=itemgetter(0))
            )
            for row in self._rows
        ).strip("\n")

    def _control(self, values: str, code: str) -> None:
        count = int(values) if values.isdecimal() else 1
        match code:
            case "m":
                self._style = "" if values in ("", "0") else f"{self._style}\x1b[{values}m"
            case "A":
                self._row = max(0, self._row - count)
            case "C":
                self._column += count
            case "D":
                self._column = max(0, self._column - count)
            case "K":
                del self._rows[self._row][0 if values == "2" else self._column :]
            case "J":
                del self._rows[self._row][self._column :], self._rows[self._row + 1 :]
            case _:  # modes of the keyboard and the cursor, which leave no mark
                pass

    def _put(self, character: str) -> None:
        if self._column == self.columns:
            self._column = 0
            self._go_down()
        row = self._rows[self._row]
        row += [("", " ")] * (self._column + 1 - len(row))
        row[self._column] = self._style, character
        self._column += 1

    def _go_down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])


# ---------------------------------------------------------------- the picture

THEME = TerminalTheme(
    background=parse_rgb_hex("0d1117"),
    foreground=parse_rgb_hex("e6edf3"),
    normal=[
        parse_rgb_hex(colour)
        for colour in ("484f58", "ff7b72", "56d364", "e3b341", "79c0ff", "d2a8ff", "56d4dd", "e6edf3")
    ],
)

FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own, without the font that it would fetch from elsewhere."""


def draw(ansi: str, columns: int) -> str:
    """Lines with ANSI styles as an SVG of a terminal's window."""
    console = Console(
        file=StringIO(), record=True, width=columns + 2, force_terminal=True, color_system="truecolor"
    )
    console.print(Padding(Text.from_ansi(ansi, no_wrap=True), (0, 1, 1, 1)))
    return console.export_svg(
        title="isthmus", theme=THEME, code_format=FORMAT, font_aspect_ratio=0.6, unique_id="isthmus"
    )


if __name__ == "__main__":
    main()
