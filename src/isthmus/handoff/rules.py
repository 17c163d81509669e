"""What the policy knows beforehand, and the rules that come before any estimate."""

from msgspec import Struct

from isthmus.messages import Decision, Evidence, HandoffMode, Reason, Stage, Target

_STRICTEST_FIRST: tuple[HandoffMode, ...] = ("off", "shadow", "ask", "auto", "always")


def stricter(one: HandoffMode, other: HandoffMode) -> HandoffMode:
    """The mode of two that lets less leave."""
    return one if _STRICTEST_FIRST.index(one) <= _STRICTEST_FIRST.index(other) else other


class Question(Struct, frozen=True):
    """What the policy needs to know of a request. ``text`` is what is asked."""

    text: str
    careful: bool = False
    """Whether the whole local answer may be read before any of it is shown."""
    lacks: str | None = None
    """What the request needs and the local model doesn't have: "vision", "tools"."""
    several: bool = False
    """Whether several choices are asked for; they are not judged one by one."""
    raw: bool = False
    """Whether it is a prompt without a conversation, which only the local model reads."""
    grammar: bool = False
    """Whether its answer has a grammar of its own, which only the local model keeps to."""
    home_only: str | None = None
    """What in it is marked to stay home."""
    switching: float = 0.0
    """What is added to the threshold because changing hands has its price in this conversation: above 0 where
    home answered last, below where the hosted model did."""
    approved: Decision | None = None
    """The decision to hand over that the person has agreed to by now."""
    hints: bool = False
    """Whether a person reads along, who should hear that hand-off could help where it was never set up."""


class Rules(Struct, frozen=True):
    """What the person has decided."""

    mode: HandoffMode = "off"
    asked: HandoffMode | None = None
    """What this very request asks for; it counts where it is stricter."""
    local_only: bool = False
    offline: bool = False
    provider: str | None = None
    threshold: float | None = None
    """Hand over where the estimate's score is above this; None: the profile's own, stage by stage."""
    max_hold_tokens: int = 16
    samples: int = 0
    """How many more local answers may be drawn to see whether they agree with the first."""
    delegate: bool = False
    """Whether the local model may ask the hosted one by itself."""

    @property
    def effective(self) -> HandoffMode:
        """The stricter of the two modes."""
        if self.asked is None:
            return self.mode
        return stricter(self.mode, self.asked)


def closed(question: Question, rules: Rules) -> Decision | None:
    """The decision of a rule that keeps the question home, whatever happens; None if it may leave."""
    reason = _tied(question) or _forbidden(question, rules)
    if reason is None:
        return None
    return decide("local", reason, detail=question.home_only if reason == "home_only" else None)


def may_delegate(question: Question, rules: Rules) -> bool:
    """Whether the local model may be given the means to ask the hosted one."""
    judged = rules.effective in ("ask", "auto")
    return rules.delegate and judged and not question.several and closed(question, rules) is None


def decide(target: Target, reason: Reason, stage: Stage = "rules", detail: str | None = None) -> Decision:
    """A decision that no number stands behind."""
    return Decision(target, reason, stage, Evidence(detail=detail))


def _tied(question: Question) -> Reason | None:
    """Why nobody but the local model can answer, where that is so."""
    if question.raw:
        return "raw_prompt"
    return "grammar" if question.grammar else None


def _forbidden(question: Question, rules: Rules) -> Reason | None:
    if rules.local_only:
        return "local_only"
    if rules.offline:
        return "offline"
    if question.home_only:
        return "home_only"
    if rules.mode == "off":
        return "mode_off"
    if rules.effective == "off":
        return "asked_local"
    if rules.effective == "shadow":
        return "mode_shadow"
    return "no_provider" if rules.provider is None else None
