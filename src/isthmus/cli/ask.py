"""``isthmus ask``: one question, one answer."""

import os
import stat
import sys
import threading
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.answering import AnswerView, can_ask
from isthmus.cli.consent import Consenter
from isthmus.cli.first_run import choose
from isthmus.cli.meanwhile import fetching_meanwhile
from isthmus.cli.options import (
    EffortOption,
    HandoffOption,
    HomeOnlyOption,
    Json,
    MaxTokensOption,
    ModelOption,
    SystemOption,
    TemperatureOption,
    YesOption,
)
from isthmus.cli.running import run
from isthmus.cli.session import open_runtime
from isthmus.configuration import Configuration
from isthmus.errors import UsageError
from isthmus.messages import GenerationRequest, Message
from isthmus.runtime.answer import Ask
from isthmus.store import CatalogueEntry
from isthmus.wire.gathered import Completion
from isthmus.wire.remarks import describe_route

_PATIENCE_S = 2.0
"""After this long without input, say what is being waited for."""


def ask(
    question: Annotated[
        list[str] | None, typer.Argument(metavar="QUESTION", help="The question; quotes are optional.")
    ] = None,
    model: ModelOption = None,
    system: SystemOption = None,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed, the same answer.")] = None,
    effort: EffortOption = None,
    show_reasoning: Annotated[
        bool, typer.Option("--show-reasoning", help="Show how the model thinks, and votes as they form.")
    ] = False,
    handoff: HandoffOption = None,
    home_only: HomeOnlyOption = False,
    yes: YesOption = False,
    as_json: Json = False,
) -> None:
    """Ask a question and stream the answer.

    What comes on standard input is given to the model as context: cat notes.txt | isthmus ask summarise
    """
    flags = {
        "model": model,
        "system": system,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "effort": effort,
        "show_reasoning": "live" if show_reasoning else None,
        "handoff.mode": handoff,
    }
    config = configuration.load(flags=flags)
    text = _with_context(" ".join(question or ()).strip())
    settings = config.settings
    messages = [Message("system", settings.system)] if settings.system else []
    request = GenerationRequest(
        messages=(*messages, Message("user", text)),
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        seed=seed,
        effort=settings.effort,
        home_only=home_only,
    )
    larger = None if yes or as_json else choose(config)
    run(_ask(config, request, larger, as_json=as_json))


async def _ask(
    config: Configuration, request: GenerationRequest, larger: CatalogueEntry | None, *, as_json: bool
) -> None:
    async with (
        fetching_meanwhile(larger, config) as meanwhile,
        open_runtime(config) as runtime,
    ):
        meanwhile.begin()
        consenter = Consenter() if can_ask() and not as_json else None
        events = runtime.answer(Ask(request, "ask", careful=as_json), consenter)
        if not as_json:
            await AnswerView(config.settings.show_reasoning).show(events)
            return
        completion = Completion()
        async with aclosing(events):
            async for event in events:
                completion.add(event)
    console.write_json(_as_object(completion))


def _as_object(completion: Completion) -> dict[str, Any]:
    route, last = completion.route, completion.last
    return {
        "text": completion.text,
        "reasoning": completion.reasoning or None,
        "finish_reason": last.reason if last else None,
        "usage": last.usage if last else None,
        "effort": last.reasoned if last else None,
        "timings": last.timings if last else None,
        "cost_usd": (last.cost_usd or 0) if last else None,
        "route": route.decision.target if route else None,
        "model": route.model if route else None,
        "provider": route.provider if route else None,
        "decision": describe_route(route) if route else None,
        "notices": msgspec.to_builtins(completion.notices),
    }


def _with_context(question: str) -> str:
    """The question, and below it what came on standard input."""
    context = _piped()
    if not question and not context:
        raise UsageError("there is no question", hint='isthmus ask "Why is the sky blue?"')
    return f"{question}\n\n{context}" if question and context else question or context


def _piped() -> str:
    """What standard input holds, where it is a pipe or a file; a terminal or /dev/null holds nothing."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # there is no standard input
        return ""
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return ""
    waiting = threading.Timer(_PATIENCE_S, console.say, ["waiting for standard input; < /dev/null skips it"])
    waiting.daemon = True
    waiting.start()
    try:
        return sys.stdin.buffer.read().decode(errors="replace").strip()
    finally:
        waiting.cancel()
