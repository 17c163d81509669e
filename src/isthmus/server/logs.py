"""The server's log: one line a request, for people or as JSON, without a word of question or answer."""

import logging
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO

import msgspec
from msgspec import Struct

from isthmus.server.exchange import PROBES, Exchange

_NAMED = ("cost_usd", "key", "error", "request_id")
"""Fields that a line for people names."""

_log = logging.getLogger("isthmus.requests")


def set_up_logging(kind: Literal["text", "json"], stream: TextIO) -> None:
    """Send all that is logged in this process, by uvicorn too, to one stream.

    Isthmus's own log tells of what happens; of everybody else's only warnings are kept.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonLines() if kind == "json" else _Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("isthmus").setLevel(logging.INFO)
    # Nobody reads which thread and process a record comes from, and to find out takes longer than to write.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class RequestLog:
    """Logs each request that is over.

    Args:
        content: Whether questions and answers are logged too.
    """

    def __init__(self, *, content: bool = False) -> None:
        self._content = content

    def watch(self, exchange: Exchange) -> None:
        """Write its line."""
        well = exchange.template in PROBES and exchange.status < 400
        if well or not _log.isEnabledFor(logging.INFO):
            return
        fields = described(exchange)
        if self._content:
            fields.update(_content(exchange))
        # Not by info(), which walks the stack to find out that it was called here.
        _log.handle(logging.LogRecord(_log.name, logging.INFO, __file__, 0, _Request(fields), (), None))


class _Request(Struct, frozen=True):
    """A record's message: only a line for people makes a sentence of it."""

    fields: dict[str, Any]

    def __str__(self) -> str:
        return _sentence(self.fields)


def described(exchange: Exchange) -> dict[str, Any]:
    """What may be told of a request, in the log's names. Of keys there is the name, of paths the template."""
    fields: dict[str, Any] = {
        "method": exchange.method,
        "path": exchange.template,
        "status": exchange.status,
        "ms": round(exchange.duration_s * 1000, 1),
        "request_id": exchange.request_id,
    }
    if exchange.background:
        fields["background"] = True
    if exchange.key is not None:
        fields["key"] = exchange.key.name
    if exchange.other_tokens:
        fields["tokens"] = exchange.other_tokens
    if exchange.answers:
        row = exchange.answers[-1].record
        fields |= {
            "model": row.model,
            "route": row.target,
            "reason": row.reason,
            "outcome": row.outcome,
            "prompt_tokens": row.prompt_tokens,
            "completion_tokens": row.completion_tokens,
            "cached_tokens": row.cached_tokens,
            "question_id": row.id,
        }
        if row.first_token_s is not None:
            fields["first_token_ms"] = round(row.first_token_s * 1000, 1)
        if row.cost_usd:
            fields["cost_usd"] = str(row.cost_usd)
        if row.error_code is not None:
            fields["error"] = row.error_code
    if exchange.error is not None:
        fields["error"] = exchange.error.code
    return fields


def _content(exchange: Exchange) -> dict[str, Any]:
    return {
        "questions": [msgspec.to_builtins(each.request.messages) for each in exchange.answers],
        "answers": ["".join(each.pieces) for each in exchange.answers],
    }


def _sentence(fields: dict[str, Any]) -> str:
    """The line for people."""
    said = [fields["method"], fields["path"], str(fields["status"]), f"{fields['ms']} ms"]
    if "model" in fields:
        said.append(f"{fields['model']} {fields['route']}/{fields['reason']}")
        said.append(f"{fields['prompt_tokens']}+{fields['completion_tokens']} tokens")
    said += [
        f"{name}={fields[name]}" for name in ("cost_usd", "key", "error", "request_id") if name in fields
    ]
    return " ".join(said)


class _Lines(logging.Formatter):
    """Lines for people; what was asked and answered comes below, where it is wanted at all."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        said = str(record.msg) if isinstance(record.msg, _Request) else super().format(record)
        line = f"{_clock(int(record.created))} {record.levelname} {said}"
        for name in ("questions", "answers"):
            for each in _fields_of(record).get(name, ()):
                line += f"\n  {name[:-1]}: {msgspec.json.encode(each).decode()}"
        return line


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = _fields_of(record)
        said |= {"event": "request", **fields} if fields else {"message": record.getMessage()}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said).decode()


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return record.msg.fields if isinstance(record.msg, _Request) else {}


@lru_cache(1)  # most records have their second in common with the one before
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))
