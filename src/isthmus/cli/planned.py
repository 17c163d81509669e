"""The model that ``isthmus plan`` is asked about: its sizes, from its header or from the catalogue."""

from msgspec import Struct

from isthmus.errors import UsageError
from isthmus.naming import ModelRef, parse_model
from isthmus.settings import Settings
from isthmus.store import CatalogueEntry, GgufHeader, Store, catalogue, read_model
from isthmus.store.quantization import BITS_PER_WEIGHT
from isthmus.store.shape import ModelShape, scaled


class Subject(Struct, frozen=True, kw_only=True):
    """A model to plan for. ``estimated``: its sizes aren't from its own file.

    ``variants`` are the quantizations that the catalogue has of it.
    """

    name: str
    quantization: str | None
    parameters: int
    shape: ModelShape
    estimated: bool
    variants: tuple[CatalogueEntry, ...] = ()


def find_subject(model: str, quantization: str | None, settings: Settings) -> Subject:
    """The model of that name or file, as it is here or else as the catalogue has it.

    Raises:
        UsageError: It is a runner's or must be fetched first; there is no such quantization.
        UnknownModel: Nothing is known by that name.
        ModelError: Its file can't be read.
    """
    ref = parse_model(model, settings.runners)
    if ref.kind == "runner":
        raise UsageError(f"{ref} is a runner's model, and the runner plans for it", hint="isthmus list")
    if ref.kind == "source":
        raise UsageError(f"the header of {ref} isn't here yet", hint=f"isthmus pull {ref}")
    entry = catalogue.find(ref.value) if ref.kind == "name" else None
    header = _header(ref, entry, Store(settings.home_path))
    wanted = quantization.upper() if quantization else None
    if header is not None and wanted in (None, header.quantization):
        return _of_header(entry.name if entry else model, header)
    if entry is not None:
        return _of_entry(entry, wanted)
    if header is None:
        raise UsageError(f"the sizes of {model} aren't known", hint=f"isthmus pull {model}")
    return _requantized(_of_header(model, header), wanted or "")


def _header(ref: ModelRef, entry: CatalogueEntry | None, store: Store) -> GgufHeader | None:
    """The header of the file or the stored model; None where the model isn't here, but in the catalogue."""
    if ref.kind == "path":
        return read_model(ref.path)
    stored = store.resolve(ref) or (store.resolve(parse_model(entry.name)) if entry else None)
    if stored is None and entry is None:
        stored = store.require(ref)  # says which name is nearest
    return read_model(stored) if stored else None


def _of_header(name: str, header: GgufHeader) -> Subject:
    return Subject(
        name=name,
        quantization=header.quantization,
        parameters=header.parameter_count,
        shape=header.shape,
        estimated=False,
        variants=_variants(name),
    )


def _of_entry(entry: CatalogueEntry, wanted: str | None) -> Subject:
    variants = _variants(entry.name)
    chosen = next((each for each in variants if each.quantization == wanted), entry)
    shape = chosen.shape
    if shape is None:
        raise UsageError(
            f"the catalogue doesn't say how {entry.name} is built", hint=f"isthmus pull {entry.name}"
        )
    subject = Subject(
        name=chosen.name,
        quantization=chosen.quantization,
        parameters=chosen.parameters or 0,
        shape=shape,
        estimated=True,
        variants=variants,
    )
    return subject if wanted in (None, chosen.quantization) else _requantized(subject, wanted)


def _requantized(subject: Subject, quantization: str) -> Subject:
    """The same model with about so many bits a weight."""
    if quantization not in BITS_PER_WEIGHT:
        raise UsageError(
            f"nobody knows how large {subject.name} is as {quantization}",
            hint=f"--quant takes {', '.join(BITS_PER_WEIGHT)}",
        )
    weights_bytes = subject.parameters * BITS_PER_WEIGHT[quantization] / 8
    return Subject(
        name=subject.name,
        quantization=quantization,
        parameters=subject.parameters,
        shape=scaled(subject.shape, weights_bytes / max(subject.shape.weights_bytes, 1)),
        estimated=True,
        variants=subject.variants,
    )


def _variants(name: str) -> tuple[CatalogueEntry, ...]:
    """All quantizations of the model of that name in the catalogue; none where it has none of that name."""
    for entry in catalogue.CATALOGUE:
        variants = (entry, *entry.in_other_quantizations())
        if any(each.name == name for each in variants):
            return variants
    return ()
