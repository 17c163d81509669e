"""One answer in its conversation: marks count where nobody remembers them; in doubt, nothing leaves."""

from contextlib import aclosing

import anyio
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import WorkerDied
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.conversations.conversation import Conversations
from isthmus.handoff.marking.marks import KEY_FILE, open_marks
from isthmus.handoff.rules import Rules
from isthmus.ledger import Ledger, open_database
from isthmus.messages import (
    Finish,
    GenerationRequest,
    ImagePart,
    Message,
    Route,
    TextDelta,
    TextPart,
    Usage,
)
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.terms import Terms
from isthmus.settings import HandoffSettings, HomeOnlySettings, ProviderSettings
from tests.upstream import Upstream, answer

ANSWER = [TextDelta("From home."), Finish("stop", Usage(9, 3))]
HI = Message("user", "Hi")
MARKED = GenerationRequest((Message("user", "My PIN is 4711, keep it.", home_only=True),))


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def upstream():
    with Upstream(answer("From away.")) as upstream:
        yield upstream


@pytest.fixture
def runtime(ledger, upstream):
    """``runtime(home, ...)``: in mode always, with a hosted side on loopback."""

    def make(*scripts, **terms):
        provider = ProviderSettings(upstream.url, "big-1", input_usd_per_mtok=0, output_usd_per_mtok=0)
        settings = HandoffSettings(mode="always", provider="big", retries=0)
        hosted = HostedModel.of("big", provider, settings, ledger)
        rules = Rules(mode="always", provider="big")
        return Runtime(ScriptedEngine(*(scripts or [ANSWER])), Terms(rules, hosted, **terms), ledger=ledger)

    return make


def run(runtime, *requests):
    """The routes of some questions, one after another."""

    async def main():
        try:
            routes = []
            for request in requests:
                async with aclosing(runtime.answer(Ask(request, "api"))) as events:
                    routes += [event async for event in events if isinstance(event, Route)]
            return [(route.decision.target, route.decision.reason) for route in routes]
        finally:
            await runtime.terms.close()

    return anyio.run(main)


def test_a_mark_counts_where_nobody_remembers_marks(runtime, upstream):
    whole = GenerationRequest((HI,), home_only=True)
    assert run(runtime(), MARKED, whole) == [("local", "home_only")] * 2
    assert upstream.requests == []


def test_where_marks_can_not_be_read_nothing_leaves(runtime, ledger, upstream, tmp_path):
    def marks():
        return open_marks(HomeOnlySettings(), ledger.engine, tmp_path)

    plain = GenerationRequest((HI,))
    assert run(runtime(marks=marks()), plain, MARKED) == [("hosted", "mode_always"), ("local", "home_only")]
    (tmp_path / KEY_FILE).unlink()
    assert run(runtime(marks=marks()), plain) == [("local", "home_only")]
    assert len(upstream.requests) == 1


def test_a_marked_question_that_fails_at_home_fails(runtime, upstream):
    with pytest.raises(WorkerDied):
        run(runtime([WorkerDied("it fell")]), MARKED)
    assert upstream.requests == []


def test_home_reads_a_conversation_without_the_pictures_that_it_can_not_see(runtime):
    shown = Message("user", (TextPart("What is this?"), ImagePart("data:image/png;base64,AAAA")))
    said, thanks = Message("assistant", "A cat."), Message("user", "Thanks.", home_only=True)
    home = runtime(conversations=Conversations())
    assert run(home, GenerationRequest((shown, said, HI, said, thanks))) == [("local", "home_only")]
    assert not any(message.images for message in home.home.requests[0].messages)
