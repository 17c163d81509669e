"""What an agent may do in its sandbox: run commands, read and change files, run the tests that it may see.

What a tool gives back is cut to a length that leaves a small model's context room for its work. Needs the
extra ``evals``.
"""

from inspect_ai.tool import Tool, ToolError, tool
from inspect_ai.util import SandboxEnvironment, sandbox

from isthmus.tools.python import clipped

COMMAND_S = 60
_SHOWN = 6_000
"""Characters of output that are shown."""
_MOST_FILES = 200
_MOST_BYTES = 256 * 1024

_LIST = "find . -type f -size -256k -not -path '*/__pycache__/*' -printf '%P\\0'"


@tool
def bash() -> Tool:
    """Run a command in the shell."""

    async def execute(command: str) -> str:
        """Run a command with bash in the folder of the files.

        Args:
            command: The command. It has no network, and a minute.
        """
        try:
            done = await sandbox().exec(["bash", "-c", command], timeout=COMMAND_S)
        except TimeoutError:
            raise ToolError(f"the command was stopped after {COMMAND_S} s") from None
        said = "\n".join(each for each in (done.stdout.rstrip(), done.stderr.rstrip()) if each)
        ending = "" if done.success else f"\n(exit code {done.returncode})"
        return clipped(said or "(no output)", _SHOWN) + ending

    return execute


@tool
def read_file() -> Tool:
    """Read a file."""

    async def execute(path: str) -> str:
        """Read a text file.

        Args:
            path: The file, relative to the folder.
        """
        return clipped(await _text(path), _SHOWN)

    return execute


@tool
def write_file() -> Tool:
    """Write a file."""

    async def execute(path: str, content: str) -> str:
        """Write a file, a new one or in the place of what is there.

        Args:
            path: The file, relative to the folder.
            content: Its whole content.
        """
        await _write(path, content)
        return f"{path} is written"

    return execute


@tool
def edit_file() -> Tool:
    """Change a part of a file."""

    async def execute(path: str, old: str, new: str) -> str:
        """Replace a piece of a file by another.

        Args:
            path: The file, relative to the folder.
            old: The piece, exactly as it stands there; it must stand there once.
            new: What comes in its place.
        """
        text = await _text(path)
        times = text.count(old) if old else 0
        if times != 1:
            raise ToolError(f"that piece stands {times} times in {path}; it must stand there once")
        await _write(path, text.replace(old, new))
        return f"{path} is changed"

    return execute


@tool
def run_tests() -> Tool:
    """Run the tests that can be seen."""

    async def execute() -> str:
        """Run the tests that lie in the folder, with unittest."""
        try:
            done = await sandbox().exec(["python3", "-B", "-m", "unittest"], timeout=COMMAND_S)
        except TimeoutError:
            raise ToolError(f"the tests were stopped after {COMMAND_S} s") from None
        return clipped((done.stdout + done.stderr).strip(), _SHOWN)

    return execute


async def files_there(box: SandboxEnvironment) -> dict[str, str]:
    """The text files in the sandbox's folder, by path: what an agent leaves."""
    listed = await box.exec(["bash", "-c", _LIST], timeout=COMMAND_S)
    found: dict[str, str] = {}
    for path in sorted(filter(None, listed.stdout.split("\0")))[:_MOST_FILES]:
        try:
            found[path] = await box.read_file(path)
        except (UnicodeDecodeError, OSError):
            continue  # no text, or no file that can be read: no part of the work
    return found


async def _text(path: str) -> str:
    try:
        return await sandbox().read_file(path)
    except FileNotFoundError:
        raise ToolError(f"there is no file {path}") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise ToolError(f"{path} can't be read: {error}") from None


async def _write(path: str, content: str) -> None:
    try:
        await sandbox().write_file(path, content)
    except OSError as error:
        raise ToolError(f"{path} can't be written: {error.strerror or error}") from None
