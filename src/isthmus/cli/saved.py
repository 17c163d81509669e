"""Saved conversations: a folder of JSON files that only their owner can read.

A name is a file's name without ``.json``. It holds lower-case letters and digits of any script, ``.``,
``_`` and ``-``, begins with a letter or digit, and has at most 50 characters; so it can't lead out of the
folder, and fits any file system.
"""

import re
import unicodedata
from datetime import datetime
from pathlib import Path

import msgspec

from isthmus.cli.conversation import Conversation
from isthmus.errors import NotFound, StorageError, UsageError
from isthmus.naming import closest
from isthmus.store.disk import storage_errors, write_atomically

LONGEST_NAME = 50

_AUTOMATIC = re.compile(r"\d{4}-\d\d-\d\d-\d{6}(-\d+)?", re.ASCII)
_SUFFIX = ".json"
_LONGEST_SLUG = 30


class SavedConversations:
    """The conversations in a folder, which is made when the first of them is saved.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The names of all, the last saved first."""
        with storage_errors(self.folder):
            files = [file for file in self.folder.glob(f"[!.]*{_SUFFIX}") if file.is_file()]
            files.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
        return [unicodedata.normalize("NFC", file.name.removesuffix(_SUFFIX)) for file in files]

    def load(self, name: str) -> Conversation:
        """Read a conversation.

        Raises:
            UsageError: That can't be a name.
            NotFound: None goes by it.
            StorageError: The file can't be read, or holds something else.
        """
        name = checked_name(name)
        path = self._path(name)
        if not path.is_file():
            raise self._unknown(name)
        with storage_errors(path):
            content = path.read_bytes()
        try:
            return msgspec.json.decode(content, type=Conversation)
        except msgspec.DecodeError as error:
            raise StorageError(f"{path} is not a saved conversation: {error}") from error

    def save(self, name: str, conversation: Conversation) -> None:
        """Write a conversation, whole or not at all, in place of what had its name.

        Raises:
            UsageError: That can't be a name.
            StorageError: The folder can't be written.
        """
        path = self._path(checked_name(name))
        with storage_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(conversation), indent=2) + b"\n")

    def remove(self, name: str) -> None:
        """Remove a conversation, if there is one of that name."""
        path = self._path(checked_name(name))
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        """Whether one of that name is saved."""
        return self._path(checked_name(name)).exists()

    def free(self, name: str) -> str:
        """``name``, or where that is taken, the same with the first number that is free."""
        count, free = 1, name
        while self.has(free):
            count += 1
            free = f"{name}-{count}"
        return free

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _unknown(self, name: str) -> NotFound:
        names = self.names()
        near = closest(name, names)
        if near:
            hint = f"did you mean {near}?"
        else:
            hint = f"the latest: {', '.join(names[:5])}" if names else "none is saved yet"
        return NotFound(f"no saved conversation is called {name!r}", hint=hint)


# ---------------------------------------------------------------- names


def checked_name(text: str) -> str:
    """A conversation's name as it stands, from what a person typed.

    Raises:
        UsageError: It can't be a name.
    """
    name = _lowered(text.strip())
    begins_well = name[:1].isalnum()
    if (
        not begins_well
        or len(name) > LONGEST_NAME
        or not all(_is_word(each) or each in "._-" for each in name)
    ):
        raise UsageError(
            f"{text!r} can't be a conversation's name",
            hint=f"letters, digits, . _ and -, at most {LONGEST_NAME}",
        )
    return name


def name_for_time(at: datetime) -> str:
    """A name that says when, in the person's own time zone: ``2026-03-14-150926``."""
    return at.astimezone().strftime("%Y-%m-%d-%H%M%S")


def is_automatic(name: str) -> bool:
    """Whether a name was made by `name_for_time`, so that any other says more."""
    return _AUTOMATIC.fullmatch(name) is not None


def name_for_question(question: str, at: datetime) -> str:
    """A name that says what about and when: ``why-is-the-sky-blue-2026-03-14``."""
    words = "".join(each if _is_word(each) else " " for each in _lowered(question)).split()
    slug = "-".join(words)[:_LONGEST_SLUG]
    if len("-".join(words)) > _LONGEST_SLUG and "-" in slug:
        slug = slug.rpartition("-")[0]  # no word is cut in the middle
    subject = slug if slug[:1].isalnum() else "conversation"
    return f"{subject}-{at.astimezone():%Y-%m-%d}"


def _lowered(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower())


def _is_word(character: str) -> bool:
    """Whether it is a letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(character)[0] in "LNM"
