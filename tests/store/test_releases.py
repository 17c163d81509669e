import pytest

from isthmus.errors import ReleaseRefused, UnknownModel
from isthmus.naming import parse_model
from isthmus.store import Store, read_statements
from tests.store.samples import gguf_bytes

RELEASE = "ab" * 32
STATEMENTS = {"model.sig": b"{}", "gate/policy.toml": b"\xff"}


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "some.gguf"
    path.write_bytes(gguf_bytes())
    store = Store(tmp_path / "home")
    store.add_file(path, "mine")
    return store


def test_what_a_release_states_is_kept_as_it_came(store):
    model = store.add_statements("mine", RELEASE, STATEMENTS)
    assert model.release == RELEASE
    assert store.require(parse_model("mine")).release == RELEASE
    assert read_statements(store.home, RELEASE) == STATEMENTS


def test_it_goes_with_the_last_model_of_the_release(store):
    store.add_statements("mine", RELEASE, STATEMENTS)
    assert store.copy("mine", "also-mine").release == RELEASE
    store.remove("mine")
    assert read_statements(store.home, RELEASE)
    store.remove("also-mine")
    with pytest.raises(ReleaseRefused, match="can't be read"):
        read_statements(store.home, RELEASE)


def test_other_weights_under_the_name_are_of_no_release(store, tmp_path):
    store.add_statements("mine", RELEASE, STATEMENTS)
    other = tmp_path / "other.gguf"
    other.write_bytes(gguf_bytes(fill=3))
    assert store.add_file(other, "mine").release is None


def test_a_model_that_is_not_here(store):
    with pytest.raises(UnknownModel):
        store.add_statements("nobody", RELEASE, STATEMENTS)


def test_statements_that_were_damaged(store):
    store.add_statements("mine", RELEASE, STATEMENTS)
    (store.home / "releases" / f"{RELEASE}.json").write_text("[]")
    with pytest.raises(ReleaseRefused, match="can't be read"):
        read_statements(store.home, RELEASE)
