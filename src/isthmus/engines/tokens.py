"""Tokens as a model cuts them: over our own worker, and over a person's runner, as far as that lets us."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from isthmus.errors import IsthmusError, RequestError
from isthmus.messages import GenerationRequest
from isthmus.transport.chat_client import ChatClient, UpstreamError
from isthmus.wire.chat_body import render_chat

Post: TypeAlias = Callable[[str, bytes], Awaitable[Any]]
"""Has something done at a path of a worker; the JSON that comes back. Raises an engine's errors."""

Told: TypeAlias = Callable[[GenerationRequest], Awaitable[GenerationRequest]]

_NOT_THERE = (404, 405, 501)


class WorkerTokenizer:
    """A `Tokenizer` over our own worker.

    Args:
        post: Calls the worker.
        model: The model's name.
        vocabulary: How many tokens the model knows; 0 where the weights don't say.
        told: Makes of a conversation what the worker is told; None where that has been done.
    """

    def __init__(self, post: Post, model: str, vocabulary: int, told: Told | None = None) -> None:
        self._post = post
        self._model = model
        self._vocabulary = vocabulary
        self._told = told

    async def count(self, request: GenerationRequest) -> int:
        """The tokens of a request's prompt, template and tools included.

        Raises:
            RequestError: The model's template refuses the conversation.
        """
        if isinstance(request.raw, tuple):
            return len(request.raw)
        if request.raw is not None:
            return len(await self.tokenize(request.raw, special=True, add_special=True))
        body = await self._body(request)
        return int((await self._post("/chat/completions/input_tokens", body))["input_tokens"])

    async def tokenize(self, text: str, *, special: bool = False, add_special: bool = False) -> list[int]:
        """A text's tokens."""
        return (await self._cut(content=text, parse_special=special, add_special=add_special))["tokens"]

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each of some tokens stands for.

        Raises:
            RequestError: The model has no such token.
        """
        self._check(tokens)
        if not tokens:
            return []
        cut = (await self._cut(content=list(tokens), with_pieces=True))["tokens"]
        pieces = (each["piece"] for each in cut)
        return [piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of some tokens.

        Raises:
            RequestError: The model has no such token.
        """
        return b"".join(await self.pieces(tokens)).decode(errors="replace")

    async def render(self, request: GenerationRequest) -> str:
        """The prompt of a request as the model reads it.

        Raises:
            RequestError: The model's template refuses the conversation.
        """
        if isinstance(request.raw, tuple):
            return await self.detokenize(request.raw)
        if request.raw is not None:
            return request.raw
        body = await self._body(request)
        return (await self._post("/apply-template", body))["prompt"]

    async def _body(self, request: GenerationRequest) -> bytes:
        told = request if self._told is None else await self._told(request)
        return render_chat(told, self._model, "llama")

    async def _cut(self, **asked: Any) -> Any:
        return await self._post("/tokenize", msgspec.json.encode(asked))

    def _check(self, tokens: Sequence[int]) -> None:
        unknown = [each for each in tokens if each < 0 or (self._vocabulary and each >= self._vocabulary)]
        if unknown:
            raise RequestError(
                f"{self._model} has no token {unknown[0]}, only 0 to {self._vocabulary - 1}", param="tokens"
            )


class RunnerTokenizer:
    """A `Tokenizer` over a runner that takes ``/tokenize`` as llama-server and vLLM do; most don't.

    All methods raise `RequestError` where it doesn't.

    Args:
        client: Calls the runner, at its address without the version.
        name: What the settings call it.
        model: The model's name there.
        judge: Whose fault an error was.
    """

    def __init__(
        self, client: ChatClient, name: str, model: str, judge: Callable[[UpstreamError], IsthmusError]
    ) -> None:
        self._client = client
        self._name = name
        self._model = model
        self._judge = judge

    async def count(self, request: GenerationRequest) -> int:
        """The tokens of a request's prompt, template and tools included."""
        if isinstance(request.raw, tuple):
            return len(request.raw)
        if request.raw is not None:
            return len(await self.tokenize(request.raw, special=True, add_special=True))
        body = render_chat(request, self._model, "runner")
        return int(await self._ask("/v1/chat/completions/input_tokens", body, "input_tokens"))

    async def tokenize(self, text: str, *, special: bool = False, add_special: bool = False) -> list[int]:
        """A text's tokens."""
        # Each of the two passes over the other's parameters.
        asked = {
            "model": self._model,
            "prompt": text,
            "content": text,
            "parse_special": special,
            "add_special": add_special,
            "add_special_tokens": add_special,
        }
        return list(await self._ask("/tokenize", msgspec.json.encode(asked), "tokens"))

    async def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each of some tokens stands for, as far as text can say it."""
        return [(await self.detokenize([each])).encode() for each in tokens]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of some tokens."""
        asked = {"model": self._model, "tokens": list(tokens)}
        return str(await self._ask("/detokenize", msgspec.json.encode(asked), "content", "prompt"))

    async def render(self, request: GenerationRequest) -> str:
        """The prompt of a request as the model reads it."""
        if isinstance(request.raw, str):
            return request.raw
        if request.raw is not None:
            return await self.detokenize(request.raw)
        body = render_chat(request, self._model, "runner")
        return str(await self._ask("/apply-template", body, "prompt"))

    async def _ask(self, path: str, body: bytes, *names: str) -> Any:
        """What the runner says under one of the names."""
        try:
            reply = await self._client.post(path, body)
        except UpstreamError as error:
            if error.status in _NOT_THERE:
                raise RequestError(f"{self._name} has no {path}, so its tokens can't be known") from error
            raise self._judge(error) from error
        said = cast("dict[str, Any]", reply) if isinstance(reply, dict) else {}
        for name in names:
            if name in said:
                return said[name]
        raise RequestError(f"{self._name} doesn't answer {path} as llama-server or vLLM would")
