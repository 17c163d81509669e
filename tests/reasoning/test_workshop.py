"""Programs for real, in the sandbox."""

import pytest

from isthmus.reasoning.workshop import SandboxWorkshop
from isthmus.sandbox import unavailable

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(unavailable() is not None, reason="there is no sandbox here"),
]

ADD = "Here it is:\n```python\ndef add(a, b):\n    return a {} b\n```"
TESTS = ("assert add(1, 2) == 3",)


async def test_a_program_is_put_to_the_tests_and_its_output_is_read():
    workshop = SandboxWorkshop()
    assert await workshop.closed() is None
    assert await workshop.passes(ADD.format("+"), TESTS)
    assert not await workshop.passes(ADD.format("-"), TESTS)
    assert not await workshop.passes("I can't.", TESTS)
    assert await workshop.output("```python\nprint(6 * 7)\n```") == "42"
    assert await workshop.output("```python\nprint(6 * 7)\n1 / 0\n```") is None
