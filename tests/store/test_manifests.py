import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import ModelError, UsageError
from isthmus.store.manifests import Manifests, checked_name
from isthmus.store.store import Store
from tests.store.samples import gguf_bytes


@pytest.fixture
def manifests(store: Store, tmp_path) -> Manifests:
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf_bytes())
    for name in ("one", "two:a", "two:b"):
        store.add_file(path, name)
    return store.manifests


def test_manifests_are_read_by_name(manifests):
    one = manifests.read("ONE:latest")
    assert one is not None
    assert one.name == "one"
    assert manifests.read("three") is None
    assert [manifest.name for manifest in manifests.scan()[0]] == ["one", "two:a", "two:b"]


def test_deleting_leaves_no_empty_folder(manifests):
    assert manifests.delete("two:a")
    assert not manifests.delete("two:a")
    assert manifests.path("two:b").exists()
    assert manifests.delete("two:b")
    assert not (manifests.folder / "two").exists()


def test_strange_files_are_no_manifests(manifests):
    (manifests.folder / "README").write_bytes(b"?")
    (manifests.folder / "one" / "notes.txt").write_bytes(b"?")
    (manifests.folder / "one" / ".latest.json.k2j").write_bytes(b"?")
    found, errors = manifests.scan()
    assert (len(found), errors) == (3, {})
    assert [path.name for path in manifests.unfinished()] == [".latest.json.k2j"]


def test_a_manifest_under_another_name_is_damaged(manifests):
    manifests.path("one").rename(manifests.path("one:x"))
    with pytest.raises(ModelError, match="it is of one"):
        manifests.read("one:x")


@given(st.text(max_size=20))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    manifests = Manifests(tmp_path_factory.getbasetemp())
    try:
        path = manifests.path(name)
    except UsageError:
        return
    assert path.parent.parent == manifests.folder
    assert ".." not in path.parts
    assert not path.name.startswith(".")
    assert checked_name(checked_name(name)) == checked_name(name)
