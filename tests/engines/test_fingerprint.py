"""What identifies a build and its weights."""

import re

import pytest

from isthmus.engines.builds import INSTALLED, EngineBuild
from isthmus.engines.fingerprint import fingerprint

DIGEST = "0a1b2c3d4e5f" + "9" * 52
PROGRAM = EngineBuild("llama-server", "program", "/bin/llama-server")


@pytest.mark.parametrize(
    ("build", "told", "mark"),
    [
        (PROGRAM, "b8672-abcdef1", "b8672-0a1b2c3d4e5f"),
        (PROGRAM, "b0-unknown", None),
        (PROGRAM, "", None),
        (EngineBuild("cuda", "package", version="2026.4.8672"), "b0-unknown", "b8672-0a1b2c3d4e5f"),
        (EngineBuild("cuda", "package", version="2026.4.8672"), "b9000-abc", "b9000-0a1b2c3d4e5f"),
        (EngineBuild("old", "package", version="0.2.6"), "b0-unknown", None),
    ],
)
def test_a_mark_is_the_build_and_the_weights(build, told, mark):
    assert fingerprint(build, told, DIGEST) == mark


def test_the_installed_package_is_known_by_its_version():
    assert re.fullmatch(r"b\d{4,}", fingerprint(INSTALLED, "b0-unknown", None))
