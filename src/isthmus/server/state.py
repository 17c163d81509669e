"""What the handlers share."""

import time
from typing import cast

from starlette.requests import Request

from isthmus.runtime.answer import Runtime


class Served:
    """The runtime that answers, and a bare one without hand-off or ledger for callers that bring their own.

    Args:
        runtime: Answers requests under the person's rules.
        bare: Answers from home alone, and records nothing.
        max_body_bytes: The largest request body that is read.
    """

    def __init__(self, runtime: Runtime, bare: Runtime, max_body_bytes: int) -> None:
        self.runtime = runtime
        self.bare = bare
        self.max_body_bytes = max_body_bytes
        self.since = int(time.time())


def served(request: Request) -> Served:
    """What the application was built with."""
    return cast("Served", request.state.served)
