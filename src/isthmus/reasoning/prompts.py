r"""What a model without thinking is told at each effort, as data: another set may be given to a `Reasoner`.

Each is added to the last message of the person who asks, or said after what the model has written. They are
short because models that don't think by themselves are mostly small, and small ones lose a long instruction.
"""

from msgspec import Struct


class Prompts(Struct, frozen=True, kw_only=True):
    """The instructions.

    Attributes:
        plan: Asks for a plan, and no answer.
        after_plan: Asks for the answer that follows it.
        think: Asks for working and answer in one.
        after_thought: Asks for the answer alone, once the working is there.
        act: Asks to go on from there, with the caller's own tools.
        program: Asks for a program that prints the answer.
        check: Asks whether a worked answer is right; ``{question}`` and ``{answer}`` are filled in.
        stepwise: What a question says that asks for working by itself, so that ``think`` isn't added.
    """

    plan: str = "First write a plan of at most three short lines. Don't answer yet."
    after_plan: str = "Now answer, following the plan."
    think: str = "Think step by step, then state the final answer."
    after_thought: str = "Now give the final answer to my question, and nothing else."
    act: str = "Now go on: call a tool if one is needed, or give the final answer."
    program: str = "Write a short Python program that prints the final answer, in one ```python block."
    check: str = (
        "Question:\n{question}\n\nProposed solution:\n{answer}\n\n"
        "Is the proposed solution right? Answer with one word, Yes or No."
    )
    stepwise: tuple[str, ...] = ("step by step", "step-by-step")


PROMPTS = Prompts()
