"""The questions that effort is measured on, read from a folder, and how an answer to each is judged.

gsm8k_train.jsonl.gz: GSM8K's train split (openai/grade-school-math, MIT), rows 1,200 on, which no estimate
and no prompt of ours was tried on. mbpp.jsonl.gz: MBPP (google-research/mbpp, CC-BY-4.0), the first 60 tasks
of its test split; the prompt shows the first of a task's tests, and the others, which no policy sees, count.
"""

import gzip
import json
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from isthmus.messages import Message
from isthmus.scoring import final_answer, grade

FILES = {"gsm8k": "gsm8k_train.jsonl.gz", "mbpp": "mbpp.jsonl.gz"}
HASHES = {
    "gsm8k": "f0041db5b975e60bc65b9500308d0b13548f7d6d8c871a0230cb651aab873ce5",
    "mbpp": "4256c5b1b84f03d6c6d384598a06450ab3b02d9ef002fd61dfe42a4335757cc9",
}
"""Of the files that the reported figures were measured on."""
FIRST_ROW = 1200
TASKS = range(11, 71)
FORM = "\nGive the final answer as \\boxed{number}."
"""The person's own words in each question of GSM8K, whatever the effort: so that a number can be read."""


class Question(Struct, frozen=True):
    """One question as a person puts it. ``gold`` is the number, or the tests that the prompt doesn't show."""

    set: Literal["gsm8k", "mbpp"]
    row: int
    prompt: str
    gold: str | tuple[str, ...]
    setup: str = ""

    @property
    def messages(self):
        return (Message("user", self.prompt),)

    def right(self, answer):
        """Whether an answer comes to the number; code is judged by `benchmarks.reasoning_code`."""
        return final_answer(answer) is not None and grade(answer, self.gold, "numeric")


def check(data):
    """Say which files are not those that the reported figures stand for."""
    found = {name: sha256((data / path).read_bytes()).hexdigest() for name, path in FILES.items()}
    return [FILES[name] for name, digest in found.items() if digest != HASHES[name]]


def gsm8k(data, rows):
    """So many questions of GSM8K, from row 1,200 on."""
    lines = _lines(data / FILES["gsm8k"])[FIRST_ROW : FIRST_ROW + rows]
    return [
        Question("gsm8k", row, each["question"] + FORM, each["answer"].split("####")[1].strip())
        for row, each in enumerate(lines, FIRST_ROW)
    ]


def mbpp(data, rows):
    """So many tasks of MBPP, each with its first test in the prompt."""
    tasks = {each["task_id"]: each for each in _lines(data / FILES["mbpp"])}
    return [_task(tasks[number]) for number in TASKS[:rows]]


def _task(each):
    shown, *hidden = each["test_list"]
    prompt = f"{each['text']}\nYour code should pass this test:\n\n{shown}"
    return Question("mbpp", each["task_id"], prompt, tuple(hidden), each["test_setup_code"])


def _lines(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
