"""The code in an answer: fenced blocks, one or several, whole or cut off, or none and the answer is code."""

import ast
import re
import warnings
from collections.abc import Sequence

from msgspec import Struct

PYTHON = frozenset({"", "python", "python3", "py", "py3"})
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^`]*")
_BEGINS_CODE = re.compile(r"(?:from\s+[\w.]+\s+import|import\s+\w|(?:async\s+)?def\s+\w|class\s+\w|@\w)")
_LONGEST = 200_000
"""Characters of a program that is looked into; a longer one takes seconds."""

_MOST_LINES = 400
"""Lines of an answer without fences that code is looked for in."""


class CodeBlock(Struct, frozen=True):
    """A fenced block; ``language`` as it says, in lower case, or empty."""

    language: str
    code: str


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced blocks of a text, in order (CommonMark 4.5). One that isn't closed goes to the end."""
    blocks: list[CodeBlock] = []
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.splitlines():
        found = _FENCE.fullmatch(line)
        if opening is None:
            opening, lines = found, []
        elif found and found[2].startswith(opening[2]) and line.strip() == found[2]:
            blocks.append(_block(opening, lines))
            opening = None
        else:
            lines.append(line)
    if opening is not None and lines:
        blocks.append(_block(opening, lines))
    return blocks


def _block(opening: re.Match[str], lines: Sequence[str]) -> CodeBlock:
    """A block's lines, moved to the left as far as its fence stands to the right: in a list, for one."""
    indent = re.compile(rf"[ \t]{{0,{len(opening[1])}}}")
    return CodeBlock(opening[3].lower(), "".join(f"{indent.sub('', line, count=1)}\n" for line in lines))


def code_of(answer: str, *, entry_point: str | None = None) -> str:
    """The Python program that an answer gives.

    Of several blocks it is the last that defines the entry point, with the imports and definitions of the
    others that it lacks; without an entry point, the blocks together. Of an answer without fences it is the
    longest stretch of lines that is Python. Empty where there is nothing of the kind.

    Args:
        answer: What was answered.
        entry_point: The function or class that is asked for.
    """
    blocks = [block.code for block in code_blocks(answer) if block.language in PYTHON]
    if not blocks:
        return _bare(answer)
    if entry_point is None:
        whole = [block for block in blocks if _parsed(block) is not None]
        return "\n".join(whole) if whole else blocks[-1]
    main = next((block for block in reversed(blocks) if entry_point in _names(block)), None)
    if main is None:
        return "\n".join(blocks) if len(blocks) > 1 else blocks[0]
    return _definitions([block for block in blocks if block is not main], without=_names(main)) + main


def defines(code: str, name: str) -> bool:
    """Whether a program defines a function, class or variable at its top."""
    return name in _names(code)


def definitions_of(code: str, *, without: Sequence[str] = ()) -> str:
    """The imports, functions, classes and assignments at the top of a program, but for some names."""
    return _definitions([code], without=frozenset(without))


def _definitions(blocks: Sequence[str], *, without: frozenset[str]) -> str:
    taken: list[str] = []
    for block in blocks:
        tree = _parsed(block)
        for node in tree.body if tree else ():
            names = _bound(node)
            if names and not names & without:
                taken.append(ast.get_source_segment(block, node) or ast.unparse(node))
                without |= names
    return "".join(f"{each}\n" for each in taken)


def _names(code: str) -> frozenset[str]:
    """The names that a program binds at its top; read by eye where it is no whole Python."""
    tree = _parsed(code)
    if tree is None:
        return frozenset(re.findall(r"^(?:async\s+)?(?:def|class)\s+(\w+)", code, re.MULTILINE))
    return frozenset(name for node in tree.body for name in _bound(node))


def _bound(node: ast.stmt) -> frozenset[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return frozenset({node.name})
        case ast.Import() | ast.ImportFrom():
            return frozenset((each.asname or each.name).partition(".")[0] for each in node.names)
        case ast.Assign():
            return frozenset(
                each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)
            )
        case ast.AnnAssign(target=ast.Name(id=name)):
            return frozenset({name})
        case _:
            return frozenset()


def _bare(answer: str) -> str:
    """The code in an answer without fences: all of it, or from the first line that begins like code."""
    if (tree := _parsed(answer)) is not None:
        return answer if any(map(_does_something, tree.body)) else ""
    lines = answer.splitlines()[:_MOST_LINES]
    first = next((number for number, line in enumerate(lines) if _BEGINS_CODE.match(line)), None)
    if first is None:
        return ""
    for last in range(len(lines), first, -1):
        code = "\n".join(lines[first:last])
        if _parsed(code) is not None:
            return code + "\n"
    return ""


def _does_something(node: ast.stmt) -> bool:
    """Whether a statement is more than a word, which Python reads as a name."""
    return not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call | ast.Await)


def _parsed(code: str) -> ast.Module | None:
    if len(code) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in somebody's string is no concern of ours
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
