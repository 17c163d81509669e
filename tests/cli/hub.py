"""A server on loopback that sends files as the Hub does: whole, or the stretch that is asked for."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CHUNK_BYTES = 1 << 16


class FileHub(ThreadingHTTPServer):
    """It serves ``files``, by ``repository/file``, and notes what was ``asked`` for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[str] = []
        self._held: dict[str, threading.Event] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def hold(self, path: str) -> threading.Event:
        """Send no more than half of a file until the event is set."""
        return self._held.setdefault(path, threading.Event())

    def pause(self, path: str, sent: int) -> None:
        if path in self._held and sent >= len(self.files[path]) // 2:
            self._held[path].wait(30)

    def release(self) -> None:
        for held in self._held.values():
            held.set()


class _Handler(BaseHTTPRequestHandler):
    server: FileHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        answered = self._answer()
        if answered is None:
            return
        path, begin, end = answered
        content = self.server.files[path]
        try:
            for start in range(begin, end, _CHUNK_BYTES):
                self.server.pause(path, start)
                self.wfile.write(content[start : min(start + _CHUNK_BYTES, end)])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self) -> tuple[str, int, int] | None:
        path = self.path.lstrip("/").replace("/resolve/main", "")
        self.server.asked.append(path)
        if path not in self.server.files:
            self.send_error(404)
            return None
        length = len(self.server.files[path])
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        begin, end = (int(match[1]), min(int(match[2] or length) + 1, length)) if match else (0, length)
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{path}"')
        if match:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{length}")
        self.end_headers()
        return path, begin, end

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileHub]:
    """A hub with these files."""
    with FileHub(files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.release()
            server.shutdown()
            thread.join()
