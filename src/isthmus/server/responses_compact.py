"""OpenAI's ``/v1/responses/compact``: a conversation summed up."""

from starlette.requests import Request
from starlette.responses import Response

from isthmus.server.answering import begin, headers, heeding, whole
from isthmus.server.body import read_body
from isthmus.server.operation import Operation
from isthmus.server.responses import composed
from isthmus.server.state import served
from isthmus.wire.responses_answer import CompactedResponse
from isthmus.wire.responses_compact import CompactRequest, parse_compact, render_compacted, summing_up


@Operation(
    "Compact a conversation",
    tag="OpenAI",
    body=CompactRequest,
    example={"model": "", "input": "We agreed to meet on Tuesday."},
    answer=CompactedResponse,
)
async def compact_response(request: Request) -> Response:
    """Sum a conversation up, so that it can be gone on from in less room."""
    asked = parse_compact(await read_body(request))
    call = summing_up(heeding(request, await composed(asked, served(request), request.state.key)))
    completion = await whole(request, begin(request, call))
    said = headers(completion.route, call)
    return Response(render_compacted(call, completion), media_type="application/json", headers=said)
