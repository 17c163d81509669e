"""What a key's hosted answers may cost: dollars are put aside before a question leaves."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.rules import Rules
from isthmus.ledger import KeyLimits, Ledger, open_database
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.settings import HandoffSettings, ProviderSettings
from tests.runtime.test_answer import ScriptedProvider
from tests.server.test_guard import ask, made

HOME = [TextDelta("From home."), Finish("stop", Usage(20, 3))]
AWAY = [TextDelta("From away."), Finish("stop", Usage(20, 100))]
ALWAYS = Rules(mode="always", provider="big")


@pytest.fixture
def hosted(settings):
    """A hosted model whose answers cost a cent each at most, and nearly that."""
    database = open_database(settings().settings.ledger_path)
    provider = ProviderSettings(
        "http://127.0.0.1:9/v1", "big-1", input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(100)
    )
    terms = HandoffSettings(mode="always", provider="big", max_output_tokens=100)
    model = HostedModel.of("big", provider, terms, Ledger(database))
    model.sides["big"].provider = ScriptedProvider(*[AWAY] * 50)
    yield model
    database.dispose()


def routes(answers):
    return [headers["x-isthmus-route"] for _, headers, _ in answers]


def test_a_keys_dollars_hold_whatever_comes_at_once_and_home_answers_the_rest(serving, hosted):
    with serving(ScriptedEngine(HOME), hosted=hosted, rules=ALWAYS) as server:
        team = made(server, limits=KeyLimits(usd_day=Decimal("0.05")))
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: ask(server, **team), range(16)))
        assert [status for status, _, _ in answers] == [200] * 16
        assert sorted(routes(answers)) == ["hosted"] * 5 + ["local"] * 11
        assert server.ledger.spent("day", key="team") == Decimal("0.05")
        # Another key has its own, and whoever has none is not held by it.
        other = made(server, "other")
        assert routes([ask(server, **other)]) == ["hosted"]


def test_a_key_without_a_cent_stays_home(serving, hosted):
    with serving(ScriptedEngine(HOME), hosted=hosted, rules=ALWAYS) as server:
        team = made(server, limits=KeyLimits(usd_month=Decimal(0)))
        _, headers, _ = ask(server, **team)
        assert (headers["x-isthmus-route"], headers["x-isthmus-reason"]) == ("local", "budget_exceeded")
