"""Whatever a client makes of marked conversations, nothing of them ever leaves: any course of requests."""

import itertools
from contextlib import aclosing

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.engines.scripted import ScriptedEngine
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.conversations.conversation import Conversations
from isthmus.handoff.marking.fingerprints import QUOTED
from isthmus.handoff.marking.marks import open_marks
from isthmus.handoff.rules import Rules
from isthmus.ledger import Ledger, open_database
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta, Usage
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.terms import Terms
from isthmus.settings import HandoffSettings, HomeOnlySettings, ProviderSettings
from tests.runtime.test_answer import ScriptedProvider

_numbers = itertools.count()


def fresh_words(count):
    """Words that nobody has said before."""
    return " ".join(f"w{next(_numbers)}" for _ in range(count))


class Home(ScriptedEngine):
    """Answers in words of its own, each time others: at times few, at times many."""

    def __init__(self):
        super().__init__([])
        self.said = []

    async def stream(self, request):
        self.said.append(fresh_words(3 if len(self.said) % 3 == 0 else 2 * QUOTED))
        yield TextDelta(self.said[-1])
        yield Finish("stop", Usage(1, 1))


class Client:
    """Somebody who goes on with conversations, quotes them, and doesn't say twice what is marked."""

    def __init__(self, ledger, folder):
        provider = ProviderSettings(
            "http://127.0.0.1:9/v1", "big-1", input_usd_per_mtok=0, output_usd_per_mtok=0
        )
        self.hosted = HostedModel.of("big", provider, HandoffSettings(retries=0), ledger)
        self.away = ScriptedProvider([TextDelta("From away."), Finish("stop", Usage(1, 1))])
        self.hosted.sides["big"].provider = self.away
        self.home = Home()
        self.ledger = ledger
        self.folder = folder
        self.conversations = []
        self.tainted = []
        self.runtime = self._started()

    def _started(self):
        marks = open_marks(HomeOnlySettings(), self.ledger.engine, self.folder)
        rules = Rules(mode="always", provider="big")
        return Runtime(self.home, Terms(rules, self.hosted, marks=marks, conversations=Conversations()))

    async def restart(self, _):
        self.runtime.terms.marks.close()
        self.runtime = self._started()

    async def begin(self, choice):
        marked, asked = choice % 3 > 0, fresh_words(2 if choice > 2 else 2 * QUOTED)
        if marked:
            self.tainted.append(asked)
        await self._ask(Message("user", asked, home_only=marked))

    async def go_on(self, choice):
        if history := self._known(choice):
            await self._ask(*history, Message("user", fresh_words(2)))

    async def quote(self, choice):
        history = self._known(choice)
        if history and len(said := history[-1].text.split()) > QUOTED + 3:
            await self._ask(Message("user", " ".join(["So:", *said[3 : 3 + QUOTED], "really?"])))

    def _known(self, choice):
        """One of the conversations so far, the latest first, as a client keeps it: without any mark."""
        known = self.conversations[::-1][choice : choice + 1]
        return [Message(each.role, each.text) for each in known[0]] if known else None

    async def _ask(self, *messages):
        async with aclosing(self.runtime.answer(Ask(GenerationRequest(messages), "api"))) as events:
            text = "".join([event.text async for event in events if isinstance(event, TextDelta)])
        if text != "From away.":
            self.tainted.append(text)
        self.conversations.append((*messages, Message("assistant", text)))

    def leaked(self):
        """What left of all that should have stayed."""
        sent = " ".join(request.messages[0].text for request in self.away.requests)
        for text in self.tainted:
            words = text.split()
            for start in range(max(1, len(words) - QUOTED + 1)):
                if (quotation := " ".join(words[start : start + QUOTED])) in sent:
                    yield quotation


STEPS = st.tuples(st.sampled_from(["begin", "go_on", "go_on", "quote", "restart"]), st.integers(0, 5))


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    yield Ledger(database)
    database.dispose()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 5), steps=st.lists(STEPS, max_size=12))
def test_nothing_that_is_marked_or_made_of_it_leaves(ledger, tmp_path, first, steps):
    client = Client(ledger, tmp_path)

    async def main():
        await client.begin(first)
        for step, choice in steps:
            await getattr(client, step)(choice % 3 if step in ("go_on", "quote") else choice)

    anyio.run(main)
    client.runtime.terms.marks.close()
    assert [*client.leaked()] == []
