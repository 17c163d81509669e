"""Options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="A model's name, a GGUF file, or RUNNER/MODEL.")
]
SystemOption = Annotated[str | None, typer.Option("--system", "-s", help="A system message.")]
MaxTokensOption = Annotated[int | None, typer.Option("--max-tokens", help="The longest answer.")]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", "-t", help="0 to 2.")]
EffortOption = Annotated[
    str | None,
    typer.Option("--effort", "-e", help="Reasoning effort: none, minimal, low, medium, high, xhigh."),
]
HandoffOption = Annotated[
    str | None, typer.Option("--handoff", help="Who may answer: off, shadow, ask, auto, always.")
]
HomeOnlyOption = Annotated[
    bool, typer.Option("--home-only", help="Nothing of this leaves the machine, nor anything made of it.")
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="On the first run, ask nothing: the starter answers.")
]
