import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from isthmus.errors import DigestMismatch, InvalidWeights, ModelError, StorageError, UnknownModel, UsageError
from isthmus.messages import Progress
from isthmus.naming import ModelRef, parse_model
from isthmus.store import catalogue
from isthmus.store.hashing import hash_file
from isthmus.store.locks import exclusive
from isthmus.store.manifest import FileProof
from isthmus.store.store import Store
from tests.store.samples import entry_for, gguf_bytes, projector_bytes, split_gguf


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "some.gguf"
    path.write_bytes(gguf_bytes())
    return path


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.gguf"
    path.write_bytes(gguf_bytes(fill=7))
    return path


def blobs(store: Store) -> list[Path]:
    return list((store.home / "blobs").iterdir())


def manifest(store: Store, family: str, tag: str = "latest") -> Path:
    return store.home / "models" / family / f"{tag}.json"


# ---------------------------------------------------------------- adding and finding


def test_a_file_gets_a_name(store, weights):
    before = datetime.now(UTC)
    model = store.add_file(weights, "mine:7b")
    assert model == store.resolve(parse_model("Mine:7B"))
    assert (model.name, model.source) == ("mine:7b", f"file:{weights}")
    assert model.size_bytes == len(gguf_bytes())
    assert before <= model.added <= datetime.now(UTC)
    assert model.path.read_bytes() == gguf_bytes()
    assert model.path.name == f"sha256-{model.digest}"
    assert model.path.samefile(weights), "linked, not copied"


def test_a_projector_comes_and_goes_with_its_model(store, weights, tmp_path):
    eyes = tmp_path / "mmproj.gguf"
    eyes.write_bytes(projector_bytes())
    model = store.add_file(weights, "mine", projector=eyes)
    assert store.require(parse_model("mine")) == model
    assert model.paths == (model.path,)
    assert model.projector_path is not None
    assert model.projector_path.read_bytes() == projector_bytes()
    assert model.total_bytes == len(gguf_bytes()) + len(projector_bytes())
    assert store.copy("mine", "yours").projector == model.projector
    store.remove("mine")
    assert len(blobs(store)) == 2
    store.remove("yours")
    assert blobs(store) == []


def test_a_model_whose_projector_is_gone_is_not_here(store, weights, tmp_path):
    eyes = tmp_path / "mmproj.gguf"
    eyes.write_bytes(projector_bytes())
    path = store.add_file(weights, "mine", projector=eyes).projector_path
    assert path is not None
    path.unlink()
    assert store.resolve(parse_model("mine")) is None


def test_what_is_no_projector_is_not_taken_for_one(store, weights, other):
    with pytest.raises(InvalidWeights, match="no projector"):
        store.add_file(weights, "mine", projector=other)
    assert store.models() == []


def test_a_file_is_found_through_a_symbolic_link(store, weights, tmp_path):
    (tmp_path / "link.gguf").symlink_to(weights)
    model = store.add_file(tmp_path / "link.gguf", "mine")
    assert not model.path.is_symlink()
    assert model.path.samefile(weights)


def test_a_link_that_leads_to_itself_is_an_error(store, tmp_path):
    (tmp_path / "loop.gguf").symlink_to(tmp_path / "loop.gguf")
    with pytest.raises(ModelError, match="symbolic links"):
        store.add_file(tmp_path / "loop.gguf", "mine")


def test_a_name_without_a_tag_is_latest(store, weights):
    assert store.add_file(weights, "mine:latest").name == "mine"
    assert store.resolve(parse_model("mine")) == store.resolve(parse_model("mine:latest"))
    assert manifest(store, "mine").exists()


def test_the_same_bytes_lie_there_once(store, weights, tmp_path):
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(weights.read_bytes())
    store.add_file(weights, "one")
    store.add_file(copy, "two:a")
    store.add_file(copy, "two:b")
    assert [model.name for model in store.models()] == ["one", "two:a", "two:b"]
    assert len(blobs(store)) == 1


def test_adding_again_changes_nothing_but_the_date(store, weights):
    first = store.add_file(weights, "mine")
    again = store.add_file(weights, "mine")
    assert again.digest == first.digest
    assert store.models() == [again]
    assert not [path for path in store.partial.iterdir() if path.suffix != ".lock"]


def test_a_name_takes_new_weights(store, weights, other):
    store.add_file(weights, "mine")
    second = store.add_file(other, "mine")
    assert store.require(parse_model("mine")) == second
    assert second.path.read_bytes() == other.read_bytes()


def test_progress_is_told(store, weights):
    seen: list[Progress] = []
    store.add_file(weights, "mine", seen.append)
    size = len(gguf_bytes())
    assert seen == [Progress("checking mine", size, size)]


@pytest.mark.parametrize("name", ["../up", "a/b", "mine.gguf", "", "a:b:c", ".hidden", "mine:..", "ä"])
def test_a_name_that_could_climb_out_is_refused(store, weights, name):
    with pytest.raises(UsageError):
        store.add_file(weights, name)
    assert not store.home.exists()


def test_only_a_whole_gguf_gets_a_name(store, weights, tmp_path):
    os.truncate(weights, 100)
    with pytest.raises(InvalidWeights, match="cut short"):
        store.add_file(weights, "mine")
    with pytest.raises(UnknownModel):
        store.add_file(tmp_path / "absent.gguf", "mine")
    assert store.models() == []


def test_a_name_of_the_catalogue_takes_the_catalogues_bytes_only(store, weights, other, monkeypatch):
    entry = entry_for(gguf_bytes())
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry,))
    with pytest.raises(DigestMismatch, match="the catalogue knows as tiny:1b") as caught:
        store.add_file(other, "tiny:1b")
    assert caught.value.hint == f"isthmus pull {other} --name my-tiny:1b"
    assert store.models() == []
    model = store.add_file(weights, "tiny:1b")
    assert (model.licence, model.description) == (entry.licence, entry.description)


def test_weights_that_change_before_they_are_in_place_get_no_name(store, weights, tmp_path):
    hashed = hash_file(weights)
    weights.write_bytes(gguf_bytes(fill=7))
    with pytest.raises(DigestMismatch, match="changed after it was hashed"):
        store.publish([hashed], name="mine", source="test")
    assert store.models() == []


def test_weights_that_went_before_they_are_in_place_get_no_name(store, weights):
    hashed = hash_file(weights)
    weights.unlink()
    with pytest.raises(DigestMismatch, match="went after it was hashed"):
        store.publish([hashed], name="mine", source="test")


def test_one_changed_piece_moves_none(store, tmp_path):
    one, two = (hash_file(path) for path in split_gguf(tmp_path, 2))
    two.path.write_bytes(b"?")
    with pytest.raises(DigestMismatch):
        store.publish([one, two], name="mine", source="test")
    assert one.path.exists()
    assert not store.blobs.exists()


def test_a_folder_that_cannot_be_written_is_a_storage_error(weights, tmp_path):
    (tmp_path / "home").write_bytes(b"a file, not a folder")
    with pytest.raises(StorageError):
        Store(tmp_path / "home").add_file(weights, "mine")


# ---------------------------------------------------------------- split models


def test_the_first_piece_brings_the_others(store, tmp_path):
    pieces = split_gguf(tmp_path / "split", 3)
    seen: list[Progress] = []
    model = store.add_file(pieces[0], "big:q4", seen.append)
    assert model == store.resolve(parse_model("big:q4"))
    assert [path.read_bytes() for path in model.paths] == [path.read_bytes() for path in pieces]
    assert model.path == model.paths[0]
    assert model.size_bytes == pieces[0].stat().st_size
    assert model.total_bytes == sum(path.stat().st_size for path in pieces)
    assert [progress.label for progress in seen] == [f"checking big:q4 ({piece} of 3)" for piece in (1, 2, 3)]
    for blob, path in zip(model.blobs, model.paths, strict=True):
        assert FileProof.of(path.stat()) == blob.proof


def test_a_piece_that_is_missing_is_named(store, tmp_path):
    pieces = split_gguf(tmp_path, 3)
    pieces[1].unlink()
    with pytest.raises(InvalidWeights, match=r"big-00002-of-00003\.gguf is missing") as caught:
        store.add_file(pieces[0], "big")
    assert caught.value.hint == f"put all 3 files into {tmp_path}"
    pieces[2].unlink()
    with pytest.raises(InvalidWeights, match=r"big-00002-of-00003\.gguf and 1 more are missing"):
        store.add_file(pieces[0], "big")


def test_a_split_model_goes_by_its_first_piece(store, tmp_path):
    pieces = split_gguf(tmp_path, 2)
    with pytest.raises(InvalidWeights, match="later one of the 2 files") as caught:
        store.add_file(pieces[1], "big")
    assert caught.value.hint == f"isthmus pull {pieces[0]}"


def test_pieces_in_a_wrong_order_get_no_name(store, tmp_path):
    one, two = split_gguf(tmp_path, 2)
    one.rename(tmp_path / "x")
    two.rename(one)
    (tmp_path / "x").rename(two)
    with pytest.raises(InvalidWeights):
        store.add_file(one, "big")
    assert store.models() == []


def test_a_split_model_goes_whole_and_leaves_what_others_have(store, tmp_path):
    pieces = split_gguf(tmp_path / "a", 2)
    store.add_file(pieces[0], "one")
    twin = tmp_path / "b" / pieces[0].name
    twin.parent.mkdir()
    twin.write_bytes(pieces[0].read_bytes())
    twin.with_name(pieces[1].name).write_bytes(gguf_bytes(keys={"split.no": 1, "split.count": 2}, fill=9))
    two = store.add_file(twin, "two")
    assert len(blobs(store)) == 3, "the first piece is the same"
    store.remove("one")
    assert set(blobs(store)) == set(two.paths)
    store.remove("two")
    assert blobs(store) == []


def test_a_split_model_without_one_of_its_files_is_not_there_and_keeps_the_others(store, tmp_path, weights):
    model = store.add_file(split_gguf(tmp_path, 3)[0], "big")
    model.paths[1].unlink()
    assert store.resolve(parse_model("big")) is None
    store.add_file(weights, "other")
    store.remove("other")
    assert model.paths[2].exists(), "it is named, though its model isn't whole"


def test_a_manifest_from_before_split_models_is_read(store, weights):
    model = store.add_file(weights, "mine")
    path = manifest(store, "mine")
    content = msgspec.json.decode(path.read_bytes())
    del content["rest"]
    path.write_bytes(msgspec.json.encode(content))
    assert store.require(parse_model("mine")) == model


# ---------------------------------------------------------------- what isn't there


def test_the_hint_fetches_what_the_catalogue_has(store):
    with pytest.raises(UnknownModel) as caught:
        store.require(parse_model("SmolLM2:135M"))
    assert caught.value.message == "smollm2:135m hasn't been fetched yet"
    assert caught.value.hint == "isthmus pull smollm2:135m"


def test_the_nearest_name_is_offered(store, weights):
    store.add_file(weights, "gardener:7b")
    with pytest.raises(UnknownModel, match="the nearest is gardener:7b") as here:
        store.require(parse_model("gardner:7b"))
    assert here.value.hint == "isthmus show gardener:7b"
    with pytest.raises(UnknownModel, match=r"the nearest is qwen2\.5-coder:0\.5b") as elsewhere:
        store.require(parse_model("qwen2.5-codr:0.5b"))
    assert elsewhere.value.hint == "isthmus pull qwen2.5-coder:0.5b"
    with pytest.raises(UnknownModel) as nowhere:
        store.require(parse_model("zzz"))
    assert nowhere.value.hint == "isthmus list"


def test_paths_and_runners_are_not_the_stores(store):
    assert store.resolve(ModelRef("path", "./x.gguf")) is None
    assert store.resolve(ModelRef("runner", "ollama", "x")) is None


def test_a_model_whose_weights_are_gone_is_not_there(store, weights):
    model = store.add_file(weights, "mine")
    model.path.unlink()
    assert store.resolve(parse_model("mine")) is None
    assert store.models() == []


# ---------------------------------------------------------------- damaged manifests


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-20],
        lambda content: b"\xff\xfe",
        lambda content: b"[]",
        lambda content: content.replace(b'"digest": "', b'"digest": "../../../etc/'),
        lambda content: content.replace(b'"size_bytes": ', b'"size_bytes": -1.5e'),
        lambda content: content.replace(b"Z", b""),
    ],
)
def test_a_damaged_manifest_is_one_models_trouble(store, weights, other, damage):
    store.add_file(weights, "mine:a")
    whole = store.add_file(other, "other")
    path = manifest(store, "mine", "a")
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ModelError, match="entry for mine:a is damaged") as caught:
        store.resolve(parse_model("mine:a"))
    assert caught.value.hint == "isthmus rm mine:a"
    assert store.models() == [whole]
    assert [str(error) for error in store.damaged()] == [str(caught.value)]
    assert len(blobs(store)) == 2

    store.remove("mine:a")
    assert (store.models(), store.damaged()) == ([whole], [])
    assert blobs(store) == [whole.path]


def test_while_a_manifest_is_damaged_no_blob_is_removed(store, weights, other):
    store.add_file(weights, "mine")
    store.add_file(other, "other")
    manifest(store, "mine").write_bytes(b"?")
    store.remove("other")
    assert len(blobs(store)) == 2


def test_manifests_are_readable_json(store, weights):
    model = store.add_file(weights, "mine")
    content = msgspec.json.decode(manifest(store, "mine").read_bytes())
    assert content["digest"] == model.digest
    assert "home" not in content


# ---------------------------------------------------------------- copying


def test_a_copy_is_one_more_name_for_the_same_bytes(store, weights, other):
    first = store.add_file(weights, "one")
    store.add_file(other, "two")
    copied = store.copy("ONE:latest", "Two")
    assert copied == store.resolve(parse_model("two"))
    assert (copied.name, copied.digest, copied.source) == ("two", first.digest, first.source)
    assert blobs(store) == [first.path], "what the name had before has none any more"
    store.remove("one")
    assert copied.path.is_file()


def test_a_copy_needs_a_model_and_a_name_that_is_free_for_it(store, other, monkeypatch):
    store.add_file(other, "mine")
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry_for(gguf_bytes()),))
    with pytest.raises(UnknownModel):
        store.copy("nothing", "twin")
    with pytest.raises(UsageError):
        store.copy("mine", "../twin")
    with pytest.raises(DigestMismatch, match="the catalogue knows as tiny:1b"):
        store.copy("mine", "tiny:1b")
    assert [model.name for model in store.models()] == ["mine"]


# ---------------------------------------------------------------- removing


def test_removing_a_name_removes_the_weights_that_no_other_name_has(store, weights, other):
    store.add_file(weights, "one")
    store.add_file(weights, "two")
    third = store.add_file(other, "three")
    store.remove("one")
    assert [model.name for model in store.models()] == ["three", "two"]
    assert len(blobs(store)) == 2
    store.remove("TWO:latest")
    assert blobs(store) == [third.path]
    assert not (store.home / "models" / "two").exists()
    assert weights.exists(), "a person's own file stays"


def test_a_name_that_takes_new_weights_lets_go_of_the_old_ones(store, weights, other):
    store.add_file(weights, "mine")
    second = store.add_file(other, "mine")
    assert blobs(store) == [second.path]


def test_a_blob_that_someone_works_with_stays(store, weights, other):
    first = store.add_file(weights, "mine")
    with exclusive(store.lock_of(first.path)):
        store.remove("mine")
        assert blobs(store) == [first.path]
    store.remove(store.add_file(other, "other").name)
    assert blobs(store) == []


def test_removing_what_is_not_there(store, weights):
    store.add_file(weights, "mine")
    with pytest.raises(UnknownModel, match="nearest is mine"):
        store.remove("mime")


# ---------------------------------------------------------------- proofs


def test_a_proof_is_renewed_in_each_manifest_that_has_the_bytes(store, weights, other):
    store.add_file(weights, "one")
    store.add_file(weights, "two")
    newer = store.add_file(other, "three")
    blob = store.require(parse_model("one")).path
    os.utime(blob)
    hashed = hash_file(blob)
    store.renew_proof(hashed)
    assert store.require(parse_model("one")).proof == hashed.proof
    assert store.require(parse_model("two")).proof == hashed.proof
    assert store.require(parse_model("three")) == newer


def test_a_proof_is_not_renewed_once_another_file_is_in_the_blobs_place(store, weights, tmp_path):
    model = store.add_file(weights, "mine")
    hashed = hash_file(model.path)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(weights.read_bytes())
    again = store.add_file(copy, "mine")
    store.renew_proof(hashed)
    assert store.require(parse_model("mine")) == again
    store.remove("mine")
    store.renew_proof(hashed)
    assert store.models() == []


def test_linking_a_blob_once_more_leaves_no_names_proof_behind(store, weights):
    for name in ("one", "two", "one", "three"):
        store.add_file(weights, name)
    for model in store.models():
        assert FileProof.of(model.path.stat()) == model.proof


def test_fresh_bytes_take_the_place_of_a_damaged_blob_under_all_its_names(store, weights, tmp_path):
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(weights.read_bytes())
    store.add_file(weights, "one")
    weights.write_bytes(gguf_bytes(fill=7))
    store.add_file(copy, "two")
    one, two = store.require(parse_model("one")), store.require(parse_model("two"))
    assert one.path.read_bytes() == copy.read_bytes()
    assert one.proof == two.proof == FileProof.of(one.path.stat())
