import pytest

from isthmus.gate.planning import plan
from isthmus.gate.policy import parse_policy
from isthmus.gate.statistics import Judged
from isthmus.gate.suites import Prompts
from tests.gate.test_policy import POLICY

JUDGES = {"cyber": Judged(200, 190, 200, 4), "maths": None}


def prompts(cyber, maths=400):
    return {
        "cyber": Prompts(tuple(f"c{number}" for number in range(cyber))),
        "maths": Prompts(tuple(f"m{number}" for number in range(maths))),
    }


def test_what_a_policy_can_decide():
    found = plan(parse_policy(POLICY), prompts(1000), JUDGES, samples=2, tokens=100, tokens_per_s=50)
    assert found.possible
    assert [(each.area, each.series) for each in found.outlooks] == [
        ("cyber", "none"),
        ("cyber", "template"),
        ("maths", "none"),
    ]
    cyber, attacked, maths = found.outlooks
    assert (cyber.n, maths.n) == (1000, 400)
    assert 400 < attacked.n < 600
    assert cyber.most > attacked.most >= 0
    assert 0 < cyber.safe_rate < 0.02
    assert maths.limit == pytest.approx(0.4)
    # two subjects under two series, and a control; maths has one of each
    assert found.work.answers == 2 * (1000 * 5 + 400 * 2)
    assert found.work.hours == pytest.approx(found.work.answers * 100 / 50 / 3600)


def test_what_it_cannot():
    found = plan(parse_policy(POLICY), prompts(150), JUDGES)
    cyber = found.outlooks[0]
    assert not found.possible
    assert (cyber.most, cyber.safe_rate, cyber.passes_at_half) == (-1, None, 0)
    assert "it needs more prompts" in cyber.trouble
    assert "or a judge that misses less" in cyber.trouble
    assert "the policy wants 100 prompts" in found.outlooks[1].trouble
    assert found.work.hours is None


def test_later_looks_have_less_to_spend():
    one = parse_policy(POLICY)
    spent = plan(one, prompts(1000), JUDGES, look=2)
    assert (spent.alpha, spent.possible) == (0, False)
    assert "no alpha is left" in spent.outlooks[0].trouble
    spending = parse_policy(POLICY.replace(b"version = 1", b'version = 1\nlooks = "spending"', 1))
    first, third = (plan(spending, prompts(1000), JUDGES, look=look) for look in (1, 3))
    assert first.outlooks[0].most > third.outlooks[0].most
    assert first.outlooks[0].clean < third.outlooks[0].clean
