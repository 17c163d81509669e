import gzip
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import UsageError
from isthmus.handoff.estimator.rows import parse_row, read_rows

GOOD = {"prompt": "What is 6 times 7?", "weak_correct": True, "strong_correct": False}


def written(tmp_path, text, name="rows.jsonl"):
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.json"])
def test_json_lines(tmp_path, name):
    answered = GOOD | {
        "weak_response": "42\u2028!",
        "logprobs": [-0.1, 0],
        "entropy": [0.2, 0],
        "finish": "stop",
    }
    text = f"{json.dumps(GOOD)}\n\n{json.dumps(answered, ensure_ascii=False)}\n"
    table = read_rows(written(tmp_path, text, name), labelled=True)
    plain, other = table.rows
    assert (plain.weak_correct, plain.strong_correct, plain.answer) == (True, False, None)
    assert other.answer is not None
    assert other.answer.logprobs == (-0.1, 0)
    assert other.answer.finish_reason == "stop"
    assert len(table.sha256) == 64


def test_csv_with_lines_in_its_cells(tmp_path):
    header = "prompt,weak_correct,strong_correct,weak_response,logprobs"
    text = f'{header}\n"Two\nlines?",True,0,"a, b","[-0.5, -1]"\n'
    (row,) = read_rows(written(tmp_path, text, "rows.csv"), labelled=True).rows
    assert row.prompt == "Two\nlines?"
    assert (row.weak_correct, row.strong_correct) == (True, False)
    assert row.answer is not None
    assert row.answer.logprobs == (-0.5, -1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 2: it is no JSON"),
        ("[1]", "line 2: it is no JSON object"),
        (json.dumps(GOOD | {"prompt": " "}), "line 2: it has no prompt"),
        (json.dumps({"prompt": "x", "weak_correct": True}), "line 2: it has no strong_correct"),
        (json.dumps(GOOD | {"weak_correct": "perhaps"}), "neither true nor false"),
        (json.dumps(GOOD | {"weak_response": 7}), "no text"),
        (json.dumps(GOOD | {"weak_response": "x", "logprobs": ["a"]}), "not all numbers"),
        (json.dumps(GOOD | {"weak_response": "x", "logprobs": "[1"}), "no JSON list"),
        (json.dumps(GOOD | {"weak_response": "x", "samples": [1]}), "not all texts"),
        (json.dumps(GOOD | {"weak_response": "x", "entropy": {}}), "no list"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, line, why):
    with pytest.raises(UsageError, match=why):
        read_rows(written(tmp_path, f"{json.dumps(GOOD)}\n{line}\n"), labelled=True)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UsageError, match="can't be read"):
        read_rows(tmp_path / "missing.jsonl", labelled=True)
    with pytest.raises(UsageError, match="holds no rows"):
        read_rows(written(tmp_path, "\n"), labelled=True)
    with pytest.raises(UsageError, match="columns have no prompt"):
        read_rows(written(tmp_path, "a,b\n1,2\n", "x.csv"), labelled=True)
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(b"\x1f\x8bnonsense that is no gzip")
    with pytest.raises(UsageError, match="can't be read"):
        read_rows(broken, labelled=True)


def test_labels_are_not_needed_to_score(tmp_path):
    (row,) = read_rows(written(tmp_path, '{"prompt": "hi"}\n'), labelled=False).rows
    assert row.weak_correct is None


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "weak_correct", "strong_correct", "weak_response", "logprobs", "samples"]),
        st.none()
        | st.booleans()
        | st.text(max_size=20)
        | st.floats()
        | st.lists(st.floats() | st.text(max_size=3)),
    )
)
def test_any_object_is_a_row_or_a_usage_error(given_row):
    with suppress(UsageError):
        assert parse_row(given_row, "here", labelled=True).prompt.strip()
