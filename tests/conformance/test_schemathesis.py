"""schemathesis over our own document: nothing breaks, nothing leaks, every answer is as documented.

``--fuzz N`` requests go to a model that is played, in lots of a thousand, each by a seed of its own, so that
a lot can be run again by itself (``-k seed-07``); a tenth as many go to real weights, whose parsers, samplers
and templates take part.
"""

import logging
from collections import Counter
from contextlib import closing

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

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, TextDelta, Usage
from tests.conftest import ROOT
from tests.server.conftest import serving

from .patience import patience
from .serving import Server
from .test_hostile import works

__all__ = ["serving"]

CLIENT, PACKAGES = "schemathesis", ("schemathesis",)

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
LIMITS = {"/responses": "max_output_tokens", "/completion": "n_predict", "/infill": "n_predict"}
FEW = 2
LOT = 1000
SAID = (TextDelta("Hello"), TextDelta(" there."), Finish("stop", Usage(9, FEW)))


class Fuzzer:
    """Sends generated requests and keeps what is wrong with the answers, each fault once."""

    def __init__(self, server, number):
        self.server = server
        self._seed = number
        self.sent = 0
        self.statuses = Counter()
        self.faults = {}
        self._session = requests.Session()
        self._secrets = (server.key, str(server.home), str(ROOT), "site-packages", "Traceback (most")

    def send(self, operation, mode, number):
        """About so many requests to an operation; fewer where there aren't as many different ones."""

        @seed(self._seed)
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
                base_url=self.server.origin, session=self._session, headers=key, timeout=patience(180)
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

    def send_all(self, number):
        """So many requests: a few that fit to each operation, the rest to those that take a body."""
        document = schemathesis.openapi.from_url(
            f"{self.server.origin}/openapi.json", headers={"Authorization": f"Bearer {self.server.key}"}
        )
        operations = [each.ok() for each in document.get_all_operations()]
        with_bodies = [each for each in operations if each.body]
        for operation in operations:
            self.send(operation, GenerationMode.POSITIVE, 3)
        share = max(1, (number - self.sent) // (2 * len(with_bodies)) + 1)
        for operation in with_bodies:
            for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
                self.send(operation, mode, share)
        told = ", ".join(f"{count} of status {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.sent} requests to {len(operations)} operations: {told}"

    def judge(self):
        """Nothing was wrong, and the next request works."""
        works(self.server)
        traceback = self.server.log.read_text().partition("Traceback")[2][:3000]
        assert not self.faults, "\n".join([*self.faults.values(), traceback])


def asked_for(config):
    return config.getoption("--fuzz", None) or LOT


def pytest_generate_tests(metafunc):
    if "lot" in metafunc.fixturenames:
        whole, rest = divmod(asked_for(metafunc.config), LOT)
        lots = [LOT] * whole + [rest] * bool(rest)
        metafunc.parametrize(
            "lot", [*enumerate(lots, 1)], ids=[f"seed-{at:02}" for at in range(1, len(lots) + 1)]
        )


@pytest.fixture
def played_server(serving, tmp_path):
    """A model that always says the same, behind a server with a key."""
    log = tmp_path / "serve.log"
    with closing(logging.FileHandler(log)) as handler, serving(ScriptedEngine(SAID)) as server:
        logging.getLogger("isthmus").addHandler(handler)
        _, secret = server.keys.create("conformance", scopes=("infer", "manage"))
        home = server.settings.home_path
        yield Server(f"http://127.0.0.1:{server.port}", secret.reveal(), server.run.model, home, log)
        logging.getLogger("isthmus").removeHandler(handler)


def test_generated_requests(played_server, lot, did):
    number, size = lot
    fuzzer = Fuzzer(played_server, number)
    did(fuzzer.send_all(size))
    fuzzer.judge()


def test_generated_requests_and_real_weights(tiny_server, request, did):
    fuzzer = Fuzzer(tiny_server, 4774)
    did(fuzzer.send_all(asked_for(request.config) // 10))
    fuzzer.judge()
