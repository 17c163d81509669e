"""The pool: what a model said to each request, drawn once, kept, and said again to every policy.

A `Recorded` generator stands where the model does. What the pool holds for a request it plays, token by
token and the samples of a request side by side, as a batch comes; what is missing it asks the model for, if
there is one, and keeps. So one piece of code draws the pool and replays it, for the product's own policies.

A line is a draw; it is on disk before the next request is made, and a line that a kill cut short is dropped.
"""

import gzip
import json
import time
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.rows import append_line, whole_lines
from isthmus.messages import Finish, ModelInfo, TextDelta, TokenScore, TokenScores, Usage

SAID = ("temperature", "top_p", "top_k", "min_p", "stop", "response_format", "grammar", "template")
"""What of a request, beside its messages, decides what is drawn."""


class Draw(Struct, frozen=True, omit_defaults=True):
    """One answer of a model; ``draw`` counts those to the same request.

    ``seconds`` went by from the request on until it ended; ``beside`` as many were drawn in the same batch.
    ``rivals`` are the likeliest first tokens with their log-probabilities, where a request asks for them.
    """

    key: str
    draw: int
    model: str
    set: str
    row: int
    text: str
    tokens: int
    prompt_tokens: int
    mean_logprob: float | None
    finish: str
    seconds: float
    beside: int
    rivals: tuple[tuple[str, float], ...] = ()


class NotDrawn(Exception):
    """The pool doesn't hold what a request asks for, and there is no model to ask."""


class Pool:
    """The draws of a file, or of its gzip, by request; new ones are appended to the file."""

    def __init__(self, path):
        self.path = Path(path)
        self._draws = defaultdict(list)
        packed = packed_path(self.path)
        if packed.exists():
            lines = gzip.decompress(packed.read_bytes()).splitlines()
            self._take(msgspec.json.decode(line, type=Draw) for line in lines)
        self._take(whole_lines(self.path, Draw))

    def __len__(self):
        return sum(len(each) for each in self._draws.values())

    def draws(self, key):
        return self._draws[key]

    def add(self, draw):
        append_line(self.path, draw)
        self._draws[draw.key].append(draw)

    def pack(self):
        """Write all draws as one gzip, beside which the file is needed no more."""
        ordered = sorted(
            (draw for each in self._draws.values() for draw in each),
            key=lambda draw: (draw.set, draw.model, draw.row, draw.key, draw.draw),
        )
        lines = b"".join(msgspec.json.encode(draw) + b"\n" for draw in ordered)
        packed_path(self.path).write_bytes(gzip.compress(lines, mtime=0))
        self.path.unlink(missing_ok=True)

    def _take(self, draws):
        known = {(draw.key, draw.draw) for each in self._draws.values() for draw in each}
        for draw in draws:
            if (draw.key, draw.draw) not in known:
                self._draws[draw.key].append(draw)


class Recorded:
    """A `Generator` that says what the pool holds for one question.

    Args:
        pool: The draws.
        question: Whose they are.
        model: Who drew them.
        home: The model, asked for what is missing; without one that raises `NotDrawn`.
        pace: Seconds that a token takes, by how many samples are written side by side, and those of reading
            the prompt; see `benchmarks.reasoning_pace`.

    ``tokens`` counts what was played so far, ``seconds`` what it would have taken at that pace; ``draws`` are
    those that were begun.
    """

    def __init__(self, pool, question, model, home=None, pace=None):
        self.model = ModelInfo(model, local=True, context_length=8192)
        self.tokens, self.seconds = 0, 0.0
        self.draws = []
        self._pool, self._question, self._home, self._pace = pool, question, home, pace
        self._played = Counter()

    async def stream(self, request):
        key = key_of(self.model.name, request)
        first = 0 if request.temperature == 0 else self._played[key]
        self._played[key] += request.n
        await self._fill(key, request, first + request.n)
        draws = self._pool.draws(key)[first : first + request.n]
        self.draws += draws
        if self._pace:
            self.seconds += self._pace.prompt_s(draws[0].prompt_tokens)
        for event in played([_within(draw, request.max_tokens) for draw in draws], request):
            if isinstance(event, int):
                self.tokens += event
                self.seconds += self._pace.step_s(event) if self._pace else 0.0
            else:
                yield event

    async def close(self):
        """The model is somebody else's to close."""

    async def _fill(self, key, request, wanted):
        """Draw what the pool lacks, all of it in one batch."""
        missing = wanted - len(self._pool.draws(key))
        if missing <= 0:
            return
        if self._home is None:
            raise NotDrawn(f"{self._question.set} row {self._question.row}: {missing} missing")
        # A seed would have each batch say the same.
        asked = msgspec.structs.replace(
            request, n=missing, seed=None, top_logprobs=max(1, request.top_logprobs or 0)
        )
        for draw in await drawn(self._home, asked, self._question, key, wanted - missing):
            self._pool.add(draw)


async def drawn(home, request, question, key, first=0):
    """What a model says to a request, as draws of which the first has the number ``first``."""
    began = time.perf_counter()
    texts, scores = [""] * request.n, [[] for _ in range(request.n)]
    rivals, ends, prompt_tokens = [()] * request.n, {}, 0
    async for event in home.stream(request):
        if isinstance(event, TextDelta):
            texts[event.index] += event.text
        elif isinstance(event, TokenScores):
            if not scores[event.index] and request.top_logprobs > 1:
                rivals[event.index] = tuple((each.token, each.logprob) for each in event.tokens[0].top)
            scores[event.index] += [each.logprob for each in event.tokens]
        elif isinstance(event, Finish):
            ends[event.index] = event.reason, round(time.perf_counter() - began, 2)
            prompt_tokens = event.usage.prompt_tokens if event.usage else prompt_tokens
    return [
        Draw(
            key=key,
            draw=first + index,
            model=home.model.name,
            set=question.set,
            row=question.row,
            text=text,
            tokens=len(logprobs),
            prompt_tokens=prompt_tokens,
            mean_logprob=round(sum(logprobs) / len(logprobs), 4) if logprobs else None,
            finish=ends[index][0],
            seconds=ends[index][1],
            beside=request.n,
            rivals=rivals[index],
        )
        for index, (text, logprobs) in enumerate(zip(texts, scores, strict=True))
    ]


def played(draws, request):
    """The events of some draws written side by side, a token of each in turn; before each turn, how many."""
    going = dict(enumerate(draws))
    written = 0
    while going:
        yield sum(written < draw.tokens for draw in going.values())
        for index, draw in list(going.items()):
            if written < draw.tokens:
                piece = _piece(draw.text, written, draw.tokens)
                if request.top_logprobs is not None and draw.mean_logprob is not None:
                    rivals = () if written else tuple(TokenScore(*each) for each in draw.rivals)
                    yield TokenScores((TokenScore(piece, draw.mean_logprob, rivals),), index)
                yield TextDelta(piece, index)
            if written + 1 >= draw.tokens:
                del going[index]
                usage = None if going else Usage(draw.prompt_tokens, sum(each.tokens for each in draws))
                yield Finish(draw.finish, usage, index=index)
        written += 1


def key_of(model, request):
    """What tells a request from others: the model, the messages, how it is sampled; not its length."""
    messages = [[message.role, message.text] for message in request.messages]
    told = {name: value for name in SAID if (value := getattr(request, name)) not in (None, ())}
    return sha256(json.dumps([model, messages, told], sort_keys=True).encode()).hexdigest()[:16]


def packed_path(path):
    return path.with_name(path.name + ".gz")


def _within(draw, max_tokens):
    """A draw as it would have been under a lower limit."""
    if max_tokens is None or draw.tokens <= max_tokens:
        return draw
    cut = draw.text[: len(draw.text) * max_tokens // draw.tokens]
    return msgspec.structs.replace(draw, text=cut, tokens=max_tokens, finish="length")


def _piece(text, place, pieces):
    return text[len(text) * place // pieces : len(text) * (place + 1) // pieces]
