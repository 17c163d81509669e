"""What identifies an engine's build and its weights, for whoever compares answers to the same seed.

b11549-0a1b2c3d4e5f    llama.cpp's build number, then the beginning of the weights' SHA-256
"""

import re

from isthmus.engines.builds import EngineBuild, installed_version

_TOLD = re.compile(r"b([1-9]\d*)-")
_CALENDAR = re.compile(r"\d{4}\.\d+\.(\d+)")
"""The package's version: a year, a month, and the number of the llama.cpp that it holds."""
_DIGITS = 12


def fingerprint(build: EngineBuild, told: str, digest: str | None) -> str | None:
    """The mark of a model that is loaded; None where nobody says which llama.cpp runs it.

    Args:
        build: What runs it.
        told: What the running engine says of its build; the package's doesn't know, and says ``b0``.
        digest: The weights'; None for a person's own file.
    """
    number = _TOLD.match(told)
    if number is None and build.kind == "package":
        number = _CALENDAR.match(build.version or installed_version())
    if number is None:
        return None
    return f"b{number[1]}-{digest[:_DIGITS]}" if digest else f"b{number[1]}"
