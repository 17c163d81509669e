import os
import shutil
from pathlib import Path

import pytest

from isthmus.errors import StorageError, UnknownModel
from isthmus.messages import Progress
from isthmus.naming import parse_model
from isthmus.store.locks import exclusive
from isthmus.store.store import Store
from isthmus.store.upkeep import check, collect
from tests.store.samples import gguf_bytes, split_gguf

CONTENT = gguf_bytes()


def add(store: Store, tmp_path: Path, name: str, fill: int = 0xA5):
    path = tmp_path / f"{name.replace(':', '-')}.gguf"
    path.write_bytes(gguf_bytes(fill=fill))
    model = store.add_file(path, name)
    path.unlink()
    return store.require(parse_model(model.name))


# ---------------------------------------------------------------- check


def test_a_whole_store_is_whole(store, tmp_path):
    add(store, tmp_path, "one")
    add(store, tmp_path, "two")
    add(store, tmp_path, "three", fill=7)
    seen: list[Progress] = []
    report = check(store, on_progress=seen.append)
    assert report.whole == ("one", "three", "two")
    assert (report.damage, report.leftovers) == ((), ())
    assert report.checked_bytes == 2 * len(CONTENT), "the same bytes are hashed once"
    assert [progress.label for progress in seen] == ["checking one", "checking three"]


def test_an_empty_store_is_whole(store):
    report = check(store)
    assert (report.whole, report.damage, report.checked_bytes) == ((), (), 0)


def test_a_flipped_bit_is_found_though_the_file_looks_untouched(store, tmp_path):
    model = add(store, tmp_path, "one")
    whole = add(store, tmp_path, "two", fill=7)
    status = model.path.stat()
    with model.path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\0")
    os.utime(model.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    report = check(store)
    (finding,) = report.damage
    assert report.whole == (whole.name,)
    assert "the weights of one have been changed since they were pulled: their hash is" in finding.text
    assert finding.hint == f"isthmus rm one && isthmus pull {tmp_path}/one.gguf --name one"


def test_weights_that_are_gone_are_found(store, tmp_path):
    model = add(store, tmp_path, "one")
    model.path.unlink()
    (finding,) = check(store).damage
    assert finding.text == f"weights of one are missing ({model.path})"
    assert finding.hint == f"isthmus pull {tmp_path}/one.gguf --name one"


def test_a_damaged_manifest_is_found(store, tmp_path):
    add(store, tmp_path, "one")
    add(store, tmp_path, "two")
    (store.home / "models" / "one" / "latest.json").write_bytes(b"{}")
    report = check(store)
    (finding,) = report.damage
    assert (finding.name, finding.hint, report.whole) == ("one", "isthmus rm one", ("two",))


def test_a_manifest_under_another_name_is_damaged(store, tmp_path):
    add(store, tmp_path, "one")
    shutil.copytree(store.home / "models" / "one", store.home / "models" / "two")
    (finding,) = check(store).damage
    assert finding.name == "two"
    assert "it is of one" in finding.text


def test_a_later_piece_of_a_split_model_is_checked_too(store, tmp_path):
    first = split_gguf(tmp_path, 3)[0]
    model = store.add_file(first, "big")
    seen: list[Progress] = []
    assert check(store, on_progress=seen.append).whole == ("big",)
    assert [progress.label for progress in seen] == [f"checking big ({number} of 3)" for number in (1, 2, 3)]
    model.paths[2].write_bytes(b"?")
    (finding,) = check(store).damage
    assert finding.name == "big"


def test_some_names_only(store, tmp_path):
    add(store, tmp_path, "one")
    add(store, tmp_path, "two", fill=7).path.unlink()
    (store.partial / "sha256-ab.part").write_bytes(b"?")
    report = check(store, [parse_model("one")])
    assert (report.whole, report.damage, report.leftovers) == (("one",), (), ())
    assert check(store, [parse_model("two")]).damage
    with pytest.raises(UnknownModel, match="no model named twoo"):
        check(store, [parse_model("twoo")])


def test_what_was_hashed_again_needs_no_hashing_at_the_next_load(store, tmp_path):
    model = add(store, tmp_path, "one")
    os.utime(model.path)
    check(store)
    renewed = store.require(parse_model("one"))
    assert renewed.proof != model.proof
    assert renewed.proof.mtime_ns == model.path.stat().st_mtime_ns


def test_a_name_that_goes_meanwhile_is_no_damage(store, tmp_path):
    add(store, tmp_path, "one")
    add(store, tmp_path, "two", fill=7)
    report = check(store, on_progress=lambda progress: store.home.joinpath("models/two/latest.json").unlink())
    assert report.damage == ()


def test_a_model_that_is_removed_while_it_is_checked_is_no_damage(store, tmp_path):
    add(store, tmp_path, "one")
    add(store, tmp_path, "two", fill=7)

    def remove_two(progress: Progress) -> None:
        if progress.label == "checking one":
            store.remove("two")

    report = check(store, on_progress=remove_two)
    assert (report.whole, report.damage) == (("one",), ())


def test_a_model_that_is_replaced_while_it_is_checked_is_checked_as_it_is_now(store, tmp_path):
    add(store, tmp_path, "one")
    add(store, tmp_path, "two", fill=7)

    def replace_two(progress: Progress) -> None:
        if progress.label == "checking one":
            add(store, tmp_path, "two", fill=9)

    report = check(store, on_progress=replace_two)
    assert (report.whole, report.damage) == (("one", "two"), ())


def test_a_store_that_cannot_be_written_can_be_checked(store, tmp_path, monkeypatch):
    model = add(store, tmp_path, "one")
    os.utime(model.path)

    def refuse(*_: object) -> None:
        raise StorageError("read-only file system")

    monkeypatch.setattr("isthmus.store.store.exclusive", refuse)
    monkeypatch.setattr("isthmus.store.upkeep.exclusive", refuse)
    assert check(store).whole == ("one",)


# ---------------------------------------------------------------- collection


def leave(store: Store) -> dict[str, Path]:
    """What kills leave behind."""
    orphan = store.blobs / f"sha256-{'0' * 64}"
    part = store.partial / f"sha256-{'1' * 64}.part"
    workshop = store.partial / "pull-1"
    manifest = store.manifests.folder / "one" / ".latest.json.k2j"
    for path in (orphan, part, workshop / "deep" / "wheel", manifest):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
    return {"weights": orphan, "partial": part, "workshop": workshop, "manifest": manifest}


def test_what_no_name_needs_is_found_and_removed(store, tmp_path):
    model = add(store, tmp_path, "one")
    left = leave(store)
    assert {leftover.path for leftover in check(store).leftovers} == set(left.values())

    would = collect(store, dry_run=True)
    assert all(path.exists() for path in left.values())
    done = collect(store)
    assert done == would
    assert (done.freed_bytes, done.kept) == (400, None)
    assert not any(path.exists() for path in left.values())
    assert [each.digest for each in store.models()] == [model.digest]
    assert collect(store).removed == ()


def test_what_someone_works_with_stays(store, tmp_path):
    left = leave(store)
    with exclusive(store.lock_of(left["partial"])), exclusive(store.lock_of(left["weights"])):
        removed = {leftover.path for leftover in collect(store).removed}
    assert removed == {left["workshop"], left["manifest"]}
    assert left["partial"].exists()
    assert left["weights"].exists()


def test_bytes_that_another_link_has_free_nothing(store, tmp_path):
    left = leave(store)
    os.link(left["weights"], tmp_path / "mine.gguf")
    freed = {leftover.path: leftover.freed_bytes for leftover in collect(store).removed}
    assert freed[left["weights"]] == 0
    assert freed[left["partial"]] == 100


def test_a_link_goes_and_what_it_leads_to_stays(store, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").write_bytes(b"dear")
    store.partial.mkdir(parents=True)
    (store.partial / "folder.part").symlink_to(mine)
    (store.partial / "file.part").symlink_to(mine / "letter")
    assert len(collect(store).removed) == 2
    assert not any(path.is_symlink() for path in store.partial.iterdir())
    assert (mine / "letter").read_bytes() == b"dear"


def test_while_a_manifest_is_damaged_weights_stay_and_it_says_so(store, tmp_path):
    add(store, tmp_path, "one")
    left = leave(store)
    (store.home / "models" / "one" / "latest.json").write_bytes(b"?")
    done = collect(store)
    assert left["weights"].exists()
    assert not left["partial"].exists()
    assert done.kept is not None
    assert (done.kept.name, done.kept.hint) == ("one", "isthmus rm one")
