"""How long a local model took, in the words of llama.cpp's server, whose clients read them."""

from typing import Any

from isthmus.messages import Finish


def render_timings(finish: Finish) -> dict[str, Any]:
    """The ``timings`` of an answer of one choice; nothing where its engine didn't tell them.

    Tokens of the prompt that came from the cache are counted apart: they took no time.
    """
    usage, timings = finish.usage, finish.timings
    if usage is None or timings is None or timings.prompt_s is None or timings.decode_s is None:
        return {}
    read, written = usage.prompt_tokens - usage.cached_tokens, usage.completion_tokens
    told = {"cache_n": usage.cached_tokens} | _pace("prompt", read, timings.prompt_s)
    told |= _pace("predicted", written, timings.decode_s)
    if timings.tokens_per_s is not None:  # the engine's own, which leaves the first token out
        told["predicted_per_second"] = round(timings.tokens_per_s, 3)
    return {"timings": told}


def _pace(what: str, tokens: int, seconds: float) -> dict[str, float]:
    return {
        f"{what}_n": tokens,
        f"{what}_ms": round(seconds * 1000, 3),
        f"{what}_per_token_ms": round(seconds * 1000 / tokens, 3) if tokens else 0.0,
        f"{what}_per_second": round(tokens / seconds, 3) if seconds else 0.0,
    }
