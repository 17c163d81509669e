import pytest

from isthmus.errors import ReleaseRefused
from isthmus.naming import parse_model
from isthmus.store import Store, read_statements
from isthmus.store.releases import is_statement, release_of
from tests.store.samples import gguf_bytes

STATEMENTS = {"model.sig": b"{}", "gate/policy.toml": b"\xff"}
RELEASE = release_of(STATEMENTS)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "some.gguf"
    path.write_bytes(gguf_bytes())
    store = Store(tmp_path / "home")
    store.add_file(path, "mine", statements=STATEMENTS)
    return store


def test_what_a_release_states_is_kept_as_it_came(store):
    assert store.require(parse_model("mine")).release == RELEASE
    assert read_statements(store.home, RELEASE) == STATEMENTS


def test_what_nobody_signed_is_not_kept(store, tmp_path):
    model = store.add_file(tmp_path / "some.gguf", "other", statements={"gate/policy.toml": b"x"})
    assert model.release is None
    assert len(list((store.home / "releases").iterdir())) == 1


def test_it_goes_with_the_last_model_of_the_release(store):
    assert store.copy("mine", "also-mine").release == RELEASE
    store.remove("mine")
    assert read_statements(store.home, RELEASE)
    store.remove("also-mine")
    with pytest.raises(ReleaseRefused, match="can't be read"):
        read_statements(store.home, RELEASE)


def test_other_weights_under_the_name_are_of_no_release(store, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(gguf_bytes(fill=3))
    assert store.add_file(other, "mine").release is None


def test_statements_that_were_damaged(store):
    (store.home / "releases" / f"{RELEASE}.json").write_text("[]")
    with pytest.raises(ReleaseRefused, match="can't be read"):
        read_statements(store.home, RELEASE)


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("model.sig", True),
        ("gate/tests/cyber.json", True),
        ("more/model.sig", False),
        ("gateway.json", False),
    ],
)
def test_which_files_state_something(name, states):
    assert is_statement(name) == states
