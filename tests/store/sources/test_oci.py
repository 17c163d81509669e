import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest

from isthmus.errors import (
    DigestMismatch,
    DoesNotFit,
    FetchError,
    InvalidWeights,
    IsthmusError,
    UnknownModel,
    UsageError,
)
from isthmus.store import download
from isthmus.store.fetch import pull_reference
from isthmus.store.manifest import StoredModel
from isthmus.store.sources.base import Offer, SourceContext, Url
from isthmus.store.sources.oci import OciSource, Reference
from isthmus.store.store import Store
from isthmus.trust import verify
from tests.store.registry import (
    GGUF,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    TITLE,
    Answer,
    Registry,
    descriptor,
    digest_of,
    manifest_of,
    played_registry,
    running_registry,
)
from tests.store.samples import gguf_bytes, projector_bytes, split_gguf

CONTENT = gguf_bytes()
PROJECTOR = projector_bytes()
LICENCE = b"\n   Apache License\n  Version 2.0, January 2004\n"


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def resolve(reference: str, **more) -> Offer:
    context = SourceContext(workshop=Path("workshop"), **more)
    return anyio.run(OciSource().resolve, f"oci:{reference.removeprefix('oci:')}", context)


def url_of(offer: Offer) -> str:
    way = offer.files[0].way
    assert isinstance(way, Url)
    return way.url


# ---------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("text", "base", "name"),
    [
        ("docker.io/ai/smollm2", "https://registry-1.docker.io/v2/ai/smollm2", "smollm2"),
        ("docker.io/smollm2:135M-Q4", "https://registry-1.docker.io/v2/library/smollm2", "smollm2:135M-Q4"),
        ("ghcr.io/org/deep/model:7b", "https://ghcr.io/v2/org/deep/model", "model:7b"),
        (
            "registry.ollama.ai/library/llama3.2:1b",
            "https://registry.ollama.ai/v2/library/llama3.2",
            "llama3.2:1b",
        ),
        ("localhost:5000/model:a", "http://localhost:5000/v2/model", "model:a"),
        ("127.0.0.1/model", "http://127.0.0.1/v2/model", "model"),
        ("[::1]:5000/model", "http://[::1]:5000/v2/model", "model"),
        ("192.168.1.2:5000/model", "https://192.168.1.2:5000/v2/model", "model"),
        (f"ghcr.io/org/model@sha256:{'a' * 64}", "https://ghcr.io/v2/org/model", "model"),
        (f"ghcr.io/org/model:7b@sha256:{'a' * 64}", "https://ghcr.io/v2/org/model", "model:7b"),
    ],
)
def test_references(text, base, name):
    reference = Reference.parse(f"oci:{text}")
    assert (reference.base, reference.name) == (base, name)
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model",
        "ghcr.io",
        "ghcr.io/",
        "ghcr.io/Upper/model",
        "ghcr.io/org/../../secret",
        "ghcr.io/org//model",
        "ghcr.io/org/model:",
        "ghcr.io/org/model:-x",
        "ghcr.io/org/model@sha256:abc",
        "ghcr.io/org/model@sha512:" + "a" * 64,
        "user@ghcr.io/org/model",
        "ghcr.io/org/model?x=y",
        "ghcr.io/org/model\n",
        "https://ghcr.io/org/model",
        "ghcr.io:123456/model",
    ],
)
def test_what_is_no_reference(text):
    with pytest.raises(UsageError):
        Reference.parse(f"oci:{text}")


def test_without_a_registry_docker_hub_is_proposed():
    with pytest.raises(UsageError, match="its registry") as caught:
        Reference.parse("oci:ai/smollm2:135M")
    assert caught.value.hint == "isthmus pull oci:docker.io/ai/smollm2:135M"


# ---------------------------------------------------------------- a real registry


def test_dockers_models(registry):
    digest = registry.push(
        "ai/tiny:1b",
        (CONTENT, GGUF, {}),
        (LICENCE, "application/vnd.docker.ai.license", {}),
        (PROJECTOR, "application/vnd.docker.ai.mmproj", {}),
        (gguf_bytes(fill=5), "application/vnd.docker.ai.gguf.v3.lora", {}),
    )
    offer = resolve(f"{registry.host}/ai/tiny:1b")
    (file,) = offer.weights
    assert offer.projector is not None
    assert offer.projector.sha256 == digest_of(PROJECTOR).removeprefix("sha256:")
    assert (file.sha256, file.size_bytes) == (digest_of(CONTENT).removeprefix("sha256:"), len(CONTENT))
    assert file.way == Url(url=f"http://{registry.host}/v2/ai/tiny/blobs/{digest_of(CONTENT)}")
    assert (offer.name, offer.licence) == ("tiny:1b", "Apache License")
    assert offer.choice == "without the adapter"
    assert offer.source == f"oci:{registry.host}/ai/tiny:1b@{digest}"
    again = resolve(offer.source)
    assert again == offer


def test_a_reference_by_hash_stays_with_its_model_when_the_tag_moves(registry):
    digest = registry.push("ai/moving:1b", (CONTENT, GGUF, {}))
    registry.push("ai/moving:1b", (gguf_bytes(fill=8), GGUF, {}))
    moved, pinned = (resolve(f"{registry.host}/ai/moving{end}") for end in (":1b", f"@{digest}"))
    assert moved.files != pinned.files
    assert pinned.files[0].sha256 == digest_of(CONTENT).removeprefix("sha256:")
    assert pinned.source == f"oci:{registry.host}/ai/moving@{digest}"


def test_ollamas_models(registry):
    kind = "application/vnd.ollama.image."
    registry.push(
        "library/tiny:latest",
        (CONTENT, kind + "model", {}),
        (b"{{ .Prompt }}", kind + "template", {}),
        (LICENCE, kind + "license", {}),
    )
    offer = resolve(f"{registry.host}/library/tiny")
    assert [file.sha256 for file in offer.files] == [digest_of(CONTENT).removeprefix("sha256:")]
    assert (offer.name, offer.licence, offer.choice) == ("tiny", "Apache License", None)


def test_what_oras_pushes(registry):
    registry.push(
        "me/artifact:v1",
        (b"# A model", "text/markdown", {TITLE: "README.md"}),
        (CONTENT, "application/octet-stream", {TITLE: "./weights/tiny.Q4_K_M.gguf"}),
        **{
            "org.opencontainers.image.licenses": "MIT",
            "org.opencontainers.image.description": "A model\nof mine",
        },
    )
    offer = resolve(f"{registry.host}/me/artifact:v1")
    (file,) = offer.files
    assert file.label == "tiny.Q4_K_M.gguf"
    assert (offer.licence, offer.description) == ("MIT", "A model")


def test_the_pieces_of_a_split_model_come_in_their_order(registry, tmp_path):
    pieces = split_gguf(tmp_path, 3)
    layers = [(path.read_bytes(), "application/octet-stream", {TITLE: path.name}) for path in pieces]
    registry.push("me/split:v1", layers[2], layers[0], layers[1])
    offer = resolve(f"{registry.host}/me/split:v1")
    assert [file.label for file in offer.files] == [path.name for path in pieces]

    registry.push("me/untitled:v1", *((path.read_bytes(), GGUF, {}) for path in pieces))
    untitled = resolve(f"{registry.host}/me/untitled:v1")
    assert [file.sha256 for file in untitled.files] == [file.sha256 for file in offer.files]

    registry.push("me/torn:v1", *layers[1:])
    with pytest.raises(InvalidWeights, match="no whole GGUF model"):
        resolve(f"{registry.host}/me/torn:v1")


def test_of_several_models_one_is_chosen(registry):
    small, large = gguf_bytes(), gguf_bytes(data_bytes=4000)
    registry.push(
        "me/several:v1",
        (large, "application/octet-stream", {TITLE: "tiny.Q8_0.gguf"}),
        (small, "application/octet-stream", {TITLE: "tiny.Q2_K.gguf"}),
    )
    where = f"{registry.host}/me/several:v1"
    assert resolve(where, quant="q2_k").files[0].label == "tiny.Q2_K.gguf"
    assert resolve(where).files[0].label == "tiny.Q8_0.gguf"
    chosen = resolve(where, fits=lambda size: size < 2000)
    assert chosen.files[0].label == "tiny.Q2_K.gguf"
    assert chosen.choice is not None
    with pytest.raises(UnknownModel, match="has no Q4_K_M") as caught:
        resolve(where, quant="Q4_K_M")
    assert caught.value.hint == f"isthmus pull oci:{where} --quant Q2_K"
    with pytest.raises(DoesNotFit):
        resolve(where, fits=lambda size: False)


def test_an_index_leads_to_the_model_among_its_images(registry):
    image = manifest_of(descriptor(b"x", "application/vnd.oci.image.layer.v1.tar+gzip"))
    model = manifest_of(descriptor(CONTENT, GGUF))
    for content, kind in ((b"x", ""), (CONTENT, ""), (b"{}", "")):
        registry.push_blob("me/indexed", content, kind)
    entries = [descriptor(content, IMAGE_MANIFEST) for content in (image, model)]
    for content in (image, model):
        registry.push_manifest("me/indexed", digest_of(content), content, IMAGE_MANIFEST)
    index = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}).encode()
    digest = registry.push_manifest("me/indexed", "v1", index, IMAGE_INDEX)
    offer = resolve(f"{registry.host}/me/indexed:v1")
    assert offer.files[0].size_bytes == len(CONTENT)
    assert offer.source == f"oci:{registry.host}/me/indexed:v1@{digest}"

    index = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries[:1]}).encode()
    registry.push_manifest("me/indexed", "v2", index, IMAGE_INDEX)
    with pytest.raises(InvalidWeights, match="none of the images"):
        resolve(f"{registry.host}/me/indexed:v2")


def test_what_is_not_there_or_no_model(registry):
    with pytest.raises(UnknownModel, match="the registry has no oci:"):
        resolve(f"{registry.host}/me/nothing:v1")
    registry.push("me/image:v1", (b"tar", "application/vnd.oci.image.layer.v1.tar+gzip", {}))
    with pytest.raises(InvalidWeights, match=r"only application/vnd.oci.image.layer.v1.tar\+gzip"):
        resolve(f"{registry.host}/me/image:v1")


# ---------------------------------------------------------------- pulling


def pull(reference: str, store: Store, *, offline: bool = False) -> StoredModel:
    return anyio.run(
        partial(
            pull_reference,
            reference,
            store,
            offline=offline,
            hf_endpoint="http://127.0.0.1:1",
            on_progress=lambda progress: None,
            on_notice=lambda notice: None,
        )
    )


def test_a_pulled_model_loads_and_is_found_offline(registry, store):
    registry.push("ai/pulled:1b", (CONTENT, GGUF, {}), (LICENCE, "application/vnd.docker.ai.license", {}))
    reference = f"oci:{registry.host}/ai/pulled:1b"
    model = pull(reference, store)
    assert (model.name, model.licence) == ("pulled:1b", "Apache License")
    with verify(model, on_progress=lambda progress: pytest.fail("hashed once more")):
        assert model.path.read_bytes() == CONTENT
    assert pull(reference, store, offline=True) == model
    assert model.pull_command == f"isthmus pull {model.source} --name pulled:1b"


def test_a_split_model_is_pulled_whole(registry, store, tmp_path):
    pieces = split_gguf(tmp_path, 3)
    contents = [(path.read_bytes(), "application/octet-stream", {TITLE: path.name}) for path in pieces]
    registry.push("me/whole:v1", *reversed(contents))
    model = pull(f"oci:{registry.host}/me/whole:v1", store)
    assert [path.read_bytes() for path in model.paths] == [path.read_bytes() for path in pieces]
    with verify(model) as verified:
        assert len(verified.fds) == 3


def test_the_bytes_may_come_from_another_host_which_sees_no_token(store):
    asked: list[str | None] = []

    def elsewhere(path: str, headers: dict[str, str]) -> Answer:
        asked.append(headers.get("Authorization"))
        return 200, {}, CONTENT

    with played_registry(elsewhere) as other:
        shown = token_registry([], manifest_of(descriptor(CONTENT, GGUF)))

        def behave(path: str, headers: dict[str, str]) -> Answer:
            status, more, body = shown(path, headers)
            if "/blobs/" in path and status == 200:
                return 307, {"Location": f"http://{other}/signed?by=registry"}, b""
            return status, more, body

        with played_registry(behave) as host:
            model = pull(f"oci:{host}/a/b:v1", store)
    assert model.path.read_bytes() == CONTENT
    assert set(asked) == {None}


def test_a_token_that_expires_on_the_way_is_renewed(store):
    tokens = iter(range(100))
    given: list[str] = []
    blob_requests: list[str | None] = []

    def behave(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            given.append(f"token{next(tokens)}")
            return 200, {}, json.dumps({"token": given[-1]}).encode()
        if "/blobs/" in path:
            blob_requests.append(headers.get("Authorization"))
            if len(blob_requests) == 1:
                given.append("expired")
        if not given or headers.get("Authorization") != f"Bearer {given[-1]}":
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["Host"]}/token"'}, b""
        return 200, {}, CONTENT if "/blobs/" in path else manifest_of(descriptor(CONTENT, GGUF))

    with played_registry(behave) as host:
        model = pull(f"oci:{host}/a/b:v1", store)
    assert model.path.read_bytes() == CONTENT
    assert blob_requests == ["Bearer token0", "Bearer token1"]


def test_a_registry_that_never_lets_go_of_its_bytes_is_an_error(store, monkeypatch):
    monkeypatch.setattr(download, "FRUITLESS_ATTEMPTS", 2)

    def behave(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            return 200, {}, b'{"token": "x"}'
        if "Authorization" not in headers or "/blobs/" in path:
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["Host"]}/token"'}, b""
        return 200, {}, manifest_of(descriptor(CONTENT, GGUF))

    with played_registry(behave) as host, pytest.raises(FetchError, match="its token has expired"):
        pull(f"oci:{host}/a/b:v1", store)


@pytest.mark.parametrize("sent", [gguf_bytes(fill=3), CONTENT[:-1], CONTENT + b"?", b""])
def test_other_bytes_than_the_manifests_get_no_name(store, sent):
    def behave(path: str, headers: dict[str, str]) -> Answer:
        return 200, {}, sent if "/blobs/" in path else manifest_of(descriptor(CONTENT, GGUF))

    with played_registry(behave) as host, pytest.raises((DigestMismatch, FetchError)):
        pull(f"oci:{host}/a/b:v1", store)
    assert store.models() == []


# ---------------------------------------------------------------- registries that misbehave


def token_registry(seen: list[tuple[str, str | None]], manifest: bytes):
    """Shows its manifest to whoever has the token, which it gives to anybody."""

    def behave(path: str, headers: dict[str, str]) -> Answer:
        given = headers.get("Authorization")
        seen.append((path, given))
        if path.startswith("/token"):
            return 200, {}, b'{"token": "secret", "expires_in": 300}'
        if given != "Bearer secret":
            realm = f'Bearer realm="http://{headers["Host"]}/token?x=1",service="here",scope="repository:a/b:pull"'
            return 401, {"WWW-Authenticate": realm}, b""
        return 200, {}, manifest

    return behave


def test_a_token_is_fetched_where_the_registry_wants_one_and_is_for_it_alone():
    seen: list[tuple[str, str | None]] = []
    with played_registry(token_registry(seen, manifest_of(descriptor(CONTENT, GGUF)))) as host:
        offer = resolve(f"{host}/a/b:v1")
    assert seen == [
        ("/v2/a/b/manifests/v1", None),
        ("/token?x=1&service=here&scope=repository:a/b:pull", None),
        ("/v2/a/b/manifests/v1", "Bearer secret"),
    ]
    way = offer.files[0].way
    assert isinstance(way, Url)
    assert way.bearer is not None
    assert way.bearer.headers(way.url) == {"Authorization": "Bearer secret"}
    assert way.bearer.headers("https://cdn.example/blob") == {}
    assert "secret" not in repr(offer)


def test_a_redirected_manifest_request_takes_no_token_along():
    seen: list[str | None] = []

    def elsewhere(path: str, headers: dict[str, str]) -> Answer:
        seen.append(headers.get("Authorization"))
        return 200, {}, manifest_of(descriptor(CONTENT, GGUF))

    with played_registry(elsewhere) as other:

        def behave(path: str, headers: dict[str, str]) -> Answer:
            if path.startswith("/token"):
                return 200, {}, b'{"access_token": "secret"}'
            if "Authorization" not in headers:
                return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["Host"]}/token"'}, b""
            return 307, {"Location": f"http://{other}/manifest"}, b""

        with played_registry(behave) as host:
            assert resolve(f"{host}/a/b:v1").files
    assert seen == [None]


WHOLE = manifest_of(descriptor(CONTENT, GGUF))


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ((401, {"WWW-Authenticate": 'Basic realm="x"'}, b""), FetchError, "wants a password"),
        ((401, {}, b""), FetchError, "wants a password"),
        (
            (401, {"WWW-Authenticate": 'Bearer realm="http://192.0.2.1/token"'}, b""),
            FetchError,
            "wants a password",
        ),
        ((401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'}, b""), FetchError, "password"),
        ((403, {}, b""), UnknownModel, "to the public"),
        ((500, {}, b""), FetchError, "it answers 500"),
        ((200, {}, b"<html>"), FetchError, "makes no sense"),
        ((200, {}, b"\xff\xfe"), FetchError, "makes no sense"),
        ((200, {}, b'{"layers": [{"digest": "sha256:../../x", "size": 1}]}'), FetchError, "makes no sense"),
        (
            (200, {}, manifest_of(descriptor(CONTENT, GGUF) | {"size": -1})),
            FetchError,
            "makes no sense",
        ),
        ((200, {}, b"{}"), InvalidWeights, "only nothing"),
        ((200, {"Docker-Content-Digest": f"sha256:{'0' * 64}"}, WHOLE), FetchError, "with the hash"),
        ((200, {}, b" " * (4 << 20) + WHOLE), FetchError, "longer than"),
        ((302, {"Location": "/v2/a/b/manifests/v1"}, b""), FetchError, "redirects in circles"),
        ((302, {"Location": "file:///etc/passwd"}, b""), FetchError, "redirects to nowhere"),
    ],
)
def test_answers_that_are_no_models(answer, error, text):
    with played_registry(lambda path, headers: answer) as host, pytest.raises(error, match=text):
        resolve(f"{host}/a/b:v1")


def test_a_manifest_with_another_hash_than_the_one_asked_for_is_refused():
    with (
        played_registry(lambda path, headers: (200, {}, WHOLE)) as host,
        pytest.raises(FetchError, match="it sends a manifest with the hash"),
    ):
        resolve(f"{host}/a/b@sha256:{'0' * 64}")


def test_a_licence_that_cannot_be_had_keeps_nobody_from_the_weights():
    licence = descriptor(LICENCE, "application/vnd.docker.ai.license")
    for body in (b"another text", LICENCE + b"longer"):

        def behave(path: str, headers: dict[str, str], body: bytes = body) -> Answer:
            return (200, {}, manifest_of(descriptor(CONTENT, GGUF), licence) if "manifests" in path else body)

        with played_registry(behave) as host:
            assert resolve(f"{host}/a/b:v1").licence is None


def test_a_registry_that_is_not_there_is_an_error():
    with pytest.raises(IsthmusError) as caught:
        resolve("127.0.0.1:1/a/b:v1")
    assert isinstance(caught.value, FetchError)
