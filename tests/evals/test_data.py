"""Data by path and hash."""

import gzip
import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from isthmus.errors import DigestMismatch, UsageError
from isthmus.evals.data import digests_of, load, locate
from isthmus.evals.suites import Published, suites

ROWS = [{"prompt": f"{n} plus 1?", "answer": n + 1, "grade": "numeric"} for n in range(5)]


@pytest.fixture
def own():
    path = Path("tasks.jsonl")
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


@pytest.fixture
def published(monkeypatch, own):
    """GSM8K as if these two rows had been its published file."""
    text = '{"question": "1+1?", "answer": "#### 2"}\n{"question": "2+2?", "answer": "so\\n#### 4"}\n'
    path = Path("test.jsonl")
    path.write_text(text)
    (known,) = digests_of(path)
    suite = msgspec.structs.replace(
        suites()["gsm8k"], published=(Published("test.jsonl", "https://example.org", known),)
    )
    monkeypatch.setitem(suites(), "gsm8k", suite)
    return path


def test_a_file_of_ones_own_is_named_by_its_path(own):
    source = locate(str(own), None, rows="1:3")
    assert (source.suite, source.name, source.rows) == ("own", "tasks", " rows 1:3")
    assert [each.answer for each in load(source).problems] == ["2", "3"]


def test_the_published_file_needs_no_hash_packed_or_not(published):
    assert len(load(locate("gsm8k", published)).problems) == 2
    packed = Path("test.jsonl.gz")
    packed.write_bytes(gzip.compress(published.read_bytes()))
    assert locate("gsm8k", packed).sha256 == locate("gsm8k", published).sha256


def test_another_file_is_refused_and_the_refusal_says_how_it_is_run_all_the_same(published):
    published.write_text(published.read_text() + "\n")
    found = sha256(published.read_bytes()).hexdigest()
    with pytest.raises(DigestMismatch, match=r"is not test\.jsonl as published") as refused:
        locate("gsm8k", published)
    assert refused.value.hint == f"--sha256 {found} runs it all the same"
    assert locate("gsm8k", published, sha256=found.upper()).sha256 == found


def test_the_hash_that_was_asked_for_must_hold(published):
    with pytest.raises(DigestMismatch, match="not the file that was asked for"):
        locate("gsm8k", published, sha256="0" * 64)


def test_a_file_that_changes_between_two_sittings_is_another_benchmark(own):
    source = locate(str(own), None)
    own.write_text(json.dumps(ROWS[0]))
    with pytest.raises(DigestMismatch, match="has changed"):
        load(source)


def test_a_folders_hash_is_of_its_names_and_contents(tmp_path):
    for name in ("a/one.txt", "b/two.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
    before = digests_of(tmp_path)
    (tmp_path / "b/two.txt").rename(tmp_path / "b/three.txt")
    assert digests_of(tmp_path) != before


@pytest.mark.parametrize("rows", ["5", "3:3", "4:2", "a:b", "-1:2"])
def test_rows_that_are_none_are_refused(own, rows):
    with pytest.raises(UsageError):
        locate(str(own), None, rows=rows)


def test_rows_beyond_the_end_leave_nothing_to_ask(own):
    with pytest.raises(UsageError, match="no problems in rows 7:9"):
        load(locate(str(own), None, rows="7:9"))


def test_without_data_it_says_where_they_are_published():
    with pytest.raises(UsageError, match=r"published as test.jsonl at https://raw") as refused:
        locate("gsm8k", None)
    assert refused.value.hint == "isthmus bench run gsm8k --data test.jsonl"


@pytest.mark.parametrize(("name", "near"), [("gsm8", "gsm8k"), ("humanevel", "humaneval")])
def test_a_misspelt_suite_is_met_with_the_nearest(name, near):
    with pytest.raises(UsageError) as refused:
        locate(name, None)
    assert near in refused.value.hint
