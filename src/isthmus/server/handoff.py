"""What waits for consent: listed, shown, approved, declined, at ``/isthmus/handoff``; the page ``/handoff``.

Who may decide: the person whose server it is, a key that may manage, and the key that asked. Where no key is
needed, whoever knows the id of a hand-over that came without one: ids are 128 random bits that only the asker
was told. A list would tell them to every user of the machine, so it takes a key even there.
"""

from functools import partial

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from isthmus.errors import AccessDenied, AlreadyDecided, ForeignOrigin, NotFound
from isthmus.ledger import Pending
from isthmus.messages import Route
from isthmus.server.answering import headers, streamed, whole, within
from isthmus.server.body import as_json, read_body
from isthmus.server.chunked import chunks, stamp
from isthmus.server.cors import from_elsewhere
from isthmus.server.exchange import exchange_of
from isthmus.server.handoff_shapes import (
    Approval,
    Declined,
    PendingItem,
    PendingList,
    PendingPreview,
    item_of,
    preview_of,
)
from isthmus.server.operation import Operation
from isthmus.server.pages import page_file
from isthmus.server.state import served
from isthmus.wire import sse
from isthmus.wire.call import Call
from isthmus.wire.chat_answer import ChatChunk, ChatCompletion
from isthmus.wire.chat_writer import ChatChunkWriter, render_completion
from isthmus.wire.decoding import BodyDecoder

_PAGE_FILES = frozenset({"handoff.css", "handoff.js"})


_APPROVAL = BodyDecoder(Approval, {})


@Operation("List what waits for consent", tag="Hand-off", answer=PendingList)
async def list_pending(request: Request) -> Response:
    """Questions that would be handed over if you agreed; a key that may only ask sees its own."""
    key = exchange_of(request).key
    if not request.state.own and key is None:
        raise AccessDenied(
            "the list of what waits takes a key", hint="isthmus handoff pending, or send an API key"
        )
    whose = None if key is None or "manage" in key.scopes else key.name
    pending = served(request).approver.pending
    found = await anyio.to_thread.run_sync(pending.waiting, whose)
    return as_json(PendingList([item_of(each, pending.hours) for each in found]))


@Operation("Show what would leave", tag="Hand-off", answer=PendingPreview | PendingItem)
async def preview_pending(request: Request) -> Response:
    """Exactly what would be sent, to whom, at what price; of one that is decided, what became of it."""
    found, approver = await _found(request), served(request).approver
    if found.status != "pending":
        return as_json(item_of(found, approver.pending.hours))
    return as_json(preview_of(await approver.preview(found.id), approver.pending.hours))


@Operation(
    "Send what waits",
    tag="Hand-off",
    body=Approval,
    example={"stream": True},
    answer=ChatCompletion,
    pieces=ChatChunk,
)
async def approve_pending(request: Request) -> Response:
    """Consent: it is sent, once, and the hosted answer comes back as a chat completion."""
    service = served(request)
    body = await read_body(request)
    asked = _APPROVAL.decode(body) if body.strip() else Approval()
    shown = await service.approver.preview((await _found(request)).id)
    if asked.digest not in (None, shown.digest):
        raise AlreadyDecided("what would leave has changed since it was shown", hint="look at it again")
    call = Call(request=shown.pending.request, model=None, stream=asked.stream)
    events = service.approver.send(shown, exchange_of(request))
    if timeout_s := service.settings.request_timeout_s:
        events = within(events, timeout_s)
    if call.stream:

        def writer(route: Route | None) -> ChatChunkWriter:
            return ChatChunkWriter(stamp("chatcmpl", route), choices=call.request.n, include_usage=True)

        return await streamed(request, call, events, partial(chunks, events, writer), ping=sse.PING)
    completion = await whole(request, events)
    marks = stamp("chatcmpl", completion.route)
    answer = render_completion(completion, marks, logprobs=call.request.top_logprobs is not None)
    return Response(answer, media_type="application/json", headers=headers(completion.route, call))


@Operation("Decline what waits", tag="Hand-off", answer=Declined)
async def decline_pending(request: Request) -> Response:
    """It is never sent, and its text is deleted."""
    found = await _found(request)
    await anyio.to_thread.run_sync(served(request).approver.pending.decline, found.id)
    return as_json(Declined(found.id))


@Operation("The page where consent is given", tag="Hand-off", text="text/html", open=True)
async def handoff_page(request: Request) -> Response:
    """What waits, as it would leave beside what was asked; its key stays in the page."""
    return page_file("handoff.html")


@Operation("What that page is made of", tag="Hand-off", text="text/plain", open=True)
async def handoff_file(request: Request) -> Response:
    """Its style and script."""
    name = request.path_params["name"]
    if name not in _PAGE_FILES:
        raise NotFound(f"there is nothing at /handoff/{name}")
    return page_file(name)


# ---------------------------------------------------------------- who may, and what they see


async def _found(request: Request) -> Pending:
    """The hand-over that the path names, if the caller may decide it; others learn nothing of it.

    Raises:
        NotFound: There is none of that id, or it is another's.
        ForeignOrigin: Another site's page asks, with nothing but its place in this person's browser.
    """
    id_ = request.path_params["id"]
    found = await anyio.to_thread.run_sync(served(request).approver.pending.get, id_)
    if request.state.own:
        return found
    key = exchange_of(request).key
    if key is None:
        _check_page(request)
    if found.key != (key.name if key else None) and not (key and "manage" in key.scopes):
        raise NotFound(f"nothing waits for consent under the id {id_[:64]!r}", hint="isthmus handoff pending")
    return found


def _check_page(request: Request) -> None:
    """Whether a request without a key comes from our own page, or from no page; CORS settings don't count."""
    if from_elsewhere(request):
        raise ForeignOrigin("pages of other sites can't give consent", hint="open /handoff on this server")
