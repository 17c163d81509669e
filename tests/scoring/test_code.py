"""Programs against tests, in the sandbox: what passes, what doesn't, and what only seems to."""

import pytest

from isthmus.errors import SandboxUnavailable, UsageError
from isthmus.sandbox import Limits, box
from isthmus.scoring import score_asserts, score_check, score_files
from isthmus.scoring.code import entry_point_of

pytestmark = pytest.mark.anyio

ADD = "```python\ndef add(a, b):\n    return a + b\n```"
ASSERTS = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]
PROMPT = """from typing import List

def double(x):
    return 2 * x

def doubled(xs: List[int]):
    '''Each doubled.'''
"""
CHECK = "def check(candidate):\n    assert candidate([1, 2]) == [2, 4]\n"
TEST = """import unittest, it
class Test(unittest.TestCase):
    def test(self):
        self.assertEqual(it.it(), 5)
"""
PIECES = """First:
```python
from functools import partial
```
then
```python
def doubled(xs):
    return list(map(partial(double), xs))
```
For example
```python
print(doubled([1])); 1/0
```
"""


@pytest.mark.usefixtures("sandboxes")
@pytest.mark.parametrize(
    ("answer", "right", "why"),
    [
        (ADD, True, "all tests pass"),
        (ADD.replace("+", "-"), False, "AssertionError: assert add(1, 2) == 3"),
        ("```python\ndef add(a, b)\n```", False, "SyntaxError"),
        ("I can't.", False, "there is no code in it"),
        (
            "```python\nimport os; os._exit(0)\ndef add(a, b): ...\n```",
            False,
            "it ended before its tests did",
        ),
        ("```python\nraise SystemExit\ndef add(a, b): ...\n```", False, "it ended before its tests did"),
        ("```python\ndef add(a, b):\n    while True: pass\n```", False, "it was stopped after"),
        (
            f"{ADD[:-3]}\nif __name__ == '__main__':\n    print(add(*map(int, input().split())))\n```",
            True,
            "all",
        ),
    ],
)
async def test_asserts(answer, right, why):
    verdict = await score_asserts(answer, ASSERTS, limits=Limits(wall_s=3, cpu_s=0.5))
    assert (verdict.right, why in verdict.why) == (right, True), verdict.why


@pytest.mark.usefixtures("sandboxes")
async def test_setup_runs_before_asserts():
    assert (await score_asserts(ADD, ["assert add(N, 0) == 7"], setup="N = 7")).right


@pytest.mark.usefixtures("sandboxes")
@pytest.mark.parametrize(
    "answer",
    [
        "    return [double(x) for x in xs]\n",
        "```python\n    return [double(x) for x in xs]\n```",
        "```python\ndef doubled(xs: List[int]):\n    return [double(x) for x in xs]\n```",
        PIECES,
    ],
)
async def test_check_takes_a_whole_function_or_the_rest_of_one(answer):
    verdict = await score_check(answer, CHECK, "doubled", prompt=PROMPT)
    assert verdict.right, verdict.why


@pytest.mark.usefixtures("sandboxes")
async def test_files_with_their_own_tests():
    passes = await score_files({"it.py": "def it(): return 5", "test_it.py": TEST})
    fails = await score_files({"it.py": "def it(): return 6", "test_it.py": TEST})
    leaves = await score_files({"it.py": "import os; os._exit(0)", "test_it.py": TEST})
    none = await score_files({"it.py": "def it(): return 5"})
    assert (passes.right, passes.why) == (True, "all tests pass")
    assert not fails.right
    assert (leaves.right, leaves.why) == (False, "it ended well, but no test has passed")
    assert not none.right


@pytest.mark.usefixtures("sandboxes")
async def test_files_with_pytest():
    files = {"it.py": "def it(): return 5", "test_it.py": "import it\ndef test_it(): assert it.it() == 5"}
    command = ["python", "-m", "pytest", "-q"]
    assert (await score_files(files, command, packages=("pytest",))).right
    failed = await score_files(files | {"it.py": "def it(): return 6"}, command, packages=("pytest",))
    assert (failed.right, "1 failed" in failed.why) == (False, True)


async def test_no_tests_are_an_error():
    with pytest.raises(UsageError, match="no tests"):
        await score_asserts(ADD, [])
    with pytest.raises(UsageError, match="no tests"):
        await score_check(ADD, " ", "add")
    with pytest.raises(UsageError, match="no files"):
        await score_files({})


async def test_code_runs_in_a_sandbox_or_not_at_all(monkeypatch):
    monkeypatch.setattr(box, "probe", lambda: SandboxUnavailable("there is none", hint="get one"))
    for scoring in (
        score_asserts(ADD, ASSERTS),
        score_check(ADD, "def check(c): ...", "add"),
        score_files({"test_it.py": TEST}),
    ):
        with pytest.raises(SandboxUnavailable):
            await scoring


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("assert add(1, 2) == 3", "add"),
        ("assert set(similar((3, 4))) == set((4, 5))", "similar"),
        ("assert math.isclose(area(2), 12.5)", "area"),
        ("assert 1 == 1", None),
    ],
)
def test_what_asserts_are_about(statement, name):
    assert entry_point_of([statement]) == name
