"""Consent over HTTP: what was asked in mode ask waits, is shown as it would leave, and is sent once."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from types import SimpleNamespace

import pytest

from isthmus.engines.scripted import ScriptedEngine
from isthmus.handoff.rules import Rules
from isthmus.ledger import Ledger, open_database
from isthmus.messages import Finish, TextDelta, Usage
from isthmus.runtime.assembly import open_terms
from tests.upstream import CLOSE, Upstream, answer

HARD = "Ann has 12 apples, Bob 7, Cy 9; how many in total, if each eats 2, and then half are sold?"
HOME = [TextDelta("From home."), Finish("stop", Usage(20, 3))]
PENDING = "/isthmus/handoff/pending"


@pytest.fixture
def asked(serving, settings):
    """``asked(*replies)``: a server in mode ask, and the hosted side that gives these replies."""
    opened = []

    def serve(*replies, base_url=None, local_only=False, home=(HOME,), recogniser="auto", **flags):
        upstream = Upstream(*(replies or [answer("From away.")])).__enter__()
        away = {
            "providers__big__base_url": base_url or upstream.url,
            "providers__big__model": "big-1",
            "providers__big__input_usd_per_mtok": 1,
            "providers__big__output_usd_per_mtok": 10,
            "handoff__provider": "big",
            "handoff__mode": "ask",
            "handoff__local_only": local_only,
            "handoff__redaction__recogniser": recogniser,
        }
        config = settings(**away)
        database = open_database(config.settings.ledger_path)
        hosted = open_terms(config, Ledger(database)).hosted
        rules = Rules(mode="ask", provider="big", local_only=local_only)
        context = serving(ScriptedEngine(*home), rules=rules, hosted=hosted, **flags)
        server = context.__enter__()
        opened.append((context, upstream, database))
        server.upstream = upstream
        return server

    yield serve
    for context, upstream, database in opened:
        context.__exit__(None, None, None)
        upstream.__exit__()
        database.dispose()


def call(server, method, path, body=None, **headers):
    """Status, headers, parsed body."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        text = response.read().decode()
        said = dict(response.getheaders())
        return SimpleNamespace(
            status=response.status,
            headers=said,
            text=text,
            json=json.loads(text) if said.get("content-type") == "application/json" else None,
        )


def bearer(server, name, *scopes):
    _, secret = server.keys.create(name, scopes=scopes or ("infer",))
    return {"Authorization": f"Bearer {secret.reveal()}"}


def own(server):
    return {"Authorization": f"Bearer {server.run.key}"}


def ask(server, text=HARD, **headers):
    """Ask; the id under which the question waits."""
    body = {"messages": [{"role": "user", "content": text}]}
    return call(server, "POST", "/v1/chat/completions", body, **headers)


def waits(server, **headers):
    return ask(server, **headers).headers["x-isthmus-consent-id"]


def test_what_home_found_in_it_is_hidden_when_it_is_shown_and_when_it_is_sent(asked):
    listed = [TextDelta('{"people":["Cy"],"addresses":[]}'), Finish("stop")]
    server = asked(answer("<PERSON_1> has most."), home=(HOME, listed), recogniser="model")
    id_ = waits(server)
    shown = call(server, "GET", f"{PENDING}/{id_}").json
    assert "Bob 7, <PERSON_1> 9" in json.dumps(shown["leaves"])
    sent = call(server, "POST", f"{PENDING}/{id_}/approve", {"digest": shown["digest"]})
    assert sent.json["choices"][0]["message"]["content"] == "Cy has most."
    (left,) = server.upstream.requests
    assert "Cy" not in left.body.decode()


# ---------------------------------------------------------------- over every API


APIS = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": HARD}]},
    "/v1/completions": None,  # a raw prompt: it stays home, consent or not
    "/v1/responses": {"input": HARD},
    "/v1/messages": {"messages": [{"role": "user", "content": HARD}], "max_tokens": 50, "model": "m"},
    "/api/chat": {"messages": [{"role": "user", "content": HARD}], "model": "scripted"},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body"), [each for each in APIS.items() if each[1]])
def test_mode_ask_answers_from_home_and_says_what_to_approve(asked, path, body, stream):
    server = asked()
    model = {"model": "scripted"} if path == "/v1/messages" else {}
    came = call(server, "POST", path, {**body, **model, "stream": stream})
    id_ = came.headers["x-isthmus-consent-id"]
    assert came.status == 200
    assert re.fullmatch("[0-9a-f]{32}", id_)
    assert came.headers["x-isthmus-reason"] == "consent_required"
    assert "From home." in came.text
    assert f'"consent_id":"{id_}"' in came.text
    assert f'"hint":"isthmus handoff approve {id_}"' in came.text
    assert server.upstream.requests == []
    assert call(server, "GET", f"{PENDING}/{id_}").json["original"][-1]["content"] == HARD


def test_what_looks_easy_or_is_asked_at_home_waits_for_nobody(asked):
    server = asked()
    for text, more in (("What is the capital of France?", {}), (HARD, {"isthmus": {"handoff": "off"}})):
        body = {"messages": [{"role": "user", "content": text}], **more}
        came = call(server, "POST", "/v1/chat/completions", body)
        assert "x-isthmus-consent-id" not in came.headers
    assert call(server, "GET", PENDING, **own(server)).json == {"pending": []}


@pytest.mark.parametrize(
    ("header", "field", "reason"),
    [
        ("off", None, "asked_local"),
        ("shadow", None, "mode_shadow"),
        ("always", None, "consent_required"),  # laxer than the settings, so it has no effect
        ("always", "off", "asked_local"),
        ("OFF", "always", "asked_local"),
    ],
)
def test_a_request_may_be_stricter_by_a_header_too(asked, header, field, reason):
    server = asked()
    body = {"messages": [{"role": "user", "content": HARD}], "isthmus": {"handoff": field}}
    headers = {"x-isthmus-handoff": header}
    came = call(server, "POST", "/v1/chat/completions", body, **headers)
    assert (came.headers["x-isthmus-route"], came.headers["x-isthmus-reason"]) == ("local", reason)
    assert server.upstream.requests == []


def test_a_mode_that_there_is_not_is_refused(asked):
    server = asked()
    came = ask(server, **{"x-isthmus-handoff": "offf"})
    assert (came.status, came.json["error"]["param"]) == (400, "x-isthmus-handoff")


# ---------------------------------------------------------------- shown, sent, declined


def test_the_preview_is_exactly_what_then_leaves(asked):
    server = asked()
    id_ = waits(server)
    (item,) = call(server, "GET", PENDING, **own(server)).json["pending"]
    shown = call(server, "GET", f"{PENDING}/{id_}").json
    assert (item["id"], item["question"], item["provider"], item["model"]) == (id_, HARD, "big", "big-1")
    assert Decimal(shown["worst_usd"]) == Decimal(item.pop("worst_usd")) > 0
    assert shown | item == shown
    assert shown["decision"]["reason"] in ("looks_hard", "answer_doubtful")
    assert server.upstream.requests == []
    came = call(server, "POST", f"{PENDING}/{id_}/approve", {"digest": shown["digest"]})
    assert came.status == 200
    assert came.json["choices"][0]["message"]["content"] == "From away."
    assert came.headers["x-isthmus-route"] == "hosted"
    assert came.headers["x-isthmus-reason"] == "consent_given"
    (sent,) = server.upstream.requests
    assert sent.json == shown["leaves"]
    assert len(sent.body) == shown["sent_bytes"]


def test_it_is_sent_once_and_has_a_row_of_its_own(asked):
    server = asked()
    id_ = waits(server)
    came = call(server, "POST", f"{PENDING}/{id_}/approve", {"stream": True})
    assert "From" in came.text
    assert came.text.endswith("data: [DONE]\n\n")
    assert '"cost_usd"' in came.text
    again = call(server, "POST", f"{PENDING}/{id_}/approve")
    assert (again.status, again.json["error"]["code"]) == (409, "already_decided")
    assert len(server.upstream.requests) == 1
    approved, asked_first = server.ledger.questions(5)
    assert (asked_first.target, asked_first.reason) == ("local", "consent_required")
    assert (approved.target, approved.reason, approved.source) == ("hosted", "consent_given", "api")
    assert approved.sent_digest is not None
    told = call(server, "GET", f"{PENDING}/{id_}").json
    assert (told["status"], told["question"]) == ("approved", "")
    assert Decimal(told["cost_usd"]) == approved.cost_usd > 0


def test_of_many_that_approve_at_once_one_has_the_answer(asked):
    server = asked()
    id_ = waits(server)
    with ThreadPoolExecutor(12) as threads:
        came = list(threads.map(lambda _: call(server, "POST", f"{PENDING}/{id_}/approve"), range(12)))
    assert sorted(each.status for each in came) == [200, *[409] * 11]
    assert len(server.upstream.requests) == 1


def test_what_is_declined_is_never_sent(asked):
    server = asked()
    id_ = waits(server)
    came = call(server, "POST", f"{PENDING}/{id_}/decline")
    assert came.json == {"id": id_, "status": "declined"}
    assert call(server, "POST", f"{PENDING}/{id_}/approve").status == 409
    assert call(server, "GET", PENDING, **own(server)).json == {"pending": []}
    assert server.upstream.requests == []


def test_consent_is_to_what_was_seen(asked):
    server = asked()
    id_ = waits(server)
    came = call(server, "POST", f"{PENDING}/{id_}/approve", {"digest": "0" * 64})
    assert (came.status, came.json["error"]["code"]) == (409, "already_decided")
    assert server.upstream.requests == []
    assert call(server, "POST", f"{PENDING}/{id_}/approve").status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_where_nothing_left_after_all_it_waits_on(asked, stream):
    server = asked(base_url="http://127.0.0.1:9/v1")
    id_ = waits(server)
    came = call(server, "POST", f"{PENDING}/{id_}/approve", {"stream": stream})
    assert came.json["error"]["code"] == "provider_unreachable"
    assert call(server, "GET", f"{PENDING}/{id_}").json["status"] == "pending"


def test_an_answer_that_is_cut_is_not_sent_again_and_not_shown_as_whole(asked):
    whole = answer("From away.")
    server = asked([*whole[:2], CLOSE])
    id_ = waits(server)
    came = call(server, "POST", f"{PENDING}/{id_}/approve", {"stream": True})
    assert "[DONE]" not in came.text
    assert call(server, "POST", f"{PENDING}/{id_}/approve").status == 409
    assert server.ledger.questions(1)[0].outcome == "cut"


def test_where_the_settings_let_nothing_leave_any_more_nothing_does(asked):
    server = asked()
    id_ = waits(server)
    stricter = asked(local_only=True)
    came = call(stricter, "POST", f"{PENDING}/{id_}/approve")
    assert (came.status, came.json["error"]["code"]) == (403, "handoff_refused")
    assert call(server, "GET", f"{PENDING}/{id_}").json["status"] == "pending"


@pytest.mark.parametrize("body", [[], {"diggest": "x"}, {"stream": "yes"}])
def test_a_body_that_is_not_understood_sends_nothing(asked, body):
    server = asked()
    came = call(server, "POST", f"{PENDING}/{waits(server)}/approve", body)
    assert came.status == 400
    assert server.upstream.requests == []


@pytest.mark.parametrize("id_", ["nobody", "%00", "%ED%A0%80", "%F0%9F%98%80", "'%20OR%201=1", "x" * 5000])
def test_an_id_that_nobody_was_given_names_nothing(asked, id_):
    server = asked()
    waits(server)
    for method, end in (("GET", ""), ("POST", "/approve"), ("POST", "/decline")):
        assert call(server, method, f"{PENDING}/{id_}{end}").status == 404
    assert len(call(server, "GET", PENDING, **own(server)).json["pending"]) == 1


# ---------------------------------------------------------------- who may


def test_who_asked_may_decide_and_who_manages_and_nobody_else(asked):
    server = asked()
    asker, other = bearer(server, "asker"), bearer(server, "other")
    manager, infers = bearer(server, "manager", "manage"), [waits(server, **asker) for _ in range(3)]
    path = f"{PENDING}/{infers[0]}"
    for method, end in (("GET", ""), ("POST", "/approve"), ("POST", "/decline")):
        assert call(server, method, path + end).status == 401
        assert call(server, method, path + end, **other).status == 404
    lists = [
        call(server, "GET", PENDING, **who).json["pending"] for who in (asker, other, manager, own(server))
    ]
    assert [len(each) for each in lists] == [3, 0, 3, 3]
    for id_, who in zip(infers, (asker, manager, own(server)), strict=True):
        assert call(server, "POST", f"{PENDING}/{id_}/approve", **who).status == 200
    # Whoever approves, the key that asked bears the cost.
    assert {row.key for row in server.ledger.questions(6)} == {"asker"}


def test_what_a_revoked_key_has_asked_is_not_sent(asked):
    server = asked()
    id_ = waits(server, **bearer(server, "asker"))
    server.keys.revoke("asker")
    came = call(server, "POST", f"{PENDING}/{id_}/approve", **own(server))
    assert came.json["error"]["code"] == "handoff_refused"
    assert server.upstream.requests == []


def test_without_keys_an_id_will_do_and_a_list_takes_the_persons_own(asked):
    server = asked()
    id_ = waits(server)
    assert call(server, "GET", PENDING).status == 401
    assert call(server, "GET", f"{PENDING}/{'0' * 32}").status == 404
    assert call(server, "GET", f"{PENDING}/{id_}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    ],
)
def test_no_other_page_gives_consent_even_where_any_may_ask(asked, headers):
    server = asked(server__cors_origins=["*"], server__cors_without_keys=True)
    id_ = waits(server)
    for method, end in (("GET", ""), ("POST", "/approve"), ("POST", "/decline")):
        came = call(server, method, f"{PENDING}/{id_}{end}", **headers)
        assert (came.status, came.json["error"]["code"]) == (403, "foreign_origin")
    assert server.upstream.requests == []
    page = {"Origin": f"http://127.0.0.1:{server.port}", "Sec-Fetch-Site": "same-origin"}
    assert call(server, "POST", f"{PENDING}/{id_}/approve", **page).status == 200


# ---------------------------------------------------------------- the page


def test_the_page_is_open_whole_and_shut_to_everything_else(asked):
    server = asked()
    bearer(server, "somebody")
    page = call(server, "GET", "/handoff")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"/handoff/handoff.css", "/handoff/handoff.js"} <= set(loaded)
    for path in ("/handoff", *loaded):
        came = call(server, "GET", path)
        assert came.status == 200
        policy = came.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"https?://(?!www\.w3\.org)", came.text)
        assert not re.search(
            r"innerHTML|insertAdjacentHTML|document\.write|eval\(|\son\w+=|<style", came.text
        )
    for name in ("__init__.py", "docs.js", "..%2fapp.py", ""):
        assert call(server, "GET", f"/handoff/{name}").status == 404
