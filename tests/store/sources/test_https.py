from pathlib import Path

import anyio
import pytest

from isthmus.errors import FetchError, UsageError
from isthmus.store.sources.base import Offer, SourceContext, Url
from isthmus.store.sources.https import HttpsSource
from tests.store.samples import Hub, Request


def resolve(reference: str, **context) -> Offer:
    async def run() -> Offer:
        return await HttpsSource().resolve(reference, SourceContext(workshop=Path("unused"), **context))

    return anyio.run(run)


def sent_with(**headers: str):
    """A server that has ranges and these headers."""

    def behave(request: Request) -> None:
        request.answer(206, b"G", Content_Range="bytes 0-0/1000", **headers)

    return behave


def test_length_and_version_are_asked_for_by_the_first_byte(hub: Hub):
    hub.behave(sent_with(ETag='"v1"'))
    url = f"{hub.endpoint}/models/Tiny%20Q4.GGUF?download=1"
    offer = resolve(url)
    (file,) = offer.files
    assert (offer.source, offer.name, offer.size_bytes) == (url, "Tiny Q4", 1000)
    assert (file.sha256, file.version) == (None, '"v1"')
    assert file.way == Url(url=url, validator='"v1"')
    assert hub.requests[0].headers["Range"] == "bytes=0-0"


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"ETag": 'W/"v1"'}, None),
        (
            {"ETag": 'W/"v1"', "Last_Modified": "Sat, 01 Aug 2026 00:00:00 GMT"},
            "Sat, 01 Aug 2026 00:00:00 GMT",
        ),
        ({}, None),
    ],
)
def test_a_version_must_be_one_that_ranges_can_be_held_to(hub: Hub, headers, version):
    hub.behave(sent_with(**headers))
    assert resolve(f"{hub.endpoint}/x.gguf").files[0].version == version


def test_a_server_without_ranges_says_the_length_of_all(hub: Hub):
    hub.behave(lambda request: request.answer(200, b"G" * 77))
    assert resolve(f"{hub.endpoint}/x.gguf").size_bytes == 77


@pytest.mark.parametrize(
    "behave",
    [
        lambda request: request.answer(200, b"G", sized=False),
        lambda request: request.answer(200, b""),
        lambda request: request.answer(206, b"G", Content_Range="bytes 0-0/*"),
        lambda request: request.answer(206, b"G", Content_Range="bytes 5-5/1000"),
        lambda request: request.answer(206, b"G", Content_Range="bytes 0-0/" + "9" * 5000),
        lambda request: request.answer(206, b"G"),
    ],
)
def test_a_file_of_unknown_length_is_not_begun(hub: Hub, behave):
    hub.behave(behave)
    with pytest.raises(FetchError, match="how long the file is"):
        resolve(f"{hub.endpoint}/x.gguf")


def test_a_refusal(hub: Hub):
    with pytest.raises(FetchError, match="it answers 404 not found"):
        resolve(f"{hub.endpoint}/x.gguf")


@pytest.mark.parametrize(
    ("reference", "words", "hint"),
    [
        ("http://example.com/x.gguf", "not encrypted", "isthmus pull https://example.com/x.gguf"),
        ("https://ann:pw@example.com/x.gguf", "holds a password", "isthmus pull ./FILE.gguf"),
        ("https:///x.gguf", "not the address of a file", "https://HOST/FILE.gguf"),
        ("https://example.com/", "not the address of a file", "https://HOST/FILE.gguf"),
        ("https:x.gguf", "not the address of a file", "https://HOST/FILE.gguf"),
        ("https://[/x.gguf", "is not an address", ""),
    ],
)
def test_addresses_that_are_not_asked(reference, words, hint):
    with pytest.raises(UsageError, match=words) as caught:
        resolve(reference)
    assert hint in (caught.value.hint or "")
    assert ":pw@" not in caught.value.message


def test_a_quantization_is_for_repositories():
    with pytest.raises(UsageError, match="is one file"):
        resolve("https://example.com/x.gguf", quant="Q4_K_M")
