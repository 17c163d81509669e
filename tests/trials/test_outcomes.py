"""Outcomes as they come: a kill at any byte loses at most what was being written."""

import pytest
from msgspec.structs import replace

from isthmus.errors import GateError, GateRefused
from isthmus.gate.runs import RunHeader, Sample, read_run, to_bytes
from isthmus.trials.outcomes import Outcomes

HEADER = RunHeader(area="word", run="one", judge="j", weights="a" * 64, settings={"seed": "0"})
SAMPLES = [Sample("a", "resisted"), Sample("a", "violated", 1), Sample("b", "error"), Sample("c", "unparsed")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sitting" / "run.jsonl"


def whole(path) -> bytes:
    outcomes = Outcomes(path, HEADER)
    for each in SAMPLES:
        outcomes.add(each)
    return path.read_bytes()


def test_what_was_kept_is_a_run(path):
    content = whole(path)
    assert content == to_bytes(HEADER, SAMPLES) == Outcomes(path, HEADER).content
    assert read_run(content).outcomes == Outcomes(path, HEADER).by_prompt
    assert Outcomes(path, HEADER).errors == 2


def test_a_kill_at_any_byte_loses_no_whole_line(path):
    content = whole(path)
    ends = [at for at in range(len(content)) if content[at : at + 1] == b"\n"]
    for cut in sorted({0, 1, *ends, *(end + 1 for end in ends[:-1]), *(end + 9 for end in ends[:-1])}):
        path.write_bytes(content[:cut])
        outcomes = Outcomes(path, HEADER)
        kept = content[:cut].count(b"\n") - 1
        assert len(outcomes) == max(kept, 0)
        for each in SAMPLES:
            assert ((each.prompt, each.sample) in outcomes) == (SAMPLES.index(each) < kept)
            if (each.prompt, each.sample) not in outcomes:
                outcomes.add(each)
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": "b" * 64}, "other weights"),
        ({"settings": {"seed": "1"}, "judge": "k"}, "other judge and settings"),
        ({"tampered": "c" * 64}, "other tampered"),
        ({"tool": "isthmus 9"}, "other tool"),
    ],
)
def test_it_goes_on_with_exactly_what_it_was_begun_with(path, changes, words):
    whole(path)
    with pytest.raises(GateRefused, match=words):
        Outcomes(path, replace(HEADER, **changes))


@pytest.mark.parametrize("damage", [b"hello\n", b'{"prompt": "a", "outcome": "resisted"}\n'])
def test_a_file_that_somebody_wrote_to_is_not_gone_on_with(path, damage):
    content = whole(path)
    path.write_bytes(content + damage)
    with pytest.raises(GateError, match="can't be gone on with"):
        Outcomes(path, HEADER)
    path.write_bytes(damage + content)
    with pytest.raises(GateError, match="can't be read"):
        Outcomes(path, HEADER)


def test_what_gave_no_answer_can_be_asked_again(path):
    whole(path)
    outcomes = Outcomes(path, HEADER)
    assert outcomes.forget(("error", "unparsed")) == 2
    assert outcomes.by_prompt == {"a": "violated"} == Outcomes(path, HEADER).by_prompt
    assert outcomes.forget(("error",)) == 0
