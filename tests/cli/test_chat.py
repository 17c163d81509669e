import os
import signal
import subprocess
import sys

import anyio
import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from isthmus.cli.chat import converse, lines_of
from isthmus.cli.chatting import Chat
from isthmus.cli.conversation import Conversation
from isthmus.cli.prompt import Prompt
from isthmus.cli.running import run
from isthmus.cli.saved import SavedConversations
from isthmus.cli.session import open_switchboard
from isthmus.ledger import Ledger, open_database
from tests.cli.homes import PlayedModel, play, says
from tests.cli.terminal import terminal
from tests.conftest import TINY

LEAVING = "C.?again.?leaves"  # what stood there already is not drawn again
ASKING = """
import time, types, anyio
from isthmus.cli.consent import Consenter
from isthmus.messages import Decision
time.sleep(0.5)
outgoing = types.SimpleNamespace(
    provider="big", model="large", host="example.org", at_most_usd=0, body=b"{}", content={"messages": []},
    redacted={}, replacements=(), alternatives=(),
)
consenter = Consenter(conversation=True)
print("agreed:", anyio.run(consenter, outgoing, Decision("hosted", "looks_hard")), consenter.always)
"""


@pytest.fixture
def saved(home):
    return SavedConversations(home / "conversations")


# ---------------------------------------------------------------- with scripted models


@pytest.fixture
def typed(monkeypatch, settings, saved, tmp_path):
    """Holds a chat with a played model by typing keys."""

    def hold(model, keys, kind=Chat):
        play(monkeypatch, model)

        async def whole():
            with create_pipe_input() as source:
                async with open_switchboard(settings(model=model.model.name)) as switchboard:
                    chat = kind(switchboard, saved, Conversation("m"), attended=True)
                    prompt = Prompt(
                        tmp_path / "history",
                        status=chat.status,
                        choices=chat.choices,
                        source=source,
                        screen=DummyOutput(),
                    )
                    source.send_text(keys)
                    with anyio.fail_after(10):
                        await converse(chat, prompt)
                    return chat

        return run(whole())

    return hold


@pytest.mark.parametrize("leave", ["/quit\r", "\x04"])
def test_what_is_typed_is_answered_until_the_person_leaves(typed, leave, capsys):
    chat = typed(PlayedModel("m", says("one"), says("two")), f"first\rse\\\rcond\r/nonsense\r{leave}")
    assert [(each.question, each.answer) for each in chat.conversation.turns] == [
        ("first", "one"),
        ("se\ncond", "two"),
    ]
    out, err = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert "there is no command /nonsense" in err


def test_leaving_by_ctrl_c_is_an_interrupt(typed, saved):
    with pytest.raises(KeyboardInterrupt):
        typed(PlayedModel("m", says("one")), "first\r\x03\x03")
    assert len(saved.names()) == 1


class Late(Chat):
    """Ctrl-C is pressed for an answer, and comes when that has just ended."""

    async def take(self, typed):
        goes_on = await super().take(typed)
        os.kill(os.getpid(), signal.SIGINT)
        return goes_on


def test_a_ctrl_c_that_comes_too_late_for_an_answer_ends_no_chat(typed):
    chat = typed(PlayedModel("m", says("one"), says("two")), "first\rsecond\r\x04", Late)
    assert [each.answer for each in chat.conversation.turns] == ["one", "two"]


# ---------------------------------------------------------------- lines of a pipe


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\nb", ["a", "b"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"\xff\n", ["\N{REPLACEMENT CHARACTER}"]),
        (b"x" * 200_000 + b"\ny", ["x" * 200_000, "y"]),
    ],
)
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_lines_are_read_from_files_and_pipes(tmp_path, kind, content, lines):
    path = tmp_path / "lines"
    path.write_bytes(content)

    async def gather(descriptor):
        return [line async for line in lines_of(descriptor)]

    if kind == "file":
        with path.open("rb") as file:
            assert anyio.run(gather, file.fileno()) == lines
    else:
        with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
            assert anyio.run(gather, cat.stdout.fileno()) == lines


def test_waiting_for_a_line_can_be_cancelled():
    reader, writer = os.pipe()

    async def wait():
        with anyio.move_on_after(0.05) as scope:
            async for _ in lines_of(reader):
                pass
        return scope.cancelled_caught

    assert anyio.run(wait)
    os.close(reader)
    os.close(writer)


# ---------------------------------------------------------------- the command


def test_a_name_alone_is_told_where_it_belongs(isthmus):
    assert isthmus("chat", "trip") == (
        2,
        "",
        "error: a conversation's name goes with --resume\nhint: isthmus chat --resume trip\n",
    )


def test_there_may_be_nothing_to_resume(isthmus):
    assert isthmus("chat", "--resume").err == "error: no conversation is saved yet\nhint: isthmus chat\n"
    assert isthmus("chat", "--resume", "../trip").code == 2


@pytest.fixture
def piped(tiny_home):
    """The command, its questions on a pipe."""

    def call(*words, lines):
        return subprocess.run(
            [sys.executable, "-m", "isthmus", "chat", *words],
            input=lines,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def test_a_pipe_asks_a_question_a_line_and_a_later_one_resumes(piped, saved):
    words = ("--temperature", "0", "--max-tokens", "8")
    first = piped("-m", TINY, *words, lines="Say hi.\n\n/modle\nAnd again.\n")
    assert first.returncode == 2
    assert "error: there is no command /modle" in first.stderr
    (name,) = saved.names()
    before = saved.load(name)
    assert [turn.question for turn in before.turns] == ["Say hi.", "And again."]
    assert first.stdout.split() == " ".join(turn.answer for turn in before.turns).split()

    # The model is that of the conversation, not of the settings.
    then = piped("--resume", *words, lines="/save trip\nOnce more.")
    assert then.returncode == 0, then.stderr
    assert saved.names() == ["trip"]
    assert saved.load("trip").turns[:2] == before.turns
    assert len(saved.load("trip").turns) == 3


# ---------------------------------------------------------------- in a terminal


def test_a_terminal_chat_with_a_real_model(tiny_home, saved, home):
    # One slot: if Ctrl-C didn't free it, the next answer would wait for the long one's end.
    with terminal("chat", "-m", TINY, ISTHMUS_ENGINE_PARALLEL="1") as screen:
        screen.wait_for("Ask anything.*smollm2:135m · hand-off off · effort default")
        screen.type("/system Never stop.\r")
        screen.wait_for("system message: Never stop.*Ask anything")
        for typed in ("Tell me a very long story about a whale.", "/retry"):
            screen.type(f"{typed}\r")
            screen.wait_for(rf"> {typed}\n(\S+ ){{8}}")  # the answer has begun
            screen.type("\x03")
            screen.wait_for("stopped.*Ask anything")
        screen.type("/save whale\r")
        screen.wait_for("saved as whale.*Ask anything.*effort default")
        screen.type("\x03")
        screen.wait_for(LEAVING)
        screen.type("\x03")
        assert screen.end() == 130
    (turn,) = saved.load("whale").turns
    assert turn.cut
    database = open_database(home / "ledger.sqlite3")
    assert [row.outcome for row in Ledger(database).questions(9)] == ["cancelled", "cancelled"]
    database.dispose()


def test_a_signal_is_as_good_as_the_key(tiny_home):
    with terminal("chat", "-m", TINY) as screen:
        screen.wait_for("Ask anything.*effort default")
        screen.type("half a line")
        screen.wait_for("half a line")
        os.kill(screen.process.pid, signal.SIGINT)
        screen.wait_for(LEAVING)
        os.kill(screen.process.pid, signal.SIGINT)
        assert screen.end() == 130
        assert "Traceback" not in screen.screen


@pytest.mark.parametrize(
    ("keys", "agreed"),
    [
        ("y\r", "True False"),
        ("yes\r", "True False"),
        ("a\r", "True True"),
        ("\r", "False False"),
        ("n\r", "False False"),
        ("what\r", "False False"),
        ("\x03", "False False"),
    ],
)
def test_consent_is_a_yes_that_is_typed_after_the_question(keys, agreed):
    with terminal(script=ASKING) as screen:
        screen.type("y\ry\r")  # ahead of the question, so it counts for nothing
        screen.wait_for("Send it")
        screen.type(keys)
        screen.wait_for(f"agreed: {agreed}")
