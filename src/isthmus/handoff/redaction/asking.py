"""What the model at home is asked, so that it finds names and addresses in a text, and what its answer says.

It lists them in JSON, as they stand there; a grammar keeps it to that and bounds the list. What it lists and
does not stand there counts for nothing, so all that a confused model can do is hide too much or too little.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from isthmus.handoff.redaction.names import is_name
from isthmus.handoff.redaction.repeats import Known
from isthmus.messages import GenerationRequest, Message

PIECE = 900
"""Characters of a text that are asked about at once: small models miss what stands in the midst of more."""
_MOST, _LONGEST_NAME, _LONGEST_ADDRESS = 12, 60, 120

_MOST_WORDS = 6
"""Of a name."""

_INSTRUCTIONS = (
    "List the names of people and the postal addresses in the text, exactly as they are written there. "
    "Companies, products, programs, commands, towns alone and e-mail addresses are neither."
)
_EXAMPLES = (
    (
        "Ieri Marta Bianchi e il dott. Kowalski erano in via Garibaldi 12, 20121 Milano. Chiedi a Sven.",
        '{"people":["Marta Bianchi","Kowalski","Sven"],"addresses":["via Garibaldi 12, 20121 Milano"]}',
    ),
    ("2026-03-01 12:00:03 INFO Postgres on db-01 restarted by systemd", '{"people":[],"addresses":[]}'),
    (
        'order = {"buyer": "Ann O\'Hara", "ship_to": "4 Elm Road, Leeds LS1 4DY", "item": "Acme Drill"}',
        '{"people":["Ann O\'Hara"],"addresses":["4 Elm Road, Leeds LS1 4DY"]}',
    ),
)
_MAX_TOKENS = 1200
"""More than the longest list that the schema allows takes of plain words."""


class _Listed(Struct):
    people: Annotated[list[str], Meta(max_length=_MOST)]
    addresses: Annotated[list[str], Meta(max_length=_MOST)]


_LISTED = msgspec.json.Decoder(_Listed)


def _strings(longest: int) -> dict[str, object]:
    return {"type": "array", "items": {"type": "string", "maxLength": longest}, "maxItems": _MOST}


_SCHEMA = {
    "type": "object",
    "properties": {"people": _strings(_LONGEST_NAME), "addresses": _strings(_LONGEST_ADDRESS)},
    "required": ["people", "addresses"],
    "additionalProperties": False,
}


def asked_of(piece: str) -> GenerationRequest:
    """What the model is asked about a piece of text."""
    shown = [
        message
        for text, listed in _EXAMPLES
        for message in (Message("user", text), Message("assistant", listed))
    ]
    return GenerationRequest(
        (Message("system", _INSTRUCTIONS), *shown, Message("user", piece)),
        max_tokens=_MAX_TOKENS,
        temperature=0.0,
        effort="none",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "private", "schema": _SCHEMA, "strict": True},
        },
    )


def listed_in(answer: str, piece: str) -> tuple[Known, ...]:
    """What an answer lists of what stands in its piece.

    Raises:
        msgspec.DecodeError: The answer is no such list.
    """
    listed = _LISTED.decode(answer)
    people = [Known(each, "PERSON") for name in listed.people for each in _as_written(name, piece)]
    addresses = [Known(each, "ADDRESS") for place in listed.addresses for each in _as_written(place, piece)]
    return (
        *(each for each in people if _is_person(each.value)),
        *(each for each in addresses if _is_address(each.value)),
    )


def worth_asking(text: str) -> bool:
    """Whether a name could stand there: names begin with a capital, or have no such thing."""
    return any(sign.isalpha() and not sign.islower() for sign in text)


def pieces_of(texts: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is asked about at once, and the texts that end in it: long ones are cut, short ones joined."""
    waiting: list[str] = []
    ending: list[str] = []
    room = PIECE
    for text in texts:
        for part in _parts(text):
            if len(part) > room and waiting:
                yield "\n".join(waiting), tuple(ending)
                waiting, ending, room = [], [], PIECE
            waiting.append(part)
            room -= len(part) + 1
        ending.append(text)
    if waiting or ending:
        yield "\n".join(waiting), tuple(ending)


_CUTS = ("\n\n", "\n", ". ", ", ", " ")


def _parts(text: str) -> Iterator[str]:
    """A text cut where a line or a sentence ends, if it can be, and in any case to the size of a piece."""
    start = 0
    while len(text) - start > PIECE:
        places = (text.rfind(cut, start + PIECE // 2, start + PIECE) for cut in _CUTS)
        end = next((place + 1 for place in places if place >= 0), start + PIECE)
        yield text[start:end]
        start = end
    if text[start:].strip():
        yield text[start:]


def _as_written(value: str, piece: str) -> list[str]:
    """The ways in which the piece writes what was listed: in its own case, with its own line breaks."""
    words = value.split()
    if len("".join(words)) < 2:
        return []
    pattern = r"\s+".join(map(re.escape, words))
    return list(dict.fromkeys(re.findall(rf"(?<!\w){pattern}(?!\w)", piece, re.IGNORECASE)))


def _is_person(value: str) -> bool:
    """A name of a few words, the last of which is written like one: a whole sentence is none."""
    words = value.split()
    return is_name(value) and len(words) <= _MOST_WORDS and not words[-1][0].islower()


def _is_address(value: str) -> bool:
    """A street and a number at least: a town alone tells little of anybody, one word is something else."""
    parts = re.split(r"[\s,]+", value.strip())
    return len(parts) > 1 and any(map(str.isdigit, value)) and sum(map(str.isalpha, value)) > 3
