import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus import __version__
from isthmus.cli.groups import load
from isthmus.cli.main import COMMANDS, take_debug

HEAVY = {
    "aiohttp",
    "anyio",
    "genai_prices",
    "msgspec",
    "prompt_toolkit",
    "rich",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "xllamacpp",
}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ()])
def test_the_first_things_one_types_import_nothing_heavy(words):
    script = (
        "import sys\n"
        "from isthmus.cli.main import main\n"
        "try:\n"
        f"    main({list(words)!r})\n"
        "except SystemExit as end:\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        f"    print(end.code, sorted(loaded & {HEAVY!r}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"
    assert "isthmus" in done.stdout


def test_what_counts_as_heavy_is_installed():
    assert [name for name in HEAVY if find_spec(name) is None] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_summary_is_the_first_line_of_the_commands_docstring(name):
    command = load(name, COMMANDS[name])
    assert command.help is not None
    assert COMMANDS[name].summary == command.help.strip().splitlines()[0]


def test_help_lists_every_command_with_its_summary(isthmus):
    shown = isthmus("--help")
    assert shown.code == 0
    for name, entry in COMMANDS.items():
        assert [line for line in shown.out.splitlines() if line.split() == [name, *entry.summary.split()]]


def test_without_a_command_the_help_is_shown(isthmus):
    assert isthmus() == isthmus("--help") == isthmus("-h")


def test_a_group_without_a_command_shows_its_help(isthmus):
    shown = isthmus("key")
    assert shown.code == 0
    assert "revoke" in shown.out


def test_version(isthmus):
    assert isthmus("--version") == (0, f"isthmus {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("pul x", "isthmus has no command 'pul'", "did you mean isthmus pull?"),
        ("key revok x", "isthmus key has no command 'revok'", "did you mean isthmus key revoke?"),
        ("frobnicate", "isthmus has no command 'frobnicate'", "isthmus --help"),
    ],
)
def test_an_unknown_command_suggests_the_nearest(isthmus, words, message, hint):
    assert isthmus(*words.split()) == (2, "", f"error: {message}\nhint: {hint}\n")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--bogus",), "no such option: --bogus", "isthmus --help"),
        (("config", "show", "--jsn"), "no such option: --jsn", "did you mean --json?"),
        (("key", "create"), "missing argument 'NAME'", "isthmus key create --help"),
        (("handoff", "ledger", "--limit", "many"), None, "isthmus handoff ledger --help"),
        (("config", "show", "more"), "got unexpected extra argument(s) (more)", "isthmus config show --help"),
    ],
)
def test_usage_errors_are_told_in_our_manner(isthmus, words, message, hint):
    ended = isthmus(*words)
    first, second = ended.err.splitlines()
    assert ended.code == 2
    assert first.startswith("error: ")
    assert not first.endswith(".")
    assert message is None or first == f"error: {message}"
    assert second == f"hint: {hint}"


WORDS = st.lists(st.sampled_from(["ask", "--debug", "--", "--json", "why?"]), max_size=8)


@given(WORDS)
def test_debug_is_taken_from_anywhere_before_a_lone_double_dash(words):
    left = words.copy()
    found = take_debug(left)
    end = words.index("--") if "--" in words else len(words)
    assert found == ("--debug" in words[:end])
    assert left == [word for word in words[:end] if word != "--debug"] + words[end:]
