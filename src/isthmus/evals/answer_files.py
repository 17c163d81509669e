"""Files in an answer: code blocks that say which file they are.

A block's path is looked for where models write it: in a comment on its first line, after the language
(```` ```python stock/shelf.py ````), in the line before it.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

_BLOCK = re.compile(
    r"(?P<before>^[^\n]*\n(?:[ \t]*\n)?)?^(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)\n"
    r"(?P<body>.*?)(?:^(?P=fence)[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PATH = re.compile(r"(?<![\w./-])(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.\w+(?![\w/])")
_COMMENT = re.compile(r"\s*(?:#|//|--|/\*|<!--)\s*(?:(?:file|path|filename)\s*[:=]\s*)?", re.IGNORECASE)


def render_files(files: Mapping[str, str]) -> str:
    """The files as blocks that `files_in` reads again."""
    return "\n\n".join(_block(path, text) for path, text in files.items())


def files_in(answer: str, wanted: Sequence[str]) -> dict[str, str]:
    """The files that an answer holds, by path; of two with one path the later one.

    Args:
        answer: What was answered.
        wanted: The files that were asked for. A block that names none is the one that is asked for, where
            it is the only one; a block that names a wanted file without its folders is that file.
    """
    found: dict[str, str] = {}
    unnamed: list[str] = []
    for match in _BLOCK.finditer(answer):
        path, body = _named(match, wanted)
        if path is None:
            unnamed.append(body)
        elif _stays_inside(path):
            found[path] = body
    if len(wanted) == 1 and wanted[0] not in found and unnamed:
        found[wanted[0]] = max(unnamed, key=len)
    return found


def _block(path: str, text: str) -> str:
    # A longer fence than any in the text, which may be Markdown.
    longest = max((len(run) for run in re.findall(r"^`{3,}", text, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}python\n# {path}\n{text if text.endswith(chr(10)) or not text else text + chr(10)}{fence}"


def _named(match: re.Match[str], wanted: Sequence[str]) -> tuple[str | None, str]:
    """Which file a block is, and its text without the line that says so."""
    body = match["body"]
    first, _, rest = body.partition("\n")
    comment = _COMMENT.match(first)
    if comment and (path := _known(first[comment.end() :], wanted, alone=True)):
        return path, rest
    for line in (match["info"].partition(" ")[2], match["before"] or ""):
        if path := _known(line, wanted):
            return path, body
    return None, body


def _known(line: str, wanted: Sequence[str], *, alone: bool = False) -> str | None:
    """The path that a line names; where it must stand ``alone``, nothing but marks may stand beside it."""
    paths = _PATH.findall(line)
    if not paths or (alone and line.strip(" \t`*:-/>").removesuffix(" */") != paths[0]):
        return None
    path = paths[-1]
    return next((each for each in wanted if each == path or each.endswith(f"/{path}")), path)


def _stays_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in PurePosixPath(path).parts
