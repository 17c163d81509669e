"""What a release that was checked proves, and what it doesn't: the same words wherever they are said."""

from collections.abc import Iterator

from isthmus.trust.origin import Proof

PROVEN = (
    "who published it: the holder of the key that signed",
    "that nothing was changed since, added or left out: each file's SHA-256 is signed",
    "which tests it passed, by which policy, at which look, on which evidence",
    "who approved, each with a key of their own, and none of them its submitter",
)

UNPROVEN = (
    "that the model is safe: only what is listed was tried",
    "that its publisher is honest: the key says who signed, not what for",
    "that the evaluations were run as recorded: reviewers vouch for that with their names",
)


def unproven(proof: Proof, *, heeded: bool) -> Iterator[str]:
    """What isn't proven of a release by what was checked here.

    Args:
        proof: What was checked.
        heeded: Whether there was a feed of advisories to look into.
    """
    yield from UNPROVEN
    if proof.level == "gated":
        yield "who the reviewers are: the publisher vouches for their keys, unless you name them"
    if not heeded:
        yield "that nothing is known against it: no feed of advisories is named"
