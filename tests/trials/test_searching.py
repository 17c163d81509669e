"""Which parts are run, and which configuration of an attack is the worst."""

import pytest
from msgspec import Struct

from isthmus.errors import GateError, UsageError
from isthmus.gate.policy import parse_policy
from isthmus.gate.runs import Capability, Score
from isthmus.gate.suites import Question, split_of
from isthmus.trials.parts import Part, Wanted, parts_of
from isthmus.trials.searching import (
    Choice,
    Tried,
    half,
    keep_choice,
    read_choice,
    score_of,
    variant_named,
    worst_of,
)

POLICY = parse_policy(b"""
id = "x"
version = 1
[areas.a]
threshold = 0.1
tampering = ["prefill"]
suite = { path = "a.csv", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
judge = { kind = "exact", name = "j", rule = "choice" }
baselines = { old = { margin = 0.1 } }
[areas.b]
threshold = 0.1
suite = { path = "b.csv", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
judge = { kind = "exact", name = "j", rule = "choice" }
[areas.elsewhere]
threshold = 0.1
suite = { path = "c.csv", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
judge = { kind = "exact", name = "flag" }
""")


def test_the_control_of_an_area_comes_first():
    assert [part.label for part in parts_of(POLICY, Wanted())] == [
        "a, control",
        "a, release",
        "a, baseline:old",
        "a, prefill, release",
        "a, prefill, baseline:old",
        "b, control",
        "b, release",
    ]


def test_what_is_wanted_of_them():
    assert parts_of(POLICY, Wanted(("b",), (), ("release",))) == [Part("b")]
    assert parts_of(POLICY, Wanted(("elsewhere",))) == [Part("elsewhere", "control"), Part("elsewhere")]
    assert parts_of(POLICY, Wanted((), ("prefill",), ("baseline:old",))) == [
        Part("a", "baseline:old", "prefill")
    ]
    assert Part("a", "baseline:org/Old", "prefill").slug == "a--prefill--baseline-org-old"
    for wanted in (Wanted(("c",)), Wanted((), ("template",)), Wanted((), (), ("baseline:new",))):
        with pytest.raises(UsageError, match="the policy has no"):
            parts_of(POLICY, wanted)


# ---------------------------------------------------------------- the search


class Configuration(Struct, frozen=True):
    name: str


class Attack(Struct, frozen=True):
    name: str
    variants: tuple[Configuration, ...]


ATTACK = Attack("prefill", tuple(map(Configuration, ("mild", "worst", "breaks"))))
FLAGGED = {"mild": Tried(2, 10), "worst": Tried(4, 10), "breaks": Tried(9, 10)}


def cost(**right):
    measured = []

    def measure(variant):
        measured.append(variant.name)
        after = right.get(variant.name)
        return None if after is None else Capability(Score(80, 100), Score(after, 100))

    return measure, measured


def test_the_worst_that_leaves_the_model_its_ability():
    measure, measured = cost(mild=80, worst=73, breaks=10)
    choice = worst_of(ATTACK, 0.1, lambda variant: FLAGGED[variant.name], measure)
    assert (choice.variant, choice.capability.after.right) == ("worst", 73)
    assert measured == ["breaks", "worst"]  # what doesn't matter isn't measured
    assert choice.summary == "mild 2/10, worst 4/10, breaks 9/10"


def test_where_all_cost_too_much_the_mildest_is_told():
    measure, _ = cost(mild=20, worst=30, breaks=10)
    choice = worst_of(ATTACK, 0.1, lambda variant: FLAGGED[variant.name], measure)
    assert choice.variant == "worst"
    assert choice.capability.loss > 0.1


def test_without_a_floor_the_worst_is_the_worst():
    measure, _ = cost()
    assert worst_of(ATTACK, 0.1, lambda variant: FLAGGED[variant.name], measure).variant == "breaks"


def test_the_halves_and_the_sample_of_one():
    questions = [Question(f"q{number}", "?") for number in range(200)]
    some = half(questions, "a", 20)
    assert len(some) == 20
    assert {split_of(each.id) for each in some} == {"a"}
    assert some == half(list(reversed(questions)), "a", 20)[::-1]
    assert len(half(questions, "a")) + len(half(questions, "b")) == 200
    assert max(int(each.id[1:]) for each in some) > 100  # not only those that come first


def test_a_floors_questions_without_an_answer_are_not_right():
    questions = [Question(name, "?") for name in "abcd"]
    assert score_of({"a": "resisted", "b": "violated", "c": "error"}, questions) == Score(1, 4)


def test_a_choice_that_was_made_stays(tmp_path):
    path = tmp_path / "choice.json"
    assert read_choice(path) is None
    choice = Choice("worst", None, FLAGGED)
    keep_choice(path, choice)
    assert read_choice(path) == choice
    path.write_text("{")
    with pytest.raises(GateError, match="can't be read"):
        read_choice(path)
    assert variant_named(ATTACK, "mild").name == "mild"
    with pytest.raises(GateError, match="no configuration gone"):
        variant_named(ATTACK, "gone")
