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
