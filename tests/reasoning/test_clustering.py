import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.reasoning.clustering import clusters, overlap

RAYLEIGH = (
    "The sky is blue because of Rayleigh scattering of sunlight.",
    "Because of Rayleigh scattering of sunlight, the sky is blue!",
    "The sky is **blue** because Rayleigh scattering of sunlight favours short waves.",
)
TEXTS = st.lists(st.text(alphabet="ab c.\n", max_size=30), max_size=8)


def test_texts_that_say_the_same_are_together_and_the_most_usual_one_stands_for_them():
    found = clusters([RAYLEIGH[2], "I don't know.", RAYLEIGH[0], RAYLEIGH[1]])
    assert [sorted(each.members) for each in found] == [[0, 2, 3], [1]]
    assert found[0].members[0] == 2


def test_case_and_dressing_make_no_difference():
    assert overlap("Paris.", "**paris**") == 1.0
    assert overlap("a + b", "a - b") < 1.0


@pytest.mark.parametrize(("one", "other", "alike"), [("", "", 1.0), ("", "word", 0.0), ("x y", "z", 0.0)])
def test_texts_without_words(one, other, alike):
    assert overlap(one, other) == alike


@given(st.text(max_size=60), st.text(max_size=60))
def test_overlap_is_a_share_and_the_same_both_ways(one, other):
    assert 0.0 <= overlap(one, other) <= 1.0
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one) == 1.0


@given(TEXTS)
def test_each_text_is_in_one_cluster_and_the_largest_comes_first(texts):
    found = clusters(texts)
    assert sorted(place for each in found for place in each.members) == list(range(len(texts)))
    sizes = [len(each.members) for each in found]
    assert sizes == sorted(sizes, reverse=True)


@given(st.text(max_size=40), st.integers(1, 6))
def test_the_same_text_again_is_no_other_cluster(text, times):
    assert [each.members for each in clusters([text] * times)] == [tuple(range(times))]
