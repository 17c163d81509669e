"""A release in a repository of Hugging Face: pulled with what it states, and attacked."""

import os
from collections.abc import Iterator
from datetime import timedelta

import anyio
import pytest

from isthmus.engines.lending import lent_files
from isthmus.errors import FetchError, ReleaseRefused, SignatureInvalid
from isthmus.naming import parse_model
from isthmus.settings import PublisherSettings, Settings
from isthmus.store import Store
from isthmus.store.fetch import pull_reference
from isthmus.trust import verify
from isthmus.trust.publishers import Trust
from tests.gate.releases import START, Bench
from tests.store.repository import Repository
from tests.store.samples import gguf_bytes, running_hub

OUT = START + timedelta(days=30)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Bench:
    folder = tmp_path_factory.mktemp("gate")
    return Bench(folder / "project").published(folder / "release")


@pytest.fixture
def repository(published, monkeypatch) -> Iterator[Repository]:
    """The release as it lies in a repository, beside what repositories have anyway."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    release = published.folder.parent / "release"
    files = {
        path.relative_to(release).as_posix(): path.read_bytes()
        for path in release.rglob("*")
        if path.is_file()
    }
    with running_hub() as hub, running_hub() as network:
        made = Repository(hub, network, files | {".gitattributes": b"*.gguf filter=lfs"})
        made.endpoint = hub.endpoint
        yield made


@pytest.fixture
def trust(published, tmp_path):
    key = tmp_path / "acme.pub"
    key.write_text(published.keys["dee"].public.pem)
    pinned = PublisherSettings(keys=(str(key),), models=("hf:maker/*",))
    return Trust(Settings(home=str(tmp_path / "home"), publishers={"acme": pinned}), OUT)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "home")


@pytest.fixture
def pull(repository, store, trust):
    def work(reference="hf:maker/Tiny-GGUF"):
        return anyio.run(
            lambda: pull_reference(
                reference,
                store,
                offline=False,
                hf_endpoint=repository.endpoint,
                admit=trust.admit,
                on_progress=lambda progress: None,
                on_notice=lambda notice: None,
            )
        )

    return work


def test_a_release_is_pulled_with_what_it_states_and_checked_at_each_load(pull, store, trust):
    model = pull()
    for _ in range(2):
        with verify(store.require(parse_model(model.name)), trust=trust) as verified:
            assert verified.origin.proof.release == "acme/reason@1.0"
    assert pull().release == model.release, "and once more it is the same"


def test_a_worker_that_is_started_again_gets_the_file_that_was_checked(pull, store, trust):
    model = pull()
    with verify(model, trust=trust) as verified:
        other = model.path.with_name("other")
        other.write_bytes(gguf_bytes(fill=9))
        other.replace(model.path)
        for _ in range(2):
            with lent_files(verified) as files, open(files.fds[0], "rb", closefd=False) as file:
                file.seek(0)
                assert file.read() == gguf_bytes()


def other_weights(files):
    files["model.gguf"] = gguf_bytes(fill=9)


def a_statement_changed(files):
    files["gate/approvals.json"] += b" "


def another_signature(files):
    files["model.sig"] = files["model.sig"].replace(b'"sig":"', b'"sig":"AAAA')


def without(name):
    return lambda files: files.pop(name)


ATTACKS = {
    "other weights": (other_weights, "no part of the release that acme signed"),
    "a statement changed": (a_statement_changed, r"approvals\.json isn't the file that was signed"),
    "the signature changed": (another_signature, "can't be trusted"),
    "the signature gone": (without("model.sig"), "nobody vouches"),
    "the decision gone": (without("gate/decision.json"), "is missing"),
    "the evidence gone": (without("gate/evidence.jsonl"), "is missing"),
}


@pytest.mark.parametrize(("attack", "words"), ATTACKS.values(), ids=ATTACKS)
def test_a_repository_that_was_touched_is_refused_before_a_byte_is_stored(
    pull, repository, store, attack, words
):
    attack(repository.files)
    with pytest.raises((ReleaseRefused, SignatureInvalid), match=words):
        pull()
    assert store.models() == []
    assert not list(store.home.rglob("sha256-*"))


def test_an_unsigned_model_beside_the_signed_one_is_refused(pull, repository, store):
    repository.files["better.gguf"] = gguf_bytes(fill=3)
    with pytest.raises(ReleaseRefused, match="no part of the release"):
        pull("hf:maker/Tiny-GGUF/better.gguf")
    assert store.models() == []


def test_a_statement_of_another_length_than_was_listed_is_refused(pull, repository, store):
    listed = dict(repository.files)
    repository.listed = listed
    repository.files = listed | {"gate/policy.toml": listed["gate/policy.toml"][:-1]}
    with pytest.raises(FetchError, match=r"of gate/policy\.toml, not"):
        pull()
    assert store.models() == []


def test_statements_that_nobody_signed_are_not_fetched(pull, repository, trust, store):
    del repository.files["model.sig"]
    unpinned = Trust(Settings(home=str(store.home)), OUT)
    trust.admit = unpinned.admit
    assert pull().release is None
