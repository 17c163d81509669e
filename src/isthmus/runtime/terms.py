"""The terms on which questions are handed over: what a `Runtime` is given beside its local model."""

from msgspec import Struct, field

from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.conversations.conversation import Conversations
from isthmus.handoff.estimator import builtin
from isthmus.handoff.judging import Estimator
from isthmus.handoff.marking.marks import Marks
from isthmus.handoff.rules import Rules
from isthmus.ledger import PendingHandoffs
from isthmus.reasoning.workshop import Workshop
from isthmus.runtime.delegation import Delegation


class Terms(Struct, frozen=True):
    """What the person has decided, and what carries it out. One for all questions of a process."""

    rules: Rules = Rules()
    hosted: HostedModel | None = None
    """The hosted side, where one is configured and nothing forbids it."""
    estimator: Estimator = field(default_factory=builtin)
    """What judges questions and their local answers."""
    pending: PendingHandoffs | None = None
    """Where questions wait for consent, if nobody can be asked at once."""
    marks: Marks | None = None
    """What is known to stay home, from earlier conversations too."""
    conversations: Conversations | None = None
    """Who answered the conversations under way."""
    delegation: Delegation | None = None
    """On which terms the local model may ask the hosted one by itself."""
    workshop: Workshop | None = None
    """Where programs run that are held against the tests that a question shows."""

    async def close(self) -> None:
        """Give connections back: the hosted side's, and the database's."""
        if self.marks is not None:
            self.marks.close()
        if self.hosted is not None:
            await self.hosted.close()
