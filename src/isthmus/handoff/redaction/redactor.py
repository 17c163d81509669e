"""What leaves instead of a request: the same, with everything private replaced by placeholders.

    redacted = Redactor(settings.handoff.redaction).redact(request)
    redacted.request                 # what may leave
    restorer = redacted.restorer()   # puts the values back into the answer's events

Nothing here waits, reads or writes. Whatever goes wrong is a `RedactionFailed`: the question stays home.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from isthmus.errors import IsthmusError, RedactionFailed
from isthmus.handoff.redaction.findings import Findings
from isthmus.handoff.redaction.json_text import Place, View, is_json
from isthmus.handoff.redaction.placeholders import Numbering, Placeholder, taken_numbers
from isthmus.handoff.redaction.repeats import Known, repeats, without_parts
from isthmus.handoff.redaction.restoring import Restorer
from isthmus.handoff.redaction.rewriting import Form, rewritten
from isthmus.handoff.redaction.spans import Recogniser, Span, settled
from isthmus.messages import GenerationRequest
from isthmus.settings import RedactionSettings


class Redacted(Struct, frozen=True):
    """A request that may leave, and what was hidden in it.

    ``counts`` has how often each kind was replaced, ``images`` how many images are in the request: nothing in
    them was hidden.
    """

    request: GenerationRequest
    placeholders: tuple[Placeholder, ...]
    counts: dict[str, int]
    images: int

    def restorer(self) -> Restorer:
        """What puts the values back into the answer."""
        return Restorer(self.placeholders, json_text=self.request.response_format is not None)


class Redactor:
    """Hides what is private. Any thread may use it.

    Args:
        settings: What is looked for.
        recogniser: Who finds names and addresses; None: as the settings say.

    Raises:
        SettingsError: A pattern of the settings is no regular expression, or a kind is unknown.
    """

    def __init__(self, settings: RedactionSettings, recogniser: Recogniser | None = None) -> None:
        # Imported here: all that detects takes a tenth of a second to load, and only a hand-off needs it.
        from isthmus.handoff.redaction.detector import Detector

        self._settings = settings
        self._detector = Detector(settings, recogniser)
        self._findings: Findings[tuple[Span, ...]] = Findings()

    @property
    def asks_home(self) -> bool:
        """Whether nothing may leave before the model at home has looked for names and addresses in it."""
        return self._settings.recogniser == "model" and self._detector.looks_for_names

    def texts(self, request: GenerationRequest) -> list[str]:
        """All that a request says, as detectors read it."""
        return [text if view is None else view.text for (text, _), view in _texts(request).items()]

    def redact(self, request: GenerationRequest, known: Sequence[Known] | None = None) -> Redacted:
        """The request as it may leave.

        Args:
            request: What was asked.
            known: Values that are private, whoever found them; they are hidden wherever they occur. None:
                nobody has looked for any.

        Raises:
            RedactionFailed: It has images, which may not leave, a detector failed, or the model at home was
                to look for names, and hasn't.
        """
        if known is None and self.asks_home:
            raise RedactionFailed(
                "the model at home hasn't looked for names in it",
                hint='set handoff.redaction.recogniser = "auto"',
            )
        images = sum(message.images for message in request.messages)
        if images and not self._settings.images:
            raise RedactionFailed(
                "nothing in an image can be hidden, so it stays home",
                hint="set handoff.redaction.images = true to let images leave",
            )
        try:
            return self._redact(request, known or (), images)
        except IsthmusError:
            raise
        except Exception as error:
            # Its message may quote what it failed on.
            raise RedactionFailed(f"what would leave can't be redacted: {type(error).__name__}") from error

    def _redact(self, request: GenerationRequest, known: Sequence[Known], images: int) -> Redacted:
        texts = _texts(request)
        read = {key: key[0] if view is None else view.text for key, view in texts.items()}
        found = {key: self._found(read[key], key[1]) for key in texts}
        everywhere = repeats(
            [Known(read[key][s.start : s.end], s.kind) for key, spans in found.items() for s in spans]
            + [each for each in known if self._detector.hides(each.value, each.kind)]
        )
        places: dict[tuple[str, Form], list[Place]] = {}
        for (text, form), view in texts.items():
            seen = read[text, form]
            spans = found[text, form]
            if everywhere is not None and form != "name":
                again = list(everywhere(seen))
                spans = settled([*without_parts(spans, again), *again])
            places[text, form] = _places(text, spans) if view is None else view.places(spans)
        kinds = {place.kind for each in places.values() for place in each}
        numbering = Numbering(taken_numbers(read.values(), kinds), self._detector.identity)

        def replace(text: str, form: Form) -> str:
            return _replaced(text, places[text, form], numbering, form)

        changed = rewritten(request, replace)
        return Redacted(changed, numbering.placeholders, dict(numbering.uses), images)

    def _found(self, text: str, form: Form) -> Sequence[Span]:
        if form == "name":
            return (Span(0, len(text), "USERNAME"),) if text else ()
        if (spans := self._findings.get(text)) is None:
            spans = tuple(self._detector.find(text))
            self._findings.put(text, spans)
        return spans


def _texts(request: GenerationRequest) -> dict[tuple[str, Form], View | None]:
    """All that a request says, each once; JSON with a view of it."""
    texts: dict[tuple[str, Form], View | None] = {}

    def collect(text: str, form: Form) -> str:
        if (text, form) not in texts:
            texts[text, form] = View(text) if form != "name" and is_json(text) else None
        return text

    rewritten(request, collect)
    return texts


_FIELD = re.compile(r'"\s*:\s*$')
_FIELD_ENDS = re.compile(r"\s*[,}\]]")


def _places(text: str, spans: Iterable[Span]) -> list[Place]:
    """Where the spans lie; a number that is the value of a field, as in JSON inside prose, is a bare one."""
    return [
        Place(each.start, each.end, each.kind, bare=_is_bare(text, each.start, each.end)) for each in spans
    ]


def _is_bare(text: str, start: int, end: int) -> bool:
    return (
        text[start:end].isdecimal()
        and _FIELD.search(text, max(0, start - 8), start) is not None
        and _FIELD_ENDS.match(text, end) is not None
    )


def _replaced(text: str, places: Iterable[Place], numbering: Numbering, form: Form) -> str:
    pieces: list[str] = []
    position = 0
    for place in places:
        token = numbering.replace(text[place.start : place.end], place.kind, bare=place.bare)
        if form == "name":
            token = token.strip("<>")  # what a participant may be called has no brackets
        pieces += (text[position : place.start], f'"{token}"' if place.bare else token)
        position = place.end
    return "".join((*pieces, text[position:])) if pieces else text
