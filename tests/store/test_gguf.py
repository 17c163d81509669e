import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import InvalidWeights, UnknownModel
from isthmus.store.gguf import (
    HEADER_LIMIT_BYTES,
    GgufHeader,
    parse_headers,
    read_header,
    read_headers,
    read_metadata,
    split_siblings,
)
from isthmus.store.gguf_bytes import Strings
from isthmus.store.shape import ModelShape
from tests.store.large import F32, Q8_0, write_split
from tests.store.samples import DATA_BYTES, KEYS, gguf_bytes, string, tensor

WHOLE = gguf_bytes()


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes) -> Path:
        path = tmp_path / "x.gguf"
        path.write_bytes(content)
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(InvalidWeights) as caught:
        read_header(path)
    return caught.value.message


def test_says_what_the_weights_are(write):
    assert read_header(write(WHOLE)) == GgufHeader(
        version=3,
        architecture="llama",
        name="Tiny",
        context_length=2048,
        parameter_count=256 * 3 + 8,
        quantization="Q4_K_M",
        tensor_count=2,
        chat_template="{{ messages }}",
        required_bytes=len(WHOLE),
        shape=ModelShape(
            architecture="llama",
            layers=(),
            embedding_length=256,
            feed_forward_length=0,
            heads=0,
            head_length=0,
            vocabulary=3,
            context_length=2048,
            input_bytes=3 * 144 + 8 * 4,
            output_bytes=0,
        ),
    )


def test_keys_are_read_as_they_stand(write):
    keys = read_metadata(write(WHOLE))
    assert keys == KEYS | {"tokenizer.ggml.tokens": Strings(3)}


@pytest.mark.parametrize(
    ("architecture", "number", "pooling", "embeds"),
    [
        ("llama", None, None, False),
        ("llama", 0, "none", False),
        ("bert", None, None, True),
        ("bert", 2, "cls", True),
        ("nomic-bert", 1, "mean", True),
        ("gemma-embedding", None, None, True),
        ("qwen3", 3, "last", True),
        ("qwen3", 4, "rank", True),
        ("qwen3", 99, None, False),
    ],
)
def test_says_whether_texts_become_vectors(write, architecture, number, pooling, embeds):
    keys: dict[str, object] = {"general.architecture": architecture}
    if number is not None:
        keys[f"{architecture}.pooling_type"] = number
    header = read_header(write(gguf_bytes(keys=keys)))
    assert (header.pooling, header.embeds) == (pooling, embeds)


def test_what_a_file_does_not_say_is_none(write):
    header = read_header(write(gguf_bytes(keys={"general.architecture": "llama"}, version=2)))
    assert header.version == 2
    assert (header.name, header.context_length, header.quantization) == (None, None, None)
    assert not header.has_chat_template


def test_bytes_after_the_last_tensor_are_allowed(write):
    assert read_header(write(WHOLE + bytes(100))).required_bytes == len(WHOLE)


def test_the_alignment_of_the_file_counts(write):
    content = gguf_bytes(
        keys=KEYS | {"general.alignment": 64},
        tensors=[tensor("a", (8,), 0, 0), tensor("b", (8,), 0, 64)],
        data_bytes=64 + 32,
        alignment=64,
    )
    assert read_header(write(content)).required_bytes == len(content)


def test_a_large_vocabulary_is_passed_over(write):
    words = [f"token{number}" for number in range(120_000)]  # more than one read
    content = gguf_bytes(keys={"tokenizer.ggml.tokens": words} | KEYS | {"tokenizer.ggml.merges": words})
    assert read_header(write(content)).required_bytes == len(content)


def test_a_tensor_type_newer_than_the_table_is_left_to_the_engine(write):
    content = gguf_bytes(tensors=[tensor("a", (8,), 0, 0), tensor("b", (7,), 200, 32)], data_bytes=64)
    assert read_header(write(content)).required_bytes == len(content) - 32


# ---------------------------------------------------------------- what isn't a whole GGUF


@pytest.mark.parametrize("missing", [1, DATA_BYTES - 1, DATA_BYTES])
def test_missing_tensor_bytes_are_counted(write, missing):
    path = write(WHOLE[:-missing])
    assert refusal(path) == f"{path} is cut short: it has {len(WHOLE) - missing:,} of {len(WHOLE):,} bytes"


@pytest.mark.parametrize("length", [4, 7, 20, 24, 100, len(WHOLE) - DATA_BYTES - 40])
def test_a_header_that_ends_early_is_cut_short(write, length):
    path = write(WHOLE[:length])
    assert refusal(path) == f"{path} is cut short: its {length:,} bytes end inside its header"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty"),
        (b"\0" * 600, "full of zeros"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"PK\x03\x04rest", "a zip archive"),
        (struct.pack("<Q", 80) + b'{"__metadata__":{}}', "safetensors"),
        (b'{"error": "not found"}', "JSON"),
        (b"\x80\x02}q\x00", "PyTorch pickle"),
        (b"lmgg\x01\x00", "before GGUF"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"GGU", "its first bytes are not GGUF"),
        (b"hello there", "its first bytes are not GGUF"),
    ],
)
def test_names_what_a_file_is_instead(write, content, what):
    message = refusal(write(content))
    assert "is not a GGUF file: " in message
    assert what in message


def test_versions_that_are_not_supported(write):
    assert "big-endian" in refusal(write(b"GGUF" + struct.pack(">IQQ", 3, 1, 1)))
    assert "version 1," in refusal(write(gguf_bytes(version=1)))
    assert "version 4," in refusal(write(gguf_bytes(version=4)))
    assert "version 0," in refusal(write(gguf_bytes(version=0)))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1), "claims to hold 1,152,921,504,606,846,976 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 1 << 60), "claims to hold 1,152,921,504,606,846,976 keys"),
        (gguf_bytes(keys={"k" * 70_000: 1}), "a string of 70,000 bytes"),
        (gguf_bytes(keys=KEYS | {"s": struct.pack("<IQ", 8, 1 << 62)}), "a string of 4,611,686"),
        (gguf_bytes(keys=KEYS | {"a": struct.pack("<IIQ", 9, 0, 1 << 62)}), "claims to be longer"),
        (gguf_bytes(keys=KEYS | {"a": struct.pack("<IIQ", 9, 8, 1 << 62)}), "an array of 4,611,686"),
        (gguf_bytes(keys=KEYS | {"a": struct.pack("<IIQ", 9, 9, 1)}), "'a' is an array of unknown type 9"),
        (gguf_bytes(keys=KEYS | {"k": struct.pack("<I", 13)}), "'k' has a value of unknown type 13"),
        (gguf_bytes(keys=KEYS | {"general.alignment": 0}), "its alignment is 0"),
        (gguf_bytes(keys=KEYS | {"general.alignment": 48}), "its alignment is 48"),
        (gguf_bytes(keys=KEYS | {"general.alignment": "x"}), "its alignment is 'x'"),
        (gguf_bytes(tensors=[tensor("a", (1,) * 5, 0, 0)]), "'a' has 5 dimensions"),
        (gguf_bytes(tensors=[tensor("a", (8,), 0, 4)]), "begins at 4, off the alignment of 32"),
        (gguf_bytes(tensors=[tensor("a", (255,), 12, 0)]), "rows of 255, no multiple of 256"),
    ],
)
def test_a_damaged_header_says_where(write, content, what):
    message = refusal(write(content))
    assert "has a damaged header: " in message
    assert what in message


def test_strings_with_hostile_lengths_inside_an_array(write):
    array = struct.pack("<IIQ", 9, 8, 3) + string("a") + struct.pack("<Q", (1 << 64) - 1)
    assert "claims to be longer" in refusal(write(gguf_bytes(keys=KEYS | {"a": array})))


def test_a_header_longer_than_the_limit_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "sparse.gguf"
    array = string("a") + struct.pack("<IIQ", 9, 0, 1 << 40)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + array)
    os.truncate(path, 1 << 41)
    assert f"longer than {HEADER_LIMIT_BYTES:,} bytes" in refusal(path)


def test_a_tensor_too_large_for_any_file(write):
    path = write(gguf_bytes(tensors=[tensor("a", (1 << 63,) * 4, 0, 0)]))
    assert "is cut short" in refusal(path)


def test_a_gguf_that_is_no_model_by_itself(write):
    nameless = {name: value for name, value in KEYS.items() if name != "general.architecture"}
    assert "doesn't name its architecture" in refusal(write(gguf_bytes(keys=nameless)))
    assert "of type 'adapter'" in refusal(write(gguf_bytes(keys=KEYS | {"general.type": "adapter"})))
    assert "holds no tensors" in refusal(write(gguf_bytes(tensors=[])))


def test_what_is_no_file(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "is not a regular file" in refusal(tmp_path / "pipe.gguf")
    with pytest.raises(UnknownModel, match="there is no file"):
        read_header(tmp_path / "absent.gguf")


@pytest.mark.parametrize("claim", [{"llama.block_count": 4_000_000_000}, {"llama.block_count": 513}])
def test_more_layers_than_an_engine_takes(write, claim):
    assert "layers, and engines take 512" in refusal(write(gguf_bytes(keys=KEYS | claim)))
    deep = gguf_bytes(tensors=[tensor("blk.999999.a", (8,), 0, 0)], data_bytes=32)
    assert "1,000,000 layers" in refusal(write(deep))


# ---------------------------------------------------------------- split models

BLOCKS = [("token_embd.weight", (64, 10), Q8_0)] + [
    (f"blk.{number}.{name}", (64, 64), kind)
    for number in range(3)
    for name, kind in [("a", F32), ("b", Q8_0)]
]
SPLIT_KEYS = {name: value for name, value in KEYS.items() if name != "tokenizer.ggml.tokens"}


def test_the_pieces_of_a_split_model_are_one_model(tmp_path):
    (whole,) = write_split(tmp_path, "whole", SPLIT_KEYS, BLOCKS, 1)
    pieces = write_split(tmp_path, "model", SPLIT_KEYS, BLOCKS, 3)
    assert [path.name for path in pieces] == [f"model-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    together, alone = read_headers(pieces), read_header(whole)
    assert together.shape == alone.shape
    assert (together.tensor_count, together.parameter_count) == (7, alone.parameter_count)
    assert together.required_bytes == sum(path.stat().st_size for path in pieces)
    files = [path.open("rb", buffering=0) for path in pieces]
    try:
        assert parse_headers(files, pieces) == together
    finally:
        for file in files:
            file.close()


def test_a_lone_piece_names_the_first_one(tmp_path):
    first, second, third = write_split(tmp_path, "model", SPLIT_KEYS, BLOCKS, 3)
    for path in (first, second):
        with pytest.raises(InvalidWeights, match="one of 3 files of a split model") as caught:
            read_header(path)
        assert str(first) in (caught.value.hint or "")
    with pytest.raises(InvalidWeights, match="says that it is piece 3 of 3, and is given as piece 2 of 3"):
        read_headers([first, third, second])
    with pytest.raises(InvalidWeights, match="given as piece 1 of 2"):
        read_headers([first, second])


def test_a_piece_that_is_cut_short_is_named(tmp_path):
    pieces = write_split(tmp_path, "model", SPLIT_KEYS, BLOCKS, 3)
    os.truncate(pieces[1], pieces[1].stat().st_size - 1)
    with pytest.raises(InvalidWeights, match=r"00002-of-00003.gguf is cut short"):
        read_headers(pieces)


@pytest.mark.parametrize("name", ["model.gguf", "model-00000-of-00003.gguf", "model-00004-of-00003.gguf"])
def test_what_is_no_piece_by_its_name_stands_alone(tmp_path, name):
    assert split_siblings(tmp_path / name) == (tmp_path / name,)


def test_any_piece_leads_to_all(tmp_path):
    paths = tuple(tmp_path / f"model-0000{number}-of-00002.gguf" for number in (1, 2))
    assert split_siblings(paths[1]) == paths


# ---------------------------------------------------------------- whatever the bytes


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("gguf") / "x.gguf"


def survives(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        header = read_header(path)
    except InvalidWeights:
        return
    assert header.required_bytes <= len(content)


@given(content=st.binary(max_size=300))
def test_any_bytes_give_a_header_or_invalid_weights(scratch, content):
    survives(scratch, b"GGUF" + content)
    survives(scratch, WHOLE[:24] + content)


@settings(max_examples=300)
@given(
    position=st.integers(0, len(WHOLE) - DATA_BYTES - 1),
    patch=st.one_of(
        st.binary(min_size=1, max_size=8),
        st.integers(0, (1 << 64) - 1).map(lambda number: struct.pack("<Q", number)),
    ),
    cut=st.one_of(st.none(), st.integers(0, len(WHOLE))),
)
def test_any_mutation_gives_a_header_or_invalid_weights(scratch, position, patch, cut):
    survives(scratch, (WHOLE[:position] + patch + WHOLE[position + len(patch) :])[:cut])


@given(
    shapes=st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=5),
    fill=st.binary(max_size=8),
)
def test_required_bytes_is_the_smallest_whole_file(scratch, shapes, fill):
    offset, tensors, end, elements = 0, [], 0, 0
    for number, shape in enumerate(shapes):
        count = 1
        for size in shape:
            count *= size
        tensors.append(tensor(f"t{number}", shape, 0, offset))
        end, elements = max(end, offset + 4 * count), elements + count
        offset += -(-4 * count // 32) * 32
    content = gguf_bytes(tensors=tensors, data_bytes=end)
    scratch.write_bytes(content + fill)
    header = read_header(scratch)
    assert (header.required_bytes, header.parameter_count) == (len(content), elements)
    if end:
        scratch.write_bytes(content[:-1])
        assert "cut short" in refusal(scratch)
