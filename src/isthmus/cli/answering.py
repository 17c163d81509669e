"""Showing an answer while it comes: text on stdout, thinking and talk on stderr, nobody's part unsaid."""

import sys
from contextlib import aclosing
from decimal import Decimal
from typing import TYPE_CHECKING

from isthmus.cli import console
from isthmus.cli.amounts import duration
from isthmus.generator import EventStream
from isthmus.ledger import show_usd
from isthmus.messages import (
    Confidence,
    Decision,
    Finish,
    Notice,
    ReasoningDelta,
    Route,
    SampleDelta,
    TextDelta,
    ToolCallDelta,
)
from isthmus.settings import ShowReasoning
from isthmus.wire.gathered import Completion

if TYPE_CHECKING:
    from prompt_toolkit.input import Input

    from isthmus.cli.thinking_view import ThinkingView

_REASONS = {
    "mode_off": "hand-off is off",
    "mode_always": "every question goes there, as you set it",
    "mode_shadow": "hand-off only watches",
    "home_only": "it is marked to stay home",
    "redaction_failed": "what would have left could not be made safe to",
    "local_only": "local_only keeps everything home",
    "offline": "offline",
    "asked_local": "as asked",
    "raw_prompt": "a prompt without a conversation stays home",
    "grammar": "a grammar is kept to at home",
    "no_provider": "no provider is configured",
    "context_too_long": "it doesn't fit the local model's context",
    "capability_missing": "the local model lacks what it needs",
    "looks_easy": "the question looks easy",
    "looks_hard": "the question looks hard",
    "answer_confident": "the local answer is confident",
    "answer_doubtful": "the local answer is in doubt",
    "delegated": "the local model asks a question of its own",
    "consent_required": "your consent is needed",
    "consent_given": "you agreed",
    "consent_declined": "you declined",
    "budget_exceeded": "the budget is spent",
    "price_unknown": "the price is unknown",
    "provider_failed": "the provider failed",
    "local_failed": "the local model failed",
}


class AnswerView:
    """Shows one answer on a terminal, or in a pipe; ``completion`` is the answer as far as it has come.

    Args:
        show_reasoning: How thinking is shown on stderr: dim, where that is a terminal; live, the samples of a
            vote are drawn there besides, and where it is none, thinking is plain lines.
    """

    def __init__(self, show_reasoning: ShowReasoning) -> None:
        self.completion = Completion()
        self._talks = sys.stderr.isatty()
        self._thinks = show_reasoning == "live" or (show_reasoning == "dim" and self._talks)
        self._vote = _vote_view() if show_reasoning == "live" and self._talks else None
        self._thinking = False
        self._thought_ends_line = True
        self._ends_line = True

    async def show(self, events: EventStream) -> None:
        """Show the events as they come, and at the end what they came to."""
        try:
            async with aclosing(events):
                async for event in events:
                    self.completion.add(event)
                    match event:
                        case TextDelta(text):
                            self._text(text)
                        case ReasoningDelta(text):
                            self._thought(text)
                        case SampleDelta() if self._vote is not None:
                            self._thinking = False
                            self._vote.add(event)
                        case Confidence() if self._vote is not None:
                            self._vote.close()
                        case ToolCallDelta(name=str() as name):
                            console.note(f"the model calls the tool {name}")
                        case Route():
                            self._route(event)
                        case Notice():
                            console.note(event.text, event.hint)
                        case _:
                            pass
        finally:
            self._end_thought()
            if not self._ends_line:
                sys.stdout.write("\n")
            sys.stdout.flush()
        self._summary(self.completion)

    def _text(self, text: str) -> None:
        self._end_thought()
        shown = console.printable(text) if sys.stdout.isatty() else text
        sys.stdout.write(shown)
        sys.stdout.flush()
        self._ends_line = text.endswith("\n") if text else self._ends_line

    def _thought(self, text: str) -> None:
        # The standings of a vote come as thoughts, too; what draws it shows them better.
        if not self._thinks or (self._vote is not None and self._vote.open):
            return
        text = text if self._thinking else text.lstrip("\n")
        self._thinking = self._thinking or bool(text)
        self._thought_ends_line = text.endswith("\n") if text else self._thought_ends_line
        sys.stderr.write(f"\x1b[2m{console.printable(text)}\x1b[22m" if self._talks else text)
        sys.stderr.flush()

    def _end_thought(self) -> None:
        if self._vote is not None:
            self._vote.close()
        if self._thinking:
            self._thinking = False
            sys.stderr.write("\n" if self._thought_ends_line else "\n\n")
            sys.stderr.flush()

    def _route(self, route: Route) -> None:
        """Say who answers: always where the question left, else in the summary."""
        if route.decision.target == "hosted":
            console.say(f"→ {route.provider} ({route.model}) answers: {explain(route.decision)}")

    def _summary(self, completion: Completion) -> None:
        route, last = completion.route, completion.last
        if route is None or last is None:
            return
        hosted = route.decision.target == "hosted"
        if not (self._talks or hosted):
            return
        parts = [f"{route.provider}: {route.model}" if hosted else f"{route.model} at home"]
        if not hosted and route.decision.reason != "mode_off":
            parts.append(_REASONS[route.decision.reason])
        if last.usage:
            parts.append(f"{last.usage.completion_tokens} tokens")
        if last.reasoned and last.reasoned.samples and last.reasoned.agreement is not None:
            agree = round(last.reasoned.agreement * last.reasoned.samples)
            parts.append(f"{agree} of {last.reasoned.samples} samples agree")
        parts += _times(last)
        if hosted:
            parts.append(show_usd(last.cost_usd or Decimal(0)))
        if last.reason == "length":
            parts.append("cut at the token limit")
        console.dim(" · ".join(parts))


def explain(decision: Decision) -> str:
    """Why, in words."""
    words, p = _REASONS[decision.reason], decision.evidence.p_local_wrong
    if decision.reason == "answer_doubtful" and decision.evidence.detail:
        return decision.evidence.detail
    # Once the person has decided, the estimate is no longer the reason.
    judged = decision.reason.startswith(("looks_", "answer_"))
    return f"{words}, P(wrong at home) = {p:.2f}" if judged and p is not None else words


def forget_typed_ahead(source: "Input") -> None:
    """Drop what was typed before a question could be seen: it is no answer to it."""
    from prompt_toolkit.input.typeahead import clear_typeahead

    clear_typeahead(source)
    if sys.platform != "win32" and sys.stdin.isatty():
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _vote_view() -> "ThinkingView":
    from isthmus.cli.thinking_view import ThinkingView

    return ThinkingView()


def can_ask() -> bool:
    """Whether there is a person at both ends of the terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _times(last: Finish) -> list[str]:
    timings = last.timings
    if timings is None:
        return []
    parts: list[str] = []
    if timings.first_token_s is not None:
        parts.append(f"first after {duration(timings.first_token_s)}")
    if timings.tokens_per_s:
        parts.append(f"{timings.tokens_per_s:.1f} tokens/s")
    return parts
