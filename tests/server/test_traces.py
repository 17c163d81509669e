"""Spans, as a collector gets them."""

import http.server
import json
import threading

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from isthmus.engines.scripted import ScriptedEngine
from isthmus.errors import EngineError
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.server.traces import Traces
from tests.server.samples import ANSWER, QUESTION, answered, exchange
from tests.server.test_chat import HI, post, wait_until

PARENT = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def spans(*exchanges, content=False):
    exporter = InMemorySpanExporter()
    traces = Traces("http://127.0.0.1:9/v1/traces", content=content, exporter=exporter)
    for each in exchanges:
        traces.watch(each)
    traces.close()
    return exporter.get_finished_spans()


def test_an_answer_is_a_span_by_the_conventions():
    (span,) = spans(exchange(answered(), headers=[PARENT, ("x-request-id", "req-1")]))
    assert (span.name, span.kind) == ("chat small", SpanKind.SERVER)
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert span.resource.attributes["service.name"] == "isthmus"
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": 4774,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "cloud",
        "gen_ai.request.model": "small",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.model": "large",
        "gen_ai.response.id": "question-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 21,
        "gen_ai.usage.cache_read.input_tokens": 80,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "isthmus.request_id": "req-1",
        "isthmus.key": "team",
        "isthmus.route": "hosted",
        "isthmus.reason": "looks_hard",
        "isthmus.outcome": "complete",
        "isthmus.cost_usd": 0.25,
    }


def test_words_are_in_it_only_where_that_is_asked():
    (span,) = spans(exchange(answered()))
    assert QUESTION not in span.to_json()
    assert ANSWER not in span.to_json()
    (span,) = spans(exchange(answered()), content=True)
    (message,) = json.loads(span.attributes["gen_ai.input.messages"])
    assert message == {"role": "user", "parts": [{"type": "text", "content": QUESTION}]}
    assert ANSWER in span.attributes["gen_ai.output.messages"]


def test_a_failure_says_what_it_was():
    failed = exchange(status=503, error=EngineError("out of memory"), key=None)
    cut = exchange(answered(outcome="cut", error_code="worker_died"), template="/v1/embeddings")
    one, two = spans(failed, cut)
    assert (one.status.status_code, one.attributes["error.type"]) == (StatusCode.ERROR, "engine_error")
    assert one.name == "POST /v1/chat/completions"
    assert (two.name, two.attributes["error.type"]) == ("embeddings small", "worker_died")


def test_what_machines_ask_all_day_is_no_span():
    assert spans(exchange(template="/health"), exchange(template="/metrics")) == ()


@pytest.mark.parametrize("nonsense", ["", "00-zz-zz-01", "x" * 5000])
def test_a_strange_traceparent_is_passed_over(nonsense):
    (span,) = spans(exchange(answered(), headers=[("traceparent", nonsense)]))
    assert span.parent is None


@pytest.fixture
def collector():
    """An OTLP collector: its address, and what it was sent."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, request))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_real_server_sends_its_spans_before_it_ends(serving, collector):
    address, got = collector
    hello = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
    with serving(ScriptedEngine(hello), server__traces_endpoint=address) as server:
        for stream in (False, True):
            assert post(server, {"messages": HI, "stream": stream}, traceparent=PARENT[1])[0] == 200
    sent = [
        span
        for path, request in got
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if path == "/v1/traces"
    ]
    assert [span.name for span in sent] == ["chat scripted"] * 2
    assert {span.trace_id.hex() for span in sent} == {"0af7651916cd43dd8448eb211c80319c"}


def test_a_collector_that_is_not_there_harms_nobody(serving, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    hello = [TextDelta("Hello"), Finish("stop", Usage(1, 1))]
    with serving(ScriptedEngine(hello), server__traces_endpoint="http://127.0.0.1:9/v1/traces") as server:
        assert post(server, {"messages": HI})[0] == 200
    # It tries again for a while, at random moments: hypothesis minds the randomness in later tests.
    wait_until(lambda: not any("Otel" in thread.name for thread in threading.enumerate()), 20)
