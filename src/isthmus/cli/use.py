"""``isthmus use``: the model that answers where none is named."""

from isthmus import configuration
from isthmus.cli.default_model import make_default
from isthmus.cli.models import NameOrPath
from isthmus.cli.pull import pull
from isthmus.errors import UsageError
from isthmus.naming import ModelRef, parse_model
from isthmus.store import Store, find, read_header


def use(model: NameOrPath) -> None:
    """Fetch a model if need be, and make it the default.

    Writes model = ... into the settings file in your configuration folder. A fetch that was cut short goes
    on where it was.
    """
    settings = configuration.load().settings
    ref = parse_model(model, settings.runners)
    match ref.kind:
        case "source":
            raise UsageError(f"{ref} has no name here yet", hint=f"isthmus pull {ref}")
        case "path":
            read_header(ref.path)
            make_default(ref.anywhere)
        case "runner":
            make_default(str(ref))
        case "name":
            make_default(_fetched(ref, Store(settings.home_path)))


def _fetched(ref: ModelRef, store: Store) -> str:
    """The name of a model that is here, or is by now."""
    entry = find(ref.value)
    if entry is None or store.resolve(ref) is not None:
        return store.require(ref).name
    if store.resolve(parse_model(entry.name)) is None:
        pull(entry.name)
    return entry.name
