import json

import pytest


@pytest.fixture
def asked(record):
    for name in ("abc", "abd"):
        record(id=name)


def test_an_answer_is_called_right_or_wrong(isthmus, asked):
    assert isthmus("handoff", "label", "abc", "right").code == 0
    assert json.loads(isthmus("handoff", "show", "abc", "--json").out)["correct"] is True
    isthmus("handoff", "label", "abc", "wrong")
    assert json.loads(isthmus("handoff", "show", "abc", "--json").out)["correct"] is False


def test_many_come_from_a_file(isthmus, asked, tmp_path):
    file = tmp_path / "labels.jsonl"
    file.write_text('{"id": "abc", "label": "right"}\n\n{"id": "abd", "label": "wrong", "note": "sums"}\n')
    assert "2 labelled" in isthmus("handoff", "label", "--file", str(file)).err
    group = json.loads(isthmus("handoff", "report", "--json").out)["all"]
    assert (group["kept_right"], group["kept_labelled"]) == (1, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "name a question or a file"),
        ("abc", "right or wrong"),
        ("abc good", "right or wrong, not 'good'"),
        ("ab right", "several questions"),
        ("zzz right", "no question is named"),
        ("--file nowhere.jsonl", "can't be read"),
    ],
)
def test_what_cannot_be_understood_is_told(isthmus, asked, words, said):
    shown = isthmus("handoff", "label", *words.split())
    assert shown.code == 2
    assert said in shown.err


@pytest.mark.parametrize("line", ['{"id": "abc"}', "nonsense", '{"id": "abc", "label": "perhaps"}', "\xff"])
def test_a_bad_line_is_named_and_nothing_is_labelled(isthmus, asked, tmp_path, line):
    file = tmp_path / "labels.jsonl"
    file.write_bytes(b'{"id": "abc", "label": "right"}\n' + line.encode("latin-1") + b"\n")
    shown = isthmus("handoff", "label", "--file", str(file))
    assert shown.code == 2
    assert "line 2" in shown.err
    assert json.loads(isthmus("handoff", "show", "abc", "--json").out)["correct"] is None
