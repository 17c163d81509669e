import errno
import os
import re
import socket
import threading
import time
from pathlib import Path

import anyio
import pytest

from isthmus.errors import DigestMismatch, FetchError, StorageError
from isthmus.settings import Secret
from isthmus.store import download, web
from isthmus.store.part import Part, fetched_bytes
from isthmus.store.sources.base import Bearer, Url
from tests.store.samples import HUB_PATH, Hub, Request, cut_at, leave_part, running_hub

CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2
ETAG = '"v1"'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.part"


def fetch(
    path: Path, endpoint: str, total: int = len(CONTENT), *, resumable: bool = True, **way
) -> list[int]:
    """Fetch into ``path``; gives what was shown on the way."""
    shown: list[int] = []
    url = Url(url=endpoint.rstrip("/") + HUB_PATH, **way)

    async def run(part: Part) -> None:
        await download.download(url, part, resumable=resumable)

    with Part(path, total, shown.append) as part:
        anyio.run(run, part)
    return shown


def serve(request: Request) -> None:
    request.serve(CONTENT)


def test_fetches_the_file_of_a_public_repository(hub: Hub, path):
    hub.behave(serve)
    shown = fetch(path, hub.endpoint + "/")
    assert path.read_bytes() == CONTENT
    assert shown[-1] == len(CONTENT)
    assert [request.path for request in hub.requests] == [HUB_PATH]
    assert hub.requests[0].headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in hub.requests[0].headers


def test_follows_a_redirect(hub: Hub, path):
    hub.behave(lambda request: request.answer(302, Location="/cdn/abc?signed=1"), serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert [request.path for request in hub.requests] == [HUB_PATH, "/cdn/abc?signed=1"]


def test_goes_on_where_a_part_ends(hub: Hub, path):
    leave_part(path, CONTENT[:HALF], len(CONTENT))
    hub.behave(serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [HALF]


def test_goes_on_after_the_connection_is_cut(hub: Hub, path):
    hub.behave(cut_at(CONTENT, HALF, path), serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [0, HALF]


def test_a_server_without_ranges_starts_over(hub: Hub, path):
    leave_part(path, b"wrong" + CONTENT[5:HALF], len(CONTENT))
    hub.behave(lambda request: request.answer(200, CONTENT))
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes 0-{HALF - 1}/{len(CONTENT)}",
        f"bytes {HALF}-{len(CONTENT)}/{len(CONTENT)}",
        f"bytes {HALF}-{HALF - 1}/{len(CONTENT)}",
        f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT) + 1}",
        f"items {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}",
        "",
    ],
)
def test_a_stretch_that_was_not_asked_for_is_not_trusted(hub: Hub, path, content_range):
    leave_part(path, CONTENT[:HALF], len(CONTENT))
    hub.behave(lambda request: request.answer(206, CONTENT[HALF:], Content_Range=content_range))
    with pytest.raises(FetchError, match="another stretch"):
        fetch(path, hub.endpoint)
    assert path.read_bytes()[:HALF] == CONTENT[:HALF]
    assert fetched_bytes(path) == HALF


def test_a_server_that_has_less_than_the_part_starts_over(hub: Hub, path):
    leave_part(path, b"x" * HALF, len(CONTENT))
    hub.behave(lambda request: request.answer(416), serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [HALF, 0]


def test_gives_up_on_a_line_that_brings_nothing(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(download, "FRUITFUL_BYTES", HALF)
    monkeypatch.setattr(download, "FRUITLESS_ATTEMPTS", 3)
    third = len(CONTENT) // 3
    hub.behave(
        cut_at(CONTENT, third, path),  # less than fruitful
        cut_at(CONTENT, third + HALF, path),  # fruitful
        cut_at(CONTENT, third + HALF, path),  # nothing at all, for ever
    )
    with pytest.raises(FetchError, match="the connection was cut"):
        fetch(path, hub.endpoint)
    assert hub.starts == [0, third, *[third + HALF] * 3]
    assert fetched_bytes(path) == third + HALF, "kept for the next time"


def test_silence_ends(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(web, "STALL_TIMEOUT_S", 0.1)
    hub.behave(lambda request: time.sleep(0.3))
    with pytest.raises(FetchError, match=r"no answer within 0\.1 s"):
        fetch(path, hub.endpoint)


def test_silence_in_the_middle_is_a_cut(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(web, "STALL_TIMEOUT_S", 0.3)
    hub.behave(cut_at(CONTENT, HALF, path, silence_s=0.6), serve)
    fetch(path, hub.endpoint)
    assert hub.starts == [0, HALF]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "401 unauthorized"), (403, "403 forbidden"), (404, "404 not found"), (500, "500 internal")],
)
def test_a_refusal_is_final(hub: Hub, path, status, words):
    hub.behave(lambda request: request.answer(status, b"<html>"))
    with pytest.raises(FetchError, match=f"it answers {words}"):
        fetch(path, hub.endpoint)
    assert len(hub.requests) == 1
    assert not path.exists()


def test_a_page_instead_of_the_file_is_seen_by_its_length(hub: Hub, path):
    hub.behave(lambda request: request.answer(200, b"<html>please log in</html>"))
    with pytest.raises(FetchError, match=re.escape("it offers 26 bytes where 256,000 are expected")):
        fetch(path, hub.endpoint)


def test_an_endless_body_is_cut(hub: Hub, path):
    hub.behave(lambda request: request.answer(200, CONTENT * 2, sized=False))
    with pytest.raises(DigestMismatch, match="more than the 256,000 bytes"):
        fetch(path, hub.endpoint)
    assert not path.exists() or path.stat().st_size == len(CONTENT)


def test_redirects_in_circles_end(hub: Hub, path):
    hub.behave(lambda request: request.answer(302, Location=HUB_PATH))
    with pytest.raises(FetchError, match="redirects in circles"):
        fetch(path, hub.endpoint)


def test_a_port_where_nobody_listens_fails_at_once(path, hub):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(FetchError, match=r"^connection refused$"):
        fetch(path, f"http://127.0.0.1:{port}")
    assert time.monotonic() - begun < 2


def test_a_connection_that_never_comes_about_times_out(path, hub, monkeypatch):
    monkeypatch.setattr(web, "CONNECT_TIMEOUT_S", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,  # accepts, but never shakes hands
        pytest.raises(FetchError, match=r"no connection within 0\.1 s"),
    ):
        fetch(path, f"https://127.0.0.1:{server.getsockname()[1]}")


def test_a_name_that_does_not_exist(path, hub, monkeypatch):
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FetchError, match="its name can't be resolved"):
        fetch(path, "https://hub.invalid")


def test_a_server_of_another_protocol(path, hub):
    hub.behave(lambda request: request.answer(200, Content_Length="many"))
    with pytest.raises(FetchError, match="its answer is not HTTP"):
        fetch(path, hub.endpoint)


def test_a_proxy_that_refuses(path, hub, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", hub.endpoint)
    with pytest.raises(FetchError, match="the proxy answers 501"):
        fetch(path, "https://hub.invalid")


def test_an_endpoint_that_is_no_address(path, hub):
    with pytest.raises(FetchError, match="its address is not a URL"):
        fetch(path, "nonsense")


# ---------------------------------------------------------------- in ranges


@pytest.fixture
def small_stretches(monkeypatch):
    monkeypatch.setattr(download, "STRETCH_BYTES", 10_000)


@pytest.mark.usefixtures("small_stretches")
def test_ranges_come_in_parallel(hub: Hub, path):
    gate = threading.Barrier(download.CONNECTIONS)
    waited = threading.Event()

    def behave(request: Request) -> None:
        if not waited.is_set():
            gate.wait(20)  # nobody passes before all connections are at work
            waited.set()
        request.serve(CONTENT)

    hub.behave(serve, behave)
    monkey = fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert sorted(start for start in hub.starts if start is not None) == list(range(0, len(CONTENT), 10_000))
    assert monkey[-1] == len(CONTENT)


@pytest.mark.usefixtures("small_stretches")
def test_a_server_that_finds_them_too_many_gets_fewer(hub: Hub, path):
    at_work = threading.Semaphore(2)

    def behave(request: Request) -> None:
        if not at_work.acquire(blocking=False):
            request.answer(429, Retry_After="0")
            return
        time.sleep(0.01)
        request.serve(CONTENT)
        at_work.release()

    hub.behave(behave)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT


@pytest.mark.usefixtures("small_stretches")
def test_all_ranges_are_asked_for_where_the_first_was_redirected(hub: Hub, path):
    with running_hub() as mirror:
        mirror.behave(serve)
        hub.behave(lambda request: request.answer(302, Location=f"{mirror.endpoint}/signed?a=%2Fb"))
        fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert len(hub.requests) == 1
    assert {request.path for request in mirror.requests} == {"/signed?a=%2Fb"}


@pytest.mark.usefixtures("small_stretches")
def test_an_address_that_expires_is_asked_for_again(hub: Hub, path):
    valid = ["/signed-1"]

    def mirror_behaves(request: Request) -> None:
        if len(mirror.requests) == 5:
            valid[0] = "/signed-2"
        serve(request) if request.path == valid[0] else request.answer(403)

    with running_hub() as mirror:
        mirror.behave(mirror_behaves)
        hub.behave(lambda request: request.answer(302, Location=mirror.endpoint + valid[0]))
        fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert {request.path for request in mirror.requests} == {"/signed-1", "/signed-2"}


@pytest.mark.usefixtures("small_stretches")
def test_only_what_is_missing_is_asked_for(hub: Hub, path):
    with Part(path, len(CONTENT), lambda done: None) as part:
        part.write(0, CONTENT[:25_000])
        part.write(40_000, CONTENT[40_000:])
    hub.behave(serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert sorted((request.start, request.end) for request in hub.requests) == [
        (25_000, 35_000),
        (35_000, 40_000),
    ]


def test_a_busy_server_is_asked_again_when_it_says(hub: Hub, path):
    hub.behave(lambda request: request.answer(503, Retry_After="0"), serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("wait", ["86400", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 500])
def test_a_server_that_wants_to_be_left_alone_for_long_is_left_alone(hub: Hub, path, wait):
    hub.behave(lambda request: request.answer(429, Retry_After=wait))
    with pytest.raises(FetchError, match="answers 429 and wants to be asked again in"):
        fetch(path, hub.endpoint)
    assert len(hub.requests) == 1


def test_a_server_that_sends_less_than_asked_is_asked_for_the_rest(hub: Hub, path):
    def behave(request: Request) -> None:
        start = request.start or 0
        end = min(start + 100_000, len(CONTENT))
        request.answer(206, CONTENT[start:end], Content_Range=f"bytes {start}-{end - 1}/{len(CONTENT)}")

    hub.behave(behave)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [0, 100_000, 200_000]


def test_a_range_that_is_longer_than_it_announces_is_refused(hub: Hub, path):
    announced = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    hub.behave(lambda request: request.answer(206, CONTENT * 2, sized=False, Content_Range=announced))
    with pytest.raises(DigestMismatch, match="more than"):
        fetch(path, hub.endpoint)


def test_a_body_of_another_length_than_its_range_is_refused(hub: Hub, path):
    announced = f"bytes 0-{HALF - 1}/{len(CONTENT)}"
    hub.behave(lambda request: request.answer(206, CONTENT, Content_Range=announced))
    with pytest.raises(FetchError, match="another number of bytes"):
        fetch(path, hub.endpoint)


def test_a_compressed_body_is_refused(hub: Hub, path):
    hub.behave(lambda request: request.answer(200, CONTENT, Content_Encoding="gzip"))
    with pytest.raises(FetchError, match="compressed"):
        fetch(path, hub.endpoint)


def test_a_connection_that_crawls_is_cut(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(web, "STALL_TIMEOUT_S", 0.2)
    done = threading.Event()

    def trickle(request: Request) -> None:
        request.answer(
            206, b"", Content_Length=str(len(CONTENT)), Content_Range=f"bytes 0-{len(CONTENT) - 1}/*"
        )
        for byte in CONTENT:
            request._handler.wfile.write(bytes([byte]))
            request._handler.wfile.flush()
            if done.wait(0.02):
                return

    hub.behave(trickle, serve)
    fetch(path, hub.endpoint)
    done.set()
    assert path.read_bytes() == CONTENT
    assert 0 < (hub.starts[1] or 0) < 100


# ---------------------------------------------------------------- another file under the same address


def test_a_file_that_changed_since_is_fetched_from_its_beginning(hub: Hub, path):
    leave_part(path, bytes(HALF), len(CONTENT))
    hub.behave(lambda request: request.serve(CONTENT, etag='"v2"'))
    with pytest.raises(FetchError, match="was changed"):
        fetch(path, hub.endpoint, validator=ETAG)
    assert hub.requests[0].headers["If-Range"] == ETAG
    assert fetched_bytes(path) == 0, "the old bytes are of no use any more"


@pytest.mark.usefixtures("small_stretches")
def test_a_file_that_changes_meanwhile_is_not_mixed(hub: Hub, path):
    old, new = (
        lambda request: request.serve(CONTENT, etag=ETAG),
        lambda request: request.serve(bytes(len(CONTENT)), etag='"v2"'),
    )
    hub.behave(*[old] * 8, new)
    with pytest.raises(FetchError, match="was changed"):
        fetch(path, hub.endpoint, validator=ETAG)
    assert fetched_bytes(path) == 0


def test_an_unchanged_file_goes_on(hub: Hub, path):
    leave_part(path, CONTENT[:HALF], len(CONTENT))
    hub.behave(lambda request: request.serve(CONTENT, etag=ETAG))
    fetch(path, hub.endpoint, validator=ETAG)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [HALF]


@pytest.mark.usefixtures("small_stretches")
def test_without_hash_or_version_a_file_comes_in_one_go(hub: Hub, path):
    leave_part(path, bytes(HALF), len(CONTENT))
    hub.behave(cut_at(CONTENT, HALF, path), serve)
    fetch(path, hub.endpoint, resumable=False)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [None, None]


# ---------------------------------------------------------------- tokens


def localhost(url: str) -> str:
    """The same server under another host's name."""
    return url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize(
    "elsewhere", [lambda hub, other: other.endpoint, lambda hub, other: localhost(hub.endpoint)]
)
def test_a_token_is_shown_to_its_own_server_alone(hub: Hub, path, elsewhere):
    with running_hub() as other:
        target = f"{elsewhere(hub, other)}/cdn"

        def behave(request: Request) -> None:
            request.serve(CONTENT) if request.path == "/cdn" else request.answer(302, Location=target)

        hub.behave(behave)
        other.behave(serve)
        fetch(path, hub.endpoint, bearer=Bearer.of(hub.endpoint, Secret("hf_abc")))
        seen = {
            request.path: request.headers.get("Authorization") for request in hub.requests + other.requests
        }
    assert seen == {HUB_PATH: "Bearer hf_abc", "/cdn": None}


def test_a_token_comes_along_to_another_path_of_its_server(hub: Hub, path):
    hub.behave(lambda request: request.answer(307, Location="/elsewhere"), serve)
    fetch(path, hub.endpoint, bearer=Bearer.of(hub.endpoint, Secret("hf_abc")))
    assert {request.headers["Authorization"] for request in hub.requests} == {"Bearer hf_abc"}


def test_a_refusal_says_what_would_help(hub: Hub, path):
    hub.behave(lambda request: request.answer(401))
    with pytest.raises(FetchError) as caught:
        fetch(path, hub.endpoint, denied_hint="export HF_TOKEN=...")
    assert caught.value.hint == "export HF_TOKEN=..."


# ---------------------------------------------------------------- cancelling


@pytest.mark.usefixtures("small_stretches")
def test_a_cancelled_download_keeps_what_came(hub: Hub, path):
    hub.behave(*[serve] * 5, lambda request: time.sleep(0.5))

    async def run() -> None:
        with Part(path, len(CONTENT), lambda done: None) as part, anyio.move_on_after(0.3):
            await download.download(Url(url=hub.endpoint + HUB_PATH), part, resumable=True)

    anyio.run(run)
    assert fetched_bytes(path) == 50_000
    with Part(path, len(CONTENT), lambda done: None) as part:
        assert all(
            CONTENT[each] == path.read_bytes()[each] for each in range(50_000) if part.holds(each, each + 1)
        )


def test_a_disk_that_fills_up_ends_it_with_what_came(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(download, "STRETCH_BYTES", 10_000)
    pwrite, left = os.pwrite, [40_000]

    def limited(handle: int, content: memoryview, position: int) -> int:
        left[0] -= len(content)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(handle, content, position)

    monkeypatch.setattr(os, "pwrite", limited)
    hub.behave(serve)
    with pytest.raises(StorageError, match="there is no space left"):
        fetch(path, hub.endpoint)
    assert 0 < fetched_bytes(path) <= 40_000
