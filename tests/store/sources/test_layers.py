import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.store.sources.layers import licence_line, read_manifest
from tests.store.registry import GGUF, TITLE, descriptor, manifest_of

ONE = descriptor(b"one", GGUF)


def models(*layers):
    return [[file.sha256 for file in model.files] for model in read_manifest(manifest_of(*layers)).models()]


def titled(content: bytes, title: str, kind: str = "application/octet-stream"):
    return descriptor(content, kind, **{TITLE: title})


def sha256(layer) -> str:
    return layer["digest"].removeprefix("sha256:")


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.docker.ai.gguf.v3",
        "application/vnd.ollama.image.model",
        "application/vnd.cncf.model.weight.v1.gguf",
    ],
)
def test_weights_by_their_media_type(kind):
    layer = descriptor(b"one", kind)
    assert models(layer, descriptor(b"x", "text/plain")) == [[sha256(layer)]]


def test_weights_by_their_title_wherever_it_was_packed():
    layer = titled(b"one", "../../etc/passwd/tiny.GGUF")
    (model,) = read_manifest(manifest_of(layer)).models()
    assert model.files[0].path == "tiny.GGUF"


@pytest.mark.parametrize(
    "layer",
    [
        titled(b"x", "README.md"),
        titled(b"x", "mmproj-tiny-f16.gguf"),
        titled(b"x", "adapter.gguf", "application/vnd.ollama.image.adapter"),
        descriptor(b"x", "application/vnd.docker.ai.mmproj"),
        descriptor(b"x", "application/vnd.docker.ai.safetensors"),
    ],
)
def test_what_is_no_weights(layer):
    assert models(layer) == []
    assert models(layer, ONE) == [[sha256(ONE)]]


def test_pieces_are_put_in_order_by_their_titles_and_else_stay_as_they_are():
    pieces = [titled(bytes([n]), f"big-{n:05}-of-00003.gguf") for n in (1, 2, 3)]
    assert models(pieces[1], pieces[2], pieces[0]) == [[sha256(piece) for piece in pieces]]
    assert models(pieces[1], pieces[0]) == []
    untitled = [descriptor(bytes([n]), GGUF) for n in (3, 1, 2)]
    assert models(*untitled) == [[sha256(piece) for piece in untitled]]


def test_what_is_left_out_is_in_words():
    layers = [ONE, descriptor(b"p", "application/vnd.ollama.image.adapter"), descriptor(b"t", "text/plain")]
    assert read_manifest(manifest_of(*layers)).left_out == ["the adapter"]


@pytest.mark.parametrize(
    "layer",
    [
        descriptor(b"p", "application/vnd.docker.ai.mmproj"),
        descriptor(b"p", "application/vnd.docker.ai.gguf.v3.mmproj"),
        descriptor(b"p", "application/vnd.ollama.image.projector"),
        titled(b"p", "mmproj-tiny-f16.gguf"),
    ],
)
def test_a_projector_belongs_to_the_model(layer):
    manifest = read_manifest(manifest_of(ONE, layer))
    assert manifest.projector is not None
    assert manifest.projector.sha256 == sha256(layer)
    assert [[file.sha256 for file in model.files] for model in manifest.models()] == [[sha256(ONE)]]
    assert manifest.left_out == []


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "sha256:" + "A" * 64},
        {"digest": "sha256:" + "a" * 64 + "\n"},
        {"digest": "sha512:" + "a" * 128},
        {"size": -1},
        {"size": "1"},
        {"size": None},
        {"annotations": {TITLE: 5}},
    ],
)
def test_a_layer_that_makes_no_sense(change):
    with pytest.raises(ValueError):
        read_manifest(manifest_of(ONE | change))


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["layers", "manifests", "digest", "size", "annotations", "x"]),
                inner,
                max_size=3,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_a_manifest_or_an_error(content):
    try:
        manifest = read_manifest(content)
    except ValueError:
        return
    manifest.models()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("\n\n---\n", None),
        ("MIT License\n\nCopyright", "MIT License"),
        ("\n      Apache   License\n  Version 2.0", "Apache License"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_licences_name(text, line):
    assert licence_line(text) == line
