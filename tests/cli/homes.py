"""Local models that are played from scripts, in the place where real ones are opened."""

from isthmus.cli import session
from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import UnknownModel
from isthmus.messages import Finish, ModelInfo, TextDelta, Usage


class PlayedModel(ScriptedEngine):
    """A scripted engine that knows its name, and whether it is open."""

    def __init__(self, name, *scripts):
        super().__init__(*scripts, model=ModelInfo(name, local=True))
        self.open = False

    async def close(self):
        self.open = False


def says(text):
    """The script of a whole answer."""
    return [TextDelta(text), Finish("stop", Usage(10, 2))]


def play(monkeypatch, *models):
    """Have these models, and no others, at home."""
    known = {each.model.name: each for each in models}

    async def open_home(configuration, name, talk):
        if name not in known:
            raise UnknownModel(f"there is no model named {name}", hint="isthmus list")
        known[name].open = True
        return known[name]

    monkeypatch.setattr(session, "open_home", open_home)


def beneath(runtime):
    """The model itself, beneath what gives effort to it."""
    home = runtime.home
    while hasattr(home, "_home"):
        home = home._home
    return home
