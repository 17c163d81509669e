import sys
import time

from isthmus.machine.commands import output, outputs

PYTHON = sys.executable


def test_what_programs_say():
    assert output(PYTHON, "-c", "print('hello')") == "hello\n"


def test_those_that_are_missing_or_fail_say_nothing():
    said = outputs(
        {
            "missing": ("no-such-program",),
            "fails": (PYTHON, "-c", "print('half'); raise SystemExit(9)"),
            "works": (PYTHON, "-c", "print('whole')"),
        }
    )
    assert said == {"fails": "", "works": "whole\n"}


def test_those_that_hang_are_ended_together():
    begun = time.monotonic()
    hang = (PYTHON, "-c", "import time; time.sleep(60)")
    assert outputs({"one": hang, "two": hang}, timeout_s=0.3) == {"one": "", "two": ""}
    assert time.monotonic() - begun < 10
