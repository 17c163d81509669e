import re
import subprocess
import sys
from email.utils import formatdate
from types import SimpleNamespace

import anyio
import pytest

from isthmus.errors import FetchError
from isthmus.settings import Secret
from isthmus.store import web
from isthmus.store.sources.base import Bearer
from tests.store.samples import Hub, running_hub


def ask(url: str, **options) -> web.Answer:
    async def run() -> web.Answer:
        return await web.ask(url, **options)

    return anyio.run(run)


def test_a_short_answer_comes_whole(hub: Hub):
    hub.behave(lambda request: request.answer(404, b"none", X_What="this"))
    answer = ask(f"{hub.endpoint}/v2/", headers={"Accept": "a/b"})
    assert (answer.status, answer.reason, answer.body) == (404, "Not Found", b"none")
    assert answer.headers["x-what"] == "this"
    assert answer.url == f"{hub.endpoint}/v2/"
    assert hub.requests[0].headers["Accept"] == "a/b"
    assert hub.requests[0].headers["Accept-Encoding"] == "identity"


def test_an_answer_without_end_is_not_read_to_it(hub: Hub):
    hub.behave(lambda request: request.answer(200, b"x" * 5000, sized=False))
    with pytest.raises(FetchError, match="longer than 1,000 bytes"):
        ask(hub.endpoint, limit_bytes=1000)


def test_an_answer_that_is_cut(hub: Hub):
    hub.behave(lambda request: request.answer(200, b"x", Content_Length="10"))
    with pytest.raises(FetchError):
        ask(hub.endpoint)


def test_a_busy_server_is_asked_again(hub: Hub):
    hub.behave(
        lambda request: request.answer(429, Retry_After=formatdate(usegmt=True)),
        lambda request: request.answer(503),
        lambda request: request.answer(200, b"now"),
    )
    assert ask(hub.endpoint).body == b"now"
    hub.behave(lambda request: request.answer(503, b"never"))
    assert ask(hub.endpoint).status == 503


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("", "redirects to nowhere"),
        ("file:///etc/passwd", "redirects to nowhere"),
        ("ftp://127.0.0.1/x", "redirects to nowhere"),
        ("http://[", "something that is not a URL"),
        ("/", "redirects in circles"),
    ],
)
def test_redirects_that_lead_nowhere(hub: Hub, location, words):
    hub.behave(lambda request: request.answer(302, Location=location))
    with pytest.raises(FetchError, match=words):
        ask(hub.endpoint)
    assert len(hub.requests) <= web.MAX_REDIRECTS + 1


def test_no_redirect_leads_out_of_https():
    target = web.check_address("https://hub.example/x")

    response = SimpleNamespace(headers={"Location": "http://127.0.0.1/x"})
    with pytest.raises(FetchError, match="from https to http"):
        web._redirected(target, response)


def test_a_redirect_brings_no_password_along(hub: Hub):
    with running_hub() as other:
        other.behave(lambda request: request.answer(200, b"here"))
        target = other.endpoint.replace("//", "//ann:secret@")
        hub.behave(lambda request: request.answer(302, Location=target))
        bearer = Bearer.of(hub.endpoint, Secret("abc"))
        assert ask(hub.endpoint, credential=bearer).body == b"here"
        assert "Authorization" not in other.requests[0].headers


def test_a_netrc_file_is_not_read(hub: Hub, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text(
        "machine 127.0.0.1 login ann password secret\ndefault login a password b\n"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    hub.behave(lambda request: request.answer(200))
    ask(hub.endpoint)
    ask(hub.endpoint, credential=Bearer.of(hub.endpoint, Secret("abc")))
    assert [request.headers.get("Authorization") for request in hub.requests] == [None, "Bearer abc"]


@pytest.mark.parametrize("url", ["", "x", "ftp://host/x", "http://", "http://[", "https:///x"])
def test_what_is_no_address(url):
    with pytest.raises(FetchError, match=re.escape("its address is not a URL")):
        web.check_address(url)


def test_a_model_that_is_here_needs_nothing_of_this():
    """What `isthmus ask` imports before it asks."""
    program = "import sys, isthmus.cli.ask, isthmus.cli.session; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "isthmus.store.fetch" in loaded
    others = {"huggingface_hub", "httpx", "httpx2"}
    ours = {f"isthmus.store.{name}" for name in ("download", "entries", "sources.registry", "web", "wheels")}
    assert loaded.isdisjoint(others | ours)
