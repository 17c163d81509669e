"""What samples count for that can't be told by their text: programs, by what comes of running them.

Code is put to the tests that its question shows. A program that was asked for in place of working (program-
aided: Gao et al. 2022, arXiv 2211.10435) counts for the value that it prints, beside answers worked out in
words: it errs elsewhere than they do.
"""

from msgspec.structs import replace

from isthmus.errors import SandboxError
from isthmus.messages import Notice
from isthmus.reasoning.examples import shown_tests
from isthmus.reasoning.pieces import Growing
from isthmus.reasoning.samples import ABSTAINS, Ballot
from isthmus.reasoning.vote import VoteRules
from isthmus.reasoning.workshop import Workshop
from isthmus.scoring import comes_to

PASSES = "passes the tests"
"""What code counts for that passes them all."""
_LONGEST_OUTPUT = 200


class Measure:
    """Measures the samples of one question.

    Args:
        workshop: Where programs run.
        tests: Those that the question shows.

    Attributes:
        failure: What went wrong while programs were run, where it did.
    """

    def __init__(self, workshop: Workshop, tests: tuple[str, ...]) -> None:
        self._workshop = workshop
        self.tests = tests
        self.failure: Notice | None = None

    async def ballot(self, growing: Growing, *, program: bool) -> Ballot | None:
        """What a sample counts for; None: what its text says.

        Args:
            growing: The sample; what its program printed is added to it.
            program: Whether it was asked for as a program that prints the answer.
        """
        if not (program or self.tests):
            return None
        try:
            return await (self._printed(growing) if program else self._tested(growing))
        except SandboxError as error:
            self.failure = Notice("programs_not_run", error.message, error.hint)
            return ABSTAINS

    async def _tested(self, growing: Growing) -> Ballot:
        # Passing is proof enough: no number of others could do better by the tests that are shown.
        whole = growing.finish == "stop" and await self._workshop.passes(growing.text, self.tests)
        return Ballot(PASSES, proof=True) if whole else ABSTAINS

    async def _printed(self, growing: Growing) -> Ballot:
        output = await self._workshop.output(growing.text) if growing.finish == "stop" else None
        if not output or len(output) > _LONGEST_OUTPUT or (value := comes_to(output)) is None:
            return ABSTAINS
        growing.add(f"\n\nIt prints:\n\\boxed{{{output.splitlines()[-1]}}}")
        return Ballot(value)


async def measured(
    question: str, rules: VoteRules, workshop: Workshop | None
) -> tuple[VoteRules, Measure | None, Notice | None]:
    """How a question's samples are measured.

    Args:
        question: What is asked.
        rules: Of the vote.
        workshop: Where programs run; None where the person wants none run.

    Returns:
        The rules, without programs where none can be run; the measure, where there is one; and what the
        person should know.
    """
    tests = shown_tests(question)
    if not (tests or rules.programs):
        return rules, None, None
    words = replace(rules, programs=0)
    if workshop is None:
        if not tests:
            return words, None, None
        text = "the tests that the question shows are not run: reasoning.python is off"
        return words, None, Notice("programs_not_run", text, hint="set reasoning.python = true")
    if (why := await workshop.closed()) is not None:
        return words, None, Notice("programs_not_run", why.message, why.hint)
    return rules, Measure(workshop, tests), None
