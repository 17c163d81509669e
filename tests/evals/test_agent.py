"""An agent at work on an exercise: Inspect's own loop, our sandbox, a model that does as it is told."""

import gc

import pytest

pytest.importorskip("inspect_ai", reason="the extra evals isn't installed")

from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi

from isthmus.evals.data import load, locate
from isthmus.evals.plans import Terms
from isthmus.evals.tasks import task_of

# Inspect leaves memory streams open at a run's end, and calls what others have deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)


@pytest.fixture(autouse=True)
def what_inspect_leaves():
    """What it leaves open is found now, where it is forgiven, and not when all tests have ended."""
    yield
    gc.collect()


GOOD = """from itertools import accumulate


def running_total(numbers):
    return list(accumulate(numbers))
"""


@modelapi("told")
class Told(ModelAPI):
    """A model that does one thing after the other."""

    def __init__(self, model_name, base_url, api_key, config, outputs):
        super().__init__(model_name, base_url, api_key, config=config)
        self._outputs = iter(outputs)

    async def generate(self, input, tools, tool_choice, config):  # noqa: A002
        return next(self._outputs)


def call(tool, **arguments):
    return ModelOutput.for_tool_call("told", tool, arguments)


def worked(tmp_path, *outputs):
    """The log of the first exercise, worked on so."""
    dataset = load(locate("exercises-agent", None, rows="0:1"))
    model = get_model("told/model", config=GenerateConfig(), outputs=outputs, memoize=False)
    (log,) = inspect_eval(task_of(dataset, Terms()), model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    (sample,) = log.samples
    return sample


def said(sample):
    """What the tools gave back."""
    answers = [each for each in sample.messages if each.role == "tool"]
    return [each.error.message if each.error else each.text for each in answers]


@pytest.mark.usefixtures("sandboxes")
def test_an_agent_reads_changes_tries_and_is_judged_by_tests_it_never_saw(tmp_path):
    sample = worked(
        tmp_path,
        call("bash", command="ls"),
        call("read_file", path="running_total.py"),
        call("edit_file", path="running_total.py", old="raise NotImplementedError", new="return numbers"),
        call("edit_file", path="running_total.py", old="not there", new="x"),
        call("run_tests"),
        call("write_file", path="running_total.py", content=GOOD),
        call(
            "bash",
            command="python3 -c 'from running_total import *; print(running_total([3, -1, 4]))'; exit 3",
        ),
        call("submit", answer="done"),
    )
    listed, read, edited, refused, tests, written, tried = said(sample)[:7]
    assert listed == "running_total.py"
    assert "NotImplementedError" in read
    assert edited == "running_total.py is changed"
    assert "stands 0 times" in refused
    assert "Ran 0 tests" in tests or "NO TESTS RAN" in tests
    assert written == "running_total.py is written"
    assert tried == "[3, 2, 6]\n(exit code 3)"
    (score,) = sample.scores.values()
    assert (score.value, score.answer, score.explanation) == ("C", "running_total.py", "all tests pass")


@pytest.mark.usefixtures("sandboxes")
def test_an_agent_that_does_nothing_has_not_solved_it(tmp_path):
    sample = worked(tmp_path, call("submit", answer="done"))
    (score,) = sample.scores.values()
    assert (score.value, score.answer) == ("I", None)
