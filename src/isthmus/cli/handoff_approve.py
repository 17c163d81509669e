"""``isthmus handoff pending``, ``approve`` and ``decline``: consent that is given later."""

import os
from typing import Annotated

import typer

from isthmus import configuration
from isthmus.cli import console
from isthmus.cli.amounts import moment
from isthmus.cli.answering import AnswerView, can_ask
from isthmus.cli.consent import Leaving, ask, offer, show
from isthmus.cli.handoff_desk import Desk, open_desk
from isthmus.cli.options import Json
from isthmus.cli.running import run
from isthmus.cli.server_control import running_server
from isthmus.configuration import Configuration
from isthmus.errors import HandoffRefused, NotFound
from isthmus.ledger import show_usd
from isthmus.server.handoff_shapes import PendingItem, PendingPreview
from isthmus.store.disk import storage_errors

HEADER = ("ID", "ASKED", "KEY", "QUESTION", "WOULD GO TO", "AT MOST")

_PRIVATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_ID_SHOWN = 12
_QUESTION_SHOWN = 48

Id = Annotated[str, typer.Argument(metavar="ID", help="As the answer gave it; its beginning will do.")]


def pending(
    page: Annotated[
        bool, typer.Option("--page", help="Open the page of the running server that does the same.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the questions that wait for your consent.

    They came where nobody could be asked, such as over an API in mode ask, and were answered from home.
    """
    config = configuration.load()
    if page:
        _open_page(config)
        return
    found = run(_waiting(config))
    if as_json:
        console.write_json(found)
    elif found:
        console.write_table(HEADER, [_row(each) for each in found])
        console.say(f"See one, and decide: isthmus handoff approve {found[0].id[:_ID_SHOWN]}")
    else:
        console.say("Nothing waits for your consent.")


def approve(
    id_: Id, yes: Annotated[bool, typer.Option("--yes", "-y", help="Send it without asking again.")] = False
) -> None:
    """Send a question that waits for your consent, once, and stream the answer.

    It shows what would leave, to whom and at what price, and asks.
    """
    config = configuration.load()
    run(_approve(config, id_, yes=yes))


def decline(id_: Id) -> None:
    """Decline a question that waits for your consent: it is never sent, and its text is deleted."""
    run(_decline(configuration.load(), id_))
    console.say("Declined.")


async def _waiting(config: Configuration) -> list[PendingItem]:
    async with open_desk(config) as desk:
        return await desk.waiting()


async def _approve(config: Configuration, typed: str, *, yes: bool) -> None:
    async with open_desk(config) as desk:
        shown = await desk.look(await _whole_id(desk, typed))
        what = _leaving(shown)
        console.say(f"{shown.decision['reason'].replace('_', ' ').capitalize()}. {offer(what)}")
        if yes:
            show(what)
        elif not can_ask():
            raise HandoffRefused(
                "there is nobody to agree", hint=f"isthmus handoff approve {shown.id[:_ID_SHOWN]} --yes"
            )
        elif await ask(what) != "yes":
            console.say("Nothing was sent; it still waits.")
            return
        view = AnswerView(config.settings.show_reasoning)
        await view.show(desk.approve(shown))


async def _decline(config: Configuration, typed: str) -> None:
    async with open_desk(config) as desk:
        await desk.decline(await _whole_id(desk, typed))


async def _whole_id(desk: Desk, typed: str) -> str:
    """The id of which a beginning was typed; what begins none of those that wait is left as it is."""
    ids = [each.id for each in await desk.waiting() if each.id.startswith(typed)]
    if len(ids) > 1 and typed not in ids:
        raise NotFound(f"{len(ids)} ids begin with {typed}", hint="isthmus handoff pending --json")
    return ids[0] if len(ids) == 1 else typed


def _leaving(shown: PendingPreview) -> Leaving:
    return Leaving(
        provider=shown.provider,
        model=shown.model,
        host=shown.host,
        worst_usd=shown.worst_usd,
        content=shown.leaves,
        size_bytes=shown.sent_bytes,
        redacted=shown.redacted,
        placeholders=shown.placeholders,
        alternatives=shown.alternatives,
    )


def _row(item: PendingItem) -> tuple[str, ...]:
    words = " ".join(item.question.split())
    return (
        item.id[:_ID_SHOWN],
        moment(item.created),
        item.key or "",
        words if len(words) <= _QUESTION_SHOWN else f"{words[: _QUESTION_SHOWN - 1]}…",
        f"{item.provider}: {item.model}",
        show_usd(item.worst_usd),
    )


def _open_page(config: Configuration) -> None:
    """Have a browser open the page with this person's key, by way of a file that only they can read.

    A command line is anybody's to see while the command runs; what stands behind the # no browser sends.
    """
    server = running_server(config.settings)
    address = f"{server.base_url.removesuffix('/v1')}/handoff"
    way = config.settings.home_path / "handoff-page.html"
    with storage_errors(way), os.fdopen(os.open(way, _PRIVATE, 0o600), "w", encoding="utf-8") as file:
        file.write(f'<meta http-equiv="refresh" content="0; url={address}#key={server.secret.reveal()}">')
    if typer.launch(way.as_uri()) != 0:
        console.say(f"Open {address} and give it a key: isthmus key create NAME --scope manage")
