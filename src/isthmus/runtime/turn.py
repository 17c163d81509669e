"""One answer in its conversation: what is marked, who answered before, and who remembers this one."""

from isthmus.handoff.conversations.conversation import Followed
from isthmus.handoff.conversations.translation import for_home
from isthmus.handoff.marking.marks import Marking, flagged
from isthmus.messages import Event, GenerationRequest, ModelInfo
from isthmus.runtime.terms import Terms


class Turn:
    """The answer that is under way.

    Attributes:
        home_only: What in the conversation is marked to stay home; None where nothing is.
        switching: What is added to the threshold, because changing hands costs something.
    """

    def __init__(self, marking: Marking, followed: Followed | None) -> None:
        self.home_only = marking.why
        self.switching = 0.0 if followed is None else followed.shift
        self._marking = marking
        self._followed = followed

    @classmethod
    async def begin(cls, terms: Terms, request: GenerationRequest) -> "Turn":
        """Look at the conversation before anybody decides who goes on with it."""
        marking = Marking(flagged(request)) if terms.marks is None else await terms.marks.look(request)
        followed = None if terms.conversations is None else terms.conversations.follow(request)
        return cls(marking, followed)

    def at_home(self, request: GenerationRequest, model: ModelInfo) -> GenerationRequest:
        """The request as the model at home can read it."""
        hosted_turns = frozenset[int]() if self._followed is None else self._followed.standing.hosted_turns
        return for_home(request, model, hosted_turns)

    def note(self, event: Event) -> Event:
        """Take note of an event, before whoever asked gets it."""
        self._marking.note(event)
        if self._followed is not None:
            self._followed.note(event)
        return event

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done once the answer is whole."""
        return self.home_only is None

    async def close(self) -> None:
        """The answer is over, however it ended."""
        await self._marking.close()
