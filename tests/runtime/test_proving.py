"""Answers held against what their questions let one test."""

import anyio
import msgspec
import pytest

from isthmus.errors import SandboxError
from isthmus.handoff.judging import LocalAnswer
from isthmus.handoff.policy import conduct
from isthmus.handoff.rules import Question, Rules
from isthmus.handoff.steps import Hosted, Sample
from isthmus.messages import GenerationRequest, Message, Tool
from isthmus.runtime.proving import Proofs, disproved, proofs_of
from tests.judge import Judge

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
TESTED = "Write a function f. Your code should pass this test:\nassert f(2) == 4"


class Workshop:
    """Passes what holds the word "right"."""

    def __init__(self, shut=None, error=None):
        self.shut, self.error, self.ran = shut, error, []

    async def closed(self):
        return self.shut

    async def passes(self, answer, tests):
        self.ran.append(tests)
        if self.error:
            raise self.error
        return "right" in answer


def asked(text="A number?", **more):
    return GenerationRequest((Message("user", text),), **more)


def failed(text, proofs, workshop=None):
    return anyio.run(disproved, LocalAnswer(text, (), True, "stop"), proofs, workshop)


def test_a_question_says_what_its_answer_is_held_against():
    assert not proofs_of(asked())
    assert proofs_of(asked(response_format=FORM)) == Proofs(SCHEMA)
    assert not proofs_of(asked(response_format={"type": "json_object"}))
    assert proofs_of(asked(TESTED)) == Proofs(tests=("assert f(2) == 4",))
    assert not proofs_of(asked(TESTED, response_format=FORM, tools=(Tool("t", None, {}),)))


@pytest.mark.parametrize(("text", "right"), [('{"n": 3}', True), ('{"n": "3"}', False), ("three", False)])
def test_an_answer_is_as_its_schema_says_or_is_wrong(text, right):
    assert failed(text, Proofs(SCHEMA)) == (None if right else "the local answer isn't as its schema says")


def test_what_is_no_schema_disproves_nothing():
    assert failed("x", Proofs({"type": 7})) is None


def test_code_passes_the_tests_that_its_question_shows_or_is_wrong():
    tests, workshop = Proofs(tests=("assert f(2) == 4",)), Workshop()
    assert failed("right", tests, workshop) is None
    assert failed("wrong", tests, workshop) == "the local answer fails the tests that the question shows"
    assert workshop.ran == [tests.tests] * 2


@pytest.mark.parametrize(
    "workshop", [None, Workshop(shut=SandboxError("no")), Workshop(error=SandboxError("it fell"))]
)
def test_tests_that_cannot_run_say_nothing(workshop):
    assert failed("wrong", Proofs(tests=("assert f(2) == 4",)), workshop) is None


def test_an_answer_that_is_known_to_be_wrong_is_handed_over_however_sure_it_was():
    steps = conduct(Question("?", careful=True), Rules("auto", provider="big", samples=3), Judge())
    next(steps)
    sure = LocalAnswer("so", (-0.001,) * 20, whole=True)
    step = steps.send(msgspec.structs.replace(sure, disproved="it fails its tests"))
    assert not isinstance(step, Sample)
    assert isinstance(step, Hosted)
    assert (step.decision.reason, step.decision.stage) == ("answer_doubtful", "check")
    assert step.decision.evidence.detail == "it fails its tests"
