"""Traces: a span a request, by OpenTelemetry's conventions for HTTP servers and for generative AI.

The only module that imports OpenTelemetry, which is an extra: import it where traces are wanted. Spans are
made when a request is over and sent by a thread of their own, so a slow collector slows down nobody. Beside
the endpoint, OpenTelemetry's packages read their own ``OTEL_*`` variables: headers, sampling, names.

Conventions: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from isthmus import __version__
from isthmus.messages import GenerationRequest, Message
from isthmus.runtime.observing import Answered
from isthmus.server.exchange import PROBES, Exchange

_CONTEXT = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
_OPERATIONS = {
    "/v1/completions": "text_completion",
    "/api/generate": "text_completion",
    "/v1/embeddings": "embeddings",
    "/api/embed": "embeddings",
    "/api/embeddings": "embeddings",
}


class Traces:
    """Makes a span of each request that is over.

    Args:
        endpoint: Where they are sent, by OTLP over HTTP.
        content: Whether they hold questions and answers.
        exporter: In place of the one that sends them there.
    """

    def __init__(self, endpoint: str, *, content: bool = False, exporter: SpanExporter | None = None) -> None:
        named = Resource({"service.name": "isthmus", "service.version": __version__})
        self._provider = TracerProvider(
            resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("isthmus", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._content = content

    def watch(self, exchange: Exchange) -> None:
        """Make the span of a request."""
        if exchange.template in PROBES:
            return
        ended = time.time_ns()
        said = {
            _CONTEXT[name]: value.decode("latin-1")
            for name, value in exchange.scope["headers"]
            if name in _CONTEXT
        }
        span = self._tracer.start_span(
            _name(exchange),
            context=self._propagator.extract(said),
            kind=SpanKind.SERVER,
            attributes=dict(_attributes(exchange)),
            start_time=ended - int(exchange.duration_s * 1e9),
        )
        if self._content and exchange.answers:
            span.set_attributes(_content(exchange.answers[-1]))
        if exchange.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def close(self) -> None:
        """Send what is left, and stop; takes seconds where the collector is silent."""
        self._provider.shutdown()


def _name(exchange: Exchange) -> str:
    if exchange.answers:
        return f"{_operation(exchange)} {exchange.answers[-1].record.local_model}"
    return f"{exchange.method} {exchange.template}"


def _operation(exchange: Exchange) -> str:
    return _OPERATIONS.get(exchange.template, "chat")


def _attributes(exchange: Exchange) -> Iterator[tuple[str, Any]]:
    yield "http.request.method", exchange.method
    yield "http.route", exchange.template
    yield "http.response.status_code", exchange.status
    yield "isthmus.request_id", exchange.request_id
    if (server := exchange.scope.get("server")) is not None:
        yield "server.address", server[0]
        yield "server.port", server[1]
    if exchange.key is not None:
        yield "isthmus.key", exchange.key.name
    error = exchange.error.code if exchange.error is not None else None
    if exchange.answers:
        answered = exchange.answers[-1]
        error = error or answered.record.error_code
        yield "gen_ai.operation.name", _operation(exchange)
        yield from _of_answer(answered)
        yield from _of_request(answered.request)
    if error is not None:
        yield "error.type", error


def _of_answer(answered: Answered) -> Iterator[tuple[str, Any]]:
    row = answered.record
    yield "gen_ai.provider.name", row.provider or "isthmus"
    yield "gen_ai.request.model", row.local_model
    yield "gen_ai.response.model", row.model
    yield "gen_ai.response.id", row.id
    yield "gen_ai.response.finish_reasons", list(answered.finish_reasons)
    yield "gen_ai.usage.input_tokens", row.prompt_tokens
    yield "gen_ai.usage.output_tokens", row.completion_tokens
    yield "gen_ai.usage.cache_read.input_tokens", row.cached_tokens
    yield "gen_ai.usage.reasoning.output_tokens", row.reasoning_tokens
    if row.first_token_s is not None:
        yield "gen_ai.response.time_to_first_chunk", row.first_token_s
    yield "isthmus.route", row.target
    yield "isthmus.reason", row.reason
    yield "isthmus.outcome", row.outcome
    if row.cost_usd:
        yield "isthmus.cost_usd", float(row.cost_usd)


def _of_request(request: GenerationRequest) -> Iterator[tuple[str, Any]]:
    if request.n != 1:
        yield "gen_ai.request.choice.count", request.n
    for name in ("max_tokens", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"):
        value = getattr(request, name)
        if value is not None:
            yield f"gen_ai.request.{name}", value


def _content(answered: Answered) -> Mapping[str, str]:
    """The words, as the conventions have them: messages of parts, in JSON."""
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "".join(answered.pieces)}]}
    return {
        "gen_ai.input.messages": _json([_message(each) for each in answered.request.messages]),
        "gen_ai.output.messages": _json([answer]),
    }


def _message(message: Message) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "content": message.text}] if message.text else []
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {"role": message.role, "parts": parts}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
