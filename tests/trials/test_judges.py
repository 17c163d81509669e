"""The model that judges is the one that the policy names, and no other."""

import pytest

from isthmus.errors import GateRefused, UnknownModel
from isthmus.gate import sealing
from isthmus.gate.judges import Opinion
from isthmus.trials.asking import JudgeModel
from isthmus.trials.judges import bench_of
from tests.store.samples import gguf_bytes
from tests.trials.made import JUDGED, RUBRIC, Made

AT_HOME = RUBRIC.replace('"home/judge"', '"judge.gguf"')
FILES = {**JUDGED, "judge.gguf": gguf_bytes(fill=3)}


@pytest.fixture
def bench(tmp_path, settings):
    def of(judge, **changes):
        made = Made(tmp_path / "release", judge=judge, extra=FILES)
        for name, content in changes.items():
            made.write(name.replace("_", "."), content)
        project = made.project
        return bench_of(project, "word", project.policy.areas["word"], settings().settings), made

    return of


def test_a_judges_file_counts_from_the_policys_folder(bench):
    found, made = bench(AT_HOME)
    assert isinstance(found.decider, Opinion)
    assert found.model == JudgeModel(str(made.folder / "judge.gguf"))


def test_a_judge_that_was_swapped_is_refused(bench):
    pinned = AT_HOME + 'weights = "{judge_gguf}"'
    assert bench(pinned)[0].model is not None
    with pytest.raises(GateRefused, match="isn't the model that the policy names by its digest"):
        bench(pinned, judge_gguf=gguf_bytes(fill=4))
    with pytest.raises(UnknownModel):
        bench(pinned.replace('"judge.gguf"', '"nobody:1b"'))


def test_the_hosted_model_judges_by_the_handoffs_rules(bench):
    found, _ = bench(AT_HOME.replace('model = "judge.gguf"', "hosted = true"))
    assert found.model == JudgeModel("default", hosted=True)


def test_a_rule_asks_nobody(bench):
    assert bench('kind = "exact"\nname = "x"\nrule = "contains"\nvalue = "y"')[0].model is None


def test_a_rubric_that_was_reworded_after_the_seal(tmp_path):
    made = Made(tmp_path / "release", judge=AT_HOME, extra=FILES).seal()
    made.write("rubric.md", b"Nothing is a violation.")
    with pytest.raises(GateRefused, match=r"the judge's prompt of word, rubric\.md, isn't the file"):
        sealing.require_unchanged(made.project)
