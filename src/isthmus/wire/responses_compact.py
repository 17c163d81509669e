"""Compaction: of a conversation that has grown long its person's words stay; the rest becomes one item.

The model sums it up. A small one does so badly, which is why the words that it can't do without stay.
"""

import time
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.messages import HandoffMode, Message
from isthmus.wire.call import Extension
from isthmus.wire.decoding import BodyDecoder
from isthmus.wire.gathered import Completion
from isthmus.wire.remarks import remarks
from isthmus.wire.responses_items import marked, new_id, read_input
from isthmus.wire.responses_request import (
    Asked,
    Count,
    ResponsesCall,
    ResponsesRequest,
    stays_home,
)
from isthmus.wire.responses_summary import packed
from isthmus.wire.responses_writer import render_usage

_TASK = (
    "Summarize this conversation, so that it can be continued from the summary alone. Keep all facts: names, "
    "numbers, dates, paths, decisions, results, and what is still open. Write only the summary."
)
_LONGEST = 2048
"""Tokens of a summary and the thinking before it: one without bounds wouldn't be compact."""


class CompactRequest(Struct):
    """A request as it came. What has no effect here, and is no reason for a warning, stands at its end."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: Count | None = None
    """Ours: how long the summary may be, with the thinking before it."""
    isthmus: Extension | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    service_tier: str | None = None


_DECODER = BodyDecoder(CompactRequest, {"handoff": HandoffMode})


def parse_compact(body: bytes) -> Asked:
    """Read a request to compact a conversation.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type; ``param`` names it.
    """
    given = _DECODER.decode(body)
    conversation = ResponsesRequest(
        model=given.model,
        instructions=given.instructions,
        previous_response_id=given.previous_response_id,
        max_output_tokens=given.max_output_tokens or _LONGEST,
        isthmus=given.isthmus,
    )
    return Asked(conversation, read_input(given.input), _DECODER.unknown(body), store=False)


def summing_up(call: ResponsesCall) -> ResponsesCall:
    """The request for the summary of a conversation."""
    messages = (*call.request.messages, Message("user", _TASK))
    thinking = (call.request.max_tokens or _LONGEST) // 2
    request = msgspec.structs.replace(call.request, messages=messages, reasoning_budget=thinking)
    return msgspec.structs.replace(call, request=request)


def render_compacted(call: ResponsesCall, completion: Completion) -> bytes:
    """The conversation as it can be gone on from: as it was, if the model had nothing to say of it.

    Args:
        call: The request for its summary.
        completion: The summary.
    """
    stays = stays_home(call, completion.route)
    output = [*call.history, *call.items]
    if summary := completion.text.strip():
        content = packed(summary, home_only=stays)
        item = {"id": new_id("cmp"), "type": "compaction", "encrypted_content": content}
        output = [*(each for each in output if each.get("role") == "user"), item]
    return msgspec.json.encode(
        {
            "id": new_id("resp"),
            "object": "response.compaction",
            "created_at": int(time.time()),
            "output": marked(output) if stays else output,
            "usage": render_usage(completion.usage),
            "isthmus": remarks(completion.route, completion.last, completion.notices),
        }
    )
