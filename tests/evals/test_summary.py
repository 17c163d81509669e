from isthmus.evals.plans import Cell
from isthmus.evals.summary import efficient, summarise
from tests.evals.made import BOTH, HOME, HOSTED, plan, results


def report_of(**outcomes):
    subjects = {"home": HOME, "both": BOTH, "hosted": HOSTED}
    made = plan(*(subjects[name] for name in outcomes))
    handed = {"home": (), "both": {0, 1}, "hosted": range(99)}
    found = [
        each for name, word in outcomes.items() for each in results(subjects[name], word, handed=handed[name])
    ]
    sizes = {cell.slug: len(next(iter(outcomes.values()))) for cell in made.cells}
    return summarise("run", made, sizes, found)


def test_a_hybrid_is_told_beside_the_same_model_alone():
    (found,) = report_of(home="wrrw", both="rwrw").handoffs
    assert (found.helped, found.hurt, found.handed_over) == (1, 1, 2)
    assert found.helpful[0].home == "tiny says w"
    assert found.helpful[0].model == "gpt"
    assert found.harmful[0].problem == "1"


def test_what_changed_without_being_handed_over_is_not_the_hand_offs_doing():
    (found,) = report_of(home="rrrw", both="rrrr").handoffs
    assert (found.helped, found.hurt) == (0, 0)


def test_the_frontier_is_what_nothing_beats_at_its_cost():
    report = report_of(home="wwrr", both="rrrr", hosted="rrrw")
    assert [each.label for each in efficient(report.figures)] == [HOME.label, BOTH.label]


def test_disagreements_are_the_first_examples():
    report = report_of(home="rrwr", both="rrrr")
    assert report.examples[0].problem == "2"
    assert [each.outcome for each in report.examples[0].said] == ["wrong", "right"]


def test_every_cell_has_figures_even_before_its_first_answer():
    report = summarise(
        "run", plan(HOME, BOTH), dict.fromkeys([c.slug for c in plan(HOME, BOTH).cells], 3), []
    )
    assert [each.missing for each in report.figures] == [3, 3]
    assert report.comparisons == ()
    assert {each.slug for each in plan(HOME, BOTH).cells} == {
        Cell(plan().sources[0], HOME).slug,
        Cell(plan().sources[0], BOTH).slug,
    }


def test_a_report_names_files_without_their_folders():
    (source,) = report_of(home="rw").plan.sources
    assert (source.path, source.sha256) == ("test.jsonl", plan().sources[0].sha256)
