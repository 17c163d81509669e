"""The tool `python`, as a model calls it."""

import json

import pytest

from isthmus.errors import SandboxUnavailable
from isthmus.sandbox import Limits, box
from isthmus.tools import PythonTool, run_python
from isthmus.tools.python import clipped

pytestmark = pytest.mark.anyio


async def call(code, **limits):
    tool = PythonTool(Limits(**limits)) if limits else PythonTool()
    return await tool(json.dumps({"code": code}))


@pytest.mark.usefixtures("sandboxes")
async def test_a_script_prints():
    assert await call("print(sum(range(10)))") == "45"
    assert await call("x = 1") == "(it printed nothing)"


@pytest.mark.usefixtures("sandboxes")
async def test_what_went_wrong_is_told():
    told = await call("print('before')\n1/0")
    assert told.startswith("before\nTraceback")
    assert told.endswith("ZeroDivisionError: division by zero\n(it exited with 1)")
    assert await call("while True: pass", wall_s=0.2) == "(it was stopped after 0.2 s)"


@pytest.mark.usefixtures("sandboxes")
async def test_much_output_is_clipped_and_said():
    told = await call("print('x' * 1_000_000); print('end')", output_bytes=20_000)
    assert len(told) < 9_000
    assert "characters left out" in told
    assert told.endswith("its output was cut)")


@pytest.mark.usefixtures("sandboxes")
async def test_nothing_is_kept_from_one_call_to_the_next():
    await call("open('kept', 'w').close()")
    assert await call("import os; print(os.path.exists('kept'))") == "False"


@pytest.mark.parametrize(
    "arguments", ["", "print(1)", "[]", '{"code": 5}', '{"script": "x"}', '{"code": "\\ud800']
)
async def test_arguments_that_are_none_are_answered(arguments):
    assert (await PythonTool()(arguments)).startswith("The arguments must be JSON")


async def test_without_a_sandbox_nothing_runs(monkeypatch):
    monkeypatch.setattr(box, "probe", lambda: SandboxUnavailable("there is none", hint="get one"))
    with pytest.raises(SandboxUnavailable, match="there is none"):
        await run_python("print(1)")


def test_its_declaration_is_a_schema():
    declaration = PythonTool.declaration
    assert (declaration.name, declaration.parameters["required"]) == ("python", ["code"])


def test_a_long_text_keeps_both_ends():
    text = "a" * 60 + "b" * 60
    assert clipped(text, 30) == "a" * 20 + "\n[... 90 characters left out ...]\n" + "b" * 10
    assert clipped("short") == "short"
