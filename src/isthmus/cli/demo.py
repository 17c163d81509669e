"""``isthmus demo``: the hand-off, seen at work, without a key and without leaving this machine."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from msgspec import Struct

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import size
from isthmus.cli.answering import can_ask
from isthmus.cli.demo_hosted import hosted_side
from isthmus.cli.demo_scenes import Scenes
from isthmus.cli.progress import ProgressDisplay
from isthmus.cli.running import run
from isthmus.cli.session import open_switchboard, show_notice
from isthmus.configuration import Configuration
from isthmus.errors import UsageError
from isthmus.naming import parse_model
from isthmus.runtime.assembly import Talk, have_weights
from isthmus.settings import BudgetSettings, HandoffSettings, ProviderSettings, Settings
from isthmus.store import Store, find

_THRESHOLD = 0.63
"""A little more cautious than the built-in profile's: beginnings of answers don't decide here."""
_LENT = ("blobs", "models", "engines", "engines.json")
"""What the demo's homes have of the person's: weights, and what runs them. Not the ledger."""


class Cast(Struct, frozen=True):
    """Who plays: the model at home, and the larger one that passes for a hosted one, at its price."""

    home: str = "qwen2.5-coder:0.5b"
    hosted: str = "qwen2.5-coder:1.5b"
    input_usd_per_mtok: Decimal = Decimal("0.15")
    output_usd_per_mtok: Decimal = Decimal("0.60")


def demo(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: fetch, and consent.")] = False,
) -> None:
    """See the hand-off at work, without a key.

    Two models play it on this machine, the larger as if it were hosted, and nothing leaves. Your settings and
    your ledger stay as they are; the models (1.6 GB) are fetched if they aren't here.
    """
    if not (yes or can_ask()):
        raise UsageError(
            "the demo asks before anything is sent, and nobody is here to answer", hint="isthmus demo --yes"
        )
    config, cast = configuration.load(), Cast()
    missing = _missing(config.settings, cast)
    if missing and not yes and not typer.confirm(_offer(missing), default=True, err=True):
        return
    run(play(config, cast, yes=yes))


async def play(config: Configuration, cast: Cast, *, yes: bool) -> None:
    """Fetch what is missing, set both sides up, and show the scenes."""
    await _fetch(config, cast)
    with tempfile.TemporaryDirectory(prefix="isthmus-demo-") as name:
        home, away = Path(name, "home"), Path(name, "hosted")
        for each in (home, away):
            _lend(config.settings.home_path, each)
        scenes = Scenes(cast.home, cast.hosted, yes=yes)
        scenes.open()
        async with (
            _hosted(away, cast) as base_url,
            open_switchboard(_staged(config, home, cast, base_url)) as who,
        ):
            await scenes.play(who)
        scenes.close()


def _missing(settings: Settings, cast: Cast) -> list[str]:
    store = Store(settings.home_path)
    return [each for each in (cast.home, cast.hosted) if store.resolve(parse_model(each)) is None]


def _offer(missing: list[str]) -> str:
    total = sum(entry.size_bytes for name in missing if (entry := find(name)))
    return f"This fetches {' and '.join(missing)}, {size(total)}. Go on?"


async def _fetch(config: Configuration, cast: Cast) -> None:
    """Both models into the person's own store, side by side."""
    with ProgressDisplay() as progress:
        talk = Talk(progress, show_notice)
        async with anyio.create_task_group() as fetching:
            for name in {cast.home, cast.hosted}:
                fetching.start_soon(have_weights, parse_model(name), config, talk)


def _lend(theirs: Path, home: Path) -> None:
    """Make a home that has the person's models, and a ledger of its own."""
    home.mkdir()
    for name in _LENT:
        if (theirs / name).exists():
            (home / name).symlink_to((theirs / name).absolute())


@asynccontextmanager
async def _hosted(home: Path, cast: Cast) -> AsyncGenerator[str, None]:
    with ExitStack() as waiting:
        waiting.enter_context(console.stderr().status("starting the hosted side"))
        async with hosted_side(home, cast.hosted) as base_url:
            waiting.close()
            yield base_url


def _staged(config: Configuration, home: Path, cast: Cast, base_url: str) -> Configuration:
    """Settings for the demo alone: mode ask, a provider on this machine, a cap of a cent a question."""
    provider = ProviderSettings(
        base_url=base_url,
        model=cast.hosted,
        input_usd_per_mtok=cast.input_usd_per_mtok,
        output_usd_per_mtok=cast.output_usd_per_mtok,
    )
    settings = Settings(
        home=str(home),
        model=cast.home,
        engine=config.settings.engine,
        handoff=HandoffSettings(
            mode="ask",
            provider="hosted",
            threshold=_THRESHOLD,
            budget=BudgetSettings(request_usd=Decimal("0.01")),
        ),
        providers={"hosted": provider},
    )
    return msgspec.structs.replace(config, settings=settings, sources={}, keys={})
