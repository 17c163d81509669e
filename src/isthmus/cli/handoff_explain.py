"""``isthmus handoff explain``: what would leave, and why, beside what was typed; nothing is sent."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.answering import explain as reason
from isthmus.cli.database import database
from isthmus.cli.options import Json
from isthmus.cli.running import run
from isthmus.configuration import Configuration
from isthmus.errors import UsageError
from isthmus.ledger import Ledger, show_usd
from isthmus.messages import Decision, GenerationRequest, Message
from isthmus.runtime.explaining import Explanation
from isthmus.runtime.explaining import explain as explained

if TYPE_CHECKING:
    from rich.text import Text

    from isthmus.handoff.redaction import Placeholder

_WHO = {"local": "stay home", "hosted": "leave", "refuse": "not be answered"}


def explain(
    words: Annotated[list[str] | None, typer.Argument(help="The question; - or nothing: from stdin.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A file with the question.")] = None,
    as_json: Json = False,
) -> None:
    """Show what would leave for a question, to whom, at what price, and why; send nothing.

    What is shown is made by the code that sends: the same rules, the same redaction, the same bytes.
    """
    text = _text(words, file)
    config = configuration.load()
    system = config.settings.system
    messages = (*((Message("system", system),) if system else ()), Message("user", text))
    request = GenerationRequest(messages, max_tokens=config.settings.max_tokens)
    with database() as engine:
        found = run(_explained(request, config, Ledger(engine)))
    if as_json:
        console.write_json(_as_json(request, found))
    else:
        _show(request, found)


async def _explained(request: GenerationRequest, config: Configuration, ledger: Ledger) -> Explanation:
    handoff = config.settings.handoff
    if not (handoff.redact and handoff.redaction.recogniser == "model"):
        return await explained(request, config, ledger)
    # Slow to load, and wanted here alone: the local model reads it first.
    from isthmus.cli.session import open_runtime

    async with open_runtime(config) as runtime:
        return await explained(request, config, ledger, runtime.home)


def _text(words: Sequence[str] | None, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} can't be read: {error}") from error
    typed = " ".join(words or ())
    if typed in ("", "-"):
        if sys.stdin.isatty():
            raise UsageError("there is no question", hint='isthmus handoff explain "Why is the sky blue?"')
        typed = sys.stdin.read()
    return typed


def _as_json(request: GenerationRequest, found: Explanation) -> dict[str, Any]:
    outgoing, redacted = found.outgoing, found.redacted
    sent = redacted.request if redacted else request
    return {
        "decision": found.decision,
        "auto": found.foreseen,
        "original": [message.text for message in request.messages],
        "redacted": [message.text for message in sent.messages],
        "counts": redacted.counts if redacted else {},
        "placeholders": {each.token: each.original for each in redacted.placeholders} if redacted else {},
        "refusal": found.refusal and {"code": found.refusal.code, "message": found.refusal.message},
        "outgoing": outgoing
        and {
            "provider": outgoing.provider,
            "host": outgoing.host,
            "model": outgoing.model,
            "alternatives": [each.host for each in outgoing.alternatives],
            "worst_usd": outgoing.at_most_usd,
            "bytes": len(outgoing.body),
            "sha256": outgoing.digest,
            "body": outgoing.content,
        },
    }


# ---------------------------------------------------------------- for a person


def _show(request: GenerationRequest, found: Explanation) -> None:
    for line in (*_decided(found), "", *_compared(request, found)):
        _write(line)
    _write("")
    for line in _leaves(found):
        _write(line)


def _decided(found: Explanation) -> Iterator[str]:
    """The decision, and what moved it."""
    if found.decision is None:
        yield "This question would be answered at home at first, and its answer be judged."
    else:
        yield f"This question would {_WHO[found.decision.target]}: {reason(found.decision)}."
    if found.decision != found.foreseen:
        who = _WHO[found.foreseen.target]
        yield f"By its text alone, mode auto would have it {who}: {reason(found.foreseen)}."
    yield from _numbers(found.foreseen)


def _numbers(decision: Decision) -> Iterator[str]:
    evidence = decision.evidence
    if evidence.score is not None and evidence.threshold is not None:
        yield f"Score {evidence.score:.2f}, threshold {evidence.threshold:.2f}."
    if evidence.features:
        moved = ", ".join(f"{name} {value:+.2f}" for name, value in evidence.features.items())
        yield f"What moved it most (logits): {moved}."


def _compared(request: GenerationRequest, found: Explanation) -> "Iterator[str | Text]":
    """Each line of the question: as it is, or as it was typed and as it would leave."""
    if found.redacted is None:
        for message in request.messages:
            yield from (f"  {line}" for line in message.text.splitlines() or [""])
        return
    hidden = found.redacted.placeholders
    for message, sent in zip(request.messages, found.redacted.request.messages, strict=True):
        before, after = message.text, sent.text
        if before == after:
            yield from (f"  {line}" for line in before.splitlines() or [""])
        elif before.count("\n") == after.count("\n"):
            for line, changed in zip(before.splitlines(), after.splitlines(), strict=False):
                yield from [f"  {line}"] if line == changed else _pair(line, changed, hidden)
        else:  # something of several lines was hidden, such as a private key
            yield from _pair(before, after, hidden)


def _pair(before: str, after: str, hidden: "Sequence[Placeholder]") -> "Iterator[Text]":
    yield from (
        _marked(f"- {line}", [each.original for each in hidden], "red") for line in before.splitlines()
    )
    yield from (_marked(f"+ {line}", [each.token for each in hidden], "green") for line in after.splitlines())


def _marked(line: str, words: Sequence[str], colour: str) -> "Text":
    from rich.text import Text

    text = Text(console.printable(line), style=colour)
    text.highlight_words([word for word in words if "\n" not in word], f"bold {colour}", case_sensitive=False)
    return text


def _leaves(found: Explanation) -> Iterator[str]:
    redacted, outgoing = found.redacted, found.outgoing
    if redacted is not None:
        counts = ", ".join(f"{count} {kind}" for kind, count in redacted.counts.items())
        yield f"Replaced, and put back in the answer: {counts or 'nothing was found'}."
    elif found.refusal is None:
        yield "Nothing is replaced: handoff.redact is off."
    if outgoing is not None:
        hosts = ", ".join(each.host for each in outgoing.alternatives)
        others = f" (or {hosts})" if hosts else ""
        yield (
            f"It would go to {outgoing.provider}: {outgoing.model} at {outgoing.host}{others}, "
            f"{len(outgoing.body):,} bytes, at most {show_usd(outgoing.at_most_usd)}."
        )
    if found.refusal is not None:
        hint = f" ({found.refusal.hint})" if found.refusal.hint else ""
        yield f"It could not leave: {found.refusal.message}{hint}."
    yield "Nothing was sent."


def _write(line: "str | Text") -> None:
    """A line of the result, in colour where a person looks at it."""
    if isinstance(line, str):
        console.write(console.printable(line))
        return
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(line)
