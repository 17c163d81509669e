import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from isthmus.errors import HandoffRefused, RequestError
from isthmus.handoff.away.pricing import price_of
from isthmus.messages import GenerationRequest, Tool, Usage
from isthmus.providers import table
from isthmus.providers.hosted import HostedProvider
from isthmus.providers.registry import vendors
from isthmus.providers.vendor import HOME_ONLY, Vendor
from isthmus.settings import ProviderSettings
from tests.providers.requests import EACH, MODELS, PLAIN, WHOLE
from tests.wire.test_chat_body import REQUESTS

SPELT = {
    "n": {"n"},
    "seed": {"seed", "random_seed"},
    "stop": {"stop", "stop_sequences"},
    "top_logprobs": {"logprobs", "top_logprobs"},
    "effort": {"reasoning_effort"},
}
"""Where a field of ours is called otherwise in a body."""


def sent(vendor, model, request=WHOLE):
    provider = HostedProvider("x", ProviderSettings("https://x.example", model), None, vendors()[vendor])
    rendered = provider.render(request)
    return json.loads(rendered.body), set(rendered.left_out)


def test_every_row_is_registered_under_its_name():
    rows = {each.name: each for each in vars(table).values() if isinstance(each, Vendor)}
    assert vendors() == rows
    assert rows.keys() == MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_a_row_leads_to_its_vendor(name):
    vendor = vendors()[name]
    assert vendor.keys_page.startswith("https://")
    assert all(re.fullmatch("[A-Z_]+_KEY", each) for each in vendor.key_variables)
    if vendor.base_url:
        host = ProviderSettings(vendor.base_url).host
        assert [each.name for each in vendors().values() if each.at(host)] == [name]


@pytest.mark.parametrize("name", [name for name in MODELS if name != "azure"])
def test_what_setup_offers_has_a_price(name):
    vendor = vendors()[name]
    price = price_of(name, ProviderSettings(vendor.base_url, vendor.model), vendor)
    assert 0 < price(Usage(1000, 1000)) < 1


@pytest.mark.parametrize(("vendor", "model"), EACH)
def test_what_is_refused_is_not_sent_and_what_is_not_sent_is_told(vendor, model):
    takes = vendors()[vendor].takes_of(model)
    body, left_out = sent(vendor, model)
    told = {name for name in takes.refuses if getattr(WHOLE, name) != getattr(PLAIN, name)}
    assert told <= left_out
    for name in takes.refuses:
        assert not SPELT.get(name, {name}) & body.keys(), name
    assert len(body.get("stop", body.get("stop_sequences", ()))) <= takes.stops
    assert ("reasoning_effort" in body) == (bool(takes.efforts) and vendor != "anthropic")


@pytest.mark.parametrize(("vendor", "model"), EACH)
def test_a_plain_question_loses_nothing(vendor, model):
    body, left_out = sent(vendor, model, PLAIN)
    assert left_out == set()
    assert {body.get("max_tokens"), body.get("max_completion_tokens")} == {5, None}


@given(pair=st.sampled_from(EACH), request=REQUESTS, limit=st.integers(1, 4096))
@settings(max_examples=200)
def test_no_request_breaks_a_row(pair, request, limit):
    vendor, model = pair
    try:
        body, left_out = sent(vendor, model, replace(request, max_tokens=limit))
    except (HandoffRefused, RequestError):
        return
    assert left_out <= set(GenerationRequest.__struct_fields__)
    assert body["model"] == model
    assert body["stream"] is True


def test_what_home_alone_knows_stays_home():
    for vendor, model in EACH:
        body, _ = sent(vendor, model)
        assert not HOME_ONLY & body.keys()


@pytest.mark.parametrize(
    ("vendor", "model", "asked", "sent_"),
    [
        ("openai", "gpt-5-mini", "none", "minimal"),
        ("openai", "gpt-5-mini", "xhigh", "high"),
        ("openai", "gpt-5.4", "minimal", "low"),
        ("openai", "gpt-5.4", "none", "none"),
        ("openai", "o4-mini", "minimal", "low"),
        ("openai", "gpt-4.1", "high", None),
        ("xai", "grok-3-mini", "medium", "low"),
        ("xai", "grok-4-0709", "high", None),
        ("groq", "openai/gpt-oss-120b", "none", "low"),
    ],
)
def test_an_effort_that_isnt_known_becomes_the_nearest(vendor, model, asked, sent_):
    body, left_out = sent(vendor, model, replace(PLAIN, effort=asked))
    assert body.get("reasoning_effort") == sent_
    assert left_out == (set() if sent_ else {"effort"})


def test_mistral_wants_ids_of_nine_characters_the_same_in_call_and_result():
    body, _ = sent("mistral", "mistral-medium-latest")
    calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    results = [each["tool_call_id"] for each in body["messages"] if each["role"] == "tool"]
    assert calls == results
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", each) for each in calls)
    assert len(set(calls)) == 2
    assert "stream_options" not in body
    assert body["random_seed"] == 7


def test_who_has_no_schemas_is_told_the_schema_in_words():
    body, _ = sent("deepseek", "deepseek-v4-flash")
    assert body["response_format"] == {"type": "json_object"}
    assert '"city"' in body["messages"][0]["content"]
    assert "JSON" in body["messages"][0]["content"]


def test_a_mind_whose_thoughts_are_elsewhere_answers_without_thinking():
    assert sent("deepseek", "deepseek-v4-flash")[0]["thinking"] == {"type": "disabled"}
    assert "thinking" not in sent("deepseek", "deepseek-v4-flash", PLAIN)[0]
    assert "thinking" not in sent("moonshot", "moonshot-v1-8k")[0]


def test_google_is_told_that_a_call_was_anothers():
    body, _ = sent("google", "gemini-3.5-flash")
    (signed, _) = body["messages"][3]["tool_calls"]
    assert signed["extra_content"]["google"]["thought_signature"]


def test_who_can_not_be_told_which_tool_is_offered_that_one_alone():
    other = Tool("other", None, {"type": "object"})
    body, _ = sent("together", "openai/gpt-oss-120b", replace(WHOLE, tools=(other, *WHOLE.tools)))
    assert [each["function"]["name"] for each in body["tools"]] == ["weather"]
    assert body["tool_choice"] == "required"
    assert sent("moonshot", "kimi-k2.6")[0]["tool_choice"] == "auto"


def test_several_answers_are_not_asked_of_who_gives_one():
    with pytest.raises(HandoffRefused, match="Anthropic gives one answer to a question, and 3 are asked for"):
        sent("anthropic", "claude-sonnet-5", replace(PLAIN, n=3))
