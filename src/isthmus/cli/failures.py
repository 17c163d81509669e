"""Where every error ends: a line that says what went wrong, one that says what to type, an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from typing import cast

import typer

from isthmus.cli import console
from isthmus.errors import Interrupted, IsthmusError, StorageError, UsageError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def report(error: BaseException, *, debug: bool) -> int:
    """Tell the person on stderr what went wrong, and give the exit code.

    Ctrl-C and a reader that went away are no news to whoever caused them, so they pass in silence.
    """
    if isinstance(error, SystemExit):  # Typer's own end: of a completion, or of a broken pipe
        _abandon_stdout()
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if debug and not isinstance(error, typer.TyperException):
        traceback.print_exception(error)
    cause = _the_one_that_counts(error)
    if isinstance(cause, BrokenPipeError):
        _abandon_stdout()
        return 1
    told = _as_isthmus_error(cause)
    if not isinstance(told, Interrupted):
        console.error(told)
    return told.exit_code


def _the_one_that_counts(error: BaseException) -> BaseException:
    """The error inside an exception group that the person should hear of."""
    found = list(_leaves(error))
    for kind in (KeyboardInterrupt, IsthmusError, BrokenPipeError):
        for each in found:
            if isinstance(each, kind):
                return each
    return found[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(each)
    else:
        yield error


def _as_isthmus_error(error: BaseException) -> IsthmusError:
    match error:
        case IsthmusError():
            return error
        case KeyboardInterrupt() | typer.Abort():
            return Interrupted("interrupted")
        case typer.TyperException():
            return _usage_error(error)
        case OSError(errno=number) if number in _DISK_FULL:
            return StorageError(
                _sentence(error), hint="free some space, or set ISTHMUS_HOME to a folder on another disk"
            )
        case OSError(errno=number, filename=str() | bytes()) if number in _FORBIDDEN:
            return StorageError(_sentence(error), hint=f"ls -ld {os.fsdecode(error.filename)}")
        case _:
            return IsthmusError(
                f"something went wrong inside Isthmus: {type(error).__name__}: {error}",
                hint="run the command again with --debug for the details",
            )


def _usage_error(error: typer.TyperException) -> UsageError:
    """Typer's complaint in our manner: lower case, no full stop, and the hint on its own line."""
    context = getattr(error, "ctx", None)
    near: list[str] = getattr(error, "possibilities", None) or []
    if near:
        message, hint = error.message, f"did you mean {' or '.join(sorted(near))}?"
    else:
        message, hint = error.format_message(), f"{context.command_path if context else 'isthmus'} --help"
    return UsageError(message[:1].lower() + message[1:].rstrip(" ."), hint=hint)


def _sentence(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"{reason}: {os.fsdecode(error.filename)}" if error.filename else reason


def _abandon_stdout() -> None:
    """Let what is still buffered go nowhere: whoever read stdout has gone away."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
