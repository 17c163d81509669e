from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import PriceUnknown
from isthmus.handoff.away.pricing import per_million, price_of, worst_case
from isthmus.messages import Usage
from isthmus.providers import table
from isthmus.settings import ProviderSettings

COUNTS = st.integers(0, 2_000_000)


def stated(**more):
    prices = {"input_usd_per_mtok": Decimal(2), "output_usd_per_mtok": Decimal(10)} | more
    return price_of("x", ProviderSettings("https://x.example/v1", "m", **prices))


def listed(vendor=table.ANTHROPIC, model="claude-sonnet-5"):
    return price_of("x", ProviderSettings(vendor.base_url, model), vendor)


def test_a_persons_price_counts_and_cached_tokens_may_have_their_own():
    usage = Usage(prompt_tokens=1000, completion_tokens=100, reasoning_tokens=90, cached_tokens=600)
    assert stated()(usage) == Decimal("0.003")
    assert stated(cached_usd_per_mtok=Decimal("0.2"))(usage) == Decimal("0.00192")


def test_a_list_knows_what_cached_tokens_cost():
    price = listed()
    assert price(Usage(1000, 0, cached_tokens=1000)) < price(Usage(1000, 0))
    assert per_million(price, cached=True) < per_million(price) < 100


def test_a_model_of_the_same_name_elsewhere_has_its_own_price():
    assert listed(table.CEREBRAS, "gpt-oss-120b")(Usage(1000, 0)) != listed(
        table.TOGETHER, "openai/gpt-oss-120b"
    )(Usage(1000, 0))


def test_an_unknown_model_has_none():
    with pytest.raises(PriceUnknown, match="nobody knows what claude-of-tomorrow at x costs"):
        listed(model="claude-of-tomorrow")


def test_more_cached_tokens_than_there_are_are_not_believed():
    assert listed()(Usage(10, 0, cached_tokens=1000)) == listed()(Usage(10, 0, cached_tokens=10))
    assert stated(cached_usd_per_mtok=Decimal(0))(Usage(10, 0, cached_tokens=1000)) == 0


@given(prompt=COUNTS, completion=COUNTS, share=st.floats(0, 1), read=st.sampled_from([None, "0.1", "2", "9"]))
def test_nothing_costs_more_than_the_worst_case(prompt, completion, share, read):
    usage = Usage(prompt, completion, cached_tokens=int(prompt * share))
    price = stated(cached_usd_per_mtok=read and Decimal(read))
    assert price(usage) <= worst_case(price, prompt, completion)


@pytest.mark.parametrize("vendor", [table.ANTHROPIC, table.OPENAI, table.GOOGLE, table.DEEPSEEK])
@given(prompt=COUNTS, completion=COUNTS, share=st.floats(0, 1))
def test_nothing_on_the_list_costs_more_than_its_worst_case(vendor, prompt, completion, share):
    price = listed(vendor, vendor.model)
    usage = Usage(int(prompt * share), completion, cached_tokens=int(prompt * share * share))
    assert price(usage) <= worst_case(price, prompt, completion)
