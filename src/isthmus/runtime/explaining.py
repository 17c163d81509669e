"""What would become of a question, told without asking anybody: the decision, and what would leave."""

from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.errors import HandoffRefused
from isthmus.handoff.away.opening import open_line, redactor_of
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.handoff.conversations.conversation import asked_in
from isthmus.handoff.judging import LocalAnswer
from isthmus.handoff.policy import conduct, foresee
from isthmus.handoff.redaction import Redacted, Redactor
from isthmus.handoff.rules import Question
from isthmus.handoff.steps import Hold, Sample
from isthmus.ledger import Ledger
from isthmus.messages import Decision, GenerationRequest
from isthmus.runtime.assembly import open_terms
from isthmus.runtime.turn import Turn

_NOTHING_YET = LocalAnswer("", (), whole=False)


class Explanation(Struct, frozen=True):
    """What would become of a question.

    Attributes:
        decision: What the rules in force say now; None while the local answer would have to be read first.
        foreseen: What mode ``auto`` makes of the text alone.
        outgoing: The exact bytes that would leave, to whom, and their price at worst.
        redacted: What would leave in the question's place; None if redaction is off, or failed.
        refusal: Why nothing could leave, where that is so.
    """

    decision: Decision | None
    foreseen: Decision
    outgoing: Outgoing | None
    redacted: Redacted | None
    refusal: HandoffRefused | None


async def explain(request: GenerationRequest, configuration: Configuration, ledger: Ledger) -> Explanation:
    """Take a question through everything that happens before it leaves, and stop there."""
    terms = open_terms(configuration, ledger)
    try:
        turn = await Turn.begin(terms, request)
        await turn.close()
        question = Question(asked_in(request.messages), home_only=turn.home_only, switching=turn.switching)
        step = next(conduct(question, terms.rules, terms.estimator))
        decision = None if isinstance(step, Hold | Sample) else step.decision
        foreseen = foresee(question, terms.rules, terms.estimator, _NOTHING_YET)
    finally:
        await terms.close()
    outgoing, redacted, refusal = await _prepared(request, configuration, ledger)
    return Explanation(decision, foreseen, outgoing, redacted, refusal)


async def _prepared(
    request: GenerationRequest, configuration: Configuration, ledger: Ledger
) -> tuple[Outgoing | None, Redacted | None, HandoffRefused | None]:
    """What would leave, whether or not the rules let anything leave now."""
    redactor = redactor_of(configuration.settings.handoff)
    redacted: Redacted | None = None
    try:
        redacted = redactor.redact(request) if redactor else None
        return await _outgoing(request, configuration, ledger, redactor), redacted, None
    except HandoffRefused as error:
        return None, redacted, error


async def _outgoing(
    request: GenerationRequest, configuration: Configuration, ledger: Ledger, redactor: Redactor | None
) -> Outgoing:
    if not configuration.settings.handoff.order:
        raise HandoffRefused("no provider is configured", hint="isthmus handoff setup")
    hosted = open_line(configuration, ledger, redactor)
    try:
        return hosted.prepare(request)
    finally:
        await hosted.close()
