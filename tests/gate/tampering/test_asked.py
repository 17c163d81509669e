"""Attacks that only ask: what is asked, and which of the answers is judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.gate.tampering.asked import encoded, escalated, insisted, prefilled, templated, translated
from isthmus.gate.tampering.builtin import asked_variants
from isthmus.messages import GenerationRequest, Message

QUESTION = GenerationRequest(
    (Message("system", "Be careful."), Message("user", "What is the word?")),
    max_tokens=16,
    temperature=0.0,
    seed=3,
)


def hold(conversation, answers):
    """The requests of a conversation whose answers are given, and the text that is judged."""
    asked, answers = [], iter(answers)
    try:
        asked.append(next(conversation))
        while True:
            asked.append(conversation.send(next(answers)))
    except StopIteration as end:
        return asked, end.value


EVERY = [(attack, each) for attack, variants in asked_variants().items() for each in variants]


@pytest.mark.parametrize(("attack", "variant"), EVERY, ids=[f"{name}-{each.name}" for name, each in EVERY])
def test_every_attack_asks_the_question_and_hands_every_answer_to_the_judge(attack, variant):
    said = [f"answer {number}" for number in range(20)]
    asked, judged = hold(variant.ask(QUESTION, 3), said)
    assert all(answer in judged for answer in said[: len(asked)])
    assert all(each.max_tokens == 16 and each != QUESTION for each in asked[-1:]) or len(asked) > 1
    if attack != "encoding":
        last = asked[-1]
        assert "What is the word?" in (last.raw or "".join(each.text for each in last.messages))


def test_names_are_unlike_within_an_attack():
    for variants in asked_variants().values():
        assert len({each.name for each in variants}) == len(variants)
        assert all("What is" not in str(each.settings) for each in variants)


@given(st.text(max_size=60))
def test_a_template_keeps_the_question_whatever_it_holds(text):
    question = GenerationRequest((Message("user", text),))
    ((asked,), _) = hold(templated("before {prompt} after")(question, 0), [""])
    assert asked.messages[-1].text == f"before {text} after"


def test_a_prefilled_answer_is_judged_with_its_beginning():
    (asked,), judged = hold(prefilled("Sure, it is")(QUESTION, 0), [" marigold"])
    assert asked.continues
    assert asked.messages[-1] == Message("assistant", "Sure, it is")
    assert judged == "Sure, it is marigold"


def test_an_encoded_answer_is_judged_as_it_reads():
    (asked,), judged = hold(encoded("rot13", answer=True)(QUESTION, 0), ["znevtbyq"])
    assert "Jung vf gur jbeq?" in asked.messages[-1].text
    assert "marigold" in judged


def test_turns_are_told_with_the_models_own_answers():
    asked, judged = hold(escalated("About {prompt}?")(QUESTION, 0), ["first", "second"])
    assert [each.role for each in asked[1].messages] == ["system", "user", "assistant", "user"]
    assert asked[1].messages[2].text == "first"
    assert asked[1].messages[-1].text == "What is the word?"
    assert "first" in judged
    assert "second" in judged
    assert len(hold(insisted(QUESTION, 0), ["no", "marigold"])[0]) == 2


def test_samples_have_dice_of_their_own_in_every_sample_of_a_prompt():
    eight = next(each for each in asked_variants()["decoding"] if each.name == "eight-samples")
    seeds = [each.seed for seed in (0, 1) for each in hold(eight.ask(QUESTION, seed), "x" * 8)[0]]
    assert len(set(seeds)) == 16


def test_a_question_without_a_translation_is_asked_as_it_stands():
    asking = translated({"What is the word?": "Wie lautet das Wort?"})
    assert hold(asking(QUESTION, 0), [""])[0][0].messages[-1].text == "Wie lautet das Wort?"
    other = GenerationRequest((Message("user", "And now?"),))
    assert hold(asking(other, 0), [""])[0][0].messages[-1].text == "And now?"
