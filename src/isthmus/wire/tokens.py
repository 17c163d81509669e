"""Tokenizing requests and answers, in the words of llama.cpp's server and of vLLM's."""

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest
from isthmus.wire.chat_messages import ChatMessage
from isthmus.wire.chat_request import parse_chat
from isthmus.wire.decoding import BodyDecoder

_TokenId: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class TokenizeBody(Struct):
    """llama.cpp's ``content``, or vLLM's ``prompt`` or ``messages``: one of the three."""

    model: str | None = None
    content: str | None = None
    add_special: bool = False
    parse_special: bool = True
    with_pieces: bool = False
    prompt: str | None = None
    messages: list[ChatMessage] | None = None
    tools: list[dict[str, Any]] | None = None
    add_special_tokens: bool = True
    return_token_strs: bool = False


class DetokenizeBody(Struct):
    """Tokens to be put together."""

    tokens: list[_TokenId]
    model: str | None = None


class TemplateBody(Struct):
    """A conversation, as Chat Completions have it."""

    messages: list[ChatMessage]
    model: str | None = None
    tools: list[dict[str, Any]] | None = None


class Piece(Struct):
    """A token and what it stands for: text, or bytes where it is a part of a character."""

    id: int
    piece: str | list[int]


class Tokenized(Struct, omit_defaults=True):
    """A text's tokens; what follows them is vLLM's. ``max_model_len`` is the allocated context."""

    tokens: list[int | Piece]
    count: int | None = None
    max_model_len: int | None = None
    token_strs: list[str] | None = None


class Detokenized(Struct):
    """A text, under llama.cpp's name for it and under vLLM's."""

    content: str
    prompt: str


class Templated(Struct):
    """A prompt as the model reads it."""

    prompt: str


class TokenizeCall(Struct, frozen=True):
    """A parsed request: a text, or a conversation whose prompt is to be cut.

    ``counted``: it is asked as vLLM is, and so is the answer.
    """

    model: str | None
    text: str
    conversation: GenerationRequest | None
    special: bool
    add_special: bool
    pieces: bool
    counted: bool
    ignored: tuple[str, ...]


_TOKENIZE = BodyDecoder(TokenizeBody, {})
_DETOKENIZE = BodyDecoder(DetokenizeBody, {})


def parse_tokenize(body: bytes) -> TokenizeCall:
    """Read a request to cut a text, or a conversation's prompt, into tokens.

    Raises:
        RequestError: Not JSON, a parameter of the wrong type, or not one text.
    """
    asked = _TOKENIZE.decode(body)
    given = [name for name in ("content", "prompt", "messages") if getattr(asked, name) is not None]
    if len(given) != 1:
        what = " and ".join(given) if given else "none of them"
        raise RequestError(
            f"one of content, prompt and messages is to be cut, and the request has {what}",
            param=given[-1] if given else "content",
        )
    counted = asked.content is None
    return TokenizeCall(
        model=asked.model,
        text=asked.content or asked.prompt or "",
        conversation=parse_chat(body).request if asked.messages is not None else None,
        special=True if counted else asked.parse_special,
        add_special=asked.add_special_tokens if counted else asked.add_special,
        pieces=asked.return_token_strs if counted else asked.with_pieces,
        counted=counted,
        ignored=_TOKENIZE.unknown(body),
    )


def parse_detokenize(body: bytes) -> tuple[DetokenizeBody, tuple[str, ...]]:
    """Read a request to put tokens together; also the names of the parameters that have no effect.

    Raises:
        RequestError: Not JSON, or a parameter of the wrong type.
    """
    return _DETOKENIZE.decode(body), _DETOKENIZE.unknown(body)


def tokenized(
    call: TokenizeCall, tokens: list[int], pieces: list[bytes] | None, context_length: int | None
) -> Tokenized:
    """The answer, in the words of the request.

    Args:
        call: What was asked.
        tokens: The text's.
        pieces: What each of them stands for, where that was asked.
        context_length: Of the model, in tokens.
    """
    if not call.counted:
        if pieces is None:
            return Tokenized([*tokens])
        return Tokenized([Piece(token, _shown(piece)) for token, piece in zip(tokens, pieces, strict=True)])
    texts = None if pieces is None else [piece.decode(errors="replace") for piece in pieces]
    return Tokenized([*tokens], len(tokens), context_length, texts)


def _shown(piece: bytes) -> str | list[int]:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)
