"""Other tools' results: read whole or not at all, and never kinder than they are."""

import gc
import json

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import includes
from inspect_ai.solver import solver

from isthmus.errors import GateError, UsageError
from isthmus.gate.importing import bad_of, import_run, read_findings
from isthmus.gate.runs import RunHeader, read_run
from isthmus.gate.suites import Columns, Question

COLUMNS = Columns()
QUESTIONS = tuple(Question(f"p{number}", f"Say  word {number}.") for number in range(6))
HEADER = RunHeader(area="words", run="r", judge="j")


@pytest.fixture
def outcomes(tmp_path):
    """What a file of a tool's comes to: each prompt's outcome, and how many were strange."""

    def found(tool, content, by=None, bad="high", ending=".json"):
        path = tmp_path / f"file{ending}"
        path.write_text(content)
        findings = read_findings(tool, path, COLUMNS, by)
        imported = import_run(findings, HEADER, QUESTIONS, bad)
        return read_run(imported.content).outcomes, imported.strange

    return found


def lines(*rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# ---------------------------------------------------------------- garak


def attempt(number, scores, *, status=2, outputs=("no",), detector="mitigation.Refusal", **fields):
    turns = [{"role": "user", "content": {"text": f"Say word {number}."}}]
    return {
        "entry_type": "attempt",
        "uuid": f"u{number}",
        "status": status,
        "prompt": {"turns": turns, "notes": {}},
        "outputs": [None if text is None else {"text": text} for text in outputs],
        "detector_results": {detector: scores} if scores is not None else {},
        "notes": {},
        "goal": "say it",
        **fields,
    }


INIT = {"entry_type": "init", "garak_version": "0.17.1", "start_time": "2026-11-22", "run": "r"}
END = {"entry_type": "completion", "end_time": "2026-11-22", "run": "r"}


def test_garak(outcomes):
    report = lines(
        INIT,
        attempt(0, None, status=1),
        attempt(0, [1.0]),
        attempt(1, [0.0, 0.49], outputs=("no", "no")),
        attempt(2, [0.0, 1.0], outputs=("no", "yes")),
        attempt(3, [None]),
        attempt(4, [0.0], outputs=(None,)),
        attempt(5, None, status=1),
        attempt(99, [1.0]),
        END,
    )
    assert outcomes("garak", report) == (
        {
            "p0": "violated",
            "p1": "resisted",
            "p2": "violated",
            "p3": "unparsed",
            "p4": "error",
            "p5": "unparsed",
        },
        1,
    )


def test_garaks_detector_is_named_where_there_are_several(outcomes):
    results = {"a.B": [1.0], "c.D": [0.0]}
    report = lines(INIT, attempt(0, None, detector_results=results), END)
    with pytest.raises(GateError, match="2 detectors, and one decides"):
        outcomes("garak", report)
    assert outcomes("garak", report, by="c.D")[0] == {"p0": "resisted"}
    with pytest.raises(GateError, match="no detector e"):
        outcomes("garak", report, by="e.F")


def test_a_report_of_an_older_garak_has_plain_texts(outcomes):
    report = lines(INIT, attempt(0, [1.0], prompt="Say word 0.", outputs=("yes",)), END)
    assert outcomes("garak", report)[0] == {"p0": "violated"}


# ---------------------------------------------------------------- promptfoo


def result(number, success, *, failure=0, error=None, asserted=True, **variables):
    grading = {"pass": success, "score": float(success), "reason": "", "componentResults": []}
    if asserted:
        grading["componentResults"] = [{"pass": success, "assertion": {"type": "llm-rubric"}}]
    return {
        "success": success,
        "failureReason": failure,
        "error": error,
        "vars": {"prompt": f"Say word {number}.", **variables},
        "prompt": {"raw": f"Please: Say word {number}.", "label": "x"},
        "gradingResult": grading if error is None else None,
        "response": {"output": "..."},
    }


def promptfoo(*results):
    summary = {"version": 3, "results": list(results), "stats": {}}
    return json.dumps({"evalId": "e", "results": summary, "metadata": {"promptfooVersion": "0.120"}})


def test_promptfoo(outcomes):
    file = promptfoo(
        result(0, False, failure=1),
        result(1, True),
        result(2, True, asserted=False),  # passes, since nothing is asserted
        result(3, False, failure=2, error="429"),
        result("?", True, id="p4"),
    )
    assert outcomes("promptfoo", file, bad="low") == (
        {"p0": "violated", "p1": "resisted", "p2": "unparsed", "p3": "error", "p4": "resisted"},
        0,
    )


# ---------------------------------------------------------------- lm-eval


def sample(number, value, *, filter_name="strict-match", answers=("72",), **doc):
    return {
        "doc_id": number,
        "doc": {"prompt": f"Say word {number}.", **doc},
        "target": "72",
        "arguments": {},
        "resps": [["72"]],
        "filtered_resps": list(answers),
        "filter": filter_name,
        "metrics": ["exact_match"],
        "exact_match": value,
    }


def test_lm_eval(outcomes):
    file = lines(
        sample(0, 0.0),
        sample(1, 1.0),
        sample(2, 0.0, answers=("[invalid]",)),
        sample(3, 0.0, answers=()),
        sample(4, "nan"),
    )
    expected = {"p0": "violated", "p1": "resisted", "p2": "unparsed", "p3": "error", "p4": "unparsed"}
    assert outcomes("lm-eval", file, bad="low")[0] == expected
    assert outcomes("lm-eval", file, bad="high")[0] == {**expected, "p0": "resisted", "p1": "violated"}


def test_lm_evals_filter_is_named_where_there_are_several(outcomes):
    file = lines(sample(0, 0.0), sample(0, 1.0, filter_name="flexible-extract"))
    with pytest.raises(GateError, match="2 metrics, and one decides"):
        outcomes("lm-eval", file)
    assert outcomes("lm-eval", file, by="exact_match,flexible-extract")[0] == {"p0": "violated"}


def test_a_place_in_a_file_is_no_name(outcomes):
    other = lines(sample(0, 1.0, prompt="Something else."), sample(1, 1.0))
    assert outcomes("lm-eval", other) == ({"p1": "violated"}, 1)


# ---------------------------------------------------------------- Inspect


@solver
def saying(*answers):
    """Whoever is asked, these are the answers: a real model would have its words counted, from the net."""

    async def solve(state, generate):
        state.output = ModelOutput.from_content("mockllm/model", answers[state.sample_id - 1])
        return state

    return solve


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)
def test_inspect(tmp_path):
    samples = [InspectSample(input=f"Say word {number}.", target="yes") for number in range(2)]
    (log,) = inspect_eval(
        Task(dataset=MemoryDataset(samples), solver=saying("yes", "no"), scorer=includes()),
        model="mockllm/model",
        log_dir=str(tmp_path),
        display="none",
        max_samples=1,
        ctl_server=False,
    )
    assert log.status == "success", log.error
    (path,) = tmp_path.glob("*.eval")
    findings = read_findings("inspect", path, COLUMNS, None)
    assert (findings.tool.split()[0], findings.by) == ("inspect-ai", "includes")
    imported = import_run(findings, HEADER, QUESTIONS, "high")
    assert read_run(imported.content).outcomes == {"p0": "violated", "p1": "resisted"}
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(GateError, match="no whole log"):
        read_findings("inspect", path, COLUMNS, None)
    gc.collect()  # what Inspect leaves behind is complained of here, where that is expected


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("tool", "content", "words"),
    [
        ("garak", lines(INIT, attempt(0, [0.0])), "the run that it reports has no end"),
        ("garak", lines(INIT, attempt(0, [0.0]), END)[:-9], "its last line has no end"),
        ("garak", lines(INIT, END), "has no detector"),
        ("garak", "hello\n", "line 1 of"),
        ("promptfoo", promptfoo(result(0, True))[:-2], "no whole file of promptfoo"),
        ("promptfoo", "[]", "no whole file of promptfoo"),
        ("lm-eval", lines(sample(0, 1.0))[:-30], "its last line has no end"),
        ("lm-eval", lines({"prompt": "p0", "outcome": "resisted"}), "holds no samples of lm-eval"),
        ("lm-eval", "", "holds no samples of lm-eval"),
        ("inspect", "{", "no whole log of Inspect"),
        ("lm-eval", lines(sample(77, 1.0)), "none of its prompts is one of the sealed suite"),
    ],
)
def test_files_that_are_not_whole_or_of_something_else(outcomes, tool, content, words):
    with pytest.raises(GateError, match=words):
        outcomes(tool, content)


def test_tools_that_nobody_knows(tmp_path):
    with pytest.raises(UsageError, match="nothing is imported from pyrit"):
        read_findings("pyrit", tmp_path, COLUMNS, None)


def test_which_scores_are_bad():
    assert bad_of("violation", "hits") == "high"
    assert [bad_of(each, "passes") for each in ("violation", "floor", "ceiling")] == ["low", "low", "high"]
    assert [bad_of(each, "right") for each in ("violation", "floor", "ceiling")] == [None, "low", "high"]


def test_texts_that_stand_twice_name_nobody(tmp_path):
    twins = (Question("a", "x"), Question("b", "x"), Question("c", "y"))
    path = tmp_path / "samples.jsonl"
    rows = (sample(0, 1.0, prompt="x"), sample(1, 1.0, prompt="y"), sample(2, 1.0, prompt="x", id="b"))
    path.write_text(lines(*rows))
    imported = import_run(read_findings("lm-eval", path, COLUMNS, None), HEADER, twins, "high")
    assert set(read_run(imported.content).outcomes) == {"b", "c"}
    assert imported.strange == 1
