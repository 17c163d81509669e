import json
import socket
import time
from pathlib import Path

import anyio
import pytest

from isthmus.errors import FetchError, UnknownModel, UsageError
from isthmus.settings import Secret
from isthmus.store.sources import hf
from isthmus.store.sources.base import Offer, SourceContext, Url
from isthmus.store.sources.hf import HuggingFaceSource
from tests.store.repository import COMMIT, Repository
from tests.store.samples import Hub

FILES = {
    "tiny-Q4_K_M.gguf": b"4" * 40,
    "tiny-Q8_0.gguf": b"8" * 80,
    "BF16/tiny-BF16-00001-of-00002.gguf": b"a" * 90,
    "BF16/tiny-BF16-00002-of-00002.gguf": b"b" * 70,
    "mmproj-F16.gguf": b"m",
}


@pytest.fixture
def repository(hub: Hub, network: Hub) -> Repository:
    return Repository(hub, network, dict(FILES))


def resolve(hub: Hub, reference: str, **context) -> Offer:
    async def run() -> Offer:
        terms = SourceContext(workshop=Path("unused"), hf_endpoint=hub.endpoint + "/", **context)
        return await HuggingFaceSource().resolve(reference, terms)

    return anyio.run(run)


def test_a_quantization_is_one_file_of_the_listed_commit(hub, repository):
    offer = resolve(hub, "hf:maker/Tiny-GGUF:q8_0")
    (file,) = offer.weights
    assert offer.source == "hf:maker/Tiny-GGUF:Q8_0"
    assert (offer.name, offer.licence, offer.choice) == ("Tiny:Q8_0", "apache-2.0", None)
    assert (file.label, file.size_bytes, len(file.sha256)) == ("tiny-Q8_0.gguf", 80, 64)
    assert file.way == Url(
        url=f"{hub.endpoint}/maker/Tiny-GGUF/resolve/{COMMIT}/tiny-Q8_0.gguf",
        denied_hint=f"accept its terms at {hub.endpoint}/maker/Tiny-GGUF, then: export HF_TOKEN=...",
    )
    assert "Authorization" not in hub.requests[0].headers


def test_the_projector_comes_with_it(hub, repository):
    projector = resolve(hub, "hf:maker/Tiny-GGUF:q8_0").projector
    assert projector is not None
    assert (projector.label, projector.size_bytes) == ("mmproj-F16.gguf", 1)
    assert projector.way.url.endswith(f"/{COMMIT}/mmproj-F16.gguf")
    del repository.files["mmproj-F16.gguf"]
    assert resolve(hub, "hf:maker/Tiny-GGUF:q8_0").projector is None


def test_without_one_the_choice_is_told(hub, repository):
    offer = resolve(hub, "hf:maker/Tiny-GGUF")
    assert offer.source == "hf:maker/Tiny-GGUF:Q4_K_M"
    assert offer.choice == "Q4_K_M of maker/Tiny-GGUF: the usual balance of size and quality"


def test_a_split_model_is_all_its_pieces(hub, repository):
    offer = resolve(hub, "hf:maker/Tiny-GGUF", quant="bf16")
    assert [file.label[-22:] for file in offer.weights] == [
        "BF16-00001-of-00002.gguf"[-22:],
        "BF16-00002-of-00002.gguf"[-22:],
    ]
    assert offer.size_bytes == 160 + 1
    assert resolve(hub, "hf:maker/Tiny-GGUF/BF16/tiny-BF16-00002-of-00002.gguf") == offer


def test_a_file_can_be_named(hub, repository):
    repository.files["sub/odd name?.gguf"] = b"odd"
    offer = resolve(hub, "hf:maker/Tiny-GGUF/sub/odd name?.gguf")
    assert offer.source == "hf:maker/Tiny-GGUF/sub/odd name?.gguf"
    assert offer.files[0].way.url.endswith(f"/{COMMIT}/sub/odd%20name%3F.gguf")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("hf:maker/Tiny-GGUF:Q5_K_M", "has no Q5_K_M; on offer are Q4_K_M, Q8_0, BF16"),
        ("hf:maker/Tiny-GGUF/x.gguf", "has no x.gguf; on offer are tiny-Q4_K_M.gguf, "),
        ("hf:maker/Other-GGUF", "there is no repository maker/Other-GGUF"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(hub, repository, reference, words):
    with pytest.raises(UnknownModel, match=words):
        resolve(hub, reference)


@pytest.mark.parametrize(
    "reference",
    [
        "hf:",
        "hf:org",
        "hf:org/repo/",
        "hf:org/repo:",
        "hf:org/repo/file.bin",
        "hf:../..",
        "hf:a/b..c:Q4",
        "hf:org/re po",
    ],
)
def test_what_is_no_reference_is_refused_before_anything_is_asked(hub, repository, reference):
    with pytest.raises(UsageError):
        resolve(hub, reference)
    assert hub.requests == []


def test_two_different_wishes_are_refused(hub, repository):
    with pytest.raises(UsageError, match="two different things"):
        resolve(hub, "hf:maker/Tiny-GGUF:Q8_0", quant="Q4_K_M")
    assert resolve(hub, "hf:maker/Tiny-GGUF:Q8_0", quant="q8_0").source.endswith("Q8_0")


def test_a_repository_without_gguf(hub, repository):
    repository.listed = {}
    with pytest.raises(UnknownModel, match="holds no GGUF file"):
        resolve(hub, "hf:maker/Tiny-GGUF")


# ---------------------------------------------------------------- tokens


def test_the_token_is_shown_to_the_hub(hub, repository):
    offer = resolve(hub, "hf:maker/Tiny-GGUF:Q8_0", hf_token=Secret("hf_secret"))
    assert hub.requests[0].headers["Authorization"] == "Bearer hf_secret"
    assert offer.files[0].way.bearer.headers(hub.endpoint) == {"Authorization": "Bearer hf_secret"}
    assert "hf_secret" not in repr(offer)


def test_a_listing_that_is_redirected_takes_no_token_along(hub, network, repository):
    listing = hub.behaviours[0]
    target = network.endpoint.replace("127.0.0.1", "localhost")
    hub.behave(lambda request: request.answer(302, Location=f"{target}{request.path}"))
    network.behave(listing)
    resolve(hub, "hf:maker/Tiny-GGUF:Q8_0", hf_token=Secret("hf_secret"))
    assert "Authorization" in hub.requests[0].headers
    assert "Authorization" not in network.requests[0].headers


def test_no_token_travels_unencrypted(hub, repository):
    for endpoint in ("http://mirror.example", "http://[", "nonsense"):
        terms = SourceContext(workshop=Path("x"), hf_endpoint=endpoint, hf_token=Secret("hf_secret"))
        assert terms.hf_bearer is None


@pytest.mark.parametrize(
    ("token", "status", "hint"),
    [
        (None, 403, "then: export HF_TOKEN=..."),
        (None, 401, "then: export HF_TOKEN=..."),
        (Secret("hf_x"), 403, "or use a token that may read it"),
    ],
)
def test_a_refusal_says_what_would_help(hub, token, status, hint):
    hub.behave(lambda request: request.answer(status))
    with pytest.raises(FetchError, match=f"it answers {status}") as caught:
        resolve(hub, "hf:maker/Tiny-GGUF", hf_token=token)
    assert caught.value.hint.endswith(hint)
    assert "hf_x" not in str(caught.value)


# ---------------------------------------------------------------- hubs that fail or lie


def test_a_busy_hub_is_asked_again(hub, repository):
    listing = hub.behaviours[0]
    hub.behave(lambda request: request.answer(429, Retry_After="0"), listing)
    assert resolve(hub, "hf:maker/Tiny-GGUF:Q8_0").weights[0].size_bytes == 80
    hub.behave(lambda request: request.answer(503))
    with pytest.raises(FetchError, match="it answers 503"):
        resolve(hub, "hf:maker/Tiny-GGUF:Q8_0")


def test_a_hub_that_cannot_be_reached(hub, repository):
    with socket.create_server(("127.0.0.1", 0)) as server:
        hub.endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(FetchError, match="connection refused"):
        resolve(hub, "hf:maker/Tiny-GGUF")


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://hub", "http://["])
def test_an_endpoint_that_is_no_address(hub, endpoint):
    hub.endpoint = endpoint
    with pytest.raises(FetchError, match="its address is not a URL"):
        resolve(hub, "hf:maker/Tiny-GGUF")


SIBLING = {"rfilename": "x.gguf", "size": 1, "blobId": "0"}
LFS = {"sha256": "0" * 64, "size": 1, "pointerSize": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        b"[]",
        b"null",
        b"{}",
        json.dumps({"id": "a/b", "siblings": [SIBLING]}).encode(),
        json.dumps({"id": "a/b", "sha": "../../x", "siblings": [SIBLING]}).encode(),
        *(
            json.dumps({"id": "a/b", "sha": COMMIT, "siblings": [SIBLING | each]}).encode()
            for each in (
                {"size": -1},
                {"size": None},
                {"size": "1"},
                {"rfilename": 3},
                {"lfs": {**LFS, "sha256": "../../etc/passwd"}},
                {"lfs": {**LFS, "sha256": "A" * 64}},
                {"lfs": 3},
            )
        ),
    ],
)
def test_a_listing_that_makes_no_sense(hub, body):
    hub.behave(lambda request: request.answer(200, body, Content_Type="application/json"))
    with pytest.raises(FetchError, match="its listing"):
        resolve(hub, "hf:maker/Tiny-GGUF")


def test_file_names_that_climb_are_only_labels(hub, repository):
    repository.files["../../etc/evil.gguf"] = b"evil"
    offer = resolve(hub, "hf:maker/Tiny-GGUF/../../etc/evil.gguf")
    assert offer.name == "Tiny"
    assert offer.files[0].label == "../../etc/evil.gguf"


def test_a_hub_that_stays_silent_is_left(hub, monkeypatch):
    monkeypatch.setattr(hf, "LISTING_TIMEOUT_S", 0.2)

    hub.behave(lambda request: time.sleep(0.5))
    with pytest.raises(FetchError, match="timed out"):
        resolve(hub, "hf:maker/Tiny-GGUF")
