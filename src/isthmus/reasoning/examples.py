"""The tests that a prompt shows: what a program must come to, as whoever asks has written it down.

Two forms are read: ``assert f(2) == 4``, as in MBPP, and sessions (``>>> f(2)`` and what it prints), as in
docstrings. Tests that a prompt doesn't show are nobody's business here.
"""

import ast
import warnings

_MOST_LINES = 12
"""Lines that one ``assert`` may span."""
_MOST_TESTS = 20


def shown_tests(prompt: str) -> tuple[str, ...]:
    """The tests of a prompt, each as a Python ``assert`` statement, in order and once each."""
    found = dict.fromkeys((*_asserts(prompt), *_sessions(prompt)))
    return tuple(found)[:_MOST_TESTS]


def _asserts(prompt: str) -> list[str]:
    lines, found, at = prompt.splitlines(), list[str](), 0
    while at < len(lines):
        span = _statement(lines, at) if lines[at].lstrip("`-* ").startswith("assert ") else 0
        if span:
            found.append("\n".join(lines[at : at + span]).strip("`-* \t\n"))
        at += max(span, 1)
    return found


def _statement(lines: list[str], at: int) -> int:
    """How many lines the statement that begins at a line takes; 0 where it is none."""
    for span in range(1, min(_MOST_LINES, len(lines) - at) + 1):
        if _parses("\n".join(lines[at : at + span]).strip("`-* \t\n")):
            return span
    return 0


def _sessions(prompt: str) -> list[str]:
    if ">>>" not in prompt:
        return []
    import doctest  # heavy: it brings a debugger and a test runner

    try:
        examples = doctest.DocTestParser().get_examples(prompt)
    except ValueError:  # a session that is broken off or badly indented
        return []
    made = [
        f"assert ({each.source.strip()}) == ({each.want.strip()})" for each in examples if each.want.strip()
    ]
    return [each for each in made if _parses(each)]


def _parses(statement: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a test merely warns of is no error
            body = ast.parse(statement).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return len(body) == 1 and isinstance(body[0], ast.Assert)
