import pytest

from isthmus.errors import SettingsError
from isthmus.providers import table
from isthmus.providers.registry import complete, vendor_of
from isthmus.providers.vendor import ANY
from isthmus.settings import ProviderSettings


@pytest.mark.parametrize(
    ("name", "settings", "vendor"),
    [
        ("anthropic", {"model": "claude-sonnet-5"}, table.ANTHROPIC),
        ("big", {"base_url": "https://api.openai.com/v1"}, table.OPENAI),
        ("big", {"base_url": "https://eu.api.openai.com/v1"}, table.OPENAI),
        ("big", {"base_url": "https://res.openai.azure.com/openai/v1"}, table.AZURE),
        ("big", {"base_url": "https://api.openai.com.evil.example/v1"}, ANY),
        ("big", {"base_url": "https://evilapi.openai.com/v1"}, ANY),
        # A name means nothing where the address is somebody else's.
        ("openai", {"base_url": "https://models.example/v1"}, ANY),
        ("openai", {"base_url": "https://models.example/v1", "vendor": "mistral"}, table.MISTRAL),
        ("fast", {"vendor": "groq"}, table.GROQ),
        ("big", {}, ANY),
    ],
)
def test_a_vendor_is_told_by_its_setting_its_host_or_its_name(name, settings, vendor):
    assert vendor_of(name, ProviderSettings(**settings)) is vendor


def test_an_unknown_vendor_is_named_beside_the_known():
    with pytest.raises(SettingsError, match=r"providers\.x\.vendor: 'mistrl' is not one of anthropic, azure"):
        vendor_of("x", ProviderSettings(vendor="mistrl"))


def test_a_known_vendor_needs_nothing_but_a_model():
    provider = complete("anthropic", ProviderSettings(model="claude-sonnet-5"), table.ANTHROPIC)
    assert provider.base_url == "https://api.anthropic.com/v1"


@pytest.mark.parametrize(
    ("vendor", "settings", "message", "hint"),
    [
        (ANY, {}, "providers.x has no base_url", "or vendor = one of anthropic"),
        (table.AZURE, {"model": "d"}, "providers.x has no base_url", "https://RESOURCE.openai.azure.com"),
        (table.GROQ, {}, "providers.x doesn't say which of Groq's models to ask", 'model = "openai/gpt-oss'),
    ],
)
def test_what_is_missing_is_said(vendor, settings, message, hint):
    with pytest.raises(SettingsError, match=message) as caught:
        complete("x", ProviderSettings(**settings), vendor)
    assert hint in caught.value.hint
