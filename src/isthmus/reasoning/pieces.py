"""One sample while it is being written."""

from isthmus.messages import FinishReason, TokenScore
from isthmus.reasoning.budget import circles
from isthmus.reasoning.samples import Sample

_LOOK_EVERY = 64


class Growing:
    """A sample as far as it has come.

    Attributes:
        scores: Its tokens' log-probabilities, where they were asked for.
        finish: Why it ended; None while it goes on.
    """

    def __init__(self) -> None:
        self.scores: list[TokenScore] = []
        self.finish: FinishReason | None = None
        self._pieces: list[str] = []
        self._look = _LOOK_EVERY
        self._circling = False

    @property
    def text(self) -> str:
        """What is written of it."""
        return "".join(self._pieces)

    def add(self, text: str) -> None:
        """Take more of it."""
        self._pieces.append(text)

    @property
    def circling(self) -> bool:
        """Whether it says the same again and again; looked at now and then, and never taken back."""
        if not self._circling and len(self._pieces) >= self._look:
            self._look = len(self._pieces) + _LOOK_EVERY
            self._circling = circles(self.text[-4096:])
        return self._circling

    def sample(self) -> Sample:
        """It as it is counted."""
        scores = self.scores
        mean = sum(each.logprob for each in scores) / len(scores) if scores else None
        return Sample(self.text, max(len(scores), len(self._pieces)), mean, self.finish)

    def cut_at(self, characters: int) -> tuple[tuple[TokenScore, ...], tuple[TokenScore, ...]]:
        """Its tokens up to a place in its text, and from there on; one that lies across it comes after."""
        place = 0
        for number, score in enumerate(self.scores):
            place += len(score.token)
            if place > characters:
                return tuple(self.scores[:number]), tuple(self.scores[number:])
        return tuple(self.scores), ()
