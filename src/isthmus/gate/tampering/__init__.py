"""Tampering: what a downloader may do to a release to have it do what it mustn't.

An attack is found by the name that a policy gives it: one of the gate's own, or the policy's
``[attacks.NAME]``.
"""

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from isthmus.errors import PolicyInvalid
from isthmus.gate.attack_options import (
    AttackOptions,
    FineTuneOptions,
    GivenOptions,
    PrefillOptions,
    QuantisedOptions,
    TemplateOptions,
    TranslationOptions,
)
from isthmus.gate.pinned import Name, Pinned, read_pinned
from isthmus.gate.policy import Policy
from isthmus.gate.tampering.asked import Asked, prefilled, templated, translated
from isthmus.gate.tampering.attack import Attack, Conversation, Variant, Weights
from isthmus.gate.tampering.builtin import asked_variants
from isthmus.gate.tampering.finetuning import FineTuned
from isthmus.gate.tampering.given import Given, located
from isthmus.gate.tampering.lessons import read_lessons
from isthmus.gate.tampering.quantising import Quantised
from isthmus.gate.tampering.recipes import Recipe

__all__ = ["Attack", "Conversation", "Variant", "Weights", "attack_named", "attack_names"]

_ASKED = asked_variants()
_MADE: Mapping[str, AttackOptions] = {
    "quantised": QuantisedOptions(("q4_k", "q3_k", "q2_k")),
    "benign-finetune": FineTuneOptions(),
}


class _Named(Struct, frozen=True):
    """An attack: its name, and its configurations."""

    name: str
    variants: tuple[Variant, ...]


class _Text(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    text: str


class _Translation(Struct, frozen=True, forbid_unknown_fields=True):
    language: Name
    prompt: str
    text: str


_Row = TypeVar("_Row", _Text, _Translation)


def attack_names() -> tuple[str, ...]:
    """The attacks that come with the gate."""
    return (*_ASKED, *_MADE)


def attack_named(name: str, policy: Policy, folder: Path) -> Attack:
    """The attack that a policy names.

    Args:
        name: Its name.
        policy: Whose own attacks come first.
        folder: The policy's, from which its paths count.

    Raises:
        PolicyInvalid: There is none of that name, or a file of it isn't what the policy names.
    """
    options = policy.attacks.get(name, _MADE.get(name))
    if options is not None:
        return _Named(name, tuple(_variants(options, folder)))
    if name in _ASKED:
        return _Named(name, _ASKED[name])
    known = ", ".join(dict.fromkeys((*policy.attacks, *attack_names())))
    raise PolicyInvalid(f"there is no attack {name}", hint=f"one of {known}, or a table [attacks.{name}]")


def _variants(options: AttackOptions, folder: Path) -> Iterator[Variant]:
    match options:
        case TemplateOptions():
            for each in _texts(options.file, folder):
                if "{prompt}" not in each.text:
                    raise PolicyInvalid(f"the template {each.name} has no {{prompt}} in it")
                yield Asked(each.name, _from(options.file, each.name), templated(each.text))
        case PrefillOptions():
            for each in _texts(options.file, folder):
                yield Asked(each.name, _from(options.file, each.name), prefilled(each.text))
        case TranslationOptions():
            yield from _translations(options.file, folder)
        case QuantisedOptions():
            yield from map(Quantised, options.formats)
        case FineTuneOptions():
            yield from _finetuned(options, folder)
        case GivenOptions():
            for each in options.weights:
                model = located(each.model, folder) if each.model else None
                yield Given(each.name, each.of, model, tuple(located(one, folder) for one in each.adapters))


def _finetuned(options: FineTuneOptions, folder: Path) -> Iterator[Variant]:
    pinned = options.lessons
    if pinned is None:
        content = files(__name__).joinpath("benign.jsonl").read_bytes()
        name, digest = "the gate's own", hashlib.sha256(content).hexdigest()
    else:
        content, name, digest = read_pinned(pinned, folder, "the lessons"), pinned.path, pinned.sha256
    lessons = read_lessons(content, name)
    for rank, steps, rate in product(options.ranks, options.steps, options.learning_rates):
        yield FineTuned(Recipe(rank, steps, rate, options.batch, options.seed), lessons, digest)


def _translations(pinned: Pinned, folder: Path) -> Iterator[Variant]:
    languages: dict[str, dict[str, str]] = {}
    for each in _rows(pinned, folder, _Translation):
        languages.setdefault(each.language, {})[each.prompt] = each.text
    for language, texts in languages.items():
        yield Asked(language, _from(pinned, language), translated(texts))


def _texts(pinned: Pinned, folder: Path) -> tuple[_Text, ...]:
    rows = _rows(pinned, folder, _Text)
    if len({each.name for each in rows}) != len(rows):
        raise PolicyInvalid(f"{pinned.path} has two texts of one name")
    return rows


def _rows(pinned: Pinned, folder: Path, kind: type[_Row]) -> tuple[_Row, ...]:
    content = read_pinned(pinned, folder, "the attack's file")
    try:
        rows = tuple(msgspec.json.decode(line, type=kind) for line in content.splitlines() if line.strip())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"{pinned.path} can't be read: {error}") from error
    if not rows:
        raise PolicyInvalid(f"{pinned.path} is empty")
    return rows


def _from(pinned: Pinned, name: str) -> Mapping[str, str]:
    return {"variant": name, "file": pinned.sha256}
