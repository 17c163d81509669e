"""Requests without a client of any API's, for what clients don't let one see or send."""

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from .patience import patience
from .serving import Server


def ask(server: Server, path: str, *, key: str | None = "", **body: Any) -> tuple[int, Any]:
    """Send one request: GET where there is no body.

    Args:
        server: Who is asked.
        path: Where.
        key: In place of the server's own; None: none.
        body: What is sent, as JSON.

    Returns:
        The status and what came: a stream's objects, one JSON value, or else text.
    """
    bearer = server.key if key == "" else key
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    origin = urlsplit(server.origin)
    connection = http.client.HTTPConnection(origin.hostname or "", origin.port, timeout=patience(120))
    with closing(connection):
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        text = response.read().decode()
    match response.getheader("Content-Type", "").partition(";")[0]:
        case "text/event-stream":
            lines = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
            return response.status, [json.loads(line) for line in lines]
        case "application/json":
            return response.status, json.loads(text)
        case _:
            return response.status, text
