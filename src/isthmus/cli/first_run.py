"""The first run: a person at a terminal, no model here yet, and none asked for.

They are shown the few models that fit the machine. Whichever they take is fetched while the starter answers,
and becomes the default once it is here; whoever takes none has the starter alone.
"""

from isthmus.cli.answering import can_ask
from isthmus.configuration import Configuration
from isthmus.server import run_file
from isthmus.store import CatalogueEntry, Store, find


def choose(config: Configuration) -> CatalogueEntry | None:
    """The model that the person takes to have beside the starter; None where they aren't asked, or take none.

    Nobody is asked who isn't at a terminal, or has a model, or has named one, or is offline, be it by the
    settings or because the Hub can't be reached.
    """
    settings = config.settings
    starter = find(settings.model)
    first = (
        starter is not None
        and can_ask()
        and "model" not in config.sources
        and not settings.offline
        and run_file.read(settings.run_file) is None
        and not Store(settings.home_path).models()
    )
    if starter is None or not first:
        return None
    from isthmus.cli.offers import offer  # needed once in a machine's life

    return offer(starter, settings)
