"""The ``isthmus`` command: its table of commands, its global options, its end.

A command is a function with a docstring, or a `typer.Typer` of several; to add one, write its module and
its line here. The summary repeats the first line of the docstring, so that ``isthmus --help`` imports
none of them (a test holds the two together).
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NoReturn, cast

import typer
from typer.main import get_command

from isthmus import __version__
from isthmus.cli.failures import report
from isthmus.cli.groups import Entry, LazyGroup, new_group

COMMANDS = {
    "ask": Entry("isthmus.cli.ask:ask", "Ask a question and stream the answer."),
    "chat": Entry("isthmus.cli.chat:chat", "Hold a conversation; /help in it lists its commands."),
    "serve": Entry("isthmus.cli.serve:serve", "Serve the OpenAI API on this machine."),
    "ps": Entry("isthmus.cli.ps:ps", "Show which models the running server has in memory."),
    "load": Entry("isthmus.cli.ps:load", "Have the running server load a model."),
    "unload": Entry("isthmus.cli.ps:unload", "Have the running server unload a model once it is idle."),
    "recommend": Entry("isthmus.cli.recommend:recommend", "Recommend models that fit this machine."),
    "search": Entry("isthmus.cli.search:search", "Search the catalogue of models."),
    "plan": Entry("isthmus.cli.plan:plan", "Plan what a model would take of memory."),
    "use": Entry("isthmus.cli.use:use", "Fetch a model if need be, and make it the default."),
    "pull": Entry("isthmus.cli.pull:pull", "Fetch a model, or take in a GGUF file."),
    "list": Entry("isthmus.cli.models:list_models", "List the models that are here, and a few that fit."),
    "show": Entry("isthmus.cli.models:show", "Show what is known of a model."),
    "rm": Entry("isthmus.cli.models:remove", "Remove a model from this machine."),
    "store": Entry("isthmus.cli.store:app", "Check, clean and find the weights on this machine."),
    "import-ollama": Entry("isthmus.cli.importing:import_ollama", "Take in models that Ollama has here."),
    "doctor": Entry(
        "isthmus.cli.doctor:doctor", "See what this machine can run, how fast, and what to do next."
    ),
    "demo": Entry("isthmus.cli.demo:demo", "See the hand-off at work, without a key."),
    "verify": Entry("isthmus.cli.verify:verify", "Verify a release: who published it, what it has shown."),
    "gate": Entry("isthmus.cli.gate:app", "Gate a release of weights, from policy to publication."),
    "key": Entry("isthmus.cli.keys:app", "Create, limit, list and revoke the server's API keys."),
    "bench": Entry("isthmus.cli.bench:app", "Measure models on real tasks."),
    "handoff": Entry("isthmus.cli.handoff:app", "See what was handed over to a hosted model."),
    "config": Entry("isthmus.cli.config:app", "See the settings, and where each of them came from."),
}


class Isthmus(LazyGroup):
    """The top group."""

    entries: ClassVar = COMMANDS


app = new_group(Isthmus, completion=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isthmus {__version__}")
        raise typer.Exit


@app.callback()
def isthmus(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks. May stand before or after the command.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Run open models on your own machine, and hand off what is beyond them, on your terms."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with the exit code that docs/reference/exit-codes.md names.

    Args:
        arguments: The words after ``isthmus``; the process's own by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = take_debug(words)
    if sys.stdout.errors == "strict":  # an answer may hold what the terminal's encoding can't show
        cast("Any", sys.stdout).reconfigure(errors="backslashreplace")
    try:
        result = cast("Any", get_command(app)).main(words, prog_name="isthmus", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one place where every error ends
        sys.exit(report(error, debug=debug))
    sys.exit(result if isinstance(result, int) else 0)


def take_debug(words: list[str]) -> bool:
    """Take ``--debug`` out of a command line, wherever it stands before a lone ``--``."""
    end = words.index("--") if "--" in words else len(words)
    options = [word for word in words[:end] if word != "--debug"]
    found = len(options) < end
    words[:end] = options
    return found
