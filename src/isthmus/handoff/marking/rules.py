r"""The person's rules for what stays home: paths, tools, words and patterns, found in a conversation.

Nobody here knows in which folder an agent works, so a path counts as soon as it may be the one meant: a
pattern ``~/clients/**`` is found in ``/home/ann/clients/acme.txt``, ``$HOME/clients``, ``clients/acme.txt``,
``..\clients\acme.txt`` and ``file:///home/ann/work/../clients/acme.txt``, in upper or lower case.
"""

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from hashlib import blake2b
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct

from isthmus.handoff.conversations.turns import spoken, strings_of
from isthmus.messages import Message
from isthmus.settings import HomeOnlySettings

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_HOME = r"~|\$HOME|\$\{HOME\}|%USERPROFILE%|\$env:USERPROFILE"
_NAME = r"[^/\s\"'`<>|]"
"""A character of a file's name, as far as can be told in the middle of a text."""
_AFTER = r"(?![\w-])"
_UP = r"(?:\.{1,2}/)"
_LONG, _HELD = 1000, 4096
_WINDING = re.compile(r"[^\s\"'`<>|]*/\.{1,2}(?:/[^\s\"'`<>|]*)?")


class Found(Struct, frozen=True):
    """What bears a mark: a message, by its place, and which rule says so."""

    place: int
    why: str


class MarkRules:
    """Finds what stays home.

    Args:
        settings: The person's rules.
        home: The person's home folder, which ``~`` stands for; by default that of whoever runs this.

    Raises:
        re.error: A pattern isn't a regular expression.
    """

    def __init__(self, settings: HomeOnlySettings, home: Path | None = None) -> None:
        own = (home or Path.home()).as_posix()
        self._paths = [(f"path {each}", path_pattern(each, own)) for each in settings.paths]
        self._texts = [(f"word {each}", _phrase(each)) for each in settings.words]
        self._texts += [(f"pattern {each}", re.compile(each)) for each in settings.patterns]
        self._tools = [(f"tool {each}", re.compile(translate(each.casefold()))) for each in settings.tools]

        self._looked: dict[bytes, str | None] = {}

    @property
    def empty(self) -> bool:
        """Whether there is no rule."""
        return not (self._paths or self._texts or self._tools)

    def find(self, messages: Sequence[Message]) -> Iterator[Found]:
        """What of a conversation bears a mark, each message once.

        A call that names a marked path, or a marked tool, bears one, and so does its result. Where there are
        rules for tools, a result whose call isn't there does too: nobody knows whose it is.
        """
        if self.empty:
            return
        calls: dict[str, tuple[str, str | None]] = {}  # a call's tool, and why its result stays home
        for place, message in enumerate(messages):
            said = why = self._first_in(spoken(message))
            for call in message.tool_calls:
                marked = self._tool(call.name) or self._first_in(strings_of(call)) or said
                calls[call.id] = call.name, marked
                why = why or marked
            if message.role == "tool":
                why = why or self._result(message, calls)
            if why is not None:
                yield Found(place, why)

    def _first_in(self, texts: Iterable[str]) -> str | None:
        return next((why for text in texts if (why := self._in_text(text))), None)

    def _in_text(self, text: str) -> str | None:
        """Which rule a text falls under; of a long one, which comes back turn by turn, it is remembered."""
        if len(text) < _LONG:
            return self._look(text)
        name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if name not in self._looked:
            if len(self._looked) >= _HELD:
                self._looked.clear()
            self._looked[name] = self._look(text)
        return self._looked[name]

    def _look(self, text: str) -> str | None:
        plain = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
        for why, pattern in self._texts:
            if pattern.search(plain):
                return why
        if not self._paths:
            return None
        spelled = [_straightened(plain)]
        if "%" in plain:
            spelled.append(_straightened(unquote(plain)))
        return next((why for why, pattern in self._paths if any(map(pattern.search, spelled))), None)

    def _result(self, message: Message, calls: dict[str, tuple[str, str | None]]) -> str | None:
        tool, why = calls.get(message.tool_call_id or "", (message.name, None))
        if why is not None or tool is None:
            return why or ("a tool's output of unknown origin" if self._tools else None)
        return self._tool(tool)

    def _tool(self, name: str) -> str | None:
        return next((why for why, pattern in self._tools if pattern.match(name.casefold())), None)


# ---------------------------------------------------------------- paths


def path_pattern(pattern: str, home: str) -> re.Pattern[str]:
    """What finds the paths in a text that a pattern may mean.

    In a pattern ``**`` stands for any folders, ``*`` for any letters of a name, ``?`` for one. One that ends
    in a wildcard means the folder itself too, since an agent that works there says no more of it.

    Args:
        pattern: ``~/clients/**``, ``/srv/private``, ``secrets/*.txt``, ``*.pem``.
        home: The folder that ``~`` stands for.
    """
    given = _slashed(pattern)
    parts = [part for part in given.split("/") if part not in ("", ".")]
    while len(parts) > 1 and not parts[-1].strip("*"):
        parts.pop()
    if given.startswith("~"):
        root, parts = f"(?:{_HOME}|{re.escape(home)})", parts[1:]
    elif given.startswith("/"):
        root = ""
    elif re.match(r"[A-Za-z]:", given):
        root = re.escape(parts.pop(0))
    else:
        return re.compile(_anywhere(parts, folder=given.endswith(("/", "*"))), re.IGNORECASE)
    whole = rf"(?<![\w.~-]){root}/{_joined(parts)}{_AFTER}" if parts else rf"(?<![\w.~-]){root}/?{_AFTER}"
    return re.compile("|".join((whole, *_from_within(parts))), re.IGNORECASE)


def _anywhere(parts: list[str], *, folder: bool) -> str:
    """What finds a path without a root: in any folder."""
    while len(parts) > 1 and parts[0] == "**":
        parts = parts[1:]
    path = _joined(parts)
    if parts[0].startswith("*"):
        # Of a name that may begin with anything, one letter must be there: ".pem" alone is no file.
        return rf"(?<=[\w)\]-]){path}{_AFTER}"
    if folder and len(parts) == 1:
        return rf"(?<=/){path}{_AFTER}|(?<![\w.-]){path}/"
    return rf"(?<![\w.-]){path}{_AFTER}"


def _from_within(parts: Sequence[str]) -> Iterator[str]:
    """How a path may be written in a folder on the way to it: without the names before."""
    fixed = next((n for n, part in enumerate(parts) if set(part) & set("*?")), len(parts))
    for first in range(fixed):
        rest = parts[first:]
        path = _joined(rest)
        if len(rest) > 1 or "." in rest[0].strip("."):
            way = f"{_UP}*{path}{_AFTER}"
        else:  # a word like any other, but for a slash at either side
            way = f"(?:{_UP}+{path}{_AFTER}|{path}/)"
        yield rf"(?<![\w.~/$%-]){way}"


def _joined(parts: Sequence[str]) -> str:
    """The parts of a path; what stands before the first of its letters counts for nothing."""
    joined = ""
    for number, part in enumerate(parts):
        if part == "**":
            joined += rf"(?:{_NAME}{{1,255}}/){{0,32}}"
        else:
            joined += _part(part.lstrip("*") if number == 0 else part)
            joined += "/" if number < len(parts) - 1 else ""
    return joined


def _part(part: str) -> str:
    wild = {"*": rf"{_NAME}{{0,255}}", "?": _NAME}
    return "".join(wild.get(each, re.escape(each)) for each in re.sub(r"\*+", "*", part))


def _slashed(text: str) -> str:
    return text.replace("\\ ", " ").replace("\\", "/")


def _straightened(text: str) -> str:
    """A text whose paths are written plainly: with slashes, without detours."""
    text = re.sub(r"/{2,}", "/", _slashed(text))
    if "/.." not in text and "/./" not in text:
        return text
    return _WINDING.sub(lambda found: posixpath.normpath(found[0]), text)


def _phrase(phrase: str) -> re.Pattern[str]:
    """What finds a phrase, whatever stands between its words."""
    spaced = r"[\s_-]+".join(map(re.escape, unicodedata.normalize("NFKC", phrase).split()))
    return re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE)
