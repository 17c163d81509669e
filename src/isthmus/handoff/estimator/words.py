"""The words of a text, hashed: single ones and pairs, weighed by TF-IDF.

A term's bucket is its CRC-32 modulo the number of buckets (the hashing trick, Weinberger et al. 2009,
arXiv 0902.2206): stable between machines and versions, and no vocabulary to keep. Weights are
(1 + ln count) x idf, scaled to length one, as in Manning et al., Introduction to Information Retrieval, 6.4.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from zlib import crc32

EYE = 3000
"""Characters that are looked at, half from either end: instructions stand there, documents between."""

_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")


def seen(text: str) -> str:
    """What is looked at of a text: all of it, or its two ends."""
    return text if len(text) <= EYE else f"{text[: EYE // 2]}\n{text[-EYE // 2 :]}"


def words(text: str) -> list[str]:
    """The words, marks and numbers of a text in lower case; a number stands as its count of digits."""
    return ["#" * len(word) if word[0].isdigit() else word for word in _WORD.findall(text.lower())]


def terms(text: str) -> Iterator[str]:
    """The single words of a text, and the pairs of neighbours."""
    found = words(text)
    yield from found
    for left, right in pairwise(found):
        yield f"{left} {right}"


def bucket(term: str, buckets: int) -> int:
    """Where a term is counted."""
    return crc32(term.encode()) % buckets


def bucket_counts(text: str, buckets: int) -> Counter[int]:
    """How often each bucket is met by a text; only the two ends of a long one are looked at."""
    return Counter(bucket(term, buckets) for term in terms(seen(text)))


def hashed(text: str, idf: Sequence[float]) -> dict[int, float]:
    """A text as TF-IDF weights of its buckets, of length one; empty for a text without words.

    Args:
        text: The text.
        idf: Inverse document frequency of each bucket; as many as there are buckets.
    """
    counts = bucket_counts(text, len(idf))
    weights = {place: (1 + math.log(count)) * idf[place] for place, count in counts.items()}
    norm = math.sqrt(math.fsum(weight * weight for weight in weights.values()))
    return {place: weight / norm for place, weight in weights.items()} if norm else {}
