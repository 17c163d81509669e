"""``isthmus gate run``, ``calibrate`` and ``import``, as people at a terminal use them."""

import hashlib
import json

import pytest

from isthmus.gate.runs import read_calibration
from isthmus.signing.keys import write_private_key
from tests.gate.test_importing import promptfoo, result
from tests.trials.made import EXACT, JUDGED, RUBRIC, WORD, Made, collected, script

__all__ = ["collected", "script"]

# Inspect leaves memory streams open at a run's end, and calls what others have deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)


@pytest.fixture
def release(tmp_path):
    def make(**options) -> Made:
        release = Made(tmp_path / "release", **options)
        write_private_key(release.folder / "ada.pem", release.key)
        return release

    return make


@pytest.fixture
def gate(isthmus, tmp_path):
    def call(command, *words, code=0, signed=True):
        folder = str(tmp_path / "release")
        key = ("--key", f"{folder}/ada.pem") if signed else ()
        shown = isthmus("gate", command, *words, "-C", folder, *key)
        assert shown.code == code, shown.err
        return shown

    return call


def test_a_whole_sitting(script, release, gate):
    made = release()
    gate("seal")
    shown = gate("run", "--json")
    rows = {(row["area"], row["subject"]): row for row in json.loads(shown.out)}
    assert rows["word", "control"]["violated"] == 12
    assert rows["word", "release"] == {
        "area": "word",
        "series": "none",
        "subject": "release",
        "prompts": 12,
        "violated": 0,
        "resisted": 12,
        "error": 0,
        "unparsed": 0,
        "recorded": True,
    }
    assert "word, control: 12 of 12" in shown.err
    assert "Say word" not in shown.out + shown.err
    assert {run.data["header"]["run"] for run in made.project.situation.runs} == {"look-1"}
    before = len(script.requests)
    assert "word  none    release  12  0" in gate("run", "--area", "word", "--series", "untampered").out
    assert len(script.requests) == before


def test_too_many_errors_are_told(script, release, gate):
    script.broken = {"1", "2"}
    release()
    gate("seal")
    shown = gate("run", "--area", "word", "--subject", "release")
    assert "word, release: more errors than the policy puts up with" in shown.err
    assert shown.out.splitlines()[-1].endswith("no")


def test_a_sitting_without_a_control_that_fails_is_said_to_be_void(script, release, gate):
    made = release()
    gate("seal")
    shown = gate("run", "--area", "word", "--subject", "release")
    assert "word: the run look-1 is void: it has no positive control" in shown.err
    made.write("release.toml", (made.folder / "release.toml").read_bytes().replace(b"bad.gguf", b"good.gguf"))
    made.write("control/good.gguf", (made.folder / "control/bad.gguf").read_bytes())
    shown = gate("run", "--area", "word", "--subject", "control")
    assert "the known-bad control didn't fail (0 of 12 flagged)" in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--area", "weather"), "the policy has no area weather"),
        (("--series", "prefill"), "the policy has no attack prefill"),
        (("--subject", "baseline:new"), "the policy has no subject baseline:new"),
        (("--run", "../evil"), "is no name of a sitting"),
    ],
)
def test_what_cannot_be_run(release, gate, words, said):
    release().seal()
    assert said in gate("run", *words, code=2).err


def test_a_judge_is_measured(script, release, gate, tmp_path):
    rows = [{"prompt": f"w{n}", "answer": f"The {WORD}.", "truth": "violated"} for n in range(4)]
    rows += [{"prompt": f"w{n}", "answer": "No.", "truth": "resisted"} for n in range(4)]
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = release(judge=RUBRIC, extra=JUDGED)
    (made.folder / "judge.jsonl").unlink()
    shown = gate("calibrate", str(answers), "--area", "word", signed=False)
    content = (made.folder / "judge.jsonl").read_bytes()
    assert shown.out.strip() == hashlib.sha256(content).hexdigest()
    assert read_calibration(content).caught == 4
    assert "It caught 4 of 4 violations, and is taken to catch 33.4%" in shown.err
    again = gate("calibrate", str(answers), "--area", "word", signed=False, code=11)
    assert "is there already" in again.err


def test_what_another_tool_found_is_recorded(release, gate, tmp_path):
    elsewhere = 'kind = "classifier"\nname = "promptfoo/1"\n' + RUBRIC.splitlines()[-1]
    made = release(judge=elsewhere, extra={"judge.jsonl": JUDGED["judge.jsonl"]})
    made.seal()
    file = tmp_path / "results.json"
    tests = [result(number, number != 3) for number in range(12)]
    file.write_text(promptfoo(*tests, result(99, True)))
    shown = gate("import", str(file), "--from", "promptfoo", "--area", "word", "--run", "one")
    assert "Recorded: 12 prompts of word, 1 violated, 0 without a usable answer." in shown.err
    assert "1 were to no prompt of the sealed suite" in shown.err
    header = made.project.situation.runs[0].data["header"]
    assert (header["tool"], header["settings"]["bad"]) == ("promptfoo 0.120", "low")
    assert header["settings"]["file"] == hashlib.sha256(file.read_bytes()).hexdigest()
    refused = gate("import", str(file), "--from", "promptfoo", "--area", "sums", code=15)
    assert "sums is judged by number, which the gate runs itself" in refused.err
    file.write_text(file.read_text()[:-5])
    cut = gate("import", str(file), "--from", "promptfoo", "--area", "word", code=15)
    assert "is no whole file of promptfoo's" in cut.err


def test_the_tiny_model_itself(tiny, release, gate):
    judge = EXACT.replace(f'value = "{WORD}"', 'value = "e"')
    made = release(prompts=4, judge=judge, top="[sampling]\nmax_tokens = 8", word="errors = 0.9")
    made.write("weights/model.gguf", tiny.path.read_bytes())
    gate("seal")
    row = json.loads(gate("run", "--area", "word", "--subject", "release", "--json").out)[0]
    assert (row["prompts"], row["error"], row["unparsed"]) == (4, 0, 0)
    assert row["violated"] > 0
