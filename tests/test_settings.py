from pathlib import Path

import pytest

from isthmus.settings import ProviderSettings, Secret, Settings, is_loopback, without_credentials


def test_a_secret_never_shows_itself():
    secret = Secret("sk-hidden")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]), repr({"key": secret})]
    assert not [text for text in shown if "hidden" in text]
    assert secret.reveal() == "sk-hidden"
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.example.org", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine(host, own):
    assert is_loopback(host) == own


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:pw@x.example/v1", "https://***@x.example/v1"),
        ("https://me:p@w@x.example/v1", "https://***@x.example/v1"),
        ("https://token@x.example", "https://***@x.example"),
        ("https://x.example/@you", "https://x.example/@you"),
        ("https://x.example/v1?to=a@b", "https://x.example/v1?to=a@b"),
        ("me@x.example", "me@x.example"),
    ],
)
def test_an_address_as_it_may_be_shown(address, shown):
    assert without_credentials(address) == shown


def test_a_provider_shows_no_password():
    provider = ProviderSettings("https://me:pw@x.example/v1", model="m")
    assert "base_url='https://***@x.example/v1', model='m'" in repr(provider)
    assert "pw" not in repr(Settings(providers={"x": provider}))


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://API.example.org/v1", "api.example.org"),
        ("http://me:pw@127.0.0.1:11434/v1", "127.0.0.1"),
        ("http://[::1]:1234/v1", "::1"),
        ("nonsense", ""),
    ],
)
def test_the_host_of_a_provider(address, host):
    assert ProviderSettings(address).host == host


def test_what_lies_in_the_home():
    settings = Settings(home="/data/isthmus")
    assert settings.home_path == Path("/data/isthmus")
    assert settings.ledger_path == Path("/data/isthmus/ledger.sqlite3")
    assert settings.run_file == Path("/data/isthmus/server.json")


def test_runners_are_the_providers_that_are_declared_local():
    here, there = (
        ProviderSettings("http://127.0.0.1/v1", local=True),
        ProviderSettings("https://x.example/v1"),
    )
    assert Settings(providers={"here": here, "there": there}).runners == {"here": here}


def test_out_of_the_box_nothing_leaves():
    settings = Settings()
    assert settings.handoff.mode == "off"
    assert settings.server.host == "127.0.0.1"
    assert settings.providers == {}


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings().handoff.local_only = False
