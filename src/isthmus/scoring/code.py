"""Answers that are programs, judged by running them against tests: in a sandbox, and nowhere else.

A program that ends before its tests do doesn't pass: after the last of them the driver writes down a word
that it was given on its way in. Tests run in the process of the program that they test, as in MBPP's and
HumanEval's own harnesses, so that a program which sets out to deceive them can; it can't get out.
"""

import builtins
import keyword
import re
import secrets
from collections.abc import Mapping, Sequence

from isthmus.errors import UsageError
from isthmus.sandbox import Completed, Limits, Sandbox
from isthmus.scoring.code_blocks import code_of, defines, definitions_of
from isthmus.scoring.verdict import Verdict

# What decides is processor time, so that a busy machine judges as a quiet one does.
CODE_LIMITS = Limits(wall_s=30.0, cpu_s=10.0, disk_bytes=16 << 20, output_bytes=64 << 10)
FILES_LIMITS = Limits(wall_s=60.0, cpu_s=60.0, disk_bytes=64 << 20, output_bytes=256 << 10)

_PASSED = "passed"
_DRIVER = f"""\
import sys, types
word = sys.argv.pop()
solution = sys.modules["solution"] = types.ModuleType("solution")
for name in ("solution.py", "tests.py"):
    with open(name, encoding="utf-8") as file:
        exec(compile(file.read(), name, "exec"), solution.__dict__)
with open("{_PASSED}", "w") as file:
    file.write(word)
"""
_PROOFS = {
    "pytest": re.compile(r"\b[1-9]\d* passed\b"),
    "unittest": re.compile(r"^Ran [1-9]\d* tests? in .*\n\nOK", re.MULTILINE),
}
"""What these runners say when tests have run and passed; an exit status of 0 can be had by leaving early."""
_PYTHONS_OWN = frozenset([*dir(builtins), *keyword.kwlist, "Counter", "isclose"])


async def score_asserts(
    answer: str, asserts: Sequence[str], *, setup: str = "", limits: Limits = CODE_LIMITS
) -> Verdict:
    """Whether an answer's program holds against assert statements, as in MBPP (arXiv 2108.07732).

    Args:
        answer: What was answered.
        asserts: The statements; the first function that they call is taken for what is asked for.
        setup: Code that runs before them (MBPP's ``test_setup_code``).
        limits: What the program may take.

    Raises:
        UsageError: There are no asserts.
        SandboxUnavailable: No sandbox can be had on this machine.
        SandboxError: The sandbox failed.
    """
    if not asserts:
        raise UsageError("there are no tests to hold the code against")
    code = code_of(answer, entry_point=entry_point_of(asserts))
    return await _tested(code, "\n".join((setup, *asserts)), limits)


async def score_check(
    answer: str, test: str, entry_point: str, *, prompt: str = "", limits: Limits = CODE_LIMITS
) -> Verdict:
    """Whether an answer's function passes ``check(candidate)``, as in HumanEval (arXiv 2107.03374).

    An answer that has the whole function gets the prompt's imports and helpers beside it; one that goes on
    where the prompt ends is put after it.

    Args:
        answer: What was answered.
        test: Code that defines ``check``.
        entry_point: The function's name.
        prompt: The beginning of the program that was given.
        limits: What the program may take.

    Raises:
        UsageError: There is no test.
        SandboxUnavailable: No sandbox can be had on this machine.
        SandboxError: The sandbox failed.
    """
    if not test.strip():
        raise UsageError("there are no tests to hold the code against")
    code = code_of(answer, entry_point=entry_point)
    if defines(code, entry_point):
        code = f"{definitions_of(prompt, without=(entry_point,))}\n{code}"
    elif prompt:
        code = prompt + (code or answer)
    return await _tested(code, f"{test}\n\ncheck({entry_point})\n", limits)


async def score_files(
    files: Mapping[str, str],
    command: Sequence[str] = ("python", "-m", "unittest"),
    *,
    packages: Sequence[str] = (),
    limits: Limits = FILES_LIMITS,
) -> Verdict:
    """Whether a folder's tests pass.

    Args:
        files: The folder, tests included: text by relative path.
        command: What runs the tests; of pytest and unittest it must be said that some passed.
        packages: Installed distributions that they may import: ("pytest",).
        limits: What they may take.

    Raises:
        UsageError: There is no file, or one of the packages isn't installed.
        SandboxUnavailable: No sandbox can be had on this machine.
        SandboxError: The sandbox failed.
    """
    if not files:
        raise UsageError("there are no files to test")
    async with Sandbox(limits, packages) as sandbox:
        for path, text in files.items():
            await sandbox.write(path, text)
        done = await sandbox.run(command)
    extracted = ", ".join(files)
    proof = next((pattern for runner, pattern in _PROOFS.items() if runner in command), None)
    if done.ok and proof and not proof.search(done.stdout + done.stderr):
        return Verdict(right=False, extracted=extracted, why="it ended well, but no test has passed")
    return Verdict(done.ok, extracted, "all tests pass" if done.ok else failure(done))


def entry_point_of(asserts: Sequence[str]) -> str | None:
    """The function that assert statements are about: the first that is called and isn't Python's own."""
    for statement in asserts:
        for name in re.findall(r"(?<![\w.])([A-Za-z_]\w*)\s*\(", statement):
            if name not in _PYTHONS_OWN:
                return name
    return None


def failure(done: Completed) -> str:
    """Why a program failed: the last line of its errors, with the line of the tests that they came from."""
    if done.stopped or done.signal:
        return done.said
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    if not lines:
        return done.said
    asserted = [line.strip() for line in lines if line.strip().startswith("assert ")]
    return f"{lines[-1].strip()}: {asserted[-1]}"[:500] if asserted else lines[-1].strip()[:500]


async def _tested(code: str, tests: str, limits: Limits) -> Verdict:
    if not code.strip():
        return Verdict(right=False, extracted=None, why="there is no code in it")
    word = secrets.token_hex()
    async with Sandbox(limits) as sandbox:
        await sandbox.write("solution.py", code)
        await sandbox.write("tests.py", tests)
        await sandbox.write("driver.py", _DRIVER)
        done = await sandbox.run(["python", "driver.py", word])
        try:
            passed = await sandbox.read(_PASSED) == word.encode()
        except OSError:
            passed = False
    if done.ok and passed:
        return Verdict(right=True, extracted=code, why="all tests pass")
    return Verdict(
        right=False, extracted=code, why="it ended before its tests did" if done.ok else failure(done)
    )
