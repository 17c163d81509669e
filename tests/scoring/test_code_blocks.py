import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.scoring import CodeBlock, code_blocks, code_of

LINES = st.text(
    st.characters(codec="utf-8", exclude_characters="`~\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=20
)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```python\nx = 1\n```", [CodeBlock("python", "x = 1\n")]),
        ("~~~\nx\n~~~", [CodeBlock("", "x\n")]),
        ("````md\n```\nx\n```\n````", [CodeBlock("md", "```\nx\n```\n")]),
        (
            "```Python title=x\nx\n```\ntext\n```sh\ny\n```",
            [CodeBlock("python", "x\n"), CodeBlock("sh", "y\n")],
        ),
        ("1. so:\n   ```py\n   if x:\n       y\n   ```", [CodeBlock("py", "if x:\n    y\n")]),
        ("```python\nnever closed", [CodeBlock("python", "never closed\n")]),
        ("```", []),
        ("inline `code` only", []),
    ],
)
def test_fenced_blocks(text, blocks):
    assert code_blocks(text) == blocks


@given(st.lists(LINES, max_size=5), LINES)
def test_a_block_holds_its_lines(lines, before):
    text = "\n".join((before, "```python", *lines, "```", before))
    assert code_blocks(text) == [CodeBlock("python", "".join(f"{line}\n" for line in lines))]


def test_the_last_block_that_defines_what_is_asked_for_with_what_it_lacks():
    answer = textwrap.dedent(
        """
        A first try:
        ```python
        import math
        LIMIT = 10
        def f(x): return 1
        def helper(x): return x
        print(f(2))
        ```
        Better:
        ```python
        def f(x):
            return helper(math.floor(x))
        ```
        Use it:
        ```python
        print(f(float(input())))
        ```
        """
    )
    code = code_of(answer, entry_point="f")
    assert code.count("def f") == 1
    assert "import math" in code
    assert "def helper" in code
    assert "print" not in code
    scope = {}
    exec(code, scope)
    assert scope["f"](2.5) == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("def f():\n    return 1", "def f():\n    return 1"),
        ("Sure!\n\ndef f():\n    return 1\n\nThat is it, I hope.", "def f():\n    return 1\n"),
        ("```js\nlet x\n```", ""),
        ("No.", ""),
        ("yes", ""),
        ("", ""),
        ("print(5)", "print(5)"),
    ],
)
def test_an_answer_without_python_fences(answer, code):
    assert code_of(answer).strip() == code.strip()


def test_without_an_entry_point_the_blocks_go_together():
    answer = "```python\nx = 1\n```\nand\n```\nprint(x)\n```\nwhich prints\n```\n>>> 1\n```"
    assert code_of(answer) == "x = 1\n\nprint(x)\n"


@given(st.text(max_size=300), st.none() | st.just("f"))
def test_any_answer_gives_some_code_or_none(answer, entry_point):
    code_of(answer, entry_point=entry_point)


@pytest.mark.parametrize(
    "hostile", ["(" * 5000, "-" * 100_000 + "1", "a." * 50_000 + "a", "x = '" + "\\d" * 100 + "'"]
)
def test_code_that_a_parser_chokes_on(hostile):
    assert isinstance(code_of(f"```python\n{hostile}\n```", entry_point="f"), str)


@given(
    st.lists(
        st.sampled_from(["x = 1", "def f():\n    return 1", "import os", "class A:\n    pass"]),
        min_size=1,
        max_size=4,
    )
)
def test_whole_blocks_stay_whole(parts):
    answer = "\n".join(f"```python\n{part}\n```" for part in parts)
    ast.parse(code_of(answer))
    ast.parse(code_of(answer, entry_point="f"))
