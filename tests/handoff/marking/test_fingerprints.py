"""Texts known again: what is always recognised, and what never is."""

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.handoff.marking.fingerprints import GRAM, LONG, QUOTED, WINDOW, Fingerprinter, winnowed, words

KEY = bytes(range(32))
LETTER = (
    "Anna Rossi of Via Roma 12 was treated on the third of May for what turned out to be nothing at all, "
    "and the bill of 1,240 euros went to her insurance, which has not paid it until today."
)
PLAIN = st.lists(st.sampled_from([f"w{number}" for number in range(400)]), max_size=120)


def known(kept: str, seen: str) -> bool:
    fingers = Fingerprinter(KEY)
    return not fingers.of(kept).kept.isdisjoint(fingers.of(seen).grams)


def test_a_text_is_the_same_however_it_is_set():
    assert words("It\u2019s  ONE\u00adtwo, (three)!") == words("it s one\u00adtwo three")
    shouted = LETTER.upper().replace(" ", "\n> ")
    assert Fingerprinter(KEY).of(LETTER) == Fingerprinter(KEY).of(shouted)


@settings(deadline=None)
@given(PLAIN, PLAIN, PLAIN, st.data())
def test_any_quotation_that_is_long_enough_is_recognised(before, kept, after, data):
    kept = [*kept, *(f"k{number}" for number in range(QUOTED))]
    start = data.draw(st.integers(0, len(kept) - QUOTED))
    quoted = kept[start : start + QUOTED]
    assert known(" ".join(kept), " ".join([*before, *quoted, *after]))


@given(st.lists(st.integers(0, 10**6), min_size=GRAM - 1, max_size=GRAM - 1))
def test_a_short_phrase_is_everybodys(said):
    phrase = " ".join(map(str, said))
    assert not known(f"{LETTER} {phrase} {LETTER}", f"Something else {phrase} and yet more, which ends here.")


@given(st.lists(st.integers(), max_size=60))
def test_of_each_window_one_number_is_kept(numbers):
    kept = winnowed(numbers)
    assert kept <= set(numbers)
    for start in range(len(numbers) - WINDOW + 1):
        assert min(numbers[start : start + WINDOW]) in kept
    assert bool(kept) == bool(numbers)


def test_a_text_of_a_few_words_is_known_as_a_whole_and_one_of_fewer_is_not():
    fingers = Fingerprinter(KEY)
    assert fingers.of("Her PIN is 4711.").whole == fingers.of("her pin is 4711").whole is not None
    assert fingers.of("Her PIN is 4711.").grams == ()
    assert fingers.of("Yes, please do!").whole is None
    assert fingers.of("").whole is None


def test_scripts_without_spaces_are_cut_into_letters():
    chinese = "患者的检查结果显示一切正常但是保险公司仍然没有支付这笔费用"
    assert known(chinese, f"他说{chinese}。")


def test_without_the_key_nobody_can_try_a_text():
    assert Fingerprinter(KEY).of(LETTER).kept.isdisjoint(Fingerprinter(bytes(32)).of(LETTER).grams)


def test_kinds_never_meet():
    fingers = Fingerprinter(KEY)
    assert len({fingers.digest(kind, b"x") for kind in ("gram", "whole", "turn", "call", "check")}) == 5


@pytest.mark.parametrize("text", [LETTER, f"{LETTER} " * 400])
def test_a_long_text_is_prepared_in_a_thread_and_comes_out_the_same(text):
    fingers = Fingerprinter(KEY)
    anyio.run(fingers.prepare, text)
    assert (len(fingers._held) == 1) == (len(text) >= LONG)
    assert fingers.of(text) == Fingerprinter(KEY).of(text)
