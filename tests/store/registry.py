"""Debian's docker-registry on loopback and what it takes to push to it, and one that misbehaves."""

import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT

GGUF = "application/vnd.docker.ai.gguf.v3"
IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
TITLE = "org.opencontainers.image.title"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, kind: str, **annotations: str) -> dict[str, Any]:
    found: dict[str, Any] = {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
    return found | ({"annotations": annotations} if annotations else {})


def manifest_of(*layers: dict[str, Any], **annotations: str) -> bytes:
    """An image manifest of those layers."""
    config = descriptor(b"{}", "application/vnd.oci.empty.v1+json")
    content = {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": layers}
    return json.dumps(content | ({"annotations": annotations} if annotations else {})).encode()


class Registry:
    """A registry that runs, and that anybody may push to."""

    def __init__(self, host: str) -> None:
        self.host = host

    def push(self, name: str, *contents: tuple[bytes, str, dict[str, str]], **annotations: str) -> str:
        """Push layers and their manifest as REPOSITORY:TAG; gives the manifest's digest."""
        repository, _, tag = name.partition(":")
        layers = [self.push_blob(repository, content, kind, **notes) for content, kind, notes in contents]
        self.push_blob(repository, b"{}", "")
        return self.push_manifest(repository, tag, manifest_of(*layers, **annotations), IMAGE_MANIFEST)

    def push_blob(self, repository: str, content: bytes, kind: str, **annotations: str) -> dict[str, Any]:
        begun = self._send("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
        place = urlsplit(begun.headers["Location"])
        self._send("PUT", f"{place.path}?{place.query}&digest={digest_of(content)}", content, {})
        return descriptor(content, kind, **annotations)

    def push_manifest(self, repository: str, name: str, content: bytes, kind: str) -> str:
        self._send("PUT", f"/v2/{repository}/manifests/{name}", content, {"Content-Type": kind})
        return digest_of(content)

    def get(self, path: str, headers: dict[str, str] | None = None) -> bytes:
        """What lies at a path of the registry."""
        response, answer = self._ask("GET", path, b"", headers or {})
        assert response.status == 200, (response.status, answer)
        return answer

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository; none of one that isn't there."""
        response, answer = self._ask("GET", f"/v2/{repository}/tags/list", b"", {})
        return json.loads(answer)["tags"] if response.status == 200 else []

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> HTTPResponse:
        response, answer = self._ask(method, path, body, headers)
        assert response.status in (201, 202), (response.status, answer)
        return response

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(self.host, timeout=20)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


def find_registry() -> str:
    """Debian's registry: installed, or unpacked beside the virtual environment as the Makefile does it."""
    unpacked = ROOT / ".venv" / "registry" / "usr" / "bin" / "docker-registry"
    if found := shutil.which("docker-registry", path=f"/usr/bin:{unpacked.parent}"):
        return found
    if shutil.which("apt-get", path="/usr/bin") is None:
        pytest.skip("docker-registry isn't here, and neither is apt-get to install it with")
    pytest.fail("docker-registry isn't here: apt-get install docker-registry")


@contextmanager
def running_registry(folder: Path) -> Iterator[Registry]:
    """The registry on a free port of loopback; its files are in ``folder``."""
    configuration = folder / "registry.json"  # JSON is YAML
    configuration.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
                "http": {"addr": "127.0.0.1:0"},
            }
        )
    )
    with subprocess.Popen(
        [find_registry(), "serve", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"OTEL_TRACES_EXPORTER": "none"},
        text=True,
    ) as process:
        rest = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
        try:
            address = _listening(process.stderr)
            rest.start()  # the rest of what it says is thrown away
            yield Registry(address)
        finally:
            process.terminate()
            process.wait()
            if rest.is_alive():
                rest.join()


def _listening(log: Any) -> str:
    """The address that the registry says it listens at."""
    said: list[str] = []
    for line in log:
        said.append(line)
        if "listening on" in line:
            return json.loads(line)["msg"].removeprefix("listening on ").strip()
    raise AssertionError("".join(said))


# ---------------------------------------------------------------- one that misbehaves

Answer = tuple[int, dict[str, str], bytes]
Behaviour = Callable[[str, dict[str, str]], Answer]
"""From a path and the request's headers, with its method among them, to status, headers and body."""


@contextmanager
def played_registry(behave: Behaviour) -> Iterator[str]:
    """A registry that answers as ``behave`` says; gives its host and port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = behave(self.path, {**self.headers, "Method": self.command})
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
