"""One request and its response, as far as logs, metrics and traces want to know of them."""

import re
import secrets
import time
from collections.abc import Callable
from copy import copy
from typing import Literal, TypeAlias

from starlette.requests import Request
from starlette.types import Scope

from isthmus.errors import IsthmusError
from isthmus.ledger import KeyInfo
from isthmus.runtime.observing import Answered
from isthmus.server.limiter import Admission

REQUEST_ID = b"x-request-id"
UNKNOWN_PATH = "(none)"
"""The template of a path at which there is nothing: paths that people make up must not become labels."""

PROBES = frozenset({"/health", "/v1/health", "/ready", "/metrics"})
"""What machines ask every few seconds, of a server that is about to stop too."""

Api: TypeAlias = Literal["openai", "anthropic", "ollama", "isthmus"]

_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._:/+=-]+", re.ASCII)


class Exchange:
    """What is noted while a request is answered. It is an `Observer`: a runtime tells it of its answers.

    Args:
        scope: The request, as ASGI has it.

    Attributes:
        headers: What the response gets beside its own.
        status: The response's status; 0 until there is one.
        error: Why it failed, if it did before anything was sent.
        other_tokens: Those of work that is no answer, such as embeddings.
        key: Whose request it is, where a key came with it.
        admission: What its key was granted, where that has limits.
        answers: Those that ended before the response did.
        late: Those that ended after it.
        template: The path as the routes have it; known once it is answered.
        duration_s: How long it took; known once it is over.
        background: Whether it tells of an answer that ended after its response.
    """

    __slots__ = (
        "_began",
        "_report",
        "admission",
        "answers",
        "background",
        "duration_s",
        "error",
        "headers",
        "key",
        "late",
        "method",
        "other_tokens",
        "path",
        "request_id",
        "scope",
        "status",
        "template",
    )

    def __init__(self, scope: Scope) -> None:
        self._began = time.perf_counter()
        self.other_tokens = 0
        self._report: Callable[[Exchange], None] | None = None
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.request_id = _request_id(scope["headers"])
        self.headers: list[tuple[bytes, bytes]] = [(REQUEST_ID, self.request_id.encode())]
        self.status = 0
        self.error: IsthmusError | None = None
        self.key: KeyInfo | None = None
        self.admission: Admission | None = None
        self.answers: list[Answered] = []
        self.late: list[Answered] = []
        self.template = UNKNOWN_PATH
        self.duration_s = 0.0
        self.background = False

    def finished(self, answered: Answered) -> None:
        """Take note of an answer; one that ends after the response is told of by itself."""
        if self._report is None:
            self.answers.append(answered)
            return
        self.late.append(answered)
        late = copy(self)
        late.answers, late.background = [answered], True
        late.duration_s = time.perf_counter() - self._began
        self._report(late)

    def spend(self, tokens: int) -> None:
        """Count tokens of work that is no answer, such as embeddings."""
        self.other_tokens += tokens

    def end(self, template: str, report: "Callable[[Exchange], None]") -> None:
        """The response is over: say so.

        Args:
            template: The path as the routes have it.
            report: Who is told, now and of answers that are yet to end.
        """
        self.template = template
        self.duration_s = time.perf_counter() - self._began
        if self.admission is not None:
            self.admission.settle(self.tokens)
        report(self)
        self._report = report

    @property
    def tokens(self) -> int:
        """What it took, of prompts and completions together."""
        rows = (answered.record for answered in (*self.answers, *self.late))
        return self.other_tokens + sum(row.prompt_tokens + row.completion_tokens for row in rows)

    @property
    def api(self) -> Api:
        """Whose API the path belongs to."""
        if self.template.startswith("/v1/messages"):
            return "anthropic"
        if self.template.startswith("/api/"):
            return "ollama"
        return "openai" if self.template.startswith("/v1/") else "isthmus"


def exchange_of(request: Request) -> Exchange:
    """The exchange that a request belongs to."""
    exchange: Exchange = request.scope["state"]["exchange"]
    return exchange


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The caller's own, without what might confuse a log, or a new one."""
    for name, value in headers:
        if name == REQUEST_ID:
            given = value.decode("latin-1")
            if not _ID.fullmatch(given):
                given = _NOT_IN_ID.sub("", given)[:128]
            return given or secrets.token_hex(16)
    return secrets.token_hex(16)
