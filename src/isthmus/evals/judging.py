"""A model as judge, for answers that no rule can judge. Needs the extra ``evals``."""

import re

from inspect_ai.model import GenerateConfig, get_model

from isthmus.errors import EngineError
from isthmus.scoring import Verdict

_ASKS = """Judge whether an answer to a question is right.

Question:
{question}

What is right:
{gold}

Answer to judge:
{answer}

The answer may be worded differently; what counts is whether it says what is right. Reason in a sentence or
two, then end with one line: VERDICT: RIGHT or VERDICT: WRONG."""

HOSTED = "hosted"
"""The judge's name where the hosted model is to judge."""

_VERDICT = re.compile(r"VERDICT:\s*\**\s*(RIGHT|WRONG)")
_ROOM = 512


class ModelJudge:
    """Judges by asking a model, at home or the hosted one. What it takes is not the answer's cost.

    Args:
        model: As ``isthmus ask --model`` takes it; ``hosted``: the settings' hosted model.
    """

    def __init__(self, model: str) -> None:
        name, handoff = ("default", "always") if model == HOSTED else (model, "off")
        self._model = get_model(f"isthmus/{name}", handoff=handoff, account="isthmus judge")

    async def __call__(self, question: str, answer: str, gold: str) -> Verdict:
        """What the model makes of an answer.

        Raises:
            EngineError: It came to no verdict.
        """
        asked = _ASKS.format(question=question, answer=answer, gold=gold)
        config = GenerateConfig(temperature=0.0, seed=0, max_tokens=_ROOM)
        said = (await self._model.generate(asked, config=config)).completion
        verdicts = _VERDICT.findall(said)
        if not verdicts:
            raise EngineError(f"the judge {self._model.name} came to no verdict: {said[-200:]!r}")
        why = said[: said.rindex("VERDICT")].strip()
        return Verdict(right=verdicts[-1] == "RIGHT", extracted=None, why=why)
