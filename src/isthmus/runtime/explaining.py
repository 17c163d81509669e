"""What would become of a question, told without asking anybody: the decision, and what would leave."""

from msgspec import Struct

from isthmus.configuration import Configuration
from isthmus.errors import HandoffRefused
from isthmus.generator import Generator
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.away.opening import open_line, redactor_of
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.handoff.conversations.conversation import asked_in
from isthmus.handoff.judging import LocalAnswer
from isthmus.handoff.policy import conduct, foresee
from isthmus.handoff.redaction import ModelReader, Redacted
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


async def explain(
    request: GenerationRequest,
    configuration: Configuration,
    ledger: Ledger,
    home: Generator | None = None,
) -> Explanation:
    """Take a question through everything that happens before it leaves, and stop there.

    Args:
        request: What would be asked.
        configuration: The settings.
        ledger: The person's; nothing is written.
        home: The local model, where it is to look for names.
    """
    terms = open_terms(configuration, ledger)
    try:
        turn = await Turn.begin(terms, request)
        await turn.close()
        question = Question(asked_in(request.messages), home_only=turn.home_only, switching=turn.switching)
        step = next(conduct(question, terms.rules, terms.estimator))
        decision = None if isinstance(step, Hold | Sample) else step.decision
        foreseen = foresee(question, terms.rules, terms.estimator, _NOTHING_YET)
        outgoing, redacted, refusal = await _prepared(request, configuration, ledger, terms.hosted, home)
    finally:
        await terms.close()
    return Explanation(decision, foreseen, outgoing, redacted, refusal)


async def _prepared(
    request: GenerationRequest,
    configuration: Configuration,
    ledger: Ledger,
    opened: HostedModel | None,
    home: Generator | None,
) -> tuple[Outgoing | None, Redacted | None, HandoffRefused | None]:
    """What would leave, whether or not the rules let anything leave now; by what is open where they do."""
    handoff = configuration.settings.handoff
    hosted = opened or (open_line(configuration, ledger, redactor_of(handoff)) if handoff.order else None)
    redactor = hosted.redactor if hosted else redactor_of(handoff)
    redacted: Redacted | None = None
    try:
        if redactor is not None:
            reader = hosted.reader if hosted else ModelReader(handoff.deadline_s)
            known = await reader.known(home, redactor.texts(request)) if redactor.asks_home else None
            redacted = redactor.redact(request, known)
        return await _configured(hosted).prepare_aside(request, home), redacted, None
    except HandoffRefused as error:
        return None, redacted, error
    finally:
        if hosted is not None and hosted is not opened:
            await hosted.close()


def _configured(hosted: HostedModel | None) -> HostedModel:
    if hosted is None:
        raise HandoffRefused("no provider is configured", hint="isthmus handoff setup")
    return hosted
