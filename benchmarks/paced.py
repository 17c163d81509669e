"""A client that sends at a constant rate, whatever comes back, and times each answer's first token."""

import asyncio
import json
import time
from urllib.parse import urlsplit

DEADLINE_S = 10.0


class Connection(asyncio.Protocol):
    """One connection that is kept: a request at a time, timed from when it was due."""

    def connection_made(self, transport):
        self.transport = transport
        self.open = True

    def connection_lost(self, exc):
        self.open = False
        if not self.done.done():
            self.done.set_exception(ConnectionError("the connection was closed"))

    def ask(self, request, due):
        self.due, self.first, self.seen = due, None, b""
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.done

    def data_received(self, data):
        self.seen += data
        if self.first is None and b'"content":"t' in self.seen.replace(b": ", b":"):
            self.first = time.perf_counter() - self.due
        if b"[DONE]" in self.seen and not self.done.done():
            self.done.set_result(self.first)


def request_for(url, model, key):
    """The bytes of one streamed request."""
    parts = urlsplit(url)
    body = json.dumps(
        {
            "model": model,
            "stream": True,
            "messages": [{"role": "user", "content": "What is the capital of France?"}],
        }
    )
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


async def first_token_s(url, model, key, *, rate, seconds):
    """Seconds to the first token of each request, sent ``rate`` times a second; None for one that failed."""
    parts, request, loop = urlsplit(url), request_for(url, model, key), asyncio.get_running_loop()
    idle = []

    async def one(due):
        connection = idle.pop() if idle else None
        if connection is None or not connection.open:
            _, connection = await loop.create_connection(Connection, parts.hostname, parts.port)
        try:
            async with asyncio.timeout(DEADLINE_S):
                first = await connection.ask(request, due)
        except (OSError, TimeoutError):
            return None
        idle.append(connection)
        return first

    tasks, began = [], time.perf_counter()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(time.perf_counter())))
    found = await asyncio.gather(*tasks)
    for connection in idle:
        connection.transport.close()
    return found
