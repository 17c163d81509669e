"""The policies that are compared: each answers a question through a `Recorded` generator.

All but the plain one and the program are the product's own `Reasoner`, told which effort and which rules.
"""

from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from isthmus.messages import Effort, Finish, GenerationRequest, Message, TextDelta
from isthmus.reasoning.prompts import PROMPTS
from isthmus.reasoning.reasoner import Reasoner
from isthmus.reasoning.vote import VoteRules
from isthmus.reasoning.workshop import SandboxWorkshop
from isthmus.settings import ReasoningSettings

LONGEST = 400
"""Tokens of one answer, one train of thought or one sample."""
SAMPLES = 8
SETTINGS = ReasoningSettings(samples=SAMPLES, sample_tokens=LONGEST, time_limit_s=0)
FIXED = VoteRules(samples=SAMPLES, wave=SAMPLES, stopping="never")
"""As high draws and counts, but to the end: the likeliest answer and seven samples."""
CLASSIC = VoteRules(SAMPLES, SAMPLES, likeliest=0, stopping="never", weighting="count", sums=False)
"""Self-consistency as it was published (Wang et al. 2022, arXiv 2203.11171): eight samples, most votes."""
WORKSHOP = SandboxWorkshop()


class Answer(Struct, frozen=True):
    """What a policy came to: the text that the person is given, and what it took.

    ``tokens`` were written, ``seconds`` they would have taken alone on the machine whose pace was measured.
    ``samples`` were counted, and ``agreement`` is the share of them that the answer has.
    """

    text: str
    tokens: int
    seconds: float
    samples: int | None = None
    agreement: float | None = None


class Plain(Struct, frozen=True):
    """One answer, the likeliest token each time: what the model says without any effort."""

    name: str

    async def answer(self, question, recorded):
        text, _ = await _heard(recorded, _request(question.messages))
        return Answer(text, recorded.tokens, recorded.seconds)


class Reasoned(Struct, frozen=True):
    """What the product does at an effort; ``rules`` in place of its own."""

    name: str
    effort: Effort
    rules: VoteRules | None = None

    async def answer(self, question, recorded):
        reasoner = Reasoner(recorded, SETTINGS, rules=self.rules, workshop=WORKSHOP)
        text, last = await _heard(reasoner, _request(question.messages, effort=self.effort))
        told = last.reasoned
        return Answer(text, recorded.tokens, recorded.seconds, told and told.samples, told and told.agreement)


class Program(Struct, frozen=True):
    """One program, the likeliest, whose output is the answer; run in the sandbox, and nowhere else."""

    name: str

    async def answer(self, question, recorded):
        asked = Message("user", f"{question.prompt}\n\n{PROMPTS.program}")
        text, _ = await _heard(recorded, _request((asked,)))
        return Answer(await WORKSHOP.output(text) or "", recorded.tokens, recorded.seconds)


def _request(messages, **how):
    return GenerationRequest(messages=messages, temperature=0.0, max_tokens=LONGEST, **how)


async def _heard(generator, request):
    """An answer's text and its end."""
    text, last = "", None
    async with aclosing(generator.stream(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Finish):
                last = event
    return text, last


def _listed(*policies):
    return {policy.name: policy for policy in policies}


DRAWN = _listed(
    Plain("greedy"),
    Reasoned("self-consistency", "high", CLASSIC),
    Reasoned("fixed", "high", FIXED),
    Reasoned("medium", "medium"),
    Reasoned("low", "low"),
    Reasoned("fixed xhigh", "xhigh", replace(FIXED, samples=2 * SAMPLES, programs=SAMPLES)),
    Program("program-aided"),
)
"""The policies that between them ask for all that any asks for, the most telling first."""

FIXED_CURVE = tuple(f"fixed k = {k}" for k in range(2, SAMPLES))

VARIANTS = _listed(
    Reasoned("adaptive", "high"),
    Reasoned("xhigh", "xhigh"),
    *(Reasoned(name, "high", replace(FIXED, samples=k)) for k, name in enumerate(FIXED_CURVE, 2)),
    Reasoned("fixed, bare counts", "high", replace(FIXED, weighting="count", sums=False)),
    Reasoned("fixed, no sums", "high", replace(FIXED, sums=False)),
    Reasoned("adaptive, posterior", "high", VoteRules(SAMPLES, stopping="posterior")),
    Reasoned("adaptive, certain", "high", VoteRules(SAMPLES, stopping="certain")),
    Reasoned("adaptive, one by one", "high", VoteRules(SAMPLES, wave=1)),
    Reasoned("adaptive, likeliest not first", "high", VoteRules(SAMPLES, likeliest=0)),
)
"""What is replayed on the same draws."""

POLICIES = DRAWN | VARIANTS
