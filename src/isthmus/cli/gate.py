"""``isthmus gate``: the table of its commands; each is a function of a module beside this one.

The summary repeats the first line of the command's docstring, so that ``isthmus gate --help`` imports none of
them (a test holds the two together).
"""

from typing import ClassVar

from isthmus.cli.extras import Extra
from isthmus.cli.groups import Entry, LazyGroup, new_group

COMMANDS = {
    "init": Entry("isthmus.cli.gate_begin:init", "Begin a release: a folder with a policy to fill in."),
    "keygen": Entry("isthmus.cli.gate_begin:keygen", "Make a key to sign with, and FILE.pub beside it."),
    "plan": Entry(
        "isthmus.cli.gate_plan:plan", "Plan: what the policy can decide at which n, and in how many hours."
    ),
    "schema": Entry(
        "isthmus.cli.gate_begin:schema", "Print the JSON schema of a policy, a run or a calibration set."
    ),
    "seal": Entry(
        "isthmus.cli.gate_evidence:seal", "Seal the files, the policy and the suites, before any run."
    ),
    "calibrate": Entry(
        "isthmus.cli.gate_calibrate:calibrate", "Measure a judge on answers whose truth people have settled."
    ),
    "run": Entry(
        "isthmus.cli.gate_run:run", "Run the sealed suites on the sealed weights, and record what is found."
    ),
    "record": Entry("isthmus.cli.gate_evidence:record", "Record what a run found, prompt by prompt."),
    "import": Entry(
        "isthmus.cli.gate_import:import_",
        "Record what another tool found: garak, promptfoo, lm-eval, Inspect.",
    ),
    "verdict": Entry(
        "isthmus.cli.gate_evidence:verdict", "Decide by what was recorded: pass, fail, or inconclusive."
    ),
    "review": Entry("isthmus.cli.gate_people:review", "Give a release that passed to its reviewers."),
    "approve": Entry(
        "isthmus.cli.gate_people:approve",
        "Approve: sign weights, policy, evidence and verdict.",
    ),
    "refuse": Entry("isthmus.cli.gate_people:refuse", "Refuse to approve, with a reason; it is held."),
    "hold": Entry(
        "isthmus.cli.gate_people:hold", "Hold a release back, and write a signed notice of it for the public."
    ),
    "resume": Entry("isthmus.cli.gate_people:resume", "Lift a hold; approvals are given anew."),
    "schedule": Entry("isthmus.cli.gate_out:schedule", "Say from when on an approved release may go out."),
    "publish": Entry(
        "isthmus.cli.gate_out:publish", "Publish: the signed release, to a new folder, a registry, or both."
    ),
    "advise": Entry("isthmus.cli.gate_out:advise", "Tell users of a release that is out something about it."),
    "withdraw": Entry(
        "isthmus.cli.gate_out:withdraw", "Withdraw a release that is out, as far as that is possible."
    ),
    "renew": Entry("isthmus.cli.gate_out:renew", "Issue the publisher's feed anew, before it expires."),
    "report": Entry(
        "isthmus.cli.gate_report:report", "Report on a release: rates, intervals, thresholds, and who signed."
    ),
    "status": Entry("isthmus.cli.gate_status:status", "Show where a release is, and what comes next."),
}


class Gate(LazyGroup):
    """The group of what publishers of weights do."""

    entries: ClassVar = COMMANDS
    needs: ClassVar = Extra.GATE


app = new_group(Gate)


@app.callback()
def gate() -> None:
    """Gate a release of weights, from policy to publication.

    Weights that are out can't be called back, so none go out before they have earned it.
    """
