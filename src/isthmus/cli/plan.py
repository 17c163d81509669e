"""``isthmus plan``: what a model would take of memory, what runs where, and what would serve it instead."""

import sys
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.options import Json
from isthmus.cli.outlook import look
from isthmus.cli.planned import Subject, find_subject
from isthmus.errors import UsageError
from isthmus.fit import Budget, Plan, hardware
from isthmus.fit import plan as make_plan
from isthmus.settings import EngineSettings

_BAR_WIDTH = 48
_MOST_NAMED = 5


def plan(
    model: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model's name, or a GGUF file.")],
    context: Annotated[int | None, typer.Option("--context", min=1, help="Tokens of context.")] = None,
    quantization: Annotated[
        str | None, typer.Option("--quant", help="As if it were in this quantization: Q4_K_M, Q8_0, ...")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory", min=0, metavar="GB", help="As if models may take so much main memory."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan what a model would take of memory.

    Reads its GGUF header, or the catalogue where it isn't here. Without --context it is the largest context
    that fits. That a model doesn't fit is an answer, too: with what would, and the hardware that serves it.
    """
    settings = configuration.load().settings
    engine = settings.engine
    subject = find_subject(model, quantization, settings)
    budget = look(settings).budget if memory is None else Budget(round(memory * 1e9))
    trained = subject.shape.context_length
    if context is not None and trained and context > trained:
        raise UsageError(
            f"{subject.name} was trained for {trained:,} tokens of context, and {context:,} are more",
            hint=f"--context {trained}",
        )
    made = make_plan(subject.shape, budget, engine, context_length=context)
    if not made.max_context:  # then it is about other hardware, where the whole of its context is wanted
        made = make_plan(subject.shape, budget, engine, context_length=context or trained)
    if as_json:
        _write_json(subject, made, budget, engine)
    else:
        _write_text(subject, made, budget, engine)


def _write_json(subject: Subject, made: Plan, budget: Budget, engine: EngineSettings) -> None:
    console.write_json(
        {
            "model": subject.name,
            "quantization": subject.quantization,
            "parameters": subject.parameters,
            "estimated": subject.estimated,
            "trained_context": subject.shape.context_length,
            **msgspec.structs.asdict(made),
            "budget": budget,
            "hardware": hardware.serving(subject.shape, engine, made.context_length),
            "main_memory_bytes": hardware.main_memory(subject.shape, engine, made.context_length),
            "published_unit": hardware.published_unit(subject.name),
        }
    )


# ---------------------------------------------------------------- text


def _write_text(subject: Subject, made: Plan, budget: Budget, engine: EngineSettings) -> None:
    about = " (estimated: its file isn't here)" if subject.estimated else ""
    console.write(f"{subject.name}, {subject.quantization or 'unknown quantization'}{about}")
    console.write(f"with a context of {made.context_length:,} tokens, of {subject.shape.context_length:,}\n")
    rows = [
        ("Weights", size(made.weights_bytes), f"{subject.parameters / 1e9:,.2f} billion parameters"),
        ("KV cache", size(made.kv_cache_bytes), _per_token(made)),
        ("Compute", size(made.compute_bytes), "buffers while it works"),
        ("Worker", size(made.overhead_bytes), "the process, its vocabulary, drivers"),
        ("Together", size(made.total_bytes), f"of {size(budget.total_bytes)}: {_verdict(made)}"),
    ]
    console.write_table(("MEMORY", "SIZE", ""), rows)
    console.write(f"\n{_bar(made, budget)}\n")
    if made.fits:
        console.write(f"{_placement(made)}.")
    if made.max_context:
        console.write(f"The largest context that fits is {made.max_context:,} tokens.")
    if not made.fits:
        for line in _instead(subject, made, budget, engine):
            console.write(line)


def _verdict(made: Plan) -> str:
    return "fits" if made.fits else "does not fit"


def _per_token(made: Plan) -> str:
    return f"{size(made.kv_cache_bytes / made.context_length)} a token"


def _placement(made: Plan) -> str:
    """What runs where."""
    if not made.gpu_layers:
        return "All of it runs from main memory"
    layers = min(made.gpu_layers, made.layers)
    where = f"{'All' if layers == made.layers else layers} of {made.layers} layers run on the GPU"
    if made.cpu_expert_layers:
        where += f", the experts of {made.cpu_expert_layers} of them from main memory"
    return where if layers == made.layers else f"{where}, the others from main memory"


def _bar(made: Plan, budget: Budget) -> str:
    """What of the budget each part takes, and what is left; where that is too little, where it ends."""
    marks = "█▓▒░·" if _shows("█▓▒░·") else "#=+-."
    parts = (made.weights_bytes, made.kv_cache_bytes, made.compute_bytes, made.overhead_bytes)
    whole = max(made.total_bytes, budget.total_bytes, 1)
    drawn, end, taken = "", 0, 0
    for mark, part in zip(marks, parts, strict=False):
        taken += part
        reached = round(taken * _BAR_WIDTH / whole)
        drawn += mark * (reached - end)
        end = reached
    legend = "  ".join(
        f"{mark} {name}"
        for mark, name in zip(marks, ("weights", "KV cache", "compute", "worker", "left"), strict=True)
    )
    lines = [drawn + marks[-1] * (_BAR_WIDTH - end), legend]
    if not made.fits:
        lines.insert(
            1,
            f"{' ' * (budget.total_bytes * (_BAR_WIDTH - 1) // whole)}^ there are {size(budget.total_bytes)}",
        )
    return "\n".join(lines)


def _shows(text: str) -> bool:
    """Whether what stdout goes to can show it."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _instead(subject: Subject, made: Plan, budget: Budget, engine: EngineSettings) -> Iterator[str]:
    """What would fit here, and what serves it as it is."""
    smaller = list(_smaller(subject, budget, engine)) if not made.max_context else []
    if smaller:
        yield f"Of it there would fit: {'; '.join(smaller)}."
    kinds = hardware.serving(subject.shape, engine, made.context_length)[:_MOST_NAMED]
    if kinds:
        yield f"All of it on GPUs: {'; or '.join(map(str, kinds))}."
    main = hardware.main_memory(subject.shape, engine, made.context_length)
    if main:
        yield f"Without a GPU: a machine with {main >> 30} GB of main memory."
    unit = hardware.published_unit(subject.name)
    if unit:
        yield f"Its makers name {unit}."


def _smaller(subject: Subject, budget: Budget, engine: EngineSettings) -> Iterator[str]:
    """The catalogue's smaller variants that fit, each with its largest context."""
    for each in subject.variants:
        shape = each.shape
        if shape is not None and shape.weights_bytes < subject.shape.weights_bytes:
            made = make_plan(shape, budget, engine)
            if made.fits:
                yield f"{each.name} with {made.max_context:,} tokens"
