"""The ``isthmus`` field says what there is to say, and nothing else."""

from decimal import Decimal

from isthmus.messages import Decision, Evidence, Finish, Notice, Route, Timings
from isthmus.wire.remarks import describe_route, remarks

EVIDENCE = Evidence(0.73456, threshold=0.5)
ROUTE = Route(Decision("hosted", "looks_hard", "estimate", EVIDENCE), "large", "upstream")


def test_numbers_are_rounded_and_left_out_where_there_are_none():
    assert describe_route(ROUTE) == {
        "route": "hosted",
        "reason": "looks_hard",
        "stage": "estimate",
        "model": "large",
        "provider": "upstream",
        "p_local_wrong": 0.7346,
        "threshold": 0.5,
    }
    assert "threshold" not in describe_route(Route(Decision("local", "mode_off"), "tiny"))


def test_what_waits_for_consent_is_named():
    waits = Route(Decision("local", "consent_required"), "tiny", consent_id="5f2c")
    assert describe_route(waits)["consent_id"] == "5f2c"
    assert "consent_id" not in describe_route(ROUTE)


def test_what_there_is_nothing_to_say_of_is_left_out():
    assert remarks(None) == {}
    assert remarks(ROUTE) == describe_route(ROUTE)


def test_the_end_tells_the_times_that_are_known():
    told = remarks(None, Finish("stop", timings=Timings(first_token_s=0.12345, tokens_per_s=20.0)))
    assert told["timings"] == {"first_token_s": 0.1235, "tokens_per_s": 20.0}
    assert "timings" not in remarks(None, Finish("stop"))


def test_the_end_tells_the_cost_and_what_was_to_be_told_on_the_way():
    told = remarks(None, Finish("stop", cost_usd=Decimal("0.0012")), [Notice("n", "look", "do")], ["user"])
    assert told["cost_usd"] == "0.0012"
    assert told["notices"] == [{"type": "notice", "code": "n", "text": "look", "hint": "do"}]
    assert told["ignored_parameters"] == ["user"]
