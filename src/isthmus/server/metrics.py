"""``GET /metrics``: what Prometheus scrapes.

All is counted once, when an answer has ended, so that its tokens cost nothing on their way. Labels come from
closed sets and from the models that are here: nothing that a caller makes up becomes one.
"""

from collections import Counter as Tally
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from isthmus import __version__
from isthmus.ledger import QuestionRecord
from isthmus.runtime.observing import Answered
from isthmus.server.exchange import Exchange
from isthmus.server.operation import Endpoint, Operation
from isthmus.server.state import Served

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_BETWEEN_TOKENS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5)
_MOST_MODELS = 200
"""Models with a label of their own; whatever is asked beyond them is counted together."""
_OTHER = "(other)"
_KEPT = 256
"""Counters of a family that are held ready."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What was counted since the server started.

    Args:
        service: Whose models, queues and requests in flight are shown.
        by_key: Whether tokens and cost are counted for each key, too.
    """

    def __init__(self, service: Served, *, by_key: bool = False) -> None:
        disable_created_metrics()  # half of all samples, for what a scraper knows from its first look
        self._registry = CollectorRegistry()
        self._families = _Families(self._registry)
        self._series: dict[tuple[str, str], _Series] = {}
        # The library makes a tuple of strings of the labels and takes a lock at each look-up.
        self._responses = lru_cache(_KEPT)(self._families.responses.labels)
        self._requests_s = lru_cache(_KEPT)(self._families.requests_s.labels)
        self._answers = lru_cache(_KEPT)(self._families.answers.labels)
        self._by_key = by_key
        ProcessCollector(registry=self._registry)
        self._registry.register(_Now(service))

    def watch(self, exchange: Exchange) -> None:
        """Count a request that is over."""
        if not exchange.background:
            path, method = exchange.template, exchange.method
            method = method if method in _METHODS else _OTHER
            self._responses(path, method, str(exchange.status), exchange.api).inc()
            self._requests_s(path).observe(exchange.duration_s)
            if exchange.other_tokens:
                self._families.other_tokens.labels(path).inc(exchange.other_tokens)
        for answered in exchange.answers:
            self._count(answered)

    def _count(self, answered: Answered) -> None:
        row = answered.record
        series = self._series_of(row)
        series.count(row)
        self._answers(series.model, row.target, row.reason, row.outcome).inc()
        if answered.timings is not None and answered.timings.wait_s is not None:
            series.wait_s.observe(answered.timings.wait_s)
        if self._by_key and row.key is not None:
            self._families.key_tokens.labels(row.key).inc(row.prompt_tokens + row.completion_tokens)
            self._families.key_cost.labels(row.key).inc(float(row.cost_usd))

    def _series_of(self, row: QuestionRecord) -> "_Series":
        labels = row.model, row.target
        series = self._series.get(labels)
        if series is None:
            if len(self._series) >= _MOST_MODELS:
                labels = _OTHER, row.target
            series = self._series.setdefault(labels, self._families.of(*labels))
        return series

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its media type, in the format that the scraper prefers."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    @property
    def endpoint(self) -> Endpoint:
        """What stands at ``/metrics``."""
        return Operation("What Prometheus scrapes", text="text/plain")(self.metrics)

    async def metrics(self, request: Request) -> Response:
        """Times, tokens, routes, cost, queues and memory, in Prometheus's text format."""
        body, media_type = self.render(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


class _Series:
    """The counters of one model at one place, looked up once."""

    def __init__(self, families: "_Families", model: str, target: str) -> None:
        self.model = model
        self.wait_s = families.wait_s.labels(model)
        self._first_s = families.first_s.labels(model, target)
        self._between_s = families.between_s.labels(model, target)
        self._answer_s = families.answer_s.labels(model, target)
        self._prompt = families.tokens.labels(model, target, "prompt")
        self._completion = families.tokens.labels(model, target, "completion")
        self._reasoning = families.tokens.labels(model, target, "reasoning")
        self._cached = families.tokens.labels(model, target, "cached")
        self._cost = families.cost.labels(model)

    def count(self, row: QuestionRecord) -> None:
        if row.total_s is not None:
            self._answer_s.observe(row.total_s)
        if row.first_token_s is not None:
            self._first_s.observe(row.first_token_s)
            if row.total_s is not None and row.completion_tokens > 1:
                self._between_s.observe((row.total_s - row.first_token_s) / (row.completion_tokens - 1))
        self._prompt.inc(row.prompt_tokens)
        self._completion.inc(row.completion_tokens)
        if row.reasoning_tokens:
            self._reasoning.inc(row.reasoning_tokens)
        if row.cached_tokens:
            self._cached.inc(row.cached_tokens)
        if row.cost_usd:
            self._cost.inc(float(row.cost_usd))


class _Families:
    """The metrics that are counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.responses = Counter(
            "isthmus_http_responses",
            "HTTP responses.",
            ("path", "method", "status", "api"),
            registry=registry,
        )
        self.requests_s = Histogram(
            "isthmus_http_request_seconds",
            "Time from a request to the end of its response.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.answers = Counter(
            "isthmus_answers",
            "Questions, by who answered (local, hosted, refuse), why, and how it ended.",
            ("model", "route", "reason", "outcome"),
            registry=registry,
        )
        of_answers = ("model", "route")
        self.answer_s = Histogram(
            "isthmus_answer_seconds",
            "Time from a question to the end of its answer.",
            of_answers,
            buckets=_SECONDS,
            registry=registry,
        )
        self.first_s = Histogram(
            "isthmus_time_to_first_token_seconds",
            "Time from a question to its first token, of any kind.",
            of_answers,
            buckets=_SECONDS,
            registry=registry,
        )
        self.between_s = Histogram(
            "isthmus_inter_token_seconds",
            "Mean time between the tokens of an answer.",
            of_answers,
            buckets=_BETWEEN_TOKENS,
            registry=registry,
        )
        self.wait_s = Histogram(
            "isthmus_queue_seconds",
            "Time until a local model was loaded and had a slot free.",
            ("model",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.tokens = Counter(
            "isthmus_tokens",
            "Tokens: of prompts, of these those from the cache; of completions, of these those of thinking.",
            ("model", "route", "kind"),
            registry=registry,
        )
        self.other_tokens = Counter(
            "isthmus_other_tokens",
            "Tokens of work that is no answer: of texts that became vectors.",
            ("path",),
            registry=registry,
        )
        self.cost = Counter(
            "isthmus_cost_usd", "What hosted answers cost, in dollars.", ("model",), registry=registry
        )
        self.key_tokens = Counter(
            "isthmus_key_tokens", "Prompt and completion tokens of each key.", ("key",), registry=registry
        )
        self.key_cost = Counter(
            "isthmus_key_cost_usd", "What each key's hosted answers cost.", ("key",), registry=registry
        )

    def of(self, model: str, target: str) -> _Series:
        """The counters of one model at one place."""
        return _Series(self, model, target)


class _Gauge(Struct):
    """A value of each loaded model, as it is now."""

    name: str
    what: str
    field: str


_OF_MODELS = (
    _Gauge("isthmus_queue_length", "Requests that wait for a model.", "waiting"),
    _Gauge("isthmus_slots_busy", "Slots of a model that are at work.", "busy"),
    _Gauge("isthmus_slots", "Slots that a model has.", "slots"),
    _Gauge("isthmus_model_memory_bytes", "Memory that is counted for a model.", "memory_bytes"),
)


class _Now(Collector):
    """What is asked of the server when it is scraped."""

    def __init__(self, service: Served) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they stand."""
        service, pool = self._service, self._service.models.pool
        status = pool.status()
        yield _single("isthmus_http_in_flight", "Requests that are being answered.", service.in_flight)
        yield _single("isthmus_draining", "1 while the server is about to stop.", service.draining)
        yield _single("isthmus_memory_budget_bytes", "What all models may take.", pool.budget_bytes)
        yield _single("isthmus_memory_taken_bytes", "What is counted for all models.", pool.taken_bytes)
        family = GaugeMetricFamily("isthmus_models", "Models by their state.", labels=["model", "state"])
        for (name, state), count in Tally((each.name, each.state) for each in status).items():
            family.add_metric([name, state], count)
        yield family
        for gauge in _OF_MODELS:
            family = GaugeMetricFamily(gauge.name, gauge.what, labels=["model"])
            # A model may be loaded twice, to answer and to embed.
            for name in dict.fromkeys(each.name for each in status):
                value = sum(getattr(each, gauge.field) for each in status if each.name == name)
                family.add_metric([name], value)
            yield family
        yield from self._providers()
        yield CounterMetricFamily("isthmus_worker_restarts", "Workers that fell at work.", pool.falls())
        build = GaugeMetricFamily("isthmus_build_info", "The version that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build

    def _providers(self) -> Iterator[Metric]:
        """How the hosted side does."""
        hosted = self._service.terms.hosted
        admitted = GaugeMetricFamily(
            "isthmus_provider_up", "0 while a provider is left alone, having failed.", labels=["provider"]
        )
        failures = GaugeMetricFamily(
            "isthmus_provider_failures", "A provider's failures in a row.", labels=["provider"]
        )
        for name, health in (hosted.health if hosted else {}).items():
            admitted.add_metric([name], float(health.state != "open"))
            failures.add_metric([name], health.failures)
        yield admitted
        yield failures


def _single(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, float(value))
