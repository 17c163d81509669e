"""Conversations that stay with whoever answered them, unless it is worth changing hands.

To change hands costs something, beside the answer itself: a hosted model reads the conversation at the full
price instead of the cached one, and the model at home must read what was said elsewhere before it can go on.
Both grow with the conversation. So the threshold of the estimate shifts towards whoever answered last:

    threshold' = threshold + shift,     shift = side * stickiness * (1 - exp(-cost / WORTH_USD))

with side +1 where home answered last, -1 where the hosted model did, 0 where nobody knows, and

    cost of leaving = n * (p - c) + a * s * v             [dollars]
    cost of coming  = u * s * v + n * (p - c) / 2

where n is the conversation's length in tokens, u those of it that home has not read yet, p and c a prompt
token's price in full and from the cache, s the seconds in which home reads a token, v what a second is worth,
and a the tokens of an answer. Leaving counts the way back: home must read the hosted answer once. Coming home
counts half of a cold cache: whether the conversation has to leave again, nobody knows. For small costs this
is the rule of expected gain (hand over where P(wrong) times what a right answer is worth exceeds what it
costs), and it never forbids anything: a hard enough step leaves, an easy enough one comes home.

Who answered is known by the conversation's beginnings (`turns`), in this process's memory; after a restart
nobody knows, and the shift is 0 once.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from isthmus.handoff.conversations.turns import Boundary, followed, trail
from isthmus.messages import Event, Finish, GenerationRequest, Message, ModelInfo, Target
from isthmus.wire.gathered import Completion

WORTH_USD = 0.01
"""The cost at which the shift has come to 63% of what it can be."""
SECOND_USD = 0.0006
"""What a second of waiting is worth: about two dollars an hour."""
ANSWER_TOKENS = 400
PREFILL_S = 0.002
"""Seconds in which home reads a token, until it was measured: 500 tokens a second."""
_CHARACTERS = 4
"""Of a token, in English text."""
_MEASURED = 64
"""Tokens that a prompt has at least for its reading to be a measurement."""
_IMAGE_TOKENS = 1000
_QUESTION = 2000
"""Characters: what a tool gives and is longer is a document."""
_ASKS = re.compile(r"(?<=\w)\?[\"')\]]*(?:\s|$)")
_REMEMBERED = 20_000
"""Beginnings of conversations; about 200 bytes each."""


class CachePrice(Struct, frozen=True):
    """What the hosted model takes for a million tokens of a prompt, in dollars."""

    input_usd: Decimal
    cached_usd: Decimal


class Standing(Struct, frozen=True):
    """How a conversation stands before its next answer.

    Attributes:
        last: Who answered last; None where nobody knows.
        tokens: Its length, as far as can be told without its model's tokenizer.
        unread: How many of them home has not read yet.
        prefill_s: Seconds in which home reads a token.
        hosted_turns: The places of the messages that the hosted model is known to have written.
    """

    last: Target | None = None
    tokens: int = 0
    unread: int = 0
    prefill_s: float = PREFILL_S
    hosted_turns: frozenset[int] = frozenset()


def switching_shift(standing: Standing, price: CachePrice | None, stickiness: float) -> float:
    """By how much the threshold shifts because changing hands costs something.

    Args:
        standing: How the conversation stands.
        price: The hosted model's; None where only the time counts.
        stickiness: The most that it can be.

    Returns:
        At most ``stickiness`` and at least ``-stickiness``: above 0 where home answered last.
    """
    if standing.last not in ("local", "hosted"):
        return 0.0
    cold_usd = 0.0
    if price is not None:
        saved = max(price.input_usd - price.cached_usd, Decimal(0))
        cold_usd = standing.tokens * float(saved) / 1e6
    read_usd = standing.prefill_s * SECOND_USD
    if standing.last == "local":
        cost_usd, side = cold_usd + ANSWER_TOKENS * read_usd, 1
    else:
        cost_usd, side = standing.unread * read_usd + cold_usd / 2, -1
    # What a first question would cost alike is no reason to stay: a conversation that is short has no band.
    cost_usd *= standing.tokens / (standing.tokens + ANSWER_TOKENS)
    return side * stickiness * -math.expm1(-cost_usd / WORTH_USD)


def asked_in(messages: Sequence[Message]) -> str:
    """What the next answer is to: the person's last message, and what tools ask since the last answer.

    In an agent's loop the person speaks once, and tools bring the steps. One that gives a question ("Task 7:
    how many apples are left?") makes the step as hard as that is; files, listings and logs ask nothing.
    """
    said = [message.text for message in messages if message.role == "user"]
    text = said[-1] if said else ""
    given: list[str] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        if len(message.text) <= _QUESTION and _ASKS.search(message.text):
            given.append(message.text)
    return "\n".join((text, *reversed(given))) if given else text


def needs(request: GenerationRequest, model: ModelInfo) -> str | None:
    """What a request needs and the model at home doesn't have: "vision", "tools".

    Of pictures those count that the person's last two messages, or what tools gave since, hold: an earlier
    one was answered, and the question after it too. `translation` leaves it out.
    """
    if not model.vision and any(message.images for message in request.messages[_recent(request.messages) :]):
        return "vision"
    return "tools" if request.tools and not model.tools else None


def _recent(messages: tuple[Message, ...]) -> int:
    """The place from which on a person's last two messages stand."""
    asked = [place for place, message in enumerate(messages) if message.role == "user"]
    return asked[-2] if len(asked) > 1 else 0


class Conversations:
    """Who answered the conversations under way. For one thread.

    Args:
        stickiness: The most by which the threshold may shift.
        price: The hosted model's; None where only the time counts.
        most: How many beginnings are remembered; the longest unused are forgotten.
    """

    def __init__(
        self, stickiness: float = 0.0, price: CachePrice | None = None, *, most: int = _REMEMBERED
    ) -> None:
        self._stickiness = stickiness
        self._price = price
        self._answered: OrderedDict[bytes, Target] = OrderedDict()
        self._most = most
        self._prefill_s = PREFILL_S

    def follow(self, request: GenerationRequest) -> "Followed":
        """Say how a conversation stands, and learn who answers it."""
        way = trail(request.messages)
        return Followed(self, way.end, self._standing(request.messages, way.boundaries))

    def shift(self, standing: Standing) -> float:
        """By how much the threshold shifts."""
        return switching_shift(standing, self._price, self._stickiness)

    def standing(self, request: GenerationRequest) -> Standing:
        """How a conversation stands before its next answer."""
        return self._standing(request.messages, trail(request.messages).boundaries)

    def _standing(self, messages: tuple[Message, ...], boundaries: Sequence[Boundary]) -> Standing:
        last: Target | None = None
        hosted, read = set[int](), 0
        for boundary in boundaries:
            who = self._answered.get(boundary.digest)
            if who is None:
                continue
            self._answered.move_to_end(boundary.digest)
            last = who
            if who == "hosted":
                hosted.add(boundary.place)
            else:
                read = boundary.place + 1
        tokens = tokens_of(messages)
        return Standing(
            last=last,
            tokens=tokens,
            unread=tokens_of(messages[read:]) if read else tokens,
            prefill_s=self._prefill_s,
            hosted_turns=frozenset(hosted),
        )

    def remember(self, digest: bytes, target: Target) -> None:
        """Who wrote the answer at the end of a beginning."""
        self._answered[digest] = target
        self._answered.move_to_end(digest)
        if len(self._answered) > self._most:
            self._answered.popitem(last=False)

    def measure(self, finish: Finish) -> None:
        """Learn from an answer of home's how fast it reads."""
        usage, timings = finish.usage, finish.timings
        if usage is None or timings is None or not timings.prompt_s:
            return
        tokens = usage.prompt_tokens - usage.cached_tokens
        if tokens >= _MEASURED:
            self._prefill_s += 0.3 * (timings.prompt_s / tokens - self._prefill_s)


class Followed:
    """One answer of a conversation, followed so that the next one can be told who gave it.

    Attributes:
        standing: How the conversation stood before.
        shift: What that adds to the threshold.
    """

    def __init__(self, conversations: Conversations, before: bytes, standing: Standing) -> None:
        self.standing = standing
        self.shift = conversations.shift(standing)
        self._conversations = conversations
        self._before = before  # the digest of the conversation that it answers
        self._answer = Completion()
        self._events: list[Event] = []  # that the answer has not got yet: most of its tokens come one by one

    def note(self, event: Event) -> None:
        """Take note of an event of the answer, before anybody else sees it."""
        self._events.append(event)
        if isinstance(event, Finish):
            self._ended(event)

    def _ended(self, event: Finish) -> None:
        """One of its choices is whole."""
        for each in self._events:
            self._answer.add(each)
        self._events.clear()
        if self._answer.route is None:
            return
        choice, target = self._answer.choice(event.index), self._answer.route.decision.target
        said = Message("assistant", choice.text, tool_calls=tuple(choice.calls))
        self._conversations.remember(followed(self._before, said), target)
        if target == "local":
            self._conversations.measure(event)


def tokens_of(messages: tuple[Message, ...]) -> int:
    """About how many tokens some messages have."""
    letters, images = 0, 0
    for message in messages:
        letters += len(message.text)
        images += message.images
        for call in message.tool_calls:
            letters += len(call.name) + len(call.arguments)
    return letters // _CHARACTERS + _IMAGE_TOKENS * images
