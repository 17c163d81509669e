import errno
import os
import pty
import subprocess
import sys

import pytest

from isthmus import errors
from isthmus.cli.failures import report
from isthmus.errors import IsthmusError, ProviderUnreachable, StorageError


@pytest.fixture
def told(capsys):
    def run(error, *, debug=False):
        code = report(error, debug=debug)
        return code, capsys.readouterr().err

    return run


KINDS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, IsthmusError)]


@pytest.mark.parametrize("kind", [each for each in KINDS if each is not errors.Interrupted])
def test_each_error_ends_with_its_own_exit_code(told, kind):
    assert told(kind("it broke", hint="isthmus mend")) == (
        kind.exit_code,
        "error: it broke\nhint: isthmus mend\n",
    )


def test_without_a_hint_there_is_one_line(told):
    assert told(StorageError("the disk is full")) == (11, "error: the disk is full\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), errors.Interrupted("stopped")])
def test_an_interrupt_is_silent(told, error):
    assert told(error) == (130, "")


def test_the_unexpected_names_itself_and_the_way_to_see_more(told):
    code, err = told(ZeroDivisionError("division by zero"))
    assert code == 1
    assert err.splitlines() == [
        "error: something went wrong inside Isthmus: ZeroDivisionError: division by zero",
        "hint: run the command again with --debug for the details",
    ]


@pytest.mark.parametrize("error", [StorageError("the disk is full"), ZeroDivisionError("by zero")])
def test_a_traceback_comes_with_debug_only(told, error):
    def raised():
        with pytest.raises(type(error)) as caught:
            raise error
        return caught.value

    assert "Traceback" not in told(raised())[1]
    assert "Traceback" in told(raised(), debug=True)[1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_refuses_is_a_storage_error(told, number):
    code, err = told(OSError(number, os.strerror(number), "/models/x"))
    assert code == StorageError.exit_code
    assert err.startswith(f"error: {os.strerror(number).lower()}: /models/x\nhint: ")


def test_a_forbidden_port_is_not_taken_for_a_disk(told):
    code, _ = told(PermissionError(errno.EACCES, "Permission denied"))
    assert code == 1


@pytest.mark.parametrize(
    ("group", "code"),
    [
        ([ProviderUnreachable("no connection")], 7),
        ([ValueError("odd"), ExceptionGroup("", [ProviderUnreachable("no connection")])], 7),
        ([ProviderUnreachable("no connection"), KeyboardInterrupt()], 130),
        ([ValueError("odd")], 1),
    ],
)
def test_of_several_errors_the_one_that_counts_is_told(told, group, code):
    assert told(BaseExceptionGroup("several", group))[0] == code


def test_control_characters_of_a_message_dont_reach_the_terminal(told):
    assert told(IsthmusError("it said \x1b[2J\x9b1m")) == (1, "error: it said \\x1b[2J\\x9b1m\n")


def command(*words):
    return [sys.executable, "-m", "isthmus", *words]


def test_a_reader_that_went_away_is_no_news():
    with subprocess.Popen(
        command("config", "show"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_and_can_be_declined(environment, coloured):
    reader, terminal = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    subprocess.run(command("frobnicate"), stderr=terminal, env=variables, check=False)
    os.close(terminal)
    shown = os.read(reader, 10_000).decode()
    os.close(reader)
    assert "isthmus has no command 'frobnicate'" in shown
    assert ("\x1b[1;31m" in shown) == coloured
