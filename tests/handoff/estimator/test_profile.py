import math
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import SettingsError
from isthmus.handoff.estimator import Profile, builtin, load_profile, save_profile
from isthmus.handoff.estimator.storage import profile_path
from isthmus.handoff.judging import LocalAnswer

EASY = [
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "Write a haiku about rain.",
    "Which planet has the most moons?",
    "hi there",
    "Translate 'see you tomorrow at the station' into Italian.",
    "Summarise these minutes:\n\n" + "The team met on 3 May and agreed on 14 of 20 items. " * 300,
    "Rewrite this e-mail so that it sounds friendlier: I need the numbers by 5 pm, or we lose the client.",
]
HARD = [
    "A train leaves at 3 pm at 60 mph, and another at 4 pm; when do they meet, if the way is 500 miles?",
    "Solve x^2 - 5x + 6 = 0, and prove that there are no more than 2 roots.",
    "Prove that every group of order 15 is cyclic.",
    "Debug this deadlock: two threads take the locks in another order when a transaction is retried.",
    "Derive the probability that a random permutation of 12 elements has no fixed point.",
]
SUM = "Ann has 12 boxes of 8 pears, and eats a third of them. How many pears are left?"
RIGHT = "12 * 8 = 96\n96 / 3 = 32\n96 - 32 = 64\n#### 64"
WRONG = "12 + 8 = 21\n#### 7.5"


def test_short_facts_and_light_work_rank_below_hard_problems():
    easy = [builtin().before(text).score for text in EASY]
    hard = [builtin().before(text).score for text in HARD]
    assert max(easy) < builtin().threshold("estimate") < min(hard)


def test_a_solution_that_holds_ranks_below_one_that_does_not():
    before = builtin().before(SUM)
    right = builtin().after(before, LocalAnswer(RIGHT, (-0.02,) * 60, True, "stop"))
    wrong = builtin().after(before, LocalAnswer(WRONG, (-0.3,) * 30, True, "stop"))
    assert right.score < wrong.score
    assert set(wrong.strongest()) <= set(wrong.terms)
    assert len(wrong.strongest()) == 3


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "Write a limerick about a tailor.",
            "There once was a tailor named Finn,\nWhose trousers were patched tin by tin",
        ),
        (
            "Can you give me a short poem about snow?",
            "Snow on the hedges, snow on the hill,\nAnd all of the village is sleepy and still",
        ),
        (
            "Tell me a story about a dragon who is afraid of fire.",
            "Once there lived a dragon who kept a bucket by his bed. One night he sneezed.",
        ),
        ("Suggest three names for a band.", "1. The Quiet Lanterns\n2. Paper Tide\n3. Owls at Noon"),
        ("hey, how are you", "Hey! I'm doing well, thanks for asking. What's on your mind today?"),
    ],
)
def test_what_could_be_said_in_many_ways_stays_home_however_it_surprises(question, answer):
    before = builtin().before(question)
    surprise = (-0.3,) if "hey" in question else (-0.9, -0.1, -2.5)
    told = LocalAnswer(answer, surprise * 20, True, "stop")
    assert builtin().watch(before, told.beginning(16)).score < builtin().threshold("watch")
    assert builtin().after(before, told).score < builtin().threshold("check")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "Prove that every group of order 15 is cyclic.",
            "Let G have 15 elements. Some element has order 15. QED.",
        ),
        (
            "Implement a lock-free queue in C++, with tests.",
            "```cpp\nstd::queue<int> items;\n```\nIt has no locks.",
        ),
        (
            "Write a story problem about two trains at 60 and 75 mph, 500 miles apart, and solve it.",
            "500 / 60 = 8.5",
        ),
    ],
)
def test_hard_work_is_doubtful_however_it_is_dressed(question, answer):
    told = LocalAnswer(answer, (-0.9, -0.1, -0.5) * 20, True, "stop")
    assert builtin().after(builtin().before(question), told).score > builtin().threshold("check")


def test_agreement_moves_the_built_in_profile():
    before = builtin().before(SUM)
    answer = LocalAnswer(RIGHT, (-0.1,) * 60, True, "stop")
    torn, alone, agreed = (
        builtin().after(before, msgspec.structs.replace(answer, samples=samples)).p_local_wrong
        for samples in (("#### 1", "#### 2", "#### 3"), (), ("#### 64", "so 64", "\\boxed{64}"))
    )
    assert agreed < min(alone, torn) - 0.1


def test_an_unsure_beginning_counts_and_a_sure_one_does():
    before = builtin().before(SUM)
    sure = builtin().watch(before, LocalAnswer("", (-0.01,) * 50, False))
    unsure = builtin().watch(before, LocalAnswer("", (-1.5,) * 50, False))
    assert sure.p_local_wrong < unsure.p_local_wrong


def test_where_nothing_came_nothing_changes():
    before = builtin().before(SUM)
    assert builtin().watch(before, LocalAnswer("", (), False)) is before
    assert builtin().after(before, LocalAnswer("", (), True)) is before


def test_it_says_that_it_is_calibrated_to_nobody():
    assert not builtin().calibrated
    assert builtin().name == "builtin"
    assert builtin().data.provenance.data


def test_an_estimate_does_not_show_the_question():
    assert "pears" not in repr(builtin().before(SUM))
    assert not any("pears" in name for name in builtin().before(SUM).terms)


@given(st.text(max_size=3000), st.lists(st.floats(-20, 0), max_size=200), st.booleans())
def test_any_text_and_any_tokens_give_probabilities(text, logprobs, whole):
    profile = builtin()
    before = profile.before(text)
    answer = LocalAnswer(text[::-1], tuple(logprobs), whole)
    for estimate in (before, profile.watch(before, answer), profile.after(before, answer)):
        assert 0 < estimate.p_local_wrong < 1
        assert 0 < estimate.p_hosted_right < 1
        assert estimate.score == pytest.approx((estimate.p_local_wrong + estimate.p_hosted_right) / 2)


def test_it_waits_for_first_tokens_only_where_they_may_well_decide():
    before = builtin().before(SUM)
    surprise = [(-0.02,) * 16, (-0.4,) * 16]
    low, high = (builtin().watch(before, LocalAnswer("", each, False)).score for each in surprise)
    assert builtin().can_change(before, (low + high) / 2, 16)
    assert not builtin().can_change(before, low - 0.05, 16)
    assert not builtin().can_change(before, high + 0.05, 16)
    assert not builtin().can_change(before, (low + high) / 2, 0)
    waits = [tokens for tokens in range(1, 129) if builtin().can_change(before, high + 0.05, tokens)]
    assert waits == list(range(waits[0], 129))  # what the more tokens can do, the fewer couldn't


def test_a_decision_takes_well_under_a_millisecond():
    profile = builtin()
    for _ in range(20):
        profile.before(SUM)
    began = time.process_time()
    for _ in range(200):
        profile.before(SUM)
    # A limit that a loaded machine keeps; the benchmark has the figure (a quarter of a millisecond).
    assert (time.process_time() - began) / 200 < 0.005


# ---------------------------------------------------------------- on disk


def test_a_profile_survives_its_file(tmp_path):
    mine = Profile(msgspec.structs.replace(builtin().data, name="mine", calibrated=True))
    path = save_profile(tmp_path, mine)
    again = load_profile(tmp_path, "mine")
    assert path == tmp_path / "profiles" / "mine.json"
    assert again.data == mine.data
    assert again.before(SUM) == mine.before(SUM)
    assert [each.name for each in path.parent.iterdir()] == ["mine.json"]


def test_the_built_in_one_needs_no_folder():
    assert load_profile(Path("/nowhere"), "builtin") is builtin()


def test_a_profile_that_is_not_there_names_the_command(tmp_path):
    with pytest.raises(SettingsError, match="no profile 'mine'") as caught:
        load_profile(tmp_path, "mine")
    assert "calibrate" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "Ä", "builtin", "a" * 65])
def test_names_stay_in_their_folder(tmp_path, name):
    with pytest.raises(SettingsError, match="can be called"):
        profile_path(tmp_path, name)


@pytest.mark.parametrize("broken", ["format", "spread", "words", "json", "types"])
def test_a_file_that_is_no_profile_is_refused(tmp_path, broken):
    data = msgspec.to_builtins(msgspec.structs.replace(builtin().data, name="mine"))
    if broken == "format":
        data["format"] = "isthmus.estimator/99"
    elif broken == "spread":
        data["before"]["wrong"]["features"]["numbers"][2] = 0.0
    elif broken == "words":
        data["before"]["wrong"]["words"] = data["before"]["wrong"]["words"][:400]
    elif broken == "types":
        data["before"] = "nothing"
    path = tmp_path / "profiles" / "mine.json"
    path.parent.mkdir()
    path.write_bytes(msgspec.json.encode(data)[: 500 if broken == "json" else None])
    with pytest.raises(SettingsError, match="is no profile"):
        load_profile(tmp_path, "mine")


def test_a_probability_is_one_for_any_logit():
    from isthmus.handoff.estimator.head import packed, sigmoid, unpacked

    assert sigmoid(-1e4) == 0
    assert sigmoid(1e4) == 1
    assert sigmoid(0) == 0.5
    assert list(unpacked(packed([1.5, -2.0]))) == [1.5, -2.0]
    assert math.isclose(sigmoid(2) + sigmoid(-2), 1)
