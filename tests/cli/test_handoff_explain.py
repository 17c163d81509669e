import json

import pytest

from tests.upstream import Upstream, answer

PROVIDER = """
[handoff]
mode = "{mode}"
provider = "big"
[handoff.redaction]
recogniser = "builtin"
{more}
[providers.big]
base_url = "http://127.0.0.1:9/v1"
model = "large"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(mode="auto", more=""):
        (tmp_path / "isthmus.toml").write_text(PROVIDER.format(mode=mode, more=more))

    write()
    return write


def test_what_would_leave_stands_beside_what_was_typed(isthmus, settings):
    shown = isthmus("handoff", "explain", "Dear Mr. Rossi,\nwrite to m@example.org\nbye")
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[lines.index("- Dear Mr. Rossi,") :][:5] == [
        "- Dear Mr. Rossi,",
        "+ Dear Mr. <PERSON_1>,",
        "- write to m@example.org",
        "+ write to <EMAIL_1>",
        "  bye",
    ]
    assert "Replaced, and put back in the answer: 1 PERSON, 1 EMAIL." in lines
    assert "It would go to big: large at 127.0.0.1" in shown.out
    assert lines[-1] == "Nothing was sent."


def test_the_decision_comes_with_its_numbers(isthmus, settings):
    shown = isthmus(
        "handoff", "explain", "If 3 of 12 eggs break each day, how many are left after 2 days in total?"
    )
    assert "This question would" in shown.out
    assert "threshold" in shown.out


def test_with_hand_off_off_it_says_so_and_shows_it_all_the_same(isthmus, settings):
    settings("off")
    shown = isthmus("handoff", "explain", "mail m@example.org")
    assert "This question would stay home: hand-off is off." in shown.out
    assert "+ mail <EMAIL_1>" in shown.out


def test_for_programs_it_is_json_with_the_body_itself(isthmus, settings, tmp_path):
    (tmp_path / "question.txt").write_text("mail m@example.org")
    found = json.loads(isthmus("handoff", "explain", "--file", "question.txt", "--json").out)
    assert found["placeholders"] == {"<EMAIL_1>": "m@example.org"}
    assert found["outgoing"]["body"]["messages"] == [{"role": "user", "content": "mail <EMAIL_1>"}]
    assert "m@example.org" not in json.dumps(found["outgoing"])
    assert found["refusal"] is None


def test_without_a_provider_it_says_how_to_get_one(isthmus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = isthmus("handoff", "explain", "hello")
    assert "It could not leave: no provider is configured (isthmus handoff setup)." in shown.out


def test_a_pattern_that_can_not_be_used_is_explained(isthmus, settings):
    settings(more='patterns = {PROJECT = "(?<=x)y"}')
    shown = isthmus("handoff", "explain", "hello")
    assert shown.code == 3
    assert "handoff.redaction.patterns.PROJECT" in shown.err


def test_the_model_at_home_is_asked_for_names_where_the_settings_say_so(isthmus, settings, tmp_path):
    path = tmp_path / "isthmus.toml"
    with Upstream(answer('{"people":["Cy"],"addresses":[]}')) as home:
        at_home = f'[providers.mine]\nbase_url = "{home.url}"\nlocal = true\n'
        asking = path.read_text().replace('"builtin"', '"model"')
        path.write_text(f'model = "mine/small"\n{asking}\n{at_home}')
        shown = isthmus("handoff", "explain", "Cy is 9.")
    assert "+ <PERSON_1> is 9." in shown.out.splitlines(), shown.err
    home.requests.clear()
    unheard = isthmus("handoff", "explain", "Cy is 9.")
    assert "Nothing was sent." in unheard.out
    assert "couldn't look for names" in unheard.out
