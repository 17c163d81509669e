import pytest

from isthmus.errors import SettingsError
from isthmus.handoff.away.opening import open_hosted, open_provider
from isthmus.ledger import Ledger, open_database
from isthmus.messages import GenerationRequest, Message
from tests.upstream import Upstream, answer

CLAUDE = {"handoff.mode": "ask", "providers.anthropic.model": "claude-sonnet-5"}


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "ledger.sqlite3")
    yield Ledger(database)
    database.dispose()


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-oa")
    monkeypatch.setenv("OWN_KEY", "sk-own")


def key_of(side):
    key = side.provider._client._key
    return key and key.reveal()


def test_a_model_is_all_that_a_known_vendor_needs(settings, keys):
    side = open_provider(settings(**CLAUDE), "anthropic")
    assert side.settings.base_url == "https://api.anthropic.com/v1"
    assert side.provider.vendor.title == "Anthropic"
    assert key_of(side) == "sk-ant"
    assert side.price is side.price


@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ({"key_env": "OWN_KEY", "base_url": "https://api.openai.com/v1"}, "sk-own"),
        ({"base_url": "https://api.openai.com/v1"}, "sk-oa"),
        # A vendor's key is for the vendor's own hosts, whatever an address calls itself.
        ({"base_url": "https://models.example/v1", "vendor": "openai"}, None),
        ({"base_url": "https://models.example/v1"}, None),
        ({"base_url": "https://models.example/v1", "key_env": "OWN_KEY"}, "sk-own"),
        ({"key_env": "NO_SUCH_KEY", "base_url": "https://api.openai.com/v1"}, None),
    ],
)
def test_a_key_goes_where_it_belongs(settings, keys, provider, key):
    flags = {f"providers.openai.{name}": value for name, value in provider.items()}
    assert key_of(open_provider(settings(**flags, **{"providers.openai.model": "m"}), "openai")) == key


def test_several_stand_in_their_order(settings, ledger, keys):
    several = settings(
        **CLAUDE, **{"handoff.providers": ("openai", "anthropic"), "providers.openai.model": "gpt-5-mini"}
    )
    outgoing = open_hosted(several, ledger).prepare(GenerationRequest((Message("user", "Hi."),)))
    assert (outgoing.provider, outgoing.host) == ("openai", "api.openai.com")
    assert [each.host for each in outgoing.alternatives] == ["api.anthropic.com"]


@pytest.mark.parametrize("switch", [{"handoff.mode": "off"}, {"handoff.local_only": True}, {"offline": True}])
def test_what_is_switched_off_is_not_opened(settings, ledger, switch):
    assert open_hosted(settings(**{**CLAUDE, "handoff.provider": "anthropic", **switch}), ledger) is None


def test_without_a_provider_nothing_is_opened(settings, ledger):
    assert open_hosted(settings(**CLAUDE), ledger) is None


def test_what_is_missing_is_said_at_once(settings, ledger):
    with pytest.raises(SettingsError, match=r"providers\.big has no base_url"):
        open_hosted(
            settings(**{"handoff.provider": "big", "handoff.mode": "ask", "providers.big.model": "m"}), ledger
        )


@pytest.mark.parametrize(("redact", "leaves"), [(True, False), (False, True)])
def test_what_leaves_is_redacted_unless_the_person_says_not_to(settings, ledger, redact, leaves):
    with Upstream(answer()) as upstream:
        found = settings(
            **{
                "handoff.mode": "ask",
                "handoff.provider": "big",
                "handoff.redact": redact,
                "providers.big.base_url": upstream.url,
                "providers.big.model": "m",
                "providers.big.input_usd_per_mtok": 1,
                "providers.big.output_usd_per_mtok": 1,
            }
        )
        outgoing = open_hosted(found, ledger).prepare(
            GenerationRequest((Message("user", "Mail ann@example.com."),))
        )
    assert (b"ann@example.com" in outgoing.body) is leaves
