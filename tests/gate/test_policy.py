from importlib.resources import files

import msgspec
import pytest

from isthmus.errors import PolicyInvalid
from isthmus.gate.loosening import loosened
from isthmus.gate.policy import parse_policy, read_policy
from isthmus.gate.scaffold import scaffold
from isthmus.gate.schemas import KINDS, schema

EXAMPLE = files("isthmus.gate").joinpath("example_policy.toml").read_bytes()
POLICY = b"""\
id = "acme/policy"
version = 1
sign_off = { approvals = 3, roles = ["safety"] }

[areas.cyber]
threshold = 0.02
minimum = 100
errors = 0.01
tampering = ["template"]
roles = ["security"]
suite = { path = "s.csv", sha256 = "%(zeros)s" }
judge = { kind = "rubric", name = "r", calibration = { path = "c", sha256 = "%(zeros)s" } }
baselines = { open = { margin = 0.03 } }

[areas.maths]
measure = "floor"
threshold = 0.6
suite = { path = "m.csv", sha256 = "%(zeros)s" }
judge = { kind = "exact", name = "number" }
""" % {b"zeros": b"0" * 64}


def changed(old: str, new: str):
    assert old.encode() in POLICY
    return parse_policy(POLICY.replace(old.encode(), new.encode()))


def test_a_policy_is_read():
    policy = parse_policy(POLICY)
    assert policy.roles == ("safety", "security")
    assert policy.areas["cyber"].series == ("none", "template")
    assert policy.areas["cyber"].limit == 0.02
    assert policy.areas["maths"].limit == pytest.approx(0.4)


def test_the_example_is_one():
    policy = parse_policy(EXAMPLE)
    assert {area.measure for area in policy.areas.values()} == {"violation", "ceiling", "floor"}
    assert "biosecurity" in policy.roles


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "acme/policy"', "", "missing required field `id`"),
        ("threshold = 0.02", "threshold = 2", "threshold"),
        ("threshold = 0.02", "treshold = 0.02", "treshold"),
        ('kind = "rubric"', 'kind = "keywords"', "keywords"),
        ("approvals = 3", "approvals = 1", "approvals"),
        ('["template"]', '["none"]', "names an attack twice"),
        ('["template"]', '["template", "template"]', "names an attack twice"),
        ('kind = "exact"', 'kind = "rubric"', "no calibration set"),
        ('measure = "floor"', 'measure = "floor"\nbaselines = { open = { margin = 0.1 } }', "is a floor"),
        ("version = 1", "version = [", "can't be read"),
    ],
)
def test_a_policy_that_cannot_be(old, new, words):
    with pytest.raises(PolicyInvalid, match=words):
        changed(old, new)


def test_a_floor_is_measured_by_facts():
    judge = 'judge = { kind = "rubric", name = "r", calibration = { path = "c", sha256 = "%s" } }' % (
        "0" * 64
    )
    with pytest.raises(PolicyInvalid, match="its judge must be exact"):
        changed('judge = { kind = "exact", name = "number" }', judge)


def test_there_is_no_policy(tmp_path):
    with pytest.raises(PolicyInvalid, match="no such file"):
        read_policy(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("threshold = 0.02", "threshold = 0.03", "cyber: the threshold moves from 0.02 to 0.03"),
        ("threshold = 0.6", "threshold = 0.5", "maths: the threshold moves from 0.6 to 0.5"),
        ("minimum = 100", "minimum = 50", "cyber: the least number of prompts falls from 100 to 50"),
        ("errors = 0.01", "errors = 0.1", "cyber: the budget of errors rises from 0.01 to 0.1"),
        ('tampering = ["template"]', "", "cyber: attack template is gone"),
        ('roles = ["security"]', "", "role security is gone"),
        ("margin = 0.03", "margin = 0.05", "cyber: the margin over open rises"),
        ("baselines = { open = { margin = 0.03 } }", "", "cyber: baseline open is gone"),
        ("approvals = 3", "approvals = 2", "approvals fall from 3 to 2"),
        ("version = 1", "version = 1\nalpha = 0.1", "alpha rises from 0.05 to 0.1"),
        (
            "version = 1",
            "version = 1\ncapability_loss = 0.3",
            "attacks may cost 0.3 of ability, not 0.1",
        ),
        ("[areas.cyber]", "[areas.cyber-2]", "area cyber is gone"),
        ('path = "s.csv", sha256 = "0', 'path = "s.csv", sha256 = "1', "cyber: the suite is another"),
        ('name = "r"', 'name = "q"', "cyber: the judge, or its calibration set, is another"),
        ('measure = "floor"', 'measure = "ceiling"', "maths: it is a ceiling, no longer a floor"),
    ],
)
def test_what_makes_a_policy_looser(old, new, words):
    first, second = parse_policy(POLICY), changed(old, new)
    assert words.replace(
        "attacks may cost 0.3 of ability, no longer", "an attack may cost 0.3 of ability, no longer"
    ) in [*loosened(first, second)]
    if "another" not in words and "measure" not in old and "cyber-2" not in new:
        assert loosened(second, first) == []


def test_a_new_release_says_how_to_go_on(tmp_path):
    scaffold(tmp_path / "release", "acme/tiny", "acme")
    assert 'name = "acme/tiny"' in (tmp_path / "release" / "release.toml").read_text()
    assert (tmp_path / "release" / "policy.toml").read_bytes() == EXAMPLE


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_describe_what_they_ask_for(kind):
    made = schema(kind)
    assert made["$schema"].endswith("2020-12/schema")
    assert b"description" in msgspec.json.encode(made)


def test_the_schema_takes_the_example():
    import tomllib

    import jsonschema_rs

    checker = jsonschema_rs.validator_for(schema("policy"))
    checker.validate(tomllib.loads(EXAMPLE.decode()))
    wrong = tomllib.loads(EXAMPLE.decode()) | {"alpha": 2}
    assert not checker.is_valid(wrong)
