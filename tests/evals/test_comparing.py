import pytest

from isthmus.evals.comparing import compare
from isthmus.evals.statistics import mcnemar
from tests.evals.made import BOTH, HOME, results


def compared(first, second, **more):
    return compare("gsm8k", ("A", results(HOME, first, **more)), ("B", results(BOTH, second, **more)))


def test_only_what_both_answered_is_compared():
    found = compared("rrwwe", "rwrwr")
    assert (found.problems, found.both, found.only_first, found.only_second, found.neither) == (4, 1, 1, 1, 1)
    assert found.difference.value == 0
    assert found.p_value == 1


def test_a_clear_difference_is_called_one_and_a_small_one_is_not():
    clear = compared("r" * 20 + "w" * 20, "w" * 40)
    assert clear.verdict == "A is better"
    assert clear.p_value == mcnemar(20, 0)
    assert compared("rr" + "w" * 20, "w" * 22).verdict == "no difference shown"


def test_an_error_is_no_answer_to_compare():
    assert compared("eee", "rrr") is None


def test_several_attempts_have_an_interval_and_no_p():
    found = compared("rr rw ww", "ww rw rr")
    assert found.p_value is None
    assert found.difference.value == pytest.approx(0)
    assert found.difference.low < 0 < found.difference.high


def test_problems_of_one_subject_are_drawn_together():
    alone = compared("rrrrrwww", "wwwwwwww")
    grouped = compared("rrrrrwww", "wwwwwwww", clusters="aaaaabbb")
    assert grouped.p_value is None
    assert grouped.difference.low < alone.difference.low
