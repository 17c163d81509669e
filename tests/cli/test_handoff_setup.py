"""Setting a hand-off up, against scripted providers on loopback."""

import json
import tomllib
from decimal import Decimal

import pytest

from isthmus.cli.groups import load
from isthmus.cli.handoff import COMMANDS
from isthmus.configuration import user_file
from isthmus.handoff.away.vendors import known_vendors
from isthmus.ledger import Ledger, open_database
from tests.cli.terminal import terminal
from tests.upstream import SILENCE, Upstream, chunk, status, stream

CALL = {
    "tool_calls": [
        {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":2,"b":3}'}}
    ]
}
USAGE = {"choices": [], "usage": {"prompt_tokens": 60, "completion_tokens": 20}}
CALLS = stream(
    {"choices": [{"index": 0, "delta": CALL, "finish_reason": None}]}, chunk(finish="tool_calls"), USAGE
)
SAYS = stream(chunk("5"), chunk(finish="stop"), USAGE)
PRICES = ("--input-usd", "1", "--output-usd", "10")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for vendor in known_vendors():
        for variable in vendor.key_variables:
            monkeypatch.delenv(variable, raising=False)


def written():
    return tomllib.loads(user_file().read_text())


def spent(home):
    database = open_database(home / "ledger.sqlite3")
    try:
        return Ledger(database).spent("day")
    finally:
        database.dispose()


def setup(isthmus, upstream, *more):
    return isthmus(
        "handoff", "setup", "--yes", "--provider", "big=m", "--base-url", upstream.url, *PRICES, *more
    )


def test_a_provider_is_tried_and_written_and_the_default_is_to_ask(isthmus, home, monkeypatch):
    monkeypatch.setenv("BIG_KEY", "sk-secret")
    with Upstream(CALLS) as upstream:
        done = setup(isthmus, upstream, "--key-env", "BIG_KEY")
    assert (done.code, upstream.requests[0].headers["authorization"]) == (0, "Bearer sk-secret")
    assert written() == {
        "handoff": {"mode": "ask", "provider": "big", "budget": {"day_usd": 1.0}},
        "providers": {
            "big": {
                "model": "m",
                "base_url": upstream.url,
                "key_env": "BIG_KEY",
                "input_usd_per_mtok": 1,
                "output_usd_per_mtok": 10,
            }
        },
    }
    assert "for at most $0.00" in done.err
    assert "nothing leaves without your consent" in done.err
    assert "sk-secret" not in done.out + done.err + user_file().read_text()
    assert "called as asked" in done.out
    assert spent(home) == Decimal("0.00026")


def test_doing_it_twice_changes_nothing_and_comments_stay(isthmus):
    user_file().parent.mkdir(parents=True)
    user_file().write_text('# mine\nmodel = "x.gguf"  # a file\n\n[handoff]\nmode = "auto"  # I know\n')
    with Upstream(CALLS) as upstream:
        setup(isthmus, upstream)
        once = user_file().read_text()
        again = setup(isthmus, upstream)
    assert user_file().read_text() == once
    assert "says so already" in again.err
    assert once.startswith('# mine\nmodel = "x.gguf"  # a file\n\n[handoff]\nmode = "auto"  # I know\n')


def test_what_would_be_written_can_be_seen_first(isthmus):
    with Upstream(CALLS) as upstream:
        done = setup(isthmus, upstream, "--dry-run", "--mode", "shadow")
    assert tomllib.loads(done.out)["handoff"]["mode"] == "shadow"
    assert upstream.requests == []
    assert not user_file().exists()


def test_one_that_does_not_work_is_not_written(isthmus, home):
    with Upstream(status(401, {"error": {"message": "bad key"}})) as upstream:
        done = setup(isthmus, upstream)
    assert (done.code, user_file().exists()) == (7, False)
    assert "big doesn't accept the key: bad key" in done.err
    assert spent(home) == 0


def test_it_can_be_written_untried(isthmus):
    with Upstream([SILENCE]) as upstream:
        assert setup(isthmus, upstream, "--no-try").code == 0
    assert upstream.requests == []
    assert written()["handoff"]["provider"] == "big"


def test_several_stand_in_the_order_given(isthmus, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-a")
    monkeypatch.setenv("GROQ_API_KEY", "sk-g")
    done = isthmus("handoff", "setup", "--no-try", "-p", "anthropic", "-p", "groq=llama-3.3-70b-versatile")
    assert done.code == 0
    assert written()["handoff"]["providers"] == ["anthropic", "groq"]
    assert written()["providers"] == {
        "anthropic": {"model": "claude-sonnet-5"},
        "groq": {"model": "llama-3.3-70b-versatile"},
    }


def test_the_key_in_the_environment_says_whom_to_ask(isthmus, monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "sk-m")
    done = isthmus("handoff", "setup", "--dry-run", "--model", "mistral-large-latest")
    assert tomllib.loads(done.out)["providers"] == {"mistral": {"model": "mistral-large-latest"}}
    done = isthmus("handoff", "setup", "--dry-run")
    assert "Found MISTRAL_API_KEY (Mistral AI)." in done.err
    assert tomllib.loads(done.out)["providers"] == {"mistral": {"model": "mistral-medium-latest"}}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ((), "no key of a vendor is in the environment", "export ANTHROPIC_API_KEY=..."),
        (("-p", "openai"), "OpenAI wants a key, and OPENAI_API_KEY isn't set", "export OPENAI_API_KEY"),
        (("-p", "mine=m"), "mine is no vendor that is known, so it needs an address", "--base-url URL"),
        (("-p", "azure=d"), "Azure OpenAI is reached at an address of your own", "RESOURCE.openai.azure"),
        (
            ("-p", "mine", "--base-url", "http://127.0.0.1:9/v1"),
            "which of mine's models is to be asked?",
            "--provider mine=MODEL",
        ),
        (("-p", "openai", "--key-env", "NO_KEY"), "NO_KEY holds no key", "export NO_KEY=..."),
        (("--day-usd", "-1"), "--day-usd -1 is no amount of dollars", "--day-usd 0.50"),
        (("--mode", "atuo"), "--mode atuo is not one of off, shadow, ask", ""),
    ],
)
def test_what_is_missing_is_said(isthmus, words, message, hint):
    done = isthmus("handoff", "setup", "--yes", *words)
    assert done.code == 2
    assert message in done.err
    assert hint in done.err


def test_a_person_chooses_and_agrees(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "sk-m")
    monkeypatch.setenv("GROQ_API_KEY", "sk-g")
    with terminal("handoff", "setup") as shown:
        shown.wait_for("2  Mistral AI.*Number:")
        shown.type("2\r")
        shown.wait_for("Which of Mistral AI's models")
        shown.type("\r")
        shown.wait_for("Try mistral with one tiny call")
        shown.type("n\r")
        shown.wait_for("Written to")
        assert shown.end() == 0
    assert written()["providers"] == {"mistral": {"model": "mistral-medium-latest"}}


# ---------------------------------------------------------------- check


@pytest.fixture
def big(isthmus):
    """Checks a provider that is written down."""

    def check(*replies, words=("big",), settings=""):
        with Upstream(*replies) as upstream:
            user_file().parent.mkdir(parents=True, exist_ok=True)
            user_file().write_text(
                f'{settings}\n[providers.big]\nbase_url = "{upstream.url}"\nmodel = "m"\n'
                'input_usd_per_mtok = "1"\noutput_usd_per_mtok = "1"\nfirst_byte_timeout_s = 0.3\n'
            )
            return isthmus("handoff", "check", *words), upstream.requests

    return check


def test_what_works_is_listed(big):
    done, requests = big(SAYS, words=("big", "--json"))
    found = {each["what"]: each["well"] for each in json.loads(done.out)["big"]}
    assert found == {
        "price": True,
        "reachable": True,
        "key": True,
        "model": True,
        "streams": True,
        "usage": True,
        "tools": None,
    }
    assert (done.code, len(requests)) == (0, 1)
    assert [each["role"] for each in requests[0].json["messages"]] == ["user"]


def test_one_without_tools_is_asked_again_without(big):
    done, requests = big(status(400, {"error": {"message": "no tools here"}}), SAYS)
    assert done.code == 0
    assert "refused: questions that offer tools" in done.out
    assert ["tools" in each.json for each in requests] == [True, False]


@pytest.mark.parametrize(
    ("reply", "what", "hint"),
    [
        (
            status(401, {"error": "no"}),
            "key        no  big doesn't accept the key: no",
            "providers.big.key_env",
        ),
        (
            status(404, {"error": "no"}),
            "model      no  big doesn't know 'm': no",
            "check providers.big.model",
        ),
        ([SILENCE], "streams  no  big took too long", "first_byte_timeout_s"),
        (
            status(200, "<p>", media_type="text/html"),
            "streams  no  big makes no sense",
            "providers.big.base_url",
        ),
    ],
)
def test_what_does_not_work_is_told_with_what_to_do(big, reply, what, hint):
    done, _ = big(reply)
    assert done.code == 7
    assert what in done.out
    assert hint in done.err


def test_a_model_without_a_price_is_not_asked(isthmus):
    user_file().parent.mkdir(parents=True)
    user_file().write_text('[providers.big]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    done = isthmus("handoff", "check", "big")
    assert (done.code, "price  no  nobody knows what m at big costs" in done.out) == (7, True)


def test_a_hard_switch_holds_for_a_check_too(big):
    done, requests = big(SAYS, settings="handoff.local_only = true")
    assert done.code == 7
    assert "handoff.local_only is on, so nothing may be sent" in done.out
    assert requests == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_summary_is_the_first_line_of_the_commands_docstring(name):
    assert COMMANDS[name].summary == load(name, COMMANDS[name]).help.strip().splitlines()[0]
