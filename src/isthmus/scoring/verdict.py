"""What every score is: whether an answer is right, what was read out of it, and why."""

from msgspec import Struct


class Verdict(Struct, frozen=True):
    """Whether an answer is right.

    Attributes:
        right: Whether it is.
        extracted: What of the answer was judged; None where nothing was found to judge.
        why: The reason, one sentence in lower case without a full stop.
    """

    right: bool
    extracted: str | None
    why: str


def compared(extracted: str | None, wanted: str, *, right: bool) -> Verdict:
    """The verdict of a comparison, in words."""
    if extracted is None:
        return Verdict(right=False, extracted=None, why=f"no answer was found; {wanted} is right")
    why = f"{extracted} is right" if right else f"it comes to {extracted}; {wanted} is right"
    return Verdict(right, extracted, why)
