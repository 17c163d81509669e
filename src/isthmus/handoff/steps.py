"""What the policy wants next, and what it is told of it."""

from collections.abc import Generator
from typing import TypeAlias

from msgspec import Struct

from isthmus.errors import IsthmusError
from isthmus.handoff.judging import LocalAnswer
from isthmus.messages import Decision, Notice

# ---------------------------------------------------------------- what is wanted


class Hold(Struct, frozen=True):
    """Run the local model without showing anything; report after ``tokens``, or the whole answer if None."""

    tokens: int | None


class Sample(Struct, frozen=True):
    """Draw ``count`` more local answers, to be read, not shown."""

    count: int


class Consent(Struct, frozen=True):
    """Ask the person: True, False, `Deferred` where nobody can be asked now, None where never."""

    decision: Decision


class Local(Struct, frozen=True):
    """Show the local answer: what was held, then the rest."""

    decision: Decision
    notice: Notice | None = None
    consent_id: str | None = None
    """Under which the person may have the question handed over all the same."""


class Hosted(Struct, frozen=True):
    """Let the question leave, and show the hosted answer."""

    decision: Decision


class Refuse(Struct, frozen=True):
    """Nobody may answer."""

    decision: Decision
    error: IsthmusError


Step: TypeAlias = Hold | Sample | Consent | Local | Hosted | Refuse

# ---------------------------------------------------------------- what came of it


class Samples(Struct, frozen=True):
    """The texts of the further local answers, those that came."""

    texts: tuple[str, ...]


class Deferred(Struct, frozen=True):
    """Nobody can be asked now; under ``id`` the person may consent later."""

    id: str


class Failed(Struct, frozen=True):
    """The step failed before anything was shown."""

    error: IsthmusError


Outcome: TypeAlias = LocalAnswer | Samples | Deferred | Failed | bool | None
Conduct: TypeAlias = Generator[Step, Outcome, None]
