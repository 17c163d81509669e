"""Mapped files leave this process's memory and come back when they are read."""

import mmap
import sys

import psutil
import pytest

from isthmus.engines.mapped import release_mapped_files

SIZE = 32 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_what_is_mapped_is_released_and_comes_back(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"w" * SIZE)
    process = psutil.Process()
    with path.open("rb") as file, mmap.mmap(file.fileno(), SIZE, prot=mmap.PROT_READ) as mapped:
        assert mapped[:].count(b"w") == SIZE
        before = process.memory_info().rss
        release_mapped_files()
        assert process.memory_info().rss < before - SIZE // 2
        assert mapped[:].count(b"w") == SIZE
