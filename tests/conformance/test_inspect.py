"""Inspect through its openai-api provider: a task with one sample, scored."""

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: make conformance")

from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import tool

CLIENT, PACKAGES = "Inspect", ("inspect-ai",)
pytestmark = pytest.mark.slow


@tool
def add():
    async def execute(x: int, y: int) -> int:
        """Add two numbers.

        Args:
            x: The first.
            y: The second.
        """
        return x + y

    return execute


def evaluate(server, tmp_path, task, **options):
    model = inspect_ai.model.get_model(
        f"openai-api/isthmus/{server.model}", base_url=server.url, api_key=server.key
    )
    (log,) = inspect_ai.eval(
        task, model=model, log_dir=str(tmp_path), display="none", max_tokens=64, temperature=0, **options
    )
    return log


def test_a_task_is_answered_and_scored(small_server, tmp_path, did):
    task = inspect_ai.Task(
        dataset=[Sample("What is the capital of France? One word.", target="Paris")],
        solver=generate(),
        scorer=includes(),
    )
    log = evaluate(small_server, tmp_path, task)
    assert log.status == "success", log.error
    (sample,) = log.samples
    assert sample.output.usage.output_tokens > 0
    did(f"{sample.output.completion!r}, scored {sample.scores['includes'].value}")


def test_tools_and_log_probabilities_pass_through(small_server, tmp_path, did):
    task = inspect_ai.Task(
        dataset=[Sample("What is 2 + 3? Use the tool.", target="5")],
        solver=[
            use_tools(add(), tool_choice=inspect_ai.tool.ToolFunction("add")),
            generate(tool_calls="none"),
        ],
    )
    log = evaluate(small_server, tmp_path, task, logprobs=True, top_logprobs=2)
    assert log.status == "success", log.error
    output = log.samples[0].output
    (call,) = output.message.tool_calls
    assert call.function == "add"
    did(str(call.arguments))
