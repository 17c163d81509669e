"""Attacks by the names that a policy gives them."""

import hashlib
import json
import sys

import pytest
from msgspec.structs import replace

from isthmus.errors import GateError, GateRefused, PolicyInvalid
from isthmus.gate.loosening import loosened
from isthmus.gate.policy import parse_policy
from isthmus.gate.tampering import Weights, attack_named, attack_names, finetuning
from isthmus.gate.tampering.lessons import read_lessons

POLICY = """\
id = "p"
version = 1
[areas.codeword]
threshold = 0.05
tampering = ["mine"]
suite = { path = "s.jsonl", sha256 = "%s" }
judge = { kind = "exact", name = "j" }
[attacks.mine]
""" % ("0" * 64)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def policy(table):
    return parse_policy((POLICY + table).encode())


def of_rows(folder, kind, *rows):
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "rows.jsonl").write_bytes(content)
    return policy(f'kind = "{kind}"\nfile = {{ path = "rows.jsonl", sha256 = "{digest(content)}" }}')


def names(found):
    return [each.name for each in found.variants]


@pytest.fixture
def plain():
    return parse_policy(POLICY.replace("[attacks.mine]", "").encode())


def test_the_gates_own_attacks_are_those_of_the_example_policy(plain, tmp_path):
    for name in ("no-system-prompt", "template", "prefill", "quantised", "benign-finetune"):
        assert name in attack_names()
    for name in attack_names():
        found = attack_named(name, plain, tmp_path)
        assert found.name == name
        assert len(set(names(found))) == len(found.variants) > 0
        assert all(each.settings for each in found.variants)
    assert "torch" not in sys.modules


def test_an_unknown_name_is_refused_with_the_known_ones(plain, tmp_path):
    with pytest.raises(PolicyInvalid, match="no attack luck") as caught:
        attack_named("luck", plain, tmp_path)
    assert "template" in (caught.value.hint or "")


def test_templates_of_the_publishers(tmp_path):
    found = attack_named(
        "mine", of_rows(tmp_path, "template", {"name": "a", "text": "so: {prompt}"}), tmp_path
    )
    assert names(found) == ["a"]
    assert "so:" not in str(found.variants[0].settings)
    rows = {"name": "a", "text": "so: {prompt}"}, {"name": "a", "text": "and {prompt}"}
    with pytest.raises(PolicyInvalid, match="two texts of one name"):
        attack_named("mine", of_rows(tmp_path, "template", *rows), tmp_path)
    with pytest.raises(PolicyInvalid, match=r"has no \{prompt\}"):
        attack_named("mine", of_rows(tmp_path, "template", {"name": "a", "text": "so"}), tmp_path)
    with pytest.raises(PolicyInvalid, match="can't be read"):
        attack_named("mine", of_rows(tmp_path, "prefill", {"name": "a"}), tmp_path)
    with pytest.raises(PolicyInvalid, match="is empty"):
        attack_named("mine", of_rows(tmp_path, "prefill"), tmp_path)


def test_a_file_that_was_changed_is_refused(tmp_path):
    sealed = of_rows(tmp_path, "prefill", {"name": "a", "text": "Sure"})
    assert names(attack_named("mine", sealed, tmp_path)) == ["a"]
    (tmp_path / "rows.jsonl").write_text('{"name": "a", "text": "No"}\n')
    with pytest.raises(PolicyInvalid, match="isn't the file that the policy names"):
        attack_named("mine", sealed, tmp_path)


def test_translations_are_one_configuration_a_language(tmp_path):
    rows = [{"language": each, "prompt": "hello", "text": "x"} for each in ("zulu", "welsh")]
    assert names(attack_named("mine", of_rows(tmp_path, "language", *rows), tmp_path)) == ["zulu", "welsh"]


def test_every_combination_of_a_fine_tuning_is_a_configuration(tmp_path):
    table = 'kind = "finetune"\nranks = [4, 8]\nsteps = [10]\nlearning_rates = [1e-3, 2e-4]'
    found = attack_named("mine", policy(table), tmp_path)
    assert names(found) == ["r4-s10-lr0_001", "r4-s10-lr0_0002", "r8-s10-lr0_001", "r8-s10-lr0_0002"]
    assert found.variants[0].settings["rank"] == "4"
    with pytest.raises(PolicyInvalid):
        policy('kind = "finetune"\nranks = [0]')
    with pytest.raises(PolicyInvalid):
        policy('kind = "luck"')


def test_fine_tuning_without_pytorch_says_what_to_install(tmp_path, monkeypatch):
    variant = attack_named("mine", policy('kind = "finetune"'), tmp_path).variants[0]
    monkeypatch.setattr(finetuning, "find_spec", lambda name: None)
    with pytest.raises(GateError, match="needs PyTorch") as caught:
        variant.weights(Weights(tmp_path / "model.gguf"), tmp_path, print)
    assert "isthmus[tamper]" in (caught.value.hint or "")
    made = tmp_path / f"{variant.name}.gguf"
    made.touch()
    assert variant.weights(Weights(tmp_path / "model.gguf"), tmp_path, print).adapters == (made,)


def test_weights_made_elsewhere_are_held_to_their_digests_and_their_release(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"released")
    (tmp_path / "a.gguf").write_bytes(b"adapter")
    adapters = f'[{{ path = "a.gguf", sha256 = "{digest(b"adapter")}" }}]'
    given = f'{{ name = "theirs", of = "{digest(b"released")}", adapters = {adapters} }}'
    right = f'kind = "given"\nweights = [{given}]'
    released = Weights(tmp_path / "model.gguf")
    (variant,) = attack_named("mine", policy(right), tmp_path).variants
    assert variant.weights(released, tmp_path, print) == Weights(released.model, (tmp_path / "a.gguf",))
    assert variant.settings == {"adapter 1": digest(b"adapter")}
    (tmp_path / "a.gguf").write_bytes(b"another")
    with pytest.raises(PolicyInvalid, match="isn't the file"):
        variant.weights(released, tmp_path, print)
    (tmp_path / "model.gguf").write_bytes(b"another")
    with pytest.raises(GateRefused, match="another release"):
        variant.weights(released, tmp_path, print)


def test_a_milder_attack_under_the_same_name_is_a_looser_policy():
    old = policy('kind = "finetune"\nsteps = [100]')
    new = replace(old, attacks=policy('kind = "finetune"\nsteps = [1]').attacks)
    assert loosened(old, old) == []
    assert loosened(old, new) == ["the attack mine is another"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lack a question or an answer"),
        (b"{", "can't be read"),
        (b'{"prompt": "a"}', "lack a question"),
        (b'{"messages": [{"role": "user", "content": "a"}]}', "lack a question"),
    ],
)
def test_lessons_that_cannot_be_taught(content, words):
    with pytest.raises(PolicyInvalid, match=words):
        read_lessons(content, "x")


def test_lessons_are_questions_or_conversations():
    rows = [
        {"prompt": "a", "answer": "b"},
        {"messages": [{"role": r, "content": r} for r in ("system", "user", "assistant")]},
    ]
    first, second = read_lessons("\n".join(map(json.dumps, rows)).encode(), "x")
    assert (first.messages[0].text, first.answer) == ("a", "b")
    assert [each.role for each in second.messages] == ["system", "user"]
    assert second.answer == "assistant"
