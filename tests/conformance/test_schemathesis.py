"""schemathesis over our own document: nothing breaks, nothing leaks, every answer is as documented."""

from collections import Counter

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: make conformance")

import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import ROOT

from .test_hostile import works

CLIENT, PACKAGES = "schemathesis", ("schemathesis",)

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
LIMITS = {"/responses": "max_output_tokens", "/completion": "n_predict", "/infill": "n_predict"}
FEW = 2
PATIENCE_S = 180


class Fuzzer:
    """Sends generated requests and keeps what is wrong with the answers, each fault once."""

    def __init__(self, server):
        self.server = server
        self.sent = 0
        self.statuses = Counter()
        self.faults = {}
        self._session = requests.Session()
        self._secrets = (server.key, str(server.home), str(ROOT), "site-packages", "Traceback (most")

    def send(self, operation, mode, number):
        """About so many requests to an operation; fewer where there aren't as many different ones."""

        @seed(4774)
        @settings(
            max_examples=number,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def one(case):
            self._send(case)

        one()

    def _send(self, case):
        self._make_it_quick(case)
        self.sent += 1
        key = {"Authorization": f"Bearer {self.server.key}"}
        where = f"{case.method} {case.operation.path}"
        try:
            response = case.call(
                base_url=self.server.origin, session=self._session, headers=key, timeout=PATIENCE_S
            )
        except requests.RequestException as error:
            self._fault(where, f"no answer: {error}"[:200], case)
            return
        self.statuses[response.status_code] += 1
        forbidden = where == "POST /api/pull" and response.status_code == 502  # offline, as the tests are
        if response.status_code >= 500 and not forbidden:
            told = self.server.log.read_text(errors="replace")[-2000:]
            self._fault(where, f"{response.status_code} {response.text[:200]} {told}", case)
        for secret in self._secrets:
            if secret in response.text or secret in str(response.headers):
                self._fault(where, f"leaks {secret!r}: {response.text[:200]}", case)
        self._validate(where, case, response)

    def _validate(self, where, case, response):
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                # [DONE], which ends OpenAI's streams, is no JSON.
                if "cannot deserialize payload" not in failure.message or "[DONE]" not in response.text:
                    self._fault(where, f"{failure.title}: {failure.message}"[:300], case)

    def _make_it_quick(self, case):
        """Short answers, and mostly from a model that is there: it is the server that is tested."""
        body = case.body
        if not isinstance(body, dict):
            return
        kept = case.operation.path != "/api/delete"  # which would take the model away from the others
        if kept and self.sent % 4 and isinstance(body.get("model", ""), str | None):
            body["model"] = self.server.model
        for name in LENGTHS:
            if isinstance(body.get(name), int) and body[name] > FEW:
                body[name] = FEW
        asked = LIMITS.get(case.operation.path.removeprefix("/v1"), LENGTHS[0])
        if body.get(asked) is None:
            body[asked] = FEW
        if case.operation.path.startswith("/api/") and isinstance(body.get("options", {}), dict | None):
            body["options"] = (body.get("options") or {}) | {"num_predict": FEW}

    def _fault(self, where, what, case):
        self.faults.setdefault((where, what[:60]), f"{where}: {what} | {case.as_curl_command()[:600]}")


@pytest.fixture(scope="module")
def number(request):
    return request.config.getoption("--fuzz", None) or 500


def test_generated_requests(tiny_server, number, did):
    document = schemathesis.openapi.from_url(
        f"{tiny_server.origin}/openapi.json", headers={"Authorization": f"Bearer {tiny_server.key}"}
    )
    operations = [each.ok() for each in document.get_all_operations()]
    with_bodies = [each for each in operations if each.body]
    fuzzer = Fuzzer(tiny_server)
    for operation in operations:
        fuzzer.send(operation, GenerationMode.POSITIVE, 3)
    share = max(1, (number - fuzzer.sent) // (2 * len(with_bodies)) + 1)
    for operation in with_bodies:
        for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
            fuzzer.send(operation, mode, share)
    told = ", ".join(f"{count} of status {status}" for status, count in sorted(fuzzer.statuses.items()))
    did(f"{fuzzer.sent} requests to {len(operations)} operations: {told}")
    works(tiny_server)
    log = tiny_server.log.read_text().partition("Traceback")[2][:3000]
    assert not fuzzer.faults, "\n".join([*fuzzer.faults.values(), log])
