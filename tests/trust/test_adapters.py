"""Adapters beside weights that must prove something: checked as these are, or refused with what to do."""

import shutil
from datetime import timedelta

import msgspec
import pytest

from isthmus.engines.builds import INSTALLED
from isthmus.engines.loader import WorkerLoader
from isthmus.errors import DigestMismatch, ReleaseRefused, SignatureInvalid
from isthmus.fit import Budget
from isthmus.settings import EngineSettings, PublisherSettings, Settings
from isthmus.signing import Bundle, generate_key
from isthmus.store import Store, hashing
from isthmus.trust import verify
from isthmus.trust.contents import contents_of, state_contents
from isthmus.trust.origin import SIGNATURE
from isthmus.trust.publishers import Trust
from isthmus.trust.pulling import take_in
from tests.gate.releases import START, Bench
from tests.store.samples import gguf_bytes

OUT = START + timedelta(days=30)
ADAPTER = gguf_bytes(fill=77)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Bench:
    """A gated release that has an adapter of its own."""
    folder = tmp_path_factory.mktemp("gate")
    bench = Bench(folder / "project")
    (bench.folder / "weights" / "adapter-lora.gguf").write_bytes(ADAPTER)
    return bench.published(folder / "release")


@pytest.fixture
def settings(published, tmp_path):
    key = tmp_path / "acme.pub"
    key.write_text(published.keys["dee"].public.pem)

    def make(require="gated", adapters=(), **more) -> Settings:
        publishers = {"acme": PublisherSettings(keys=(str(key),), require=require, models=("acme-*",))}
        engine = EngineSettings(adapters=tuple(map(str, adapters)))
        return Settings(home=str(tmp_path / "home"), engine=engine, publishers=publishers | more)

    return make


@pytest.fixture
def model(published, settings):
    """The release's model, pulled."""
    release = published.folder.parent / "release"
    trust = Trust(settings(), OUT)
    return take_in(
        release, Store(settings().home_path), trust, name="acme-reason", file=release / "model.gguf"
    )[0]


@pytest.fixture
def stray(tmp_path):
    """An adapter of nobody's."""
    path = tmp_path / "stray" / "lora.gguf"
    path.parent.mkdir()
    path.write_bytes(gguf_bytes(fill=13))
    return path


def load(model, settings, *adapters):
    return verify(model, adapters=[str(each) for each in adapters], trust=Trust(settings, OUT))


def signed(folder, key):
    """A folder, signed as a release that was never gated."""
    statement = state_contents("lora@1", contents_of(folder), SIGNATURE)
    (folder / SIGNATURE).write_bytes(Bundle.of(statement, key).to_bytes())


def test_an_adapter_of_the_release_itself_will_do_wherever_it_lies(model, settings, tmp_path):
    copied = tmp_path / "anywhere.gguf"
    copied.write_bytes(ADAPTER)
    with load(model, settings(), copied) as verified:
        (adapter,) = verified.adapters
        assert adapter.file.read() == ADAPTER, "it is read from its beginning"


def test_an_unsigned_adapter_on_a_gated_model_is_refused_with_what_to_do(model, settings, stray):
    with pytest.raises(ReleaseRefused, match=r"lora\.gguf would change what acme released") as caught:
        load(model, settings(), stray)
    assert caught.value.hint == "leave it out of engine.adapters, or name one in a release of acme's"


@pytest.mark.anyio
async def test_no_byte_of_it_reaches_an_engine(model, settings, stray):
    pinned = settings(adapters=[stray])
    with pytest.raises(ReleaseRefused):
        await WorkerLoader(pinned, Budget(4 << 30), INSTALLED).prepare(model)


def test_an_adapter_that_is_only_signed_is_not_a_gated_one(model, settings, stray, published):
    signed(stray.parent, published.keys["dee"])
    with pytest.raises(ReleaseRefused, match="says nothing of a gate"):
        load(model, settings(), stray)
    load(model, settings(require="signed"), stray).close()


def test_an_adapter_from_another_gated_release_of_the_publisher_will_do(model, settings, published, tmp_path):
    bench = Bench(tmp_path / "project")
    bench.keys = published.keys
    bench.write_release(name="acme/lora")
    (bench.folder / "weights" / "model.gguf").write_bytes(gguf_bytes(fill=55))
    bench.published(tmp_path / "lora")
    load(model, settings(), tmp_path / "lora" / "model.gguf").close()


def test_somebody_elses_gate_does_not_vouch_for_a_change_of_these_weights(model, settings, stray, tmp_path):
    key, public = generate_key(), tmp_path / "other.pub"
    public.write_text(key.public.pem)
    signed(stray.parent, key)
    other = PublisherSettings(keys=(str(public),), require="signed")
    with pytest.raises(ReleaseRefused, match="acme doesn't vouch for it"):
        load(model, settings(other=other), stray)


ATTACKS = {
    "a byte changed": lambda path, key: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "the signature gone": lambda path, key: (path.parent / SIGNATURE).unlink(),
    "signed by a stranger": lambda path, key: signed_again(path.parent, generate_key()),
}


def signed_again(folder, key):
    (folder / SIGNATURE).unlink()
    signed(folder, key)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_signed_adapter_that_was_touched_is_refused(model, settings, stray, published, attack):
    signed(stray.parent, published.keys["dee"])
    load(model, settings(require="signed"), stray).close()
    attack(stray, published.keys["dee"])
    with pytest.raises((ReleaseRefused, SignatureInvalid)):
        load(model, settings(require="signed"), stray)


def test_an_adapter_behind_a_link_in_a_release_is_refused(model, settings, published, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(published.folder.parent / "release", copied)
    (copied / "more.gguf").symlink_to(copied / "adapter-lora.gguf")
    (copied / "adapter-lora.gguf").write_bytes(gguf_bytes(fill=1))
    with pytest.raises(ReleaseRefused, match="is a link"):
        load(model, settings(), copied / "more.gguf")


def test_beside_weights_that_prove_nothing_any_adapter_will_do(model, settings, stray):
    load(model, settings(require="none"), stray).close()
    nobody = msgspec.structs.replace(settings(), publishers={})
    verify(model, adapters=[str(stray)], trust=Trust(nobody, OUT)).close()
    verify(model, adapters=[str(stray)]).close()


def test_an_adapter_that_goes_by_a_publishers_name_must_be_its(settings, tmp_path, stray):
    weights, adapter = tmp_path / "mine.gguf", stray.with_name("acme-lora.gguf")
    weights.write_bytes(gguf_bytes())
    stray.rename(adapter)
    with pytest.raises(ReleaseRefused, match="nobody vouches"):
        load(weights, settings(), adapter)


def test_an_adapter_that_is_written_to_while_it_is_checked_is_refused(model, settings, stray, monkeypatch):
    read = hashing._sha256

    def slowly(file, *rest):
        digest = read(file, *rest)
        stray.write_bytes(b"else")
        return digest

    monkeypatch.setattr(hashing, "_sha256", slowly)
    with pytest.raises(DigestMismatch, match="was changed while it was read"):
        load(model, settings(), stray)
