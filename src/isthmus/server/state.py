"""What the handlers share."""

import time
from typing import cast

from starlette.requests import Request

from isthmus.handoff.hosted import HostedModel
from isthmus.handoff.policy import Rules
from isthmus.ledger import Ledger
from isthmus.runtime.answer import Runtime
from isthmus.runtime.models import Models


class Served:
    """The models that answer, and the terms on which they do.

    Args:
        models: The local ones.
        rules: The person's, for who may answer.
        ledger: Where answers are recorded.
        hosted: The hosted model, where one is configured.
        max_body_bytes: The largest request body that is read.
        ping_s: How long a stream may be silent before a ping is sent.
    """

    def __init__(
        self,
        models: Models,
        rules: Rules,
        ledger: Ledger,
        *,
        hosted: HostedModel | None = None,
        max_body_bytes: int,
        ping_s: float = 10.0,
    ) -> None:
        self.models = models
        self.ping_s = ping_s
        self.max_body_bytes = max_body_bytes
        self.since = int(time.time())
        self._rules = rules
        self._ledger = ledger
        self._hosted = hosted

    def runtime(self, model: str | None, key: str | None) -> Runtime:
        """What answers a request that names ``model``, sent with the key of that name.

        Raises:
            UnknownModel: There is no such model.
        """
        home = self.models.home(model, key=key)
        return Runtime(home, self._rules, hosted=self._hosted, ledger=self._ledger)

    def bare(self, model: str | None) -> Runtime:
        """The model alone, without hand-off or ledger, for a caller that brings its own.

        Raises:
            UnknownModel: There is no such model.
        """
        return Runtime(self.models.home(model), Rules())


def served(request: Request) -> Served:
    """What the application was built with."""
    return cast("Served", request.state.served)
