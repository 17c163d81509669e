"""``isthmus search``: what the catalogue has."""

from typing import Annotated, Any

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.options import Json
from isthmus.cli.outlook import Outlook, look
from isthmus.errors import UnknownModel
from isthmus.fit.speed import speed_class
from isthmus.store import CatalogueEntry, Store
from isthmus.store.catalogue import HuggingFace
from isthmus.store.catalogue_search import nearest
from isthmus.store.catalogue_search import search as matches


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]", help="Parts of a name, a description, a licence; tools, code."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search the catalogue of models.

    Every word must be found: in a model's name, description, family, capabilities or licence. Without words,
    all models are listed.
    """
    settings = configuration.load().settings
    found = matches(words or ())
    if not found and not as_json:
        near = nearest(words or ())
        hint = f"isthmus search {near}" if near else "isthmus search, without words, lists all models"
        raise UnknownModel(f"the catalogue has nothing for {' '.join(words or ())!r}", hint=hint)
    here = {model.name for model in Store(settings.home_path).models()}
    outlook = look(settings)
    if as_json:
        console.write_json([as_object(entry, outlook, here=entry.name in here) for entry in found])
        return
    rows = [
        (
            entry.name,
            size(entry.size_bytes),
            entry.licence,
            "here" if entry.name in here else fits(entry, outlook),
            entry.description,
        )
        for entry in found
    ]
    console.write_table(("NAME", "SIZE", "LICENCE", "RUNS HERE", "GOOD AT"), rows)


def fits(entry: CatalogueEntry, outlook: Outlook) -> str:
    """Whether a model runs on this machine, in a word or two."""
    candidate = outlook.of(entry)
    if candidate is None:
        return "too large" if entry.dimensions else "unknown"
    return "yes" if "embedding" in entry.capabilities else speed_class(candidate.tokens_per_s)


def offer_fields(entry: CatalogueEntry, outlook: Outlook) -> dict[str, str]:
    """What is known of a model that isn't here, for people."""
    others = [f"{each.name} ({size(each.size_bytes)})" for each in entry.in_other_quantizations()]
    candidate = outlook.of(entry)
    runs = fits(entry, outlook)
    if candidate is not None:
        runs += (
            f", {size(candidate.plan.total_bytes)} of memory with {candidate.plan.context_length:,} tokens"
        )
    return {
        "Name": entry.name,
        "Also": ", ".join(entry.aliases),
        "Description": entry.description,
        "Size": size(entry.size_bytes),
        "Other sizes": ", ".join(others),
        "SHA-256": entry.digest or "as the repository gives it",
        "Licence": entry.licence,
        "Source": str(entry.sources[0]),
        "Parameters": _parameters(entry),
        "Quantization": entry.quantization,
        "Context length": f"{entry.context_length:,} tokens" if entry.context_length else "unknown",
        "Made for": ", ".join(entry.capabilities),
        "Images": _how_it_sees(entry),
        "Runs here": runs,
    }


def _parameters(entry: CatalogueEntry) -> str:
    total, active = entry.parameters, entry.active_parameters
    if total is None or active is None:
        return "unknown"
    return f"{total:,}" if active == total else f"{total:,}, of which {active:,} work on a token"


def _how_it_sees(entry: CatalogueEntry) -> str:
    """The projector is a second file, which the catalogue has not pinned: the repository brings both."""
    repositories = [source.repository for source in entry.sources if isinstance(source, HuggingFace)]
    if "vision" not in entry.capabilities or not repositories:
        return ""
    quant = f":{entry.quantization}" if entry.quantization else ""
    return f"seen with its projector: isthmus pull hf:{repositories[0]}{quant}"


def as_object(entry: CatalogueEntry, outlook: Outlook, *, here: bool) -> dict[str, Any]:
    """What is known of a model, and how it would run here, for programs."""
    candidate = outlook.of(entry)
    return {
        **_known(entry),
        "here": here,
        "fits": candidate is not None,
        "tokens_per_s": round(candidate.tokens_per_s, 1) if candidate else None,
    }


def _known(entry: CatalogueEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "aliases": entry.aliases,
        "family": entry.family,
        "description": entry.description,
        "licence": entry.licence,
        "parameters": entry.parameters,
        "active_parameters": entry.active_parameters,
        "context_length": entry.context_length,
        "capabilities": entry.capabilities,
        "chat_format": entry.chat_format,
        "tool_parser": entry.tool_parser,
        "reasoning_parser": entry.reasoning_parser,
        "quantization": entry.quantization,
        "size_bytes": entry.size_bytes,
        "digest": entry.digest,
        "sources": [str(source) for source in entry.sources],
        "variants": [
            {"name": each.name, "quantization": each.quantization, "size_bytes": each.size_bytes}
            for each in entry.in_other_quantizations()
        ],
        "quality": entry.quality,
        "evidence": entry.evidence,
    }
