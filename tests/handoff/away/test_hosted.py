"""The hosted side over real HTTP on loopback: providers in an order, each failing as its script says."""

import json
from contextlib import ExitStack, aclosing
from decimal import Decimal

import anyio
import pytest

from isthmus.errors import (
    BudgetExceeded,
    HandoffRefused,
    PriceUnknown,
    ProviderCut,
    ProviderFailed,
    ProviderRejected,
    ProviderTimeout,
)
from isthmus.handoff.away.attempt import Side
from isthmus.handoff.away.breaker import Breaker
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.redaction import Redactor
from isthmus.ledger import Ledger, open_database
from isthmus.messages import Finish, GenerationRequest, Message, Notice, TextDelta, Usage
from isthmus.providers import table
from isthmus.providers.hosted import HostedProvider
from isthmus.providers.vendor import ANY
from isthmus.settings import BudgetSettings, HandoffSettings, ProviderSettings, RedactionSettings
from tests.upstream import CLOSE, SILENCE, Upstream, answer, chunk, status, stream

pytestmark = pytest.mark.anyio

ASKED = GenerationRequest((Message("user", "What is the capital of France?"),))
WORKS = answer("Paris it is.")  # 3 tokens, and 10 of prompt
OVERLOADED = status(503, {"error": {"message": "sorry"}})
PRICES = {"input_usd_per_mtok": Decimal(1000), "output_usd_per_mtok": Decimal(1000)}
COST = Decimal("0.013")


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    yield Ledger(database)
    database.dispose()


class Clock:
    """Time passes only where somebody waits."""

    def __init__(self):
        self.s = 0.0
        self.waits = []

    def __call__(self):
        return self.s

    async def sleep(self, seconds):
        self.s += seconds
        if seconds:
            self.waits.append(seconds)
        await anyio.sleep(0)


@pytest.fixture
async def world(ledger):
    """Makes a hosted side of so many scripted providers, called a, b, c..."""
    made = []
    with ExitStack() as stack:

        def make(
            *scripts, vendors=(), redactor=None, prices=PRICES, budget=None, patience_s=10.0, **settings
        ):
            clock = Clock()
            upstreams = [stack.enter_context(Upstream(*script)) for script in scripts]
            terms = HandoffSettings(
                mode="always", max_output_tokens=10, budget=BudgetSettings(**(budget or {})), **settings
            )
            sides = []
            for number, (name, upstream) in enumerate(zip("abc", upstreams, strict=False)):
                vendor = vendors[number] if vendors else ANY
                provider = ProviderSettings(upstream.url, "m", first_byte_timeout_s=patience_s, **prices)
                breaker = Breaker(terms.breaker_failures, terms.breaker_rest_s, now=clock)
                sides.append(Side(HostedProvider(name, provider, None, vendor), provider, breaker))
            hosted = HostedModel(
                sides, terms, ledger, redactor=redactor, now=clock, sleep=clock.sleep, chance=lambda: 0.0
            )
            made.append(hosted)
            return hosted, clock, upstreams

        yield make
        for hosted in made:
            await hosted.close()


def call(hosted, question="q", request=ASKED):
    return hosted.call(hosted.prepare(request), question)


async def read(call, **how):
    async with aclosing(call.stream(**how)) as events:
        return [event async for event in events]


def text(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_one_that_works_is_asked_once_and_costs_what_it_said(world, ledger):
    hosted, _, (upstream,) = world([WORKS])
    asked = call(hosted)
    events = await read(asked)
    assert text(events) == "Paris it is."
    assert events[-1] == Finish("stop", Usage(10, 3), cost_usd=COST)
    assert (asked.left, asked.cost_usd, ledger.spent("day")) == (True, COST, COST)
    assert len(upstream.requests) == 1


async def test_where_one_fails_the_next_answers_and_only_that_one_is_paid(world, ledger):
    hosted, clock, (a, b) = world([OVERLOADED], [WORKS])
    asked = call(hosted)
    assert asked.outgoing.provider == "a"
    events = await read(asked)
    assert text(events) == "Paris it is."
    assert (asked.outgoing.provider, asked.cost_usd, ledger.spent("day")) == ("b", COST, COST)
    assert [(each.outgoing.provider, each.error and each.error.code) for each in asked.attempts] == [
        ("a", "provider_failed"),
        ("b", None),
    ]
    assert (len(a.requests), len(b.requests), clock.waits) == (1, 1, [])


async def test_what_may_have_been_billed_stays_booked_at_its_worst(world, ledger):
    hosted, _, _ = world([[SILENCE]], [WORKS], patience_s=0.3)
    asked = call(hosted)
    events = await read(asked)
    worst = asked.attempts[0].outgoing.worst_usd
    assert [each.cost_usd for each in asked.attempts] == [worst, COST]
    assert ledger.spent("day") == asked.cost_usd == events[-1].cost_usd == worst + COST
    assert asked.cost_usd <= hosted.prepare(ASKED).at_most_usd


async def test_one_provider_is_asked_again_when_it_says_so(world):
    busy = status(429, {"error": {"message": "later"}}, {"Retry-After": "7"})
    hosted, clock, (upstream,) = world([busy, OVERLOADED, WORKS])
    assert text(await read(call(hosted))) == "Paris it is."
    assert clock.waits == [7.0, 0.5]
    assert len(upstream.requests) == 3


async def test_nobody_waits_past_the_deadline(world, ledger):
    busy = status(429, {"error": {"message": "later"}}, {"Retry-After": "700"})
    hosted, clock, _ = world([busy], deadline_s=60)
    with pytest.raises(ProviderFailed, match="a is overloaded: later"):
        await read(call(hosted))
    assert (clock.waits, ledger.spent("day")) == ([], 0)


async def test_an_answer_that_does_not_begin_in_time_is_given_up_and_booked(world, ledger):
    hosted, _, _ = world([[SILENCE]], deadline_s=0.1)
    asked = call(hosted)
    with pytest.raises(ProviderTimeout, match=r"a had no answer within 0\.1 s"):
        await read(asked)
    assert ledger.spent("day") == asked.cost_usd == asked.outgoing.worst_usd
    assert hosted.health["a"].failures == 1


@pytest.mark.parametrize(
    ("reply", "error", "billed"),
    [
        (status(401, {"error": {"message": "no"}}), ProviderRejected, False),
        (status(400, {"error": {"message": "no"}}), ProviderRejected, False),
        (status(200, "<html>Sign in</html>", media_type="text/html"), None, True),
        (stream({"error": {"message": "broke"}}), ProviderFailed, False),
        ([CLOSE], ProviderCut, True),
    ],
    ids=["key", "request", "page", "error", "cut"],
)
async def test_whoever_fails_the_next_is_asked(world, reply, error, billed):
    hosted, _, _ = world([reply], [WORKS], retries=0)
    asked = call(hosted)
    assert text(await read(asked)) == "Paris it is."
    failed = asked.attempts[0]
    assert error is None or isinstance(failed.error, error)
    assert failed.cost_usd == (failed.outgoing.worst_usd if billed else 0)


async def test_what_was_shown_is_not_taken_back(world, ledger):
    hosted, _, (_, b) = world([stream(chunk("Par"))], [WORKS])
    asked, seen = call(hosted), []

    async def show():
        async for event in asked.stream():
            seen.append(event)  # noqa: PERF401 - those before the error count

    with pytest.raises(ProviderCut):
        await show()
    assert text(seen) == "Par"
    assert not any(isinstance(event, Finish) for event in seen)
    assert b.requests == []
    assert ledger.spent("day") == asked.outgoing.worst_usd


async def test_what_is_not_shown_yet_may_come_from_the_next(world, ledger):
    broke = stream(chunk("Par"), {"error": {"message": "broke"}})
    hosted, _, (a, _) = world([broke], [WORKS])
    asked = call(hosted)
    events = await read(asked, whole=True)
    assert text(events) == "Paris it is."
    worst = asked.attempts[0].outgoing.worst_usd
    assert ledger.spent("day") == asked.cost_usd == events[-1].cost_usd == worst + COST
    # It had begun to work, so it isn't asked to work, and bill, again.
    assert len(a.requests) == 1


async def test_the_cap_of_one_question_counts_all_its_attempts(world, ledger):
    hosted, _, (_, b) = world([[SILENCE]], [WORKS], patience_s=0.3)
    worst = hosted.prepare(ASKED).worst_usd
    hosted.settings = HandoffSettings(
        mode="always", max_output_tokens=10, budget=BudgetSettings(request_usd=worst + Decimal("0.001"))
    )
    asked = call(hosted)
    with pytest.raises(ProviderTimeout):
        await read(asked)
    assert isinstance(asked.attempts[1].error, BudgetExceeded)
    assert (b.requests, ledger.spent("day")) == ([], worst)


async def test_a_provider_that_keeps_failing_is_left_alone_until_a_try_succeeds(world):
    replies = [OVERLOADED] * 4 + [WORKS]
    hosted, clock, (upstream,) = world(replies, breaker_failures=2, breaker_rest_s=30, retries=0)
    for question in "xy":
        with pytest.raises(ProviderFailed, match="a is overloaded"):
            await read(call(hosted, question))
    with pytest.raises(ProviderFailed, match="a failed too often, so nothing is sent for now") as caught:
        await read(call(hosted))
    assert caught.value.hint == "ask again in 30 s, or: isthmus handoff check a"
    assert len(upstream.requests) == 2
    for rest in (30, 60):
        clock.s += rest
        with pytest.raises(ProviderFailed, match="a is overloaded"):
            await read(call(hosted))
    clock.s += 120
    assert text(await read(call(hosted))) == "Paris it is."
    assert hosted.health["a"].state == "closed"


async def test_who_is_left_alone_stands_last_in_what_would_leave(world):
    hosted, _, _ = world([OVERLOADED], [WORKS], breaker_failures=1)
    assert hosted.prepare(ASKED).provider == "a"
    await read(call(hosted))
    outgoing = hosted.prepare(ASKED)
    assert [outgoing.provider, *(each.provider for each in outgoing.alternatives)] == ["b", "a"]


async def test_who_goes_away_leaves_the_worst_case_and_no_blame(world, ledger):
    hosted, _, (upstream,) = world([[*stream(chunk("Par"), done=False), SILENCE]])
    asked = call(hosted)
    with anyio.move_on_after(1.0):
        await read(asked)
    assert ledger.spent("day") == asked.cost_usd == asked.outgoing.worst_usd
    assert hosted.health["a"].failures == 0
    assert upstream.left.wait(2)


async def test_sixty_four_at_once_stay_under_the_cap_through_failures_and_fallbacks(world, ledger):
    hosted, _, _ = world([OVERLOADED, [CLOSE]] * 20 + [WORKS], [WORKS], breaker_failures=1000)
    worst = hosted.prepare(ASKED).worst_usd
    cap = worst * 20
    hosted.settings = HandoffSettings(
        mode="always", max_output_tokens=10, retries=1, budget=BudgetSettings(day_usd=cap)
    )
    ends = []

    async def one(number):
        try:
            ends.append(text(await read(call(hosted, f"q{number}"))))
        except (BudgetExceeded, ProviderFailed, ProviderCut) as error:
            ends.append(type(error))

    async with anyio.create_task_group() as group:
        for number in range(64):
            group.start_soon(one, number)
    assert len(ends) == 64
    assert "Paris it is." in ends
    assert ledger.spent("day") <= cap


# ---------------------------------------------------------------- what would leave


async def test_each_provider_gets_the_question_in_its_own_words(world):
    hosted, _, _ = world([WORKS], [WORKS], vendors=(table.ANTHROPIC, table.MISTRAL))
    outgoing = hosted.prepare(GenerationRequest(ASKED.messages, seed=7))
    (other,) = outgoing.alternatives
    assert outgoing.content["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]}
    ]
    assert other.content["random_seed"] == 7
    assert (outgoing.left_out, other.left_out) == (("seed",), ())
    assert outgoing.at_most_usd == outgoing.worst_usd + other.worst_usd


async def test_what_a_provider_takes_none_of_is_told_beside_its_answer(world):
    hosted, _, _ = world([WORKS], vendors=(table.GROQ,))
    asked = call(hosted, request=GenerationRequest(ASKED.messages, logit_bias={"7": 1.0}, min_p=0.1))
    notice, *events = await read(asked)
    assert notice == Notice("left_out", "a takes no logit_bias, min_p, so it was asked without")
    assert text(events) == "Paris it is."


async def test_who_cannot_answer_stands_in_no_line(world):
    hosted, _, _ = world([WORKS], [WORKS], vendors=(table.ANTHROPIC, ANY))
    several = GenerationRequest(ASKED.messages, n=2)
    outgoing = hosted.prepare(several)
    assert (outgoing.provider, outgoing.alternatives) == ("b", ())
    alone, _, _ = world([WORKS], vendors=(table.ANTHROPIC,))
    with pytest.raises(HandoffRefused, match="Anthropic gives one answer to a question, and 2 are asked for"):
        alone.prepare(several)


async def test_what_nobody_can_price_is_sent_to_nobody(world):
    hosted, _, _ = world([WORKS], prices={})
    with pytest.raises(PriceUnknown):
        hosted.prepare(ASKED)


async def test_what_is_private_neither_leaves_nor_is_lost(world):
    private = GenerationRequest((Message("user", "Write to ann.lee@example.com."),))

    def reply(received):
        said = json.loads(received.body)["messages"][0]["content"]
        assert "ann.lee" not in said
        (token,) = [word.strip(".") for word in said.split() if "EMAIL" in word]
        return stream(*(chunk(each) for each in f"Wrote to {token}!"), chunk(finish="stop"))

    hosted, _, _ = world([reply], redactor=Redactor(RedactionSettings()))
    outgoing = hosted.prepare(private)
    assert outgoing.redacted == {"EMAIL": 1}
    assert b"ann.lee" not in outgoing.body
    assert text(await read(hosted.call(outgoing, "q"))) == "Wrote to ann.lee@example.com!"


async def test_a_detector_that_fails_keeps_the_question_home(world):
    class Broken:
        def find(self, text):
            raise RuntimeError("out of order")

    redactor = Redactor(RedactionSettings())
    redactor._detector = Broken()
    hosted, _, (upstream,) = world([WORKS], redactor=redactor)
    with pytest.raises(HandoffRefused, match="can't be redacted"):
        hosted.prepare(ASKED)
    assert upstream.requests == []
