import re
import socket
import time
from pathlib import Path

import anyio
import pytest

from isthmus.errors import DigestMismatch, FetchError
from isthmus.store import huggingface
from isthmus.store.part import Part
from tests.store.samples import HUB_PATH, HUB_SOURCE, Hub, Request, cut_at

CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.part"


def fetch(path: Path, endpoint: str, total: int = len(CONTENT)) -> list[int]:
    """Fetch into ``path``; gives what was shown on the way."""
    shown: list[int] = []
    with Part(path, total, shown.append) as part:
        anyio.run(huggingface.fetch, HUB_SOURCE, part, endpoint)
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
    path.write_bytes(CONTENT[:HALF])
    hub.behave(serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [HALF]


def test_goes_on_after_the_connection_is_cut(hub: Hub, path):
    hub.behave(cut_at(CONTENT, HALF, path), serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [None, HALF]


def test_a_server_without_ranges_starts_over(hub: Hub, path):
    path.write_bytes(b"wrong" + CONTENT[5:HALF])
    hub.behave(lambda request: request.answer(200, CONTENT))
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes 0-{HALF - 1}/{len(CONTENT)}",
        f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT) + 1}",
        f"items {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}",
        "",
    ],
)
def test_a_stretch_that_was_not_asked_for_is_not_trusted(hub: Hub, path, content_range):
    path.write_bytes(CONTENT[:HALF])
    hub.behave(lambda request: request.answer(206, CONTENT[HALF:], Content_Range=content_range))
    with pytest.raises(FetchError, match="another stretch"):
        fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT[:HALF]


def test_a_server_that_has_less_than_the_part_starts_over(hub: Hub, path):
    path.write_bytes(b"x" * HALF)
    hub.behave(lambda request: request.answer(416), serve)
    fetch(path, hub.endpoint)
    assert path.read_bytes() == CONTENT
    assert hub.starts == [HALF, None]


def test_gives_up_on_a_line_that_brings_nothing(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(huggingface, "FRUITFUL_BYTES", HALF)
    third = len(CONTENT) // 3
    hub.behave(
        cut_at(CONTENT, third, path),  # less than fruitful
        cut_at(CONTENT, third + HALF, path),  # fruitful
        cut_at(CONTENT, third + HALF, path),  # nothing at all, for ever
    )
    with pytest.raises(FetchError, match="the connection was cut"):
        fetch(path, hub.endpoint)
    assert hub.starts == [None, third, *[third + HALF] * 3]
    assert path.read_bytes() == CONTENT[: third + HALF], "kept for the next time"


def test_silence_ends(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(huggingface, "STALL_TIMEOUT_S", 0.1)
    hub.behave(lambda request: time.sleep(0.3))
    with pytest.raises(FetchError, match=r"no answer within 0\.1 s"):
        fetch(path, hub.endpoint)


def test_silence_in_the_middle_is_a_cut(hub: Hub, path, monkeypatch):
    monkeypatch.setattr(huggingface, "STALL_TIMEOUT_S", 0.3)
    hub.behave(cut_at(CONTENT, HALF, path, silence_s=0.6), serve)
    fetch(path, hub.endpoint)
    assert hub.starts == [None, HALF]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "401 unauthorized"), (403, "403 forbidden"), (404, "404 not found"), (503, "503 service")],
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
    assert not path.exists() or path.stat().st_size <= len(CONTENT)


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
    monkeypatch.setattr(huggingface, "CONNECT_TIMEOUT_S", 0.1)
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
