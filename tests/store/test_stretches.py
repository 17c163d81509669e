from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from isthmus.store.stretches import Stretches

POSITIONS = st.integers(0, 40)
STEPS = st.lists(st.tuples(st.sampled_from(("add", "remove")), POSITIONS, POSITIONS), max_size=25)


@given(STEPS, POSITIONS, POSITIONS)
def test_it_is_a_set_of_positions(steps, start, end):
    held, model = Stretches(), set[int]()
    for step, first, last in steps:
        if step == "add":
            held.add(first, last)
            model |= set(range(first, last))
        else:
            held.remove(first, last)
            model -= set(range(first, last))
        stretches = list(held)
        assert stretches == sorted(stretches)
        assert all(a.end < b.start for a, b in pairwise(stretches)), "none adjoin"
        assert {each for stretch in stretches for each in range(*stretch)} == model
    assert held.total == len(model)
    assert bool(held) == bool(model)
    wanted = set(range(start, end))
    assert held.holds(start, end) == (wanted <= model)
    assert {each for gap in held.gaps(start, end) for each in range(*gap)} == wanted - model
    assert all(gap.start < gap.end for gap in held.gaps(start, end))
