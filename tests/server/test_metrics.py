"""What Prometheus scrapes, as its own parser reads it."""

import http.client
from contextlib import closing
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError, WorkerDied
from isthmus.handoff.away.breaker import Health
from isthmus.ledger import KeyLimits
from isthmus.messages import Finish, ReasoningDelta, TextDelta, Timings, Usage
from isthmus.runtime.terms import Terms
from isthmus.server.metrics import Metrics
from tests.engines.played import PlayedLoader
from tests.server.samples import answered, exchange
from tests.server.test_chat import HI, post, wait_until
from tests.server.test_guard import ask, made

USAGE = Usage(100, 20, reasoning_tokens=5, cached_tokens=80)
HELLO = [ReasoningDelta("hm"), 0.05, TextDelta("Hello"), Finish("stop", USAGE, Timings(prompt_s=0.1))]
IDLE = SimpleNamespace(status=list, falls=lambda: 0, budget_bytes=0, taken_bytes=0)
IDLE_SERVER = SimpleNamespace(models=SimpleNamespace(pool=IDLE), terms=Terms(), in_flight=0, draining=False)


def scraped(server, **headers):
    """Every sample by its name and labels."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", "/metrics", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.getheader("content-type").startswith("text/plain")
        text = response.read().decode()
    return read(text)


def read(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples, name, **labels):
    """The sum of all samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(each for (found, has), each in samples.items() if found == name and wanted <= set(has))


def test_answers_are_counted_with_their_tokens_and_times(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        for stream in (False, True):
            assert post(server, {"messages": HI, "stream": stream})[0] == 200
        samples = scraped(server)
    home = {"model": "scripted", "route": "local"}
    assert value(samples, "isthmus_answers_total", **home, reason="mode_off", outcome="complete") == 2
    for kind, count in (("prompt", 200), ("completion", 40), ("reasoning", 10), ("cached", 160)):
        assert value(samples, "isthmus_tokens_total", **home, kind=kind) == count
    assert value(samples, "isthmus_time_to_first_token_seconds_count", **home) == 2
    assert 0 < value(samples, "isthmus_time_to_first_token_seconds_sum", **home) < 2
    assert value(samples, "isthmus_inter_token_seconds_count", **home) == 2
    assert 2 * 0.05 / 19 <= value(samples, "isthmus_inter_token_seconds_sum", **home) < 1
    assert value(samples, "isthmus_answer_seconds_count", **home) == 2
    assert value(samples, "isthmus_queue_seconds_count", model="scripted") == 2
    assert value(samples, "isthmus_http_in_flight") == 1  # the scrape itself
    path = {"path": "/v1/chat/completions"}
    assert (
        value(samples, "isthmus_http_responses_total", **path, method="POST", status="200", api="openai") == 2
    )
    assert value(samples, "isthmus_http_request_seconds_count", **path) == 2
    assert value(samples, "isthmus_build_info") == 1
    assert value(samples, "process_resident_memory_bytes") > 0


def test_models_are_shown_as_they_are_now(serving):
    with serving(PlayedLoader(script=tuple(HELLO)), names=("first", "second")) as server:
        samples = scraped(server)
        assert value(samples, "isthmus_models") == 0
        post(server, {"messages": HI})
        samples = scraped(server)
        assert value(samples, "isthmus_models", model="first", state="loaded") == 1
        assert value(samples, "isthmus_slots", model="first") == 8
        assert value(samples, "isthmus_queue_length", model="first") == 0
        assert value(samples, "isthmus_model_memory_bytes", model="first") == 10 * 2**20
        assert value(samples, "isthmus_memory_taken_bytes") == 10 * 2**20


def test_a_provider_that_is_left_alone_is_shown(serving):
    healthy, resting = Health("closed", 1, 0.0), Health("open", 5, 12.0)
    hosted = SimpleNamespace(health={"one": healthy, "other": resting})
    with serving(ScriptedEngine(HELLO), hosted=hosted) as server:
        samples = scraped(server)
    assert value(samples, "isthmus_provider_up", provider="one") == 1
    assert value(samples, "isthmus_provider_up", provider="other") == 0
    assert value(samples, "isthmus_provider_failures", provider="other") == 5


def test_nothing_that_a_caller_makes_up_becomes_a_label(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        before = len(scraped(server))
        post(server, {"messages": HI, "model": "no-such-model"})
        post(server, {"messages": HI}, "/v1/nothing/1")
        seen = len(scraped(server))
        for number in range(20):
            assert post(server, {"messages": HI, "model": f"made-up-{number}"})[0] == 404
            assert post(server, {"messages": HI}, f"/v1/made-up/{number}")[0] == 404
            assert ask(server, f"MADEUP{number}"[:5] + "X", "/health")[0] in (400, 405)
        after = scraped(server)
        assert before < seen
        assert len(after) - seen <= 40
        assert not [key for key in after if "made" in str(key).lower()]


def test_failures_and_falls_are_counted(serving):
    with serving(ScriptedEngine([EngineError("out of memory")])) as server:
        assert post(server, {"messages": HI})[0] == 503
        samples = scraped(server)
        assert value(samples, "isthmus_answers_total", outcome="failed") == 1
        assert value(samples, "isthmus_http_responses_total", status="503") == 1
    with serving(ScriptedEngine([TextDelta("Hel"), WorkerDied("it fell")])) as server:
        post(server, {"messages": HI, "stream": True})
        samples = scraped(server)
        assert value(samples, "isthmus_answers_total", outcome="cut") == 1
        assert value(samples, "isthmus_worker_restarts_total") == 1


def test_metrics_need_a_key_of_any_scope_where_keys_exist(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        team = made(server)
        assert ask(server, "GET", "/metrics")[0] == 401
        scraped(server, **team)
        scraped(server, **made(server, "operator", scopes=("manage",)))


@pytest.mark.parametrize("by_key", [False, True])
def test_keys_are_labels_only_where_that_is_asked(serving, by_key):
    with serving(ScriptedEngine(HELLO), server__metrics_by_key=by_key) as server:
        team = made(server)
        post(server, {"messages": HI}, **team)
        samples = scraped(server, **team)
        assert value(samples, "isthmus_key_tokens_total", key="team") == 120 * by_key
        assert by_key == any("team" in str(labels) for _, labels in samples)


def test_they_can_be_turned_off(serving):
    with serving(ScriptedEngine(HELLO), server__metrics=False) as server:
        assert ask(server, "GET", "/metrics")[0] == 404


def test_an_answer_that_ends_after_its_response_is_counted_too():
    metrics = Metrics(IDLE_SERVER)
    over = exchange()
    over.end("/v1/responses", metrics.watch)
    over.finished(answered())
    samples = read(metrics.render("")[0].decode())
    assert value(samples, "isthmus_http_responses_total") == 1
    assert value(samples, "isthmus_answers_total") == 1


def test_an_answer_that_ends_before_the_report_of_its_response_is_counted_once():
    """The report comes a turn of the event loop later."""
    metrics, waiting = Metrics(IDLE_SERVER), []
    over = exchange(answered())
    over.end("/v1/responses", waiting.append)
    over.finished(answered())
    assert over.tokens == 2 * (100 + 21)
    for each in waiting:
        metrics.watch(each)
    samples = read(metrics.render("")[0].decode())
    assert value(samples, "isthmus_http_responses_total") == 1
    assert value(samples, "isthmus_answers_total") == 2


def test_an_answer_in_the_background_is_counted_and_its_tokens_are_its_keys(serving):
    with serving(ScriptedEngine([TextDelta("Hel"), 0.1, *HELLO])) as server:
        team, other = made(server, limits=KeyLimits(tokens_day=150)), made(server, "other")
        status, _, made_first = respond(server, team)
        assert (status, made_first["status"]) == (200, "queued")
        wait_until(lambda: value(scraped(server, **other), "isthmus_answers_total") == 1)
        assert value(scraped(server, **other), "isthmus_tokens_total", kind="completion") == 20
        assert respond(server, team)[0] == 200, "120 of 150"
        wait_until(lambda: value(scraped(server, **other), "isthmus_answers_total") == 2)
        assert respond(server, team)[0] == 429


def respond(server, headers):
    return ask(server, path="/v1/responses", body={"input": "hi", "background": True}, **headers)


def test_tokens_of_embeddings_are_counted_by_path():
    metrics = Metrics(IDLE_SERVER)
    over = exchange(template="/v1/embeddings")
    over.spend(42)
    metrics.watch(over)
    samples = read(metrics.render("")[0].decode())
    assert value(samples, "isthmus_other_tokens_total", path="/v1/embeddings") == 42


def test_cost_is_counted_in_dollars_and_models_beyond_count_together(monkeypatch):
    monkeypatch.setattr("isthmus.server.metrics._MOST_MODELS", 2)
    metrics = Metrics(IDLE_SERVER)
    for number in range(5):
        metrics.watch(exchange(answered(model=f"large-{number}")))
    samples = read(metrics.render("")[0].decode())
    assert value(samples, "isthmus_cost_usd_total") == 1.25
    assert value(samples, "isthmus_cost_usd_total", model="large-1") == 0.25
    assert value(samples, "isthmus_cost_usd_total", model="(other)") == 0.75
