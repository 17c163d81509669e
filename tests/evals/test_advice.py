import pytest

from isthmus.errors import UsageError
from isthmus.evals.advice import advise
from isthmus.evals.plans import Subject
from isthmus.evals.summary import summarise
from tests.evals.made import plan, results

SMALL, LARGE, HOSTED = Subject("small"), Subject("large"), Subject("small", None, "always")


def report_of(**outcomes):
    subjects = {"small": SMALL, "large": LARGE, "hosted": HOSTED}
    made = plan(*(subjects[name] for name in outcomes))
    found = [
        each
        for name, word in outcomes.items()
        for each in results(subjects[name], word, handed=range(99) if name == "hosted" else ())
    ]
    sizes = {cell.slug: 40 for cell in made.cells}
    return summarise("run", made, sizes, found)


def test_the_cheapest_of_those_that_cannot_be_told_apart_is_taken():
    report = report_of(small="r" * 30 + "w" * 10, hosted="r" * 32 + "w" * 8)
    found = advise([report], "gsm8k", lambda model: True)
    assert (found.best.subject, found.take.subject) == (HOSTED, SMALL)
    assert [each.subject for each in found.alike] == [SMALL]


def test_a_difference_that_is_shown_is_worth_its_cost():
    report = report_of(small="w" * 30 + "r" * 10, hosted="r" * 40)
    assert advise([report], None, lambda model: True).take.subject == HOSTED


def test_what_does_not_fit_this_machine_is_named_and_not_taken():
    report = report_of(small="w" * 40, large="r" * 40)
    found = advise([report], "gsm8k", lambda model: model == "small")
    assert found.take.subject == SMALL
    assert found.too_large == ("large",)
    with pytest.raises(UsageError, match="none of the models"):
        advise([report], "gsm8k", lambda model: False)


def test_the_newest_run_of_the_suite_counts():
    old, new = report_of(small="r" * 40), report_of(small="w" * 40)
    assert advise([new, old], "gsm8k", lambda model: True).best.right == 0
    with pytest.raises(UsageError, match="no run of mbpp yet"):
        advise([new, old], "mbpp", lambda model: True)
