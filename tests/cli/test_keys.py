import json


def test_a_key_is_printed_once_alone_on_stdout(isthmus):
    made = isthmus("key", "create", "laptop")
    secret = made.out.removesuffix("\n")
    assert made.code == 0
    assert secret.startswith("isk-")
    assert not any(each.isspace() for each in secret)
    assert secret not in made.err
    listed = isthmus("key", "list")
    assert "laptop" in listed.out
    assert secret not in listed.out
    assert secret not in isthmus("key", "list", "--json").out


def test_a_revoked_key_stays_listed_with_its_end(isthmus):
    isthmus("key", "create", "laptop")
    assert json.loads(isthmus("key", "list", "--json").out)[0]["revoked"] is None
    ended = isthmus("key", "revoke", "laptop")
    assert (ended.code, ended.out) == (0, "")
    (listed,) = json.loads(isthmus("key", "list", "--json").out)
    assert listed["name"] == "laptop"
    assert listed["revoked"] is not None


def test_without_keys_the_list_is_empty_and_says_how_to_make_one(isthmus):
    listed = isthmus("key", "list")
    assert listed.out == ""
    assert "isthmus key create" in listed.err
    assert json.loads(isthmus("key", "list", "--json").out) == []


def test_mistakes_are_usage_errors(isthmus):
    isthmus("key", "create", "laptop")
    for words in (("create", "laptop"), ("create", "two words"), ("revoke", "lapdog")):
        ended = isthmus("key", *words)
        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("error: ")
        assert "hint: isthmus key " in ended.err


def test_a_key_has_the_scopes_and_limits_that_it_was_made_with(isthmus):
    words = ("--scope", "infer", "--scope", "manage", "--rpm", "60", "--tpm", "1000", "--tokens-day", "5000")
    assert isthmus("key", "create", "team", *words, "--usd-day", "$0.50", "--usd-month", "10").code == 0
    (key,) = json.loads(isthmus("key", "list", "--json").out)
    assert key["scopes"] == ["infer", "manage"]
    assert (key["rpm"], key["tpm"], key["tokens_day"]) == (60, 1000, 5000)
    assert (key["usd_day"], key["usd_month"]) == ("0.500000000", "10.000000000")
    listed = isthmus("key", "list").out
    assert "60 requests/min, 1000 tokens/min, 5000 tokens/day, $0.50/day, $10.00/month" in listed


def test_limits_are_set_together(isthmus):
    isthmus("key", "create", "team", "--rpm", "60", "--usd-day", "1")
    changed = isthmus("key", "limit", "team", "--usd-day", "2")
    assert "Key 'team' has $2.00/day." in changed.err
    (key,) = json.loads(isthmus("key", "list", "--json").out)
    assert (key["rpm"], key["usd_day"]) == (None, "2.000000000")
    assert "has no limits" in isthmus("key", "limit", "team").err


def test_limits_that_are_none_are_usage_errors(isthmus):
    isthmus("key", "create", "team")
    for words in (("--rpm", "0"), ("--usd-day", "much"), ("--usd-month", "-1"), ("--scope", "root")):
        ended = isthmus("key", "create", "other", *words)
        assert ended.code == 2, words
        assert ended.err.startswith("error: ")
    assert isthmus("key", "limit", "nobody", "--rpm", "1").code == 2
    assert len(json.loads(isthmus("key", "list", "--json").out)) == 1
