"""``isthmus handoff``: the table of its commands; each is a function of a module beside this one.

To add one, write ``handoff_NAME.py`` and its line here. The summary repeats the first line of the command's
docstring, so that ``isthmus handoff --help`` imports none of them (a test holds the two together).
"""

from typing import ClassVar

from isthmus.cli.groups import Entry, LazyGroup, new_group

COMMANDS = {
    "setup": Entry(
        "isthmus.cli.handoff_setup:setup",
        "Set a hand-off up: find a key, try one tiny real call, write the settings.",
    ),
    "check": Entry(
        "isthmus.cli.handoff_check:check",
        "Try a provider with one tiny real call: does it answer, and what is to be mended.",
    ),
    "calibrate": Entry(
        "isthmus.cli.handoff_calibrate:calibrate",
        "Learn a profile for your pair of models, from labelled rows or your own prompts.",
    ),
    "score": Entry(
        "isthmus.cli.handoff_calibrate:score",
        "Print what a profile says of each row, one JSON object a line.",
    ),
    "ledger": Entry(
        "isthmus.cli.handoff_ledger:ledger", "List the latest questions: who answered, why, and at what cost."
    ),
    "pending": Entry("isthmus.cli.handoff_approve:pending", "List the questions that wait for your consent."),
    "approve": Entry(
        "isthmus.cli.handoff_approve:approve",
        "Send a question that waits for your consent, once, and stream the answer.",
    ),
    "decline": Entry(
        "isthmus.cli.handoff_approve:decline",
        "Decline a question that waits for your consent: it is never sent, and its text is deleted.",
    ),
    "explain": Entry(
        "isthmus.cli.handoff_explain:explain",
        "Show what would leave for a question, to whom, at what price, and why; send nothing.",
    ),
    "export": Entry(
        "isthmus.cli.handoff_export:export",
        "Export questions, oldest first, with their hashes: JSON lines or CSV.",
    ),
    "keygen": Entry(
        "isthmus.cli.handoff_sealing:keygen",
        "Make a pair of keys for sealed copies: the secret one into a file, the public one printed.",
    ),
    "label": Entry(
        "isthmus.cli.handoff_label:label",
        "Call an answer right or wrong; `isthmus handoff report` then tells the quality.",
    ),
    "marks": Entry(
        "isthmus.cli.handoff_marks:marks",
        "Show what stays home: your rules, and how much is remembered of marked conversations.",
    ),
    "prune": Entry(
        "isthmus.cli.handoff_prune:prune",
        "Let go of what is older than the settings keep it: sealed copies, and questions' rows.",
    ),
    "report": Entry(
        "isthmus.cli.handoff_report:report",
        "Add up what was handed over: its share, what it cost, what was saved, and how good answers were.",
    ),
    "show": Entry(
        "isthmus.cli.handoff_ledger:show",
        "Show all that is known of one question: the decision, the money, what left, its place in the chain.",
    ),
    "unseal": Entry(
        "isthmus.cli.handoff_sealing:unseal",
        "Print the exact bytes that left for a question, checked against the digests in its row.",
    ),
    "verify": Entry(
        "isthmus.cli.handoff_verify:verify", "Verify the ledger's chain of hashes, and print its head."
    ),
}


class Handoff(LazyGroup):
    """The group of what concerns hosted models."""

    entries: ClassVar = COMMANDS


app = new_group(Handoff)


@app.callback()
def handoff() -> None:
    """See what was handed over to a hosted model."""
