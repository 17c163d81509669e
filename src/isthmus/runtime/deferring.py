"""A hand-over that nobody can agree to now: it is kept for later, and home answers meanwhile."""

import logging

import anyio.to_thread

from isthmus.errors import IsthmusError
from isthmus.handoff.away.outgoing import Outgoing
from isthmus.ledger import PendingHandoffs, Source, Waiting
from isthmus.messages import Decision, GenerationRequest

_log = logging.getLogger(__name__)


async def defer(
    pending: PendingHandoffs,
    *,
    request: GenerationRequest,
    source: Source,
    key: str | None,
    question_id: str,
    decision: Decision,
    outgoing: Outgoing,
    local_model: str,
) -> str | None:
    """Keep a hand-over for later consent; its id, or None where it can't be kept, and home answers alone."""
    waiting = Waiting(
        question_id=question_id,
        source=source,
        key=key,
        request=request,
        decision=decision,
        local_model=local_model,
        provider=outgoing.provider,
        model=outgoing.model,
        worst_usd=outgoing.at_most_usd,
    )
    try:
        return await anyio.to_thread.run_sync(pending.keep, waiting)
    except IsthmusError as error:
        _log.warning("question %s can't wait for consent: %s", question_id, error)
        return None
