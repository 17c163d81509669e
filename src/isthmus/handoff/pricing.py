"""What a hosted answer costs: the person's own price, else the built-in list (genai-prices, offline)."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from isthmus.errors import PriceUnknown
from isthmus.settings import ProviderSettings

Price: TypeAlias = Callable[[int, int], Decimal]
"""Dollars for so many tokens of prompt and of completion."""

_MILLION = Decimal(1_000_000)


def price_of(name: str, provider: ProviderSettings) -> Price:
    """The price of a provider's model.

    Raises:
        PriceUnknown: Neither the person nor the list knows it. Nothing is sent to a model whose cost can't
            be bounded.
    """
    input_usd, output_usd = provider.input_usd_per_mtok, provider.output_usd_per_mtok
    if input_usd is not None and output_usd is not None:
        return _stated(input_usd, output_usd)
    price = _listed(provider)
    try:
        price(1, 1)
    except LookupError as error:
        raise PriceUnknown(
            f"nobody knows what {provider.model} at {name} costs",
            hint=f"set providers.{name}.input_usd_per_mtok and .output_usd_per_mtok (0 if it is free)",
        ) from error
    return price


def worst_case_tokens(body: bytes, images: int) -> int:
    """More prompt tokens than a body holds: no token is shorter than a byte, no image dearer than 4,096."""
    return len(body) + 4096 * images


def _stated(input_usd: Decimal, output_usd: Decimal) -> Price:
    def price(prompt_tokens: int, completion_tokens: int) -> Decimal:
        return (input_usd * prompt_tokens + output_usd * completion_tokens) / _MILLION

    return price


def _listed(provider: ProviderSettings) -> Price:
    # Imported here, where the list is asked: it takes longer to load than a short question to answer.
    import genai_prices

    def price(prompt_tokens: int, completion_tokens: int) -> Decimal:
        usage = genai_prices.Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens)
        model = provider.model or ""
        return genai_prices.calc_price(usage, model, provider_api_url=provider.base_url).total_price

    return price
