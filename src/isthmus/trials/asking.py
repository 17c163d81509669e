"""Asking a model a suite's prompts through Inspect: each answer is judged, and its outcome kept as it comes.

Needs the extra ``gate``.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from inspect_ai import Task
from inspect_ai import eval as inspect_eval  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from msgspec import Struct

from isthmus.errors import EngineError, GateError, IsthmusError
from isthmus.evals.provider import IsthmusAPI
from isthmus.evals.running import quietly
from isthmus.evals.translating import as_output
from isthmus.gate.asking import request_of
from isthmus.gate.judges import Ask, Decider, decide
from isthmus.gate.policy import Sampling
from isthmus.gate.runs import Outcome, Sample
from isthmus.gate.suites import Question
from isthmus.gate.tampering.attack import Conversation, Variant, Weights
from isthmus.messages import GenerationRequest
from isthmus.trials.outcomes import Outcomes
from isthmus.wire.gathered import Completion

Answer: TypeAlias = Callable[[GenerationRequest], Awaitable[Completion]]
OnOutcome: TypeAlias = Callable[[], None]
"""Told when an outcome was kept."""
_KEPT = "outcome"


class JudgeModel(Struct, frozen=True):
    """The model that judges: one at home, by its name or file; or the hosted one, by the hand-off's rules."""

    name: str
    hosted: bool = False

    def open(self) -> IsthmusAPI:
        """It, unloaded yet."""
        mode = "always" if self.hosted else "off"
        return cast("IsthmusAPI", get_model(f"isthmus/{self.name}", memoize=False, handoff=mode).api)


Converse: TypeAlias = Callable[[Question, int], Conversation]
"""How one sample of a prompt is asked."""


class Asking(Struct, frozen=True):
    """Which prompts are asked, how often and in which way, and who judges the answers."""

    name: str
    places: tuple[tuple[Question, int], ...]
    converse: Converse
    decider: Decider
    judge: JudgeModel | None = None

    def missing(self, outcomes: Outcomes) -> list[tuple[Question, int]]:
        """The prompts' samples that have no outcome yet."""
        return [(each, sample) for each, sample in self.places if (each.id, sample) not in outcomes]


def places_of(questions: Sequence[Question], sampling: Sampling) -> tuple[tuple[Question, int], ...]:
    """Each prompt, as often as it is asked."""
    return tuple((each, sample) for each in questions for sample in range(sampling.samples))


def conversing_by(sampling: Sampling, variant: Variant | None) -> Converse:
    """How prompts are asked: as they stand, or as an attack's configuration does it."""

    def begin(question: Question, sample: int) -> Conversation:
        request = request_of(question, sampling, sample)
        return _plainly(request) if variant is None else variant.ask(request, sample)

    return begin


def ask_all(
    asking: Asking, weights: Weights | None, outcomes: Outcomes, logs: Path, on_outcome: OnOutcome
) -> None:
    """Ask what has no outcome yet.

    Args:
        asking: What to ask.
        weights: Whom; None where the conversations have their answers already, and are only judged.
        outcomes: Where what is found is kept.
        logs: The folder of Inspect's logs, which hold prompts and answers.
        on_outcome: Told of each outcome.

    Raises:
        IsthmusError: The model or its judge can't be had at all. A prompt's own failure is an outcome.
        KeyboardInterrupt: The person has stopped it; what was found is kept.
    """
    left = asking.missing(outcomes)
    if not left:
        return
    with quietly():
        model = _nobody() if weights is None else _model(weights)
        subject = cast("IsthmusAPI", model.api) if weights else None
        judge = asking.judge.open() if asking.judge else None
        slots = max(each.max_connections() for each in (subject, judge) if each is not None)
        _evaluate(asking, left, model, Trial(asking, subject, judge, outcomes, on_outcome), slots, logs)
    if still := asking.missing(outcomes):
        raise EngineError(
            f"{len(still)} prompts of {asking.name} were not asked", hint="the same command goes on"
        )


def _model(weights: Weights) -> Model:
    return get_model(
        f"isthmus/{weights.model.absolute()}",
        memoize=False,
        handoff="off",
        adapters=[str(each.absolute()) for each in weights.adapters],
    )


def _nobody() -> Model:
    """Inspect wants a model, also where none is asked."""
    return get_model("mockllm/model", memoize=False)


def _evaluate(
    asking: Asking, left: list[tuple[Question, int]], model: Model, trial: "Trial", slots: int, logs: Path
) -> None:
    samples = [
        InspectSample(id=f"{each.id}#{sample}", input=each.text, metadata={"place": place})
        for place, (each, sample) in enumerate(left)
    ]
    ended = inspect_eval(
        Task(
            dataset=MemoryDataset(samples, name=asking.name),
            solver=conversing(trial, left),
            scorer=outcome(),
            name=asking.name,
        ),
        model=model,
        log_dir=str(logs),
        display="none",
        score_display=False,
        fail_on_error=True,
        max_samples=slots,
        max_connections=slots,
        log_realtime=False,
        log_buffer=1,
        ctl_server=False,
    )
    if trial.trouble is not None:
        raise trial.trouble
    if not ended or ended[0].status == "cancelled":  # Inspect takes a Ctrl-C for an end like any other
        raise KeyboardInterrupt
    if (error := ended[0].error) is not None:
        raise EngineError(f"asking {asking.name} failed: {error.message}")


# ---------------------------------------------------------------- one prompt


class Trial:
    """Who is asked, who judges, and where it is kept, for all prompts of one run.

    Attributes:
        trouble: What has made it senseless to go on.
    """

    def __init__(
        self,
        asking: Asking,
        subject: IsthmusAPI | None,
        judge: IsthmusAPI | None,
        outcomes: Outcomes,
        on_outcome: OnOutcome,
    ) -> None:
        self.asking = asking
        self.trouble: Exception | None = None
        self._subject = subject
        self._judge = judge
        self._outcomes = outcomes
        self._on_outcome = on_outcome

    async def open(self) -> None:
        """Load whoever is needed: what fails here is no prompt's fault."""
        for each in (self._subject, self._judge):
            if each is not None:
                await each.open()

    async def answer(self, request: GenerationRequest) -> Completion:
        """What the model says.

        Raises:
            IsthmusError: It doesn't.
        """
        if self._subject is None:
            raise GateError("these answers are only judged, and nobody is asked")
        return await self._subject.answer(request)

    async def ask(self, question: Question, sample: int, answer: Answer) -> Outcome:
        """What came of one sample of a prompt; it is kept before anything else."""
        try:
            text = await converse(self.asking.converse(question, sample), answer)
            found = await self._judged(question, text)
        except GateError:
            raise  # of the policy or its files: true of every prompt
        except IsthmusError:
            found = "error"
        self._outcomes.add(Sample(question.id, found, sample))
        self._on_outcome()
        return found

    async def _judged(self, question: Question, text: str) -> Outcome:
        try:
            return await decide(self.asking.decider, question, text, asker(self._judge))
        except GateError:
            raise
        except IsthmusError:
            return "unparsed"


async def converse(conversation: Conversation, answer: Answer) -> str:
    """Carry a conversation out; gives what is to be judged."""
    try:
        request = next(conversation)
        while True:
            completion = await answer(request)
            request = conversation.send(completion.choice().text)
    except StopIteration as end:
        return str(end.value)
    finally:
        conversation.close()


def asker(judge: IsthmusAPI | None) -> Ask:
    """How a judge's model is asked."""

    async def ask(request: GenerationRequest) -> str:
        if judge is None:
            raise GateError("this judge is a rule, and nobody is asked")
        return (await judge.answer(request)).choice().text

    return ask


def _plainly(request: GenerationRequest) -> Conversation:
    return (yield request)


# ---------------------------------------------------------------- as Inspect has it


@solver
def conversing(trial: Trial, left: list[tuple[Question, int]]) -> Solver:
    """Ask and judge one sample of a prompt; the log shows what was said."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        question, sample = left[cast("int", state.metadata["place"])]
        said: list[ChatMessage] = []

        async def answer(request: GenerationRequest) -> Completion:
            completion = await trial.answer(request)
            state.output = as_output(completion, str(state.model))
            asked = request.raw if isinstance(request.raw, str) else request.messages[-1].text
            said.append(ChatMessageUser(content=asked))
            said.append(ChatMessageAssistant(content=completion.choice().text))
            return completion

        try:
            await trial.open()
            state.metadata[_KEPT] = await trial.ask(question, sample, answer)
        except Exception as error:
            trial.trouble = trial.trouble or error
            raise
        state.messages = said or state.messages
        return state

    return solve


@scorer(metrics=[])
def outcome() -> Scorer:
    """The outcome that was kept, for whoever looks at the log."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=cast("str", state.metadata[_KEPT]))

    return score
