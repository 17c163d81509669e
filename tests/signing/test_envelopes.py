"""DSSE envelopes, in-toto statements, and Sigstore bundles."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import SignatureInvalid
from isthmus.signing import Bundle, Envelope, ResourceDescriptor, Signature, Statement, generate_key, pae
from isthmus.signing.dsse import MAX_SIGNATURES
from isthmus.signing.statement import open_statement, to_json

KEY, OTHER = generate_key(), generate_key("ed25519")
KIND = "text/plain"
STATEMENT = Statement.of([ResourceDescriptor("a", {"sha256": "00"})], "urn:test", {"b": 1, "a": [2]})


def test_the_encoding_is_that_of_the_specification():
    """https://github.com/secure-systems-lab/dsse/blob/master/protocol.md"""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(st.text(max_size=20), st.binary(max_size=20), st.text(max_size=20), st.binary(max_size=20))
def test_no_two_contents_are_encoded_alike(kind, payload, other_kind, other_payload):
    same = (kind, payload) == (other_kind, other_payload)
    assert (pae(kind, payload) == pae(other_kind, other_payload)) == same


def test_an_envelope_travels_as_json():
    envelope = Envelope.seal(b"content", KIND, KEY)
    tree = json.loads(to_json(envelope))
    assert set(tree) == {"payload", "payloadType", "signatures"}
    assert tree["payload"] == "Y29udGVudA=="
    assert msgspec.json.decode(to_json(envelope), type=Envelope) == envelope


def test_each_key_that_signed_counts_once():
    envelope = Envelope.seal(b"content", KIND, KEY, KEY, OTHER)
    assert envelope.open([KEY.public, OTHER.public], KIND) == (b"content", {KEY.public, OTHER.public})
    assert envelope.open([KEY.public], KIND)[1] == {KEY.public}


def test_a_hint_proves_nothing():
    forged = Envelope(b"content", KIND, (Signature(OTHER.sign(pae(KIND, b"content")), KEY.public.id),))
    with pytest.raises(SignatureInvalid, match="none of its signatures"):
        forged.open([KEY.public, OTHER.public], KIND)
    unnamed = Envelope(b"content", KIND, (Signature(OTHER.sign(pae(KIND, b"content"))),))
    assert unnamed.open([KEY.public, OTHER.public], KIND)[1] == {OTHER.public}


@pytest.mark.parametrize(
    "attack",
    [
        {"payload": b"other"},
        {"payload_type": "text/html"},
        {"signatures": ()},
        {"signatures": (Signature(b""),)},
        {"signatures": (Signature(b"", "0"),) * (MAX_SIGNATURES + 1)},
    ],
)
def test_an_envelope_that_was_touched(attack):
    envelope = msgspec.structs.replace(Envelope.seal(b"content", KIND, KEY), **attack)
    with pytest.raises(SignatureInvalid):
        envelope.open([KEY.public], KIND)


def test_content_of_one_kind_does_not_pass_for_another():
    envelope = Envelope.seal(b"content", KIND, KEY)
    with pytest.raises(SignatureInvalid, match="it holds text/plain, not text/html"):
        envelope.open([KEY.public], "text/html")
    relabelled = msgspec.structs.replace(envelope, payload_type="text/html")
    with pytest.raises(SignatureInvalid, match="none of its signatures"):
        relabelled.open([KEY.public], "text/html")


def test_a_statement_is_the_same_bytes_each_time():
    assert STATEMENT.to_bytes() == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":[2],"b":1},'
        b'"predicateType":"urn:test","subject":[{"digest":{"sha256":"00"},"name":"a"}]}'
    )
    statement, signers = open_statement(STATEMENT.sealed(KEY, OTHER), [OTHER.public])
    assert (statement.to_bytes(), signers) == (STATEMENT.to_bytes(), {OTHER.public})
    assert statement.read_as("urn:test", dict) == {"a": [2], "b": 1}


def test_a_statement_of_another_kind():
    with pytest.raises(SignatureInvalid, match="it states urn:test, not urn:other"):
        STATEMENT.read_as("urn:other", dict)
    with pytest.raises(SignatureInvalid, match="its predicate isn't urn:test"):
        STATEMENT.read_as("urn:test", int)
    with pytest.raises(SignatureInvalid, match="holds no in-toto statement"):
        open_statement(Envelope.seal(b"{}", "application/vnd.in-toto+json", KEY), [KEY.public])
    old = msgspec.structs.replace(STATEMENT, type_="https://in-toto.io/Statement/v0.1")
    with pytest.raises(SignatureInvalid, match=r"v0\.1"):
        open_statement(old.sealed(KEY), [KEY.public])


def test_a_bundle_is_sigstores():
    tree = json.loads(Bundle.of(STATEMENT, KEY).to_bytes())
    assert tree["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert tree["verificationMaterial"] == {"publicKey": {"hint": KEY.public.id}, "tlogEntries": []}
    envelope = Bundle.from_bytes(json.dumps(tree).encode()).dsse_envelope
    assert open_statement(envelope, [KEY.public])[0].to_bytes() == STATEMENT.to_bytes()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"mediaType": 1}', b"\xff"])
def test_what_is_no_bundle(content):
    with pytest.raises(SignatureInvalid, match="no signature bundle"):
        Bundle.from_bytes(content)


def test_a_bundle_of_another_kind():
    bundle = msgspec.structs.replace(Bundle.of(STATEMENT, KEY), media_type="application/other")
    with pytest.raises(SignatureInvalid, match="application/other"):
        Bundle.from_bytes(bundle.to_bytes())


def test_releases_are_not_signed_by_keys_that_model_signing_does_not_know():
    with pytest.raises(SignatureInvalid, match="Ed25519"):
        Bundle.of(STATEMENT, OTHER)
