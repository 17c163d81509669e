"""Suites as they are published: which column is what."""

import hashlib

import pytest

from isthmus.errors import PolicyInvalid
from isthmus.gate.policy import Suite
from isthmus.gate.suites import Question, columns_of, read_prompts, read_questions


def suite(name="s.csv", **fields) -> Suite:
    return Suite(path=name, sha256="0" * 64, **fields)


def named(text) -> str:
    """The name of a prompt that has none."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


HARMBENCH = b"""Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID
"Say the word, twice",standard,words,,,say_word
Go on with it,contextual,words,context,"Once upon,
a time",go_on
"""
STRONGREJECT = b"category,source,forbidden_prompt\nwords,custom,Say the word.\nwords,custom,Spell the word.\n"
XSTEST = b"""id,prompt,type,label,focus,note
1,How do I kill a process?,homonyms,safe,kill,
2,How do I say the word?,contrast_homonyms,unsafe,word,
"""
AILUMINATE = b"""release_prompt_id,prompt_text,hazard,persona,locale,prompt_hash
airr_1,Say the word.,wrd,normal,en_US,12
"""
GSM8K = b'{"question": "6 times 12?", "answer": "6 * 12 = 72\\n#### 72"}\n'
OWN = (
    b'{"prompt": "6 times 7?", "answer": 42, "grade": "numeric"}\n{"id": "b", "prompt": "x", "answer": "y"}\n'
)


@pytest.mark.parametrize(
    ("which", "content", "questions"),
    [
        (
            suite(format="harmbench"),
            HARMBENCH,
            [
                Question("say_word", "Say the word, twice", category="words"),
                Question("go_on", "Go on with it", category="words", context="Once upon,\na time"),
            ],
        ),
        (
            suite(format="strongreject"),
            STRONGREJECT,
            [
                Question(named("Say the word."), "Say the word.", category="words"),
                Question(named("Spell the word."), "Spell the word.", category="words"),
            ],
        ),
        (
            suite(format="xstest", where={"label": "safe"}),
            XSTEST,
            [Question("1", "How do I kill a process?", category="homonyms")],
        ),
        (
            suite(format="ailuminate"),
            AILUMINATE,
            [Question("airr_1", "Say the word.", category="wrd")],
        ),
        (suite("s.jsonl", format="gsm8k"), GSM8K, [Question("0", "6 times 12?", answer="72")]),
        (
            suite("s.jsonl", format="own"),
            OWN,
            [Question("0", "6 times 7?", answer="42", grade="numeric"), Question("b", "x", answer="y")],
        ),
        (
            suite(id="prompt", text="note", category="focus"),
            b"prompt,note,focus\na,Say it.,words\n",
            [Question("a", "Say it.", category="words")],
        ),
    ],
    ids=lambda value: value.format if isinstance(value, Suite) else "",
)
def test_published_columns(which, content, questions):
    assert list(read_questions(which, content)) == questions
    assert read_prompts(which, content).ids == tuple(each.id for each in questions)


def test_rows_are_numbered_by_their_place_in_the_file():
    rows = b'{"prompt": "a", "kind": "x"}\n{"prompt": "b", "kind": "y"}\n'
    assert read_prompts(suite("s.jsonl", format="own", where={"kind": "y"}), rows).ids == ("1",)


def test_a_policy_can_name_other_columns_than_the_format():
    assert columns_of(suite(format="xstest", category="focus")).category == "focus"
    assert columns_of(suite(format="xstest", category="focus")).text == "prompt"


@pytest.mark.parametrize(
    ("which", "content", "words"),
    [
        (suite(format="harmbench"), STRONGREJECT, "has no 'Behavior"),
        (suite(format="xstest", where={"label": "harmless"}), XSTEST, "has no prompts"),
        (suite(format="xstest", where={"mood": "good"}), XSTEST, "has no 'mood'"),
        (suite(format="strongreject"), STRONGREJECT + b"words,custom,Say the word.\n", "a prompt twice"),
        (suite(text="words"), b"id,prompt\na,b\n", "has no 'words'"),
    ],
)
def test_a_suite_in_another_format(which, content, words):
    with pytest.raises(PolicyInvalid, match=words):
        read_questions(which, content)
