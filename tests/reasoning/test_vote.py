import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.reasoning.samples import Ballot, Sample, ballot_of, shares, wrong_sums
from isthmus.reasoning.vote import Vote, VoteRules

FIXED = VoteRules(stopping="never")


def standing(texts, kind="number", rules=FIXED, **fields):
    vote = Vote(kind, rules)
    for text in texts:
        vote.add(Sample(text, 10, **fields))
    return vote.standing


def boxed(*values):
    return [rf"so it is \boxed{{{value}}}" for value in values]


def test_most_votes_win_and_their_share_is_the_agreement():
    now = standing(boxed(40, 42, "42.0", 41, r"\frac{84}{2}"))
    assert [(each.value, each.votes) for each in now.candidates] == [("42", 3), ("40", 1), ("41", 1)]
    assert now.agreement == 3 / 5
    assert now.chosen == 1
    assert now.line == "5 of 8 samples: 42 (3), 40 (1), 41 (1)"


def test_one_that_names_no_value_abstains_and_agrees_with_nobody():
    now = standing([*boxed(42, 42), "I can't tell", ""])
    assert (now.agreement, now.counted, now.chosen) == (0.5, 4, 0)


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (Sample("40 + 2 = 42", 5), "42"),
        (Sample("40 + 2 = 42", 5, finish="length"), None),  # cut before it came to its end
        (Sample(r"\boxed{42} and more", 5, finish="length"), "42"),  # but it had set its answer apart
        (Sample(r"\boxed{42}", 5, finish=None), None),  # broken off by us
        (Sample("", 0), None),
    ],
)
def test_what_a_sample_votes_for(sample, value):
    assert ballot_of(sample, "number").value == value


@pytest.mark.parametrize(
    ("text", "value"), [("The answer is (B).", "B"), ("**C**", "C"), ("It might be B or C.", None)]
)
def test_choices_are_counted_by_their_letter(text, value):
    assert ballot_of(Sample(text, 5), "choice").value == value


def test_the_number_in_a_text_is_not_what_it_says():
    rome = "Rome was founded in 753 BC by Romulus and Remus."
    now = standing([rome, "I don't know.", rome.replace("founded", "begun")], kind="text")
    assert (now.chosen, now.agreement) == (0, 2 / 3)
    assert now.candidates[0].value == "“Rome was founded in 753 BC by R…”"


def test_texts_that_set_their_answer_apart_are_counted_by_it():
    now = standing(["Sum it up: the answer is Paris.", "Well, the answer is paris.", "Dunno."], kind="text")
    assert [(each.value, each.votes) for each in now.candidates] == [("paris", 2)]


def test_a_wrong_sum_weighs_less_than_a_right_one():
    wrong, right = r"6 * 7 = 40, \boxed{40}", r"6 * 7 = 42, \boxed{42}"
    assert wrong_sums(wrong) == 1
    assert standing([wrong, right]).candidates[0].value == "42"
    assert standing([wrong, right], rules=VoteRules(sums=False, stopping="never")).chosen == 0


def test_the_likelier_of_two_wins_a_tie_where_tokens_count():
    def chosen(weighting):
        vote = Vote("number", VoteRules(stopping="never", weighting=weighting))
        vote.add(Sample(r"\boxed{1}", 9, -0.9))
        vote.add(Sample(r"\boxed{2}", 9, -0.1))
        return vote.standing.candidates[0].value

    assert (chosen("logprob"), chosen("count")) == ("2", "1")


def test_the_best_sample_of_the_winners_is_shown():
    vote = Vote("number", FIXED)
    vote.add(Sample(r"\boxed{1}", 9, -0.9))
    vote.add(Sample(r"\boxed{1}", 9, -0.1))
    assert vote.standing.chosen == 1


def test_it_is_settled_once_the_leader_stays():
    vote = Vote("number", VoteRules(samples=8))
    settled = [vote.add(Sample(text, 9)).settled for text in boxed(1, 2, 1, 1)]
    assert settled == [False, False, False, True]


def test_proof_settles_it_at_once_unless_all_are_to_be_drawn():
    for stopping, settled in (("predictive", True), ("never", False)):
        vote = Vote("code", VoteRules(stopping=stopping))
        vote.add(Sample("nonsense", 9), Ballot(None))
        assert vote.add(Sample("code", 9), Ballot("passes", proof=True)).settled == settled
        assert vote.standing.chosen == 1


def test_programs_that_fail_the_tests_alike_settle_nothing():
    vote = Vote("code", VoteRules())
    settled = [vote.add(Sample("def f(): return 1", 9), Ballot(None)).settled for _ in range(5)]
    assert settled == [False] * 5
    assert vote.add(Sample("def f(): return 2", 9), Ballot("passes", proof=True)).settled


def test_code_that_was_not_run_is_counted_by_its_likeness():
    one, other = "def f(a, b):\n    return a + b", "def g(items):\n    print(sorted(items)[0])"
    now = standing([other, one, one.replace("a + b", "b + a")], kind="code")
    assert now.chosen in (1, 2)


def test_nothing_at_all_is_no_answer():
    for kind in ("number", "choice", "code", "text"):
        now = standing(["", "  \n"], kind=kind)
        assert (now.chosen, now.agreement, now.candidates) == (None, 0.0, ())
        assert now.line == "2 of 8 samples: no answer yet"


SAMPLES = st.lists(
    st.builds(
        Sample,
        st.sampled_from([*boxed(1, 2, 3), "", "no idea", "1 + 1 = 3", "x = 2"]),
        st.integers(0, 99),
        st.none() | st.floats(-50, 1) | st.just(math.nan) | st.just(-math.inf),
        st.sampled_from(["stop", "length", None]),
    ),
    max_size=10,
)
KINDS = st.sampled_from(["number", "choice", "code", "text"])


@given(SAMPLES, KINDS, st.sampled_from(["predictive", "posterior", "certain", "never"]))
def test_whatever_comes_the_figures_fit_together(samples, kind, stopping):
    vote = Vote(kind, VoteRules(stopping=stopping))
    for sample in samples:
        now = vote.add(sample)
        places = [place for each in now.candidates for place in each.samples]
        assert len(set(places)) == len(places) <= now.counted <= now.drawn
        assert 0.0 <= now.agreement <= 1.0
        assert (now.chosen is None) == (not now.candidates)
        if now.chosen is not None:
            assert vote.standing.candidates[0].votes >= 1
            assert samples[now.chosen].finish is not None


@given(SAMPLES)
def test_an_answer_that_most_give_wins_where_only_votes_count(samples):
    rules = VoteRules(stopping="never", weighting="count", sums=False)
    vote = Vote("number", rules)
    for sample in samples:
        vote.add(sample)
    votes = [each.votes for each in vote.standing.candidates]
    if any(ballot_of(each, "number").value for each in samples):
        assert votes[0] == max(votes)


@given(st.lists(st.floats(-30, 0) | st.none(), min_size=1, max_size=12))
def test_the_tokens_shares_have_the_mean_one(logprobs):
    found = shares([Sample("x", 1, each) for each in logprobs])
    assert sum(found) / len(found) == pytest.approx(1.0)
    known = [(logprob, share) for logprob, share in zip(logprobs, found, strict=True) if logprob is not None]
    assert [share for _, share in sorted(known)] == sorted(share for _, share in known)
