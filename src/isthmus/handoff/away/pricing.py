"""What a hosted answer costs: the person's own price, else the built-in list (genai-prices, offline)."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from isthmus.errors import PriceUnknown
from isthmus.messages import Usage
from isthmus.providers.vendor import ANY, Vendor
from isthmus.settings import ProviderSettings

Price: TypeAlias = Callable[[Usage], Decimal]
"""Dollars for the tokens of one answer. Thinking is part of the completion, cached tokens of the prompt."""

_MILLION = Decimal(1_000_000)


def price_of(name: str, provider: ProviderSettings, vendor: Vendor = ANY) -> Price:
    """The price of a provider's model.

    Raises:
        PriceUnknown: Neither the person nor the list knows it. Nothing is sent to a model whose cost can't
            be bounded.
    """
    if provider.input_usd_per_mtok is not None and provider.output_usd_per_mtok is not None:
        return _stated(
            provider.input_usd_per_mtok, provider.output_usd_per_mtok, provider.cached_usd_per_mtok
        )
    price = _listed(provider, vendor)
    try:
        price(Usage(1, 1))
    except LookupError as error:
        raise PriceUnknown(
            f"nobody knows what {provider.model} at {name} costs",
            hint=f"set providers.{name}.input_usd_per_mtok and .output_usd_per_mtok (0 if it is free)",
        ) from error
    return price


def worst_case_tokens(body: bytes, images: int) -> int:
    """More prompt tokens than a body holds: no token is shorter than a byte, no image dearer than 4,096."""
    return len(body) + 4096 * images


def worst_case(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """The most that so many tokens can cost, wherever the prompt is read from."""
    caches = (0, prompt_tokens)
    return max(price(Usage(prompt_tokens, completion_tokens, cached_tokens=cached)) for cached in caches)


def per_million(price: Price, *, cached: bool = False) -> Decimal:
    """Dollars for a million prompt tokens, at the rate of a short prompt."""
    return price(Usage(prompt_tokens=1000, cached_tokens=1000 if cached else 0)) * 1000


def _stated(input_usd: Decimal, output_usd: Decimal, cached_usd: Decimal | None) -> Price:
    def price(usage: Usage) -> Decimal:
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        read = input_usd if cached_usd is None else cached_usd
        prompt = input_usd * (usage.prompt_tokens - cached) + read * cached
        return (prompt + output_usd * usage.completion_tokens) / _MILLION

    return price


def _listed(provider: ProviderSettings, vendor: Vendor) -> Price:
    # Imported here, where the list is asked: it takes longer to load than a short question to answer.
    import genai_prices

    def price(usage: Usage) -> Decimal:
        counts = genai_prices.Usage(
            input_tokens=usage.prompt_tokens,
            cache_read_tokens=min(usage.cached_tokens, usage.prompt_tokens),
            output_tokens=usage.completion_tokens,
        )
        model = provider.model or ""
        if vendor.prices is not None:
            return genai_prices.calc_price(counts, model, provider_id=vendor.prices).total_price
        return genai_prices.calc_price(counts, model, provider_api_url=provider.base_url).total_price

    return price
