"""``POST /tokenize``, ``/detokenize`` and ``/apply-template``, as llama.cpp's server has them."""

from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.server.answering import ignoring
from isthmus.server.body import read_body
from isthmus.server.operation import Operation
from isthmus.server.state import served
from isthmus.server.streaming import unless_gone
from isthmus.wire.chat_request import parse_chat
from isthmus.wire.tokens import (
    DetokenizeBody,
    Detokenized,
    TemplateBody,
    Templated,
    TokenizeBody,
    TokenizeCall,
    Tokenized,
    parse_detokenize,
    parse_tokenize,
    tokenized,
)


@Operation(
    "Cut a text into tokens",
    tag="Models",
    body=TokenizeBody,
    example={"content": "The sky is blue."},
    answer=Tokenized,
)
async def tokenize(request: Request) -> Response:
    """Cut a text, or a conversation's prompt, into the tokens that a model makes of it."""
    call = parse_tokenize(await read_body(request))
    return _json(await unless_gone(request, partial(_tokenized, request, call)), call.ignored)


async def _tokenized(request: Request, call: TokenizeCall) -> Tokenized:
    models, key = served(request).models, request.state.key
    tokenizer = models.tokenizer(call.model, key=key)
    text, add_special = call.text, call.add_special
    if call.conversation is not None:
        text, add_special = await tokenizer.render(call.conversation), True
    tokens = await tokenizer.tokenize(text, special=call.special, add_special=add_special)
    pieces = await tokenizer.pieces(tokens) if call.pieces else None
    return tokenized(call, tokens, pieces, models.home(call.model, key=key).model.context_length)


@Operation(
    "Put tokens together",
    tag="Models",
    body=DetokenizeBody,
    example={"tokens": [504, 6376, 314]},
    answer=Detokenized,
)
async def detokenize(request: Request) -> Response:
    """Give the text of some tokens."""
    asked, ignored = parse_detokenize(await read_body(request))
    tokenizer = served(request).models.tokenizer(asked.model, key=request.state.key)
    text = await unless_gone(request, partial(tokenizer.detokenize, asked.tokens))
    return _json(Detokenized(text, text), ignored)


@Operation(
    "Show a conversation as the model reads it",
    tag="Models",
    body=TemplateBody,
    example={"messages": [{"role": "user", "content": "Why is the sky blue?"}]},
    answer=Templated,
)
async def apply_template(request: Request) -> Response:
    """Give the prompt that a model's template makes of a conversation."""
    call = parse_chat(await read_body(request))
    tokenizer = served(request).models.tokenizer(call.model, key=request.state.key)
    prompt = await unless_gone(request, partial(tokenizer.render, call.request))
    return _json(Templated(prompt), call.ignored)


def _json(value: object, ignored: tuple[str, ...]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=ignoring(ignored))
