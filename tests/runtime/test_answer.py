"""The path of one question with a scripted home and a scripted hosted side, and a real ledger."""

from contextlib import aclosing, suppress
from decimal import Decimal

import anyio
import msgspec
import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import (
    BudgetExceeded,
    EngineError,
    HandoffRefused,
    ProviderCut,
    ProviderUnreachable,
    WorkerDied,
)
from isthmus.handoff.away.hosted import HostedModel
from isthmus.handoff.redaction import Redactor
from isthmus.handoff.rules import Rules
from isthmus.ledger import Ledger, open_database
from isthmus.messages import (
    Finish,
    GenerationRequest,
    Message,
    Notice,
    Route,
    TextDelta,
    TokenScore,
    TokenScores,
    Usage,
)
from isthmus.providers.hosted import Rendered
from isthmus.providers.vendor import ANY
from isthmus.runtime.answer import Ask, Runtime
from isthmus.runtime.terms import Terms
from isthmus.settings import BudgetSettings, HandoffSettings, ProviderSettings, RedactionSettings
from tests.judge import Judge

EASY = "What is the capital of France?"
DOUBTFUL = "Tom has 3 cats and then buys 4 more; how many?"
HARD = "Ann has 12 apples, Bob 7, Cy 9; how many in total, if each eats 2, and then half are sold?"
AUTO = Rules(mode="auto", provider="big")
ANSWER = [TextDelta("Paris"), TextDelta("."), Finish("stop", Usage(10, 2))]
SCORED = [TokenScores((TokenScore("Paris", -0.01),)), TextDelta("Paris"), Finish("stop", Usage(10, 1))]
DOUBTS = [TokenScores((TokenScore("Paris", -3.0),)), TextDelta("Paris"), Finish("stop", Usage(10, 1))]
ENDS = [Finish("stop"), Finish("stop", Usage(10, 2), index=1)]
AWAY = [TextDelta("From "), TextDelta("away."), Finish("stop", Usage(20, 3))]


class ScriptedProvider(ScriptedEngine):
    """Stands where the HTTP provider stands: bytes in, events out."""

    name, vendor = "big", ANY

    def render(self, request):
        return Rendered(repr(request).encode())

    def send(self, body, choices=1):
        return self.stream(GenerationRequest((Message("user", body.decode()),)))


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def hosted(ledger):
    def make(*scripts, **budget):
        provider = ProviderSettings(
            "http://127.0.0.1:9/v1", "big-1", input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(10)
        )
        settings = HandoffSettings(
            mode="auto", provider="big", retries=0, max_output_tokens=100, budget=BudgetSettings(**budget)
        )
        model = HostedModel.of("big", provider, settings, ledger)
        model.sides["big"].provider = ScriptedProvider(*scripts)
        return model

    return make


def terms(rules=None, hosted=None):
    return Terms(rules or Rules(), hosted, Judge())


def ask(text=EASY, **more):
    return Ask(GenerationRequest((Message("user", text),)), "ask", **more)


def answer(runtime, question, consent=None):
    async def main():
        async with aclosing(runtime.answer(question, consent)) as events:
            return [event async for event in events]

    return anyio.run(main)


def text(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def only_row(ledger):
    (row,) = ledger.questions(10)
    return row


# ---------------------------------------------------------------- at home


def test_a_question_at_home_has_a_route_an_answer_times_and_a_row(ledger):
    events = answer(Runtime(ScriptedEngine(ANSWER), terms(), ledger=ledger), ask())
    assert isinstance(events[0], Route)
    assert text(events) == "Paris."
    assert events[-1].timings.total_s >= events[-1].timings.first_token_s > 0
    row = only_row(ledger)
    assert (row.target, row.reason, row.outcome) == ("local", "mode_off", "complete")
    assert (row.prompt_tokens, row.completion_tokens) == (10, 2)
    assert row.sent_digest is None
    assert row.cost_usd == 0
    assert len(row.prompt_digest) == len(row.answer_digest) == 64


def test_log_probabilities_are_shown_only_to_those_who_asked(ledger):
    engine = ScriptedEngine(SCORED)
    events = answer(Runtime(engine, terms(AUTO), ledger=ledger), ask())
    assert not any(isinstance(event, TokenScores) for event in events)
    assert engine.requests[0].top_logprobs == 0
    request = GenerationRequest((Message("user", EASY),), top_logprobs=2)
    events = answer(Runtime(engine, terms(AUTO), ledger=ledger), Ask(request, "api"))
    assert any(isinstance(event, TokenScores) for event in events)
    assert engine.requests[1].top_logprobs == 2


def test_a_cut_answer_is_an_error_and_its_row_says_cut(ledger):
    runtime = Runtime(ScriptedEngine([TextDelta("Par"), WorkerDied("it fell")]), terms(), ledger=ledger)
    with pytest.raises(WorkerDied):
        answer(runtime, ask())
    row = only_row(ledger)
    assert (row.outcome, row.error_code) == ("cut", "worker_died")


def test_a_worker_that_falls_in_the_middle_of_what_was_not_shown_is_asked_again(ledger):
    engine = ScriptedEngine([TextDelta("Par"), WorkerDied("it fell")], [0.05, *ANSWER])
    events = answer(Runtime(engine, terms(), ledger=ledger), ask(careful=True))
    assert text(events) == "Paris."
    assert 0.05 < events[-1].timings.first_token_s <= events[-1].timings.total_s
    assert (only_row(ledger).outcome, len(engine.requests)) == ("complete", 2)


def test_cancelling_closes_the_generator_and_the_row_says_cancelled(ledger):
    engine = ScriptedEngine([TextDelta("Par"), 60.0])
    runtime = Runtime(engine, terms(), ledger=ledger)

    async def main():
        with anyio.move_on_after(0.2):
            async with aclosing(runtime.answer(ask())) as events:
                async for _ in events:
                    pass

    anyio.run(main)
    assert engine.closed == 1
    assert only_row(ledger).outcome == "cancelled"


# ---------------------------------------------------------------- away


def test_a_hard_question_is_handed_over_and_the_row_says_what_left_and_what_it_cost(ledger, hosted):
    model = hosted(AWAY)
    home = ScriptedEngine(SCORED)
    events = answer(Runtime(home, terms(AUTO, model), ledger=ledger), ask(HARD))
    route = events[0]
    assert (route.decision.target, route.provider) == ("hosted", "big")
    assert text(events) == "From away."
    cost = (Decimal(20) * 1 + Decimal(3) * 10) / 1_000_000
    assert events[-1].cost_usd == cost
    row = only_row(ledger)
    assert (row.target, row.provider, row.cost_usd) == ("hosted", "big", cost)
    assert len(row.sent_digest) == 64
    assert row.sent_bytes > len(HARD)
    assert ledger.spent("day") == cost
    assert home.requests == []


def test_what_leaves_is_bounded_by_the_longest_answer_that_was_reserved(ledger, hosted):
    model = hosted(AWAY)
    answer(Runtime(ScriptedEngine(SCORED), terms(AUTO, model), ledger=ledger), ask(HARD))
    assert "max_tokens=100" in model.sides["big"].provider.requests[0].messages[0].text


@pytest.mark.parametrize(
    "script", [[ProviderUnreachable("big can't be reached")], [ProviderCut("it stopped")]]
)
def test_a_provider_that_fails_before_it_speaks_gives_the_local_answer_with_a_notice(ledger, hosted, script):
    runtime = Runtime(ScriptedEngine(SCORED), terms(AUTO, hosted(script)), ledger=ledger)
    events = answer(runtime, ask(HARD))
    assert text(events) == "Paris"
    assert events[0].decision.reason == "provider_failed"
    assert any(isinstance(event, Notice) for event in events)
    row = only_row(ledger)
    assert (row.target, row.outcome) == ("local", "complete")


def test_a_call_that_never_connected_left_nothing_and_cost_nothing(ledger, hosted):
    runtime = Runtime(ScriptedEngine(SCORED), terms(AUTO, hosted([ProviderUnreachable("no")])), ledger=ledger)
    answer(runtime, ask(HARD))
    row = only_row(ledger)
    assert row.sent_digest is None
    assert row.cost_usd == ledger.spent("day") == 0


def test_a_provider_that_stops_in_the_middle_is_never_shown_as_whole_and_costs_its_worst_case(ledger, hosted):
    model = hosted([TextDelta("From "), ProviderCut("it stopped")])
    runtime = Runtime(ScriptedEngine(SCORED), terms(AUTO, model), ledger=ledger)
    with pytest.raises(ProviderCut):
        answer(runtime, ask(HARD))
    row = only_row(ledger)
    assert row.outcome == "cut"
    assert row.cost_usd == ledger.spent("day") == model.prepare(ask(HARD).request).worst_usd


def test_an_answer_that_is_cancelled_on_its_way_is_not_free(ledger, hosted):
    model = hosted([TextDelta("From "), 60.0])
    runtime = Runtime(ScriptedEngine(SCORED), terms(AUTO, model), ledger=ledger)

    async def main():
        with anyio.move_on_after(0.3):
            async with aclosing(runtime.answer(ask(HARD))) as events:
                async for _ in events:
                    pass

    anyio.run(main)
    assert ledger.spent("day") == model.prepare(ask(HARD).request).worst_usd
    assert only_row(ledger).outcome == "cancelled"


def test_a_spent_budget_keeps_the_question_home_and_names_the_cap(ledger, hosted):
    under = terms(AUTO, hosted(AWAY, day_usd=Decimal("0.0001")))
    runtime = Runtime(ScriptedEngine(SCORED), under, ledger=ledger)
    events = answer(runtime, ask(HARD))
    assert text(events) == "Paris"
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.code == "budget_exceeded"
    assert "day" in notice.text
    assert only_row(ledger).reason == "budget_exceeded"


def test_a_hosted_model_whose_price_nobody_knows_gets_nothing(ledger):
    provider = ProviderSettings("http://127.0.0.1:9/v1", "big-1")
    model = HostedModel.of("big", provider, HandoffSettings(mode="auto", provider="big"), ledger)
    events = answer(Runtime(ScriptedEngine(SCORED), terms(AUTO, model), ledger=ledger), ask(HARD))
    assert events[0].decision.reason == "price_unknown"
    assert only_row(ledger).sent_digest is None


def test_home_that_can_not_answer_hands_over(ledger, hosted):
    home = ScriptedEngine([EngineError("no memory")])
    events = answer(Runtime(home, terms(AUTO, hosted(AWAY)), ledger=ledger), ask(EASY))
    assert text(events) == "From away."
    assert events[0].decision.reason == "local_failed"


@pytest.mark.parametrize("script", [SCORED, [EngineError("no memory")]])
@pytest.mark.parametrize("mode", ["auto", "always"])
def test_a_raw_prompt_never_leaves_whatever_happens_at_home(ledger, hosted, script, mode):
    away = hosted(AWAY)
    runtime = Runtime(ScriptedEngine(script), terms(Rules(mode=mode, provider="big"), away), ledger=ledger)
    request = GenerationRequest((Message("user", HARD),), raw=HARD)
    with suppress(EngineError):
        answer(runtime, Ask(request, "api"))
    assert away.sides["big"].provider.requests == []
    assert (only_row(ledger).reason, only_row(ledger).sent_bytes) == ("raw_prompt", 0)
    with pytest.raises(HandoffRefused, match="stays home"):
        away.prepare(request)


def test_when_home_can_not_answer_and_there_is_no_money_the_error_names_the_cap(ledger, hosted):
    home = ScriptedEngine([EngineError("no memory")])
    model = hosted(AWAY, request_usd=Decimal(0))
    with pytest.raises(BudgetExceeded):
        answer(Runtime(home, terms(AUTO, model), ledger=ledger), ask(EASY))
    assert only_row(ledger).outcome == "refused"


# ---------------------------------------------------------------- consent and postures


def test_consent_sees_the_exact_bytes_and_no_means_no(ledger, hosted):
    seen = []

    async def decline(outgoing, decision):
        seen.append(outgoing)
        return False

    model = hosted(AWAY)
    rules = Rules(mode="ask", provider="big")
    events = answer(Runtime(ScriptedEngine(SCORED), terms(rules, model), ledger=ledger), ask(HARD), decline)
    assert text(events) == "Paris"
    assert HARD in seen[0].body.decode()
    assert model.sides["big"].provider.requests == []

    async def agree(outgoing, decision):
        seen.append(outgoing)
        return True

    events = answer(Runtime(ScriptedEngine(SCORED), terms(rules, model), ledger=ledger), ask(HARD), agree)
    assert text(events) == "From away."
    assert model.sides["big"].provider.requests[0].messages[0].text.encode() == seen[1].body
    assert ledger.questions(1)[0].sent_digest == seen[1].digest


def test_careful_shows_nothing_of_an_answer_that_it_gives_up(ledger, hosted):
    doubtful = [TokenScores(tuple(TokenScore("x", -1.0) for _ in range(300))), TextDelta("wrong")]
    home = ScriptedEngine([*doubtful, Finish("stop", Usage(10, 300))])
    events = answer(Runtime(home, terms(AUTO, hosted(AWAY)), ledger=ledger), ask(HARD, careful=True))
    assert text(events) == "From away."
    assert events[0].decision.reason == "answer_doubtful"
    assert home.closed == 1


def test_a_kept_answer_is_shown_whole_after_it_was_judged(ledger, hosted):
    home = ScriptedEngine(SCORED)
    events = answer(Runtime(home, terms(AUTO, hosted(AWAY)), ledger=ledger), ask(EASY, careful=True))
    assert text(events) == "Paris"
    assert events[0].decision.reason == "answer_confident"
    assert len(home.requests) == 1


# ---------------------------------------------------------------- shadow, second opinions, unseen breaks


def test_in_shadow_nothing_leaves_and_the_row_says_what_would_have_and_for_how_much(ledger, hosted):
    model = hosted(AWAY)
    runtime = Runtime(
        ScriptedEngine(SCORED), terms(Rules(mode="shadow", provider="big"), model), ledger=ledger
    )
    assert text(answer(runtime, ask(HARD))) == "Paris"
    assert model.sides["big"].provider.requests == []
    row = only_row(ledger)
    assert (row.target, row.reason, row.cost_usd) == ("local", "mode_shadow", 0)
    foreseen = row.evidence["shadow"]
    assert (foreseen["target"], foreseen["reason"]) == ("hosted", "looks_hard")
    assert Decimal(foreseen["cost_usd"]) == (Decimal(10) * 1 + Decimal(1) * 10) / 1_000_000


def test_a_careful_answer_that_breaks_off_away_was_never_shown_and_home_answers(ledger, hosted):
    model = hosted([TextDelta("From "), ProviderCut("it stopped")])
    runtime = Runtime(ScriptedEngine(DOUBTS), terms(AUTO, model), ledger=ledger)
    events = answer(runtime, ask(HARD, careful=True))
    assert text(events) == "Paris"
    assert events[0].decision.reason == "provider_failed"
    assert only_row(ledger).cost_usd == ledger.spent("day") > 0


def test_a_second_opinion_is_drawn_at_home_and_not_shown(ledger, hosted):
    home = ScriptedEngine(DOUBTS, [TextDelta("Lyon"), TextDelta("Paris", index=1), *ENDS])
    rules = Rules(mode="auto", provider="big", samples=2, threshold=0.999)
    events = answer(Runtime(home, terms(rules, hosted(AWAY)), ledger=ledger), ask(HARD, careful=True))
    assert text(events) == "Paris"
    first, second = home.requests
    assert (first.n, second.n, second.seed) == (1, 2, None)
    assert second.temperature > 0


# ---------------------------------------------------------------- home looks for names first


LISTED = [TextDelta('{"people":["Cy"],"addresses":[]}'), Finish("stop", Usage(9, 9))]
READING = RedactionSettings(recogniser="model")


def test_home_looks_for_names_before_anything_leaves_and_they_come_back(ledger, hosted):
    model = hosted([TextDelta("<PERSON_1> has 9."), Finish("stop", Usage(20, 3))])
    model.redactor = Redactor(READING)
    home = ScriptedEngine(LISTED)
    events = answer(Runtime(home, terms(AUTO, model), ledger=ledger), ask(HARD))
    assert text(events) == "Cy has 9."
    (left,) = model.sides["big"].provider.requests
    assert "Bob 7, <PERSON_1> 9" in left.messages[0].text
    assert only_row(ledger).redacted == {"PERSON": 1}
    assert home.requests[-1].messages[-1].text == HARD


@pytest.mark.parametrize("listed", [[TextDelta("Cy!"), Finish("stop")], [WorkerDied("it fell")]])
def test_where_home_can_not_look_for_names_the_question_stays(ledger, hosted, listed):
    model = hosted(AWAY)
    model.redactor = Redactor(READING)
    doubtful = msgspec.structs.replace(AUTO, threshold=0.0)
    home = ScriptedEngine(listed, ANSWER)
    events = answer(Runtime(home, terms(doubtful, model), ledger=ledger), ask(EASY))
    assert text(events).startswith("Paris")
    assert (model.sides["big"].provider.requests, only_row(ledger).reason) == ([], "redaction_failed")
    assert home.closed == len(home.requests)


def test_while_home_looks_for_names_it_writes_nothing_else(ledger, hosted):
    model = hosted(AWAY)
    model.redactor = Redactor(READING)

    class Home(ScriptedEngine):
        async def stream(self, request):
            assert self.closed == len(self.requests), "it is asked two things at once"
            async with aclosing(super().stream(request)) as events:
                async for event in events:
                    yield event

    slow = [TokenScores((TokenScore("x", -3.0),) * 16), TextDelta("Wrong"), 3600.0, *ENDS]
    unsure = msgspec.structs.replace(AUTO, max_hold_tokens=8)
    home = Home(slow, LISTED)
    events = answer(Runtime(home, terms(unsure, model), ledger=ledger), ask(DOUBTFUL))
    assert text(events) == "From away."
    assert home.closed == len(home.requests) == 2


# ---------------------------------------------------------------- what a question lets one test


def test_a_local_answer_that_breaks_its_schema_is_not_shown(ledger, hosted):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    request = GenerationRequest((Message("user", EASY),), response_format=form)
    model, home = hosted(AWAY), ScriptedEngine(SCORED)
    runtime = Runtime(home, terms(AUTO, model), ledger=ledger)
    events = answer(runtime, Ask(request, "api", careful=True))
    assert text(events) == "From away."
    row = only_row(ledger)
    assert (row.reason, row.stage) == ("answer_doubtful", "check")
    assert row.evidence["detail"] == "the local answer isn't as its schema says"
