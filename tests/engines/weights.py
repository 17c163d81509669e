"""Real weights in other forms: a model in pieces as llama-gguf-split makes them, an adapter, a projector."""

import struct
from pathlib import Path

from msgspec import Struct

from tests.wire.pictures import COLOURS

ALIGNMENT = 32
SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each type of number; 8 are strings, 9 arrays."""


class Tensor(Struct):
    name: str
    shape: tuple[int, ...]
    kind: int
    data: bytes


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def number(self, layout):
        value = struct.unpack_from("<" + layout, self.data, self.at)[0]
        self.at += struct.calcsize("<" + layout)
        return value

    def text(self):
        length = self.number("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def pass_over(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            inner, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.pass_over(inner)
        else:
            self.at += SCALARS[kind]


def read(path):
    """The keys as they are in the file, and the tensors."""
    reader = Reader(path.read_bytes())
    reader.at = 8
    tensors, keys = reader.number("Q"), reader.number("Q")
    begin = reader.at
    for _ in range(keys):
        reader.text()
        reader.pass_over(reader.number("I"))
    raw_keys = reader.data[begin : reader.at]
    infos = []
    for _ in range(tensors):
        name, dimensions = reader.text(), reader.number("I")
        shape = tuple(reader.number("Q") for _ in range(dimensions))
        infos.append((name, shape, reader.number("I"), reader.number("Q")))
    start = reader.at + -reader.at % ALIGNMENT
    ends = sorted([offset for *_, offset in infos] + [len(reader.data) - start])
    found = []
    for name, shape, kind, offset in infos:
        end = ends[ends.index(offset) + 1]
        found.append(Tensor(name, shape, kind, reader.data[start + offset : start + end]))
    return keys, raw_keys, found


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def key(name, kind, layout, value):
    return text(name) + struct.pack("<I" + layout, kind, value)


def write(path, count, keys, tensors):
    """A GGUF of ``count`` keys."""
    infos, data = bytearray(), bytearray()
    for each in tensors:
        data += bytes(-len(data) % ALIGNMENT)
        infos += text(each.name) + struct.pack("<I", len(each.shape))
        infos += struct.pack(f"<{len(each.shape)}QIQ", *each.shape, each.kind, len(data))
        data += each.data
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), count) + keys + infos
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + data)
    return path


def split(whole: Path, folder: Path, pieces: int) -> list[Path]:
    """The same model in pieces: all keys in the first, the tensors shared out."""
    count, keys, tensors = read(whole)
    share = -(-len(tensors) // pieces)
    paths = []
    for number in range(pieces):
        place = key("split.no", 2, "H", number) + key("split.count", 2, "H", pieces)
        place += key("split.tensors.count", 5, "i", len(tensors))
        mine = tensors[number * share : (number + 1) * share]
        path = folder / f"tiny-{number + 1:05}-of-{pieces:05}.gguf"
        paths.append(write(path, 3 + (0 if number else count), place + (b"" if number else keys), mine))
    return paths


def adapter(whole: Path, path: Path, strength: float = 3.0) -> Path:
    """A LoRA adapter of rank 1 for the first layer's queries and values."""

    def numbers(count):
        return struct.pack(f"<{count}f", *(strength if place % 3 else -strength for place in range(count)))

    made = []
    for each in read(whole)[2]:
        if each.name in ("blk.0.attn_q.weight", "blk.0.attn_v.weight"):
            width, height = each.shape
            made.append(Tensor(f"{each.name}.lora_a", (width, 1), 0, numbers(width)))
            made.append(Tensor(f"{each.name}.lora_b", (1, height), 0, numbers(height)))
    words = {"general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora"}
    keys = b"".join(text(name) + struct.pack("<I", 8) + text(value) for name, value in words.items())
    return write(path, 4, keys + key("adapter.lora.alpha", 6, "f", 1.0), made)


def pooled(source, path, pooling):
    """The same model, as one that turns texts into vectors: 1 by the mean, 3 by the last token."""
    count, keys, tensors = read(source)
    write(path, count + 1, keys + key("llama.pooling_type", 4, "I", pooling), tensors)
    return path


# ---------------------------------------------------------------- eyes

PATCH = 16
"""Pixels a side, of an image that is one patch."""
_WIDTH = 32


def eyes(source: Path, path: Path) -> Path:
    """A projector (llama.cpp's "mmproj") by which the model reads a red image as the word "red", and so on.

    It is a LLaVA projector without layers: the patch's mean red, green and blue are weights on the embeddings
    of those words. Between its two matrices is a GELU, which leaves 0 and large numbers as they are.
    """
    words = [embedding(source, "Ġ" + colour) for colour in COLOURS]
    length = len(words[0])
    means = [
        1 / PATCH**2 if output == channel else 0.0
        for output in range(_WIDTH)
        for channel in range(3)
        for _ in range(PATCH**2)
    ]
    large = [10.0 * (row == column) for row in range(_WIDTH) for column in range(_WIDTH)]
    none = [[0.0] * length] * (_WIDTH - len(words))
    mixed = [word[place] / 10 for place in range(length) for word in (*words, *none)]
    zero = [0.0] * _WIDTH
    tensors = [
        floats("v.patch_embd.weight", (PATCH, PATCH, 3, _WIDTH), means),
        floats("v.position_embd.weight", (_WIDTH, 1), zero),
        floats("mm.0.weight", (_WIDTH, _WIDTH), large),
        floats("mm.0.bias", (_WIDTH,), zero),
        floats("mm.2.weight", (_WIDTH, length), mixed),
        floats("mm.2.bias", (length,), [0.0] * length),
        # A layer that is there and, being the last, never asked: LLaVA's takes the one before it.
        floats("v.blk.0.attn_out.weight", (_WIDTH, _WIDTH), zero * _WIDTH),
        floats("v.blk.0.ffn_up.weight", (_WIDTH, 2 * _WIDTH), zero * 2 * _WIDTH),
        floats("v.blk.0.ffn_down.weight", (2 * _WIDTH, _WIDTH), zero * 2 * _WIDTH),
    ]
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("clip"),
        text("general.type") + struct.pack("<I", 8) + text("mmproj"),
        text("clip.projector_type") + struct.pack("<I", 8) + text("mlp"),
        key("clip.has_vision_encoder", 7, "?", True),
        key("clip.vision.attention.layer_norm_epsilon", 6, "f", 1e-6),
        text("clip.vision.image_mean") + struct.pack("<IIQ3f", 9, 6, 3, 0, 0, 0),
        text("clip.vision.image_std") + struct.pack("<IIQ3f", 9, 6, 3, 1, 1, 1),
    ]
    sizes = {
        "image_size": PATCH,
        "patch_size": PATCH,
        "embedding_length": _WIDTH,
        "feed_forward_length": 2 * _WIDTH,
        "projection_dim": length,
        "block_count": 1,
        "attention.head_count": 2,
    }
    keys += [key(f"clip.vision.{name}", 4, "I", size) for name, size in sizes.items()]
    return write(path, len(keys), b"".join(keys), tensors)


def floats(name, shape, numbers):
    return Tensor(name, shape, 0, struct.pack(f"<{len(numbers)}f", *numbers))


def embedding(source, token):
    """What a word is to the model: its row of the table of embeddings, of Q8_0 (scale f16, 32 numbers)."""
    (table,) = (each for each in read(source)[2] if each.name == "token_embd.weight")
    assert table.kind == 8, table.kind
    length, row = table.shape[0], vocabulary(source).index(token)
    size = length // 32 * 34
    data = table.data[row * size : (row + 1) * size]
    return [scale * number for scale, *numbers in struct.iter_unpack("<e32b", data) for number in numbers]


def vocabulary(source):
    reader = Reader(source.read_bytes())
    reader.at = 16
    for _ in range(reader.number("Q")):
        name, kind = reader.text(), reader.number("I")
        if name == "tokenizer.ggml.tokens":
            assert reader.number("I") == 8
            return [reader.text() for _ in range(reader.number("Q"))]
        reader.pass_over(kind)
    raise AssertionError("it has no vocabulary")
