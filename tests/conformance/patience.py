"""How long other people's programs and real weights may take: this folder's time limits, all of them.

A machine that is slow, or that does other things too, takes several times as long without anything being
wrong: ``PATIENCE=4 make conformance`` makes each limit four times as long.
"""

import os

FACTOR = float(os.environ.get("PATIENCE", "1"))


def patience(seconds: float) -> float:
    """A time limit for this machine.

    Args:
        seconds: What is plenty on two cores that do nothing else.
    """
    return FACTOR * seconds
