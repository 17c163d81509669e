"""What a question lets one test of its answer: the schema that it is to have, and the tests that it shows.

A local answer that fails them is wrong, whatever its tokens say, so it is handed over. What is told of it is
which kind of test it failed: the ledger keeps nobody's words.
"""

from typing import Any, cast

from msgspec import Struct

from isthmus.errors import SandboxError, UsageError
from isthmus.handoff.conversations.conversation import asked_in
from isthmus.handoff.judging import LocalAnswer
from isthmus.messages import GenerationRequest
from isthmus.reasoning.examples import shown_tests
from isthmus.reasoning.workshop import Workshop
from isthmus.scoring import score_schema


class Proofs(Struct, frozen=True):
    """What an answer can be held against."""

    schema: dict[str, Any] | None = None
    tests: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.schema is not None or bool(self.tests)


def proofs_of(request: GenerationRequest) -> Proofs:
    """The schema and the tests of a question; nothing where its tools may be called instead of an answer."""
    if request.tools:
        return Proofs()
    form = request.response_format or {}
    schema = cast("Any", form.get("json_schema") or {}).get("schema")
    described = form.get("type") == "json_schema" and isinstance(schema, dict)
    asked = asked_in(request.messages)
    tests = shown_tests(asked) if "assert " in asked or ">>>" in asked else ()
    return Proofs(cast("dict[str, Any]", schema) if described else None, tests)


async def disproved(answer: LocalAnswer, proofs: Proofs, workshop: Workshop | None) -> str | None:
    """What a whole answer fails; None where it fails nothing, or nothing can be tested.

    Args:
        answer: What the model at home said.
        proofs: What it is held against.
        workshop: Where programs run; None where none may.
    """
    if proofs.schema is not None:
        try:
            if not score_schema(answer.text, proofs.schema).right:
                return "the local answer isn't as its schema says"
        except UsageError:
            return None
    if proofs.tests and workshop is not None:
        try:
            if await workshop.closed() is None and not await workshop.passes(answer.text, proofs.tests):
                return "the local answer fails the tests that the question shows"
        except SandboxError:  # a test that can't be run says nothing
            return None
    return None
