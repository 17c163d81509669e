"""A repository as the Hub serves it: the listing of its API, and files that it redirects to another host."""

import hashlib
import json
from urllib.parse import unquote

from tests.store.samples import Behaviour, Hub, Request

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Repository:
    """``maker/Tiny-GGUF`` with these files; ``token`` is what its Hub wants to see, where it is gated.

    The Hub redirects to the content network, which knows no token and must see none.
    """

    name = "maker/Tiny-GGUF"

    def __init__(self, hub: Hub, network: Hub, files: dict[str, bytes], *, token: str | None = None) -> None:
        self.files = files
        self.token = token
        self.listed = files
        self._network = network
        hub.behave(self._hub)
        network.behave(self._send)
        self.send: Behaviour = self._serve

    def _hub(self, request: Request) -> None:
        path, _, query = request.path.partition("?")
        if path == f"/api/models/{self.name}":
            assert query == "blobs=true", query
            request.answer(200, json.dumps(self._listing()).encode(), Content_Type="application/json")
        elif not path.startswith(f"/{self.name}/resolve/{COMMIT}/"):
            request.answer(404, X_Error_Code="RepoNotFound")
        elif self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            request.answer(401 if "Authorization" not in request.headers else 403, X_Error_Code="GatedRepo")
        else:
            # Under its other name, as another host is: what the Hub may see must not come along.
            network = self._network.endpoint.replace("127.0.0.1", "localhost")
            request.answer(302, Location=f"{network}/cdn/{path.split('/', 5)[5]}")

    def _send(self, request: Request) -> None:
        assert "Authorization" not in request.headers
        self.send(request)

    def _serve(self, request: Request) -> None:
        content = self.files.get(unquote(request.path.removeprefix("/cdn/")))
        request.answer(404) if content is None else request.serve(content)

    def _listing(self) -> dict[str, object]:
        return {
            "id": self.name,
            "sha": COMMIT,
            "tags": ["gguf", "license:apache-2.0"],
            "siblings": [
                {"rfilename": "README.md", "size": 10, "blobId": "0"},
                *(
                    {"rfilename": path, "size": len(content), "blobId": "0"} | self._large(path, content)
                    for path, content in self.listed.items()
                ),
            ],
        }

    @staticmethod
    def _large(path: str, content: bytes) -> dict[str, object]:
        """What is said of large files alone: those that Git itself keeps have no SHA-256."""
        if not path.endswith(".gguf"):
            return {}
        sha256 = hashlib.sha256(content).hexdigest()
        return {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 130}}
