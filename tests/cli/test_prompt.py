import asyncio
import stat

import anyio
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from isthmus.cli.prompt import CommandCompleter, Prompt
from isthmus.cli.slash import COMMANDS
from isthmus.errors import StorageError

ENTER, ALT_ENTER, CTRL_C, CTRL_D, UP, TAB = "\r", "\x1b\r", "\x03", "\x04", "\x1b[A", "\t"
CHOICES = {"effort": ["default", "high"], "model": ["tiny:1m", "tiny:2m"]}


def choices(command):
    return CHOICES.get(command, [])


@pytest.fixture
def typing(tmp_path):
    """Reads ``count`` times what the keys amount to; EOF and interrupts are told by their names.

    Each of ``then`` is typed a moment later.
    """

    def read(keys, count=1, *, then=(), history=tmp_path / "home" / "history"):
        async def work():
            found = []
            with create_pipe_input() as source:
                prompt = Prompt(
                    history, status=lambda: "tiny", choices=choices, source=source, screen=DummyOutput()
                )
                source.send_bytes(keys if isinstance(keys, bytes) else keys.encode())
                for number, more in enumerate(then, 1):
                    asyncio.get_running_loop().call_later(0.2 * number, source.send_text, more)
                for _ in range(count):
                    try:
                        with anyio.fail_after(5):
                            found.append(await prompt.read())
                    except (EOFError, KeyboardInterrupt) as end:
                        found.append(type(end).__name__)
            return found

        return anyio.run(work)

    return read


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ("hi" + ENTER, "hi"),
        ("one" + ALT_ENTER + "two" + ENTER, "one\ntwo"),
        ("one\\" + ENTER + "two" + ENTER, "one\ntwo"),
        ('"""one' + ENTER + "two" + ENTER + '"""' + ENTER, '"""one\ntwo\n"""'),
        ("\x1b[200~def f():\n    return 1 \\\n\x1b[201~" + ENTER, "def f():\n    return 1 \\\n"),
        ("  indented\\" + ENTER + "two" + ENTER, "  indented\ntwo"),
        (ENTER + " " + ENTER + "hi" + ENTER, " hi"),
    ],
)
def test_keys_amount_to_a_text(typing, keys, read):
    assert typing(keys) == [read]


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        (CTRL_D, "EOFError"),
        (CTRL_C + CTRL_C, "KeyboardInterrupt"),
        ("half a line" + CTRL_C + CTRL_C, "KeyboardInterrupt"),
        ("half a line" + CTRL_C + CTRL_D, "EOFError"),
        ("half a line" + CTRL_C + "whole" + ENTER, "whole"),
        (CTRL_C + "a" + CTRL_C + "b" + ENTER, "b"),
        (CTRL_C + "a" + CTRL_C + CTRL_C, "KeyboardInterrupt"),
    ],
)
def test_ctrl_c_clears_and_only_twice_in_a_row_leaves(typing, keys, read):
    assert typing(keys) == [read]


def test_each_line_begins_without_a_ctrl_c_behind_it(typing):
    assert typing("a" + ENTER + CTRL_C + "b" + ENTER + CTRL_C + CTRL_C, 3) == ["a", "b", "KeyboardInterrupt"]


def test_earlier_lines_come_back_in_a_later_session(typing):
    typing("first" + ENTER + "second\\" + ENTER + "line" + ENTER, 2)
    assert typing(UP + ENTER) == ["second\nline"]
    assert typing(UP * 3 + ENTER) == ["first"]


def test_bytes_that_are_no_text_are_replaced(typing):
    assert typing(b"a\xffb\r") == ["a\N{REPLACEMENT CHARACTER}b"]


def test_only_the_owner_can_read_the_history(typing, tmp_path):
    history = tmp_path / "history"
    history.write_text("")
    history.chmod(0o644)
    typing("secret" + ENTER, history=history)
    assert "secret" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_a_history_that_cannot_be_kept_is_an_error(typing, tmp_path):
    with pytest.raises(StorageError):
        typing(ENTER, history=tmp_path)


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize(("keys", "read"), [("/mod", "/model"), ("/effort h", "/effort high")])
def test_tab_completes_a_command(typing, keys, read):
    assert typing(keys, then=[TAB, ENTER]) == [read]


def completions(text):
    completer = CommandCompleter(choices)
    return [each.text for each in completer.get_completions(Document(text), CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("/", [each.name for each in COMMANDS]),
        ("/h", ["help", "handoff", "home-only"]),
        ("/effort ", ["default", "high"]),
        ("/effort h", ["high"]),
        ("/model tiny:", ["tiny:1m", "tiny:2m"]),
        ("/retry ", []),
        ("/nonsense ", []),
        ("h", []),
        ("", []),
        (" /h", []),
    ],
)
def test_commands_and_their_arguments_are_completed(text, offered):
    assert completions(text) == offered
