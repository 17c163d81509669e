"""The tool ``python``: a script that a model wrote runs in a sandbox, and its output comes back."""

import msgspec
from msgspec import Struct

from isthmus.messages import Tool
from isthmus.sandbox import Completed, Limits, run

KIB, MIB = 1 << 10, 1 << 20

PYTHON_LIMITS = Limits(
    wall_s=10.0, cpu_s=10.0, disk_bytes=16 * MIB, file_bytes=8 * MIB, output_bytes=64 * KIB
)
MOST_CHARACTERS = 8_000
"""What a model is given to read of a script's output; a longer one has its middle left out."""

_FILE = "script.py"


class _Arguments(Struct, frozen=True):
    code: str


async def run_python(code: str, *, stdin: str = "", limits: Limits = PYTHON_LIMITS) -> Completed:
    """Run a script in a sandbox of its own, with the standard library and nothing else.

    Raises:
        SandboxUnavailable: No sandbox can be had on this machine.
        SandboxError: The sandbox failed.
    """
    return await run(["python", _FILE], files={_FILE: code}, stdin=stdin, limits=limits)


class PythonTool:
    """Runs scripts for a model, each in a sandbox of its own: nothing of one is there for the next."""

    declaration = Tool(
        name="python",
        description="Runs a Python script and returns what it prints. Only the standard library is there, no "
        "network and no files; nothing is kept from one call to the next.",
        parameters={
            "type": "object",
            "properties": {"code": {"type": "string", "description": "The script; it prints its results."}},
            "required": ["code"],
            "additionalProperties": False,
        },
    )

    def __init__(self, limits: Limits = PYTHON_LIMITS) -> None:
        self._limits = limits

    async def __call__(self, arguments: str) -> str:
        """Carry out a call.

        Args:
            arguments: JSON text, as the model wrote it.

        Returns:
            What the model is given to read: the output, how the script ended if not well, or what is wrong
            with the arguments.

        Raises:
            SandboxUnavailable: No sandbox can be had on this machine.
            SandboxError: The sandbox failed.
        """
        try:
            code = msgspec.json.decode(arguments, type=_Arguments).code
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            return f'The arguments must be JSON of the form {{"code": "..."}}: {error}'
        return report(await run_python(code, limits=self._limits))


def report(done: Completed) -> str:
    """What came of a script, for a model to read."""
    parts = [clipped(each.rstrip()) for each in (done.stdout, done.stderr) if each.strip()]
    if not done.ok or done.cut:
        parts.append(f"({done.said})")
    return "\n".join(parts) or "(it printed nothing)"


def clipped(text: str, most: int = MOST_CHARACTERS) -> str:
    """A text with its middle left out where it is long: errors stand at the end, much else at the start."""
    left_out = len(text) - most
    if left_out <= 0:
        return text
    head = most * 2 // 3
    return f"{text[:head]}\n[... {left_out:,} characters left out ...]\n{text[head + left_out :]}"
