import pytest

from isthmus.errors import UsageError
from isthmus.evals.folders import Facts, RunFolder, Sitting, run_named, runs
from tests.evals.made import BOTH, HOME, SOURCE, plan, results

FACTS = Facts("isthmus bench run", {"machine": "one"}, {})


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "bench" / plan().name)
    made.begin(plan(), FACTS)
    return made


def test_a_run_is_its_plan(folder):
    assert folder.plan() == plan()
    folder.begin(plan(), FACTS)
    with pytest.raises(UsageError, match="something else"):
        folder.begin(plan(HOME, BOTH), FACTS)


def test_another_plan_has_another_name_and_its_cells_have_folders_of_their_own():
    assert plan().name != plan(attempts=2).name
    assert plan().name.startswith("gsm8k-tiny-")
    cells = list(plan(HOME, BOTH).cells)
    assert len({each.slug for each in cells}) == 2


def test_a_cell_keeps_its_folder_when_others_join_it(folder):
    assert next(plan(HOME).cells).slug in {each.slug for each in plan(BOTH, HOME).cells}


def test_results_and_sittings_read_back(folder):
    made = results(BOTH, "rwe", handed={0}, source=SOURCE)
    folder.save_results(made)
    assert folder.results() == made
    assert folder.overhead() is None
    folder.add_sitting(Sitting("a", 10, 100.0, 98.0))
    folder.add_sitting(Sitting("a", 5, 100.0, 96.0))
    assert folder.overhead() == pytest.approx(0.03)


def test_a_run_is_found_by_how_its_name_begins_or_by_its_folder(folder, tmp_path):
    assert run_named(tmp_path, "gsm8k").path == run_named(tmp_path, None).path == folder.path
    assert run_named(tmp_path, str(folder.path)).plan() == plan()
    assert [each.name for each in runs(tmp_path)] == [folder.name]
    RunFolder(tmp_path / "bench" / plan(BOTH).name).begin(plan(BOTH), FACTS)
    for name, why in (("gsm8k", "2 runs begin"), ("mbpp", "there is no run")):
        with pytest.raises(UsageError, match=why):
            run_named(tmp_path, name)


def test_a_damaged_folder_is_named(folder):
    (folder.path / "plan.json").write_text("{")
    with pytest.raises(UsageError, match=r"no plan.json that can be read"):
        folder.plan()
