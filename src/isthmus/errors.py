"""The error tree: everything that Isthmus tells a person has gone wrong.

    IsthmusError
    ├── UsageError                 the command or its arguments
    ├── SettingsError              isthmus.toml, ISTHMUS_* variables, flags
    ├── RequestError               a request that can't be answered as it stands
    │   ├── ContextLengthExceeded
    │   ├── RequestTooLarge
    │   ├── RequestTooSlow
    │   └── NotFound
    ├── AccessDenied               a key is missing, wrong or revoked; a foreign page asks
    │   ├── ForeignOrigin
    │   ├── ScopeMissing
    │   └── RateLimited
    ├── ModelError                 weights: their name, their file, their bytes
    │   ├── UnknownModel
    │   ├── InvalidWeights
    │   ├── DigestMismatch
    │   └── ReleaseRefused         its proof isn't what you require of its publisher
    ├── FetchError                 a download, or a publication to a registry
    ├── StorageError               the disk is full, or a folder can't be written
    ├── EngineError                the local model
    │   ├── LoadError
    │   │   └── DoesNotFit         more memory than there is
    │   ├── WorkerDied
    │   ├── AnswerGarbled          the model broke the format that its answers are read by
    │   ├── DeadlinePassed
    │   └── Busy                   its queue is full, or the wait was too long
    │       └── Overloaded         the server has too many connections, or is about to stop
    ├── SandboxError               where code runs that nobody has read
    │   └── SandboxUnavailable     no sandbox can be had on this machine, so the code doesn't run
    ├── ServerError                the server can't start
    ├── LedgerError                the database
    │   └── ChainBroken            somebody changed, removed or added something behind its back
    ├── HandoffRefused             a rule says no
    │   ├── BudgetExceeded
    │   ├── PriceUnknown
    │   ├── RedactionFailed        what would leave can't be made safe to
    │   └── AlreadyDecided         somebody has approved or declined it, or it waited too long
    ├── ProviderError              the hosted side
    │   ├── ProviderUnreachable
    │   ├── ProviderFailed         overloaded, or an error of its own
    │   ├── ProviderTimeout
    │   ├── ProviderRejected       it said no: wrong key, unknown model, bad request
    │   ├── ProviderCut            its stream ended before its answer did
    │   └── ProviderGarbled        it answered, and not in its API's language
    ├── SigningError               a key, or a signature
    │   └── SignatureInvalid
    ├── GateError                  a release on its way out
    │   ├── PolicyInvalid
    │   ├── EvidenceBroken         somebody changed, removed, moved or slipped in a record
    │   └── GateRefused            not in this state, not by this person, not yet
    └── Interrupted                Ctrl-C

Each class carries a stable ``code`` (for programs), an ``http_status``, an ``exit_code`` and, where there
is something to type next, a ``hint``. Exit codes are part of the interface: see docs/reference/exit-codes.md.
"""

from typing import ClassVar


class IsthmusError(Exception):
    """Anything that went wrong in a way that a person can understand.

    Args:
        message: One sentence, lower case, without a full stop: what happened and why.
        hint: What to type or change next, if there is something.
        param: The request's parameter at fault, where one is.
    """

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param


class UsageError(IsthmusError):
    """The command line can't be understood."""

    code = "usage_error"
    http_status = 400
    exit_code = 2


class SettingsError(IsthmusError):
    """A setting is unknown, malformed or contradictory."""

    code = "settings_error"
    exit_code = 3


class RequestError(IsthmusError):
    """A request that can't be answered as it stands."""

    code = "invalid_request"
    http_status = 400
    exit_code = 2


class ContextLengthExceeded(RequestError):
    """The prompt doesn't fit the model's allocated context."""

    code = "context_length_exceeded"


class RequestTooLarge(RequestError):
    """The body is larger than the server accepts."""

    code = "request_too_large"
    http_status = 413


class RequestTooSlow(RequestError):
    """The body didn't arrive within the time that the server waits for one."""

    code = "request_too_slow"
    http_status = 408


class NotFound(RequestError):
    """There is nothing under that address or identifier."""

    code = "not_found"
    http_status = 404


class AccessDenied(IsthmusError):
    """The key is missing, wrong or revoked."""

    code = "invalid_api_key"
    http_status = 401
    exit_code = 9


class ForeignOrigin(AccessDenied):
    """A web page of another origin, or a rebound host name, tries to use the server."""

    code = "foreign_origin"
    http_status = 403


class ScopeMissing(AccessDenied):
    """The key is good, but not for this."""

    code = "scope_missing"
    http_status = 403


class RateLimited(AccessDenied):
    """The key has had its requests or tokens for now.

    Attributes:
        retry_after_s: When there will be room again, in whole seconds.
    """

    code = "rate_limit_exceeded"
    http_status = 429

    def __init__(
        self, message: str, *, retry_after_s: int = 1, hint: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, param=param)
        self.retry_after_s = retry_after_s


class ModelError(IsthmusError):
    """Something is wrong with the weights."""

    code = "model_error"
    exit_code = 4


class UnknownModel(ModelError):
    """No model goes by that name."""

    code = "model_not_found"
    http_status = 404


class InvalidWeights(ModelError):
    """The file is not a usable GGUF: wrong format, truncated, or of an unsupported kind."""

    code = "invalid_weights"


class DigestMismatch(ModelError):
    """The bytes are not those that were promised."""

    code = "digest_mismatch"


class ReleaseRefused(ModelError):
    """The release isn't proven as the person requires of its publisher."""

    code = "release_refused"
    http_status = 403


class FetchError(IsthmusError):
    """A download failed, or a publication to a registry."""

    code = "fetch_failed"
    http_status = 502
    exit_code = 5


class StorageError(IsthmusError):
    """The disk is full, or a folder can't be written."""

    code = "storage_error"
    http_status = 507
    exit_code = 11


class EngineError(IsthmusError):
    """The local model can't answer."""

    code = "engine_error"
    http_status = 503
    exit_code = 6


class LoadError(EngineError):
    """The engine could not load the weights."""

    code = "load_failed"


class DoesNotFit(LoadError):
    """The model needs more memory than it may have; the message has both numbers."""

    code = "does_not_fit"


class WorkerDied(EngineError):
    """The worker process ended in the middle of an answer."""

    code = "worker_died"


class AnswerGarbled(EngineError):
    """The model wrote something that the engine can't read as an answer of its."""

    code = "answer_garbled"


class DeadlinePassed(EngineError):
    """The answer took longer than the server gives to one."""

    code = "deadline_passed"
    http_status = 504


class Busy(EngineError):
    """Too many requests wait for the model already, or this one waited too long.

    Attributes:
        retry_after_s: When to try again, in whole seconds.
    """

    code = "busy"
    http_status = 429

    def __init__(
        self, message: str, *, retry_after_s: int = 1, hint: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, param=param)
        self.retry_after_s = retry_after_s


class Overloaded(Busy):
    """The server has as many connections as it may, or is about to stop."""

    code = "overloaded"
    http_status = 503


class SandboxError(IsthmusError):
    """The sandbox failed: it didn't start, or ended by itself."""

    code = "sandbox_error"
    exit_code = 17


class SandboxUnavailable(SandboxError):
    """No sandbox can be had on this machine, so that nothing runs that belongs in one."""

    code = "sandbox_unavailable"
    http_status = 501


class ServerError(IsthmusError):
    """The server can't start: its port is taken, or its address needs a key."""

    code = "server_error"
    exit_code = 10


class LedgerError(IsthmusError):
    """The ledger's database can't be read or written."""

    code = "ledger_error"
    exit_code = 12


class ChainBroken(LedgerError):
    """The ledger isn't what was written: rows were changed, removed, moved or slipped in."""

    code = "chain_broken"
    exit_code = 13


class HandoffRefused(IsthmusError):
    """A rule of the person's keeps the question home, and home can't answer it."""

    code = "handoff_refused"
    http_status = 403
    exit_code = 8


class BudgetExceeded(HandoffRefused):
    """The worst-case cost doesn't fit under one of the caps."""

    code = "budget_exceeded"
    http_status = 402


class PriceUnknown(HandoffRefused):
    """Nobody has said what the hosted model costs, so it can't be kept within a budget."""

    code = "price_unknown"


class RedactionFailed(HandoffRefused):
    """What would leave can't be redacted as the person wants it, so it doesn't leave."""

    code = "redaction_failed"


class AlreadyDecided(HandoffRefused):
    """The hand-over was approved or declined before, waited too long, or isn't what was agreed to."""

    code = "already_decided"
    http_status = 409


class ProviderError(IsthmusError):
    """The hosted side failed.

    Attributes:
        billed: Whether it may have worked, and billed, all the same.
        retry_after_s: When to ask again, where it said so.
        status: Of its HTTP response, where there was one.
    """

    code = "provider_error"
    http_status = 502
    exit_code = 7
    billed: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        status: int | None = None,
        hint: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, param=param)
        self.retry_after_s = retry_after_s
        self.status = status


class ProviderUnreachable(ProviderError):
    """No connection: nothing left this machine."""

    code = "provider_unreachable"
    billed = False


class ProviderFailed(ProviderError):
    """It is overloaded, or failed by itself: trying again may help."""

    code = "provider_failed"
    billed = False


class ProviderTimeout(ProviderError):
    """It fell silent. It may have worked, and billed, all the same."""

    code = "provider_timeout"
    http_status = 504


class ProviderRejected(ProviderError):
    """The provider said no: wrong key, unknown model, a request that it doesn't accept."""

    code = "provider_rejected"
    billed = False


class ProviderCut(ProviderError):
    """The provider's stream ended before its answer did."""

    code = "provider_cut"


class ProviderGarbled(ProviderError):
    """The provider answered with something that isn't its API's language: a web page, half a JSON."""

    code = "provider_garbled"


class SigningError(IsthmusError):
    """A key can't be used."""

    code = "signing_error"
    exit_code = 14


class SignatureInvalid(SigningError):
    """A signature isn't by whom it should be, or what it covers isn't what it should be."""

    code = "signature_invalid"


class GateError(IsthmusError):
    """A release, its policy or its evidence can't be read."""

    code = "gate_error"
    exit_code = 15


class PolicyInvalid(GateError):
    """The gate's policy is malformed, or asks for what can't be decided."""

    code = "policy_invalid"


class EvidenceBroken(GateError):
    """The evidence isn't what was recorded: it was changed, removed, moved or slipped in."""

    code = "evidence_broken"


class GateRefused(GateError):
    """The gate says no: not in this state, not by this person, not yet."""

    code = "gate_refused"
    http_status = 403
    exit_code = 16


class Interrupted(IsthmusError):
    """The person pressed Ctrl-C."""

    code = "interrupted"
    http_status = 499
    exit_code = 130
