import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.evals.answer_files import files_in, render_files

PATHS = ["shelf.py", "stock/money.py", "notes/README.md"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


@given(st.dictionaries(st.sampled_from(PATHS), TEXTS.map(lambda text: text + "\n"), min_size=1))
def test_what_is_rendered_is_read_again(files):
    assert files_in(render_files(files), list(files)) == files


def test_a_text_with_fences_of_its_own_stays_whole():
    files = {"notes/README.md": "Like this:\n```python\nprint(1)\n```\nand on.\n"}
    assert files_in(render_files(files), list(files)) == files


@pytest.mark.parametrize(
    "answer",
    [
        "```python\n# stock/money.py\nCENT = 1\n```",
        "```python\n# path: stock/money.py\nCENT = 1\n```",
        "```python\n# File: `stock/money.py`\nCENT = 1\n```",
        "```python stock/money.py\nCENT = 1\n```",
        "```python title=stock/money.py\nCENT = 1\n```",
        "### `stock/money.py`\n\n```python\nCENT = 1\n```",
        "**stock/money.py**:\n```\nCENT = 1\n```",
        "Here is stock/money.py:\n~~~python\nCENT = 1\n~~~\nThat is all.",
        "```python\n# money.py\nCENT = 1\n```",  # without its folder
        "```python\n# stock/money.py\nCENT = 1\n",  # cut off at the end
    ],
)
def test_a_path_is_found_where_models_write_it(answer):
    assert files_in(answer, ["stock/money.py", "stock/shelf.py"]) == {"stock/money.py": "CENT = 1\n"}


def test_a_comment_that_only_mentions_a_file_is_code():
    answer = "```python\n# see stock/shelf.py for more\nCENT = 1\n```"
    assert files_in(answer, ["money.py"]) == {"money.py": "# see stock/shelf.py for more\nCENT = 1\n"}


def test_several_files_and_the_later_of_two():
    blocks = [f"```python\n# {path}\n{text}\n```\n" for path, text in (("a.py", 1), ("b.py", 2), ("a.py", 3))]
    answer = "{}\n{}No, rather:\n{}".format(*blocks)
    assert files_in(answer, ["a.py", "b.py"]) == {"a.py": "3\n", "b.py": "2\n"}


def test_where_one_file_is_wanted_the_longest_block_is_it():
    answer = "Use it so:\n```python\nf(1)\n```\nThe code:\n```python\ndef f(x):\n    return x\n```"
    assert files_in(answer, ["f.py"]) == {"f.py": "def f(x):\n    return x\n"}
    assert files_in(answer, ["f.py", "g.py"]) == {}


def test_what_points_outside_is_left_out():
    answer = "\n".join(f"```python\n# {path}\nx\n```" for path in ("../up.py", "/etc/x.py", "a/../../b.py"))
    assert files_in(answer, ["f.py", "g.py"]) == {}


@given(st.text(alphabet="`~#\n a./py*"))
def test_whatever_is_written_no_file_lies_outside(answer):
    for path in files_in(answer, ["a.py"]):
        assert not path.startswith("/")
        assert ".." not in path.split("/")
