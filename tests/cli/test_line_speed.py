import anyio
import msgspec
import pytest

from isthmus.cli import line_speed
from isthmus.cli.line_speed import measure
from isthmus.cli.outlook import Line
from isthmus.configuration import load
from isthmus.store import find
from isthmus.store.catalogue import HuggingFace
from tests.cli.hub import serving

FILE = "maker/tiny-GGUF/tiny.gguf"
ENTRY = msgspec.structs.replace(
    find("qwen2.5-coder:0.5b"), sources=(HuggingFace("maker/tiny-GGUF", "tiny.gguf"),)
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def measured(endpoint, entry=ENTRY, **flags):
    return anyio.run(measure, entry, load(flags={"hf_endpoint": endpoint, **flags}).settings)


def test_the_beginning_of_the_weights_is_timed():
    with serving({FILE: bytes(4 << 20)}) as hub:
        line = measured(hub.endpoint)
    assert line.measured
    assert line.bytes_per_s > 1e6
    assert hub.asked == [FILE]


def test_no_more_is_fetched_than_the_time_allows(monkeypatch):
    monkeypatch.setattr(line_speed, "SAMPLE_S", 0.2)
    with serving({FILE: bytes(8 << 20)}) as hub:
        hub.hold(FILE)
        line = measured(hub.endpoint)
    assert line.measured
    assert line.bytes_per_s < 64 << 20


def test_a_file_too_small_to_tell_leaves_the_assumption():
    with serving({FILE: b"few"}) as hub:
        assert measured(hub.endpoint) == Line()


def test_out_of_reach_is_no_line():
    assert measured("http://127.0.0.1:9") is None
    with serving({}) as hub:
        assert measured(hub.endpoint) is None


def test_offline_nobody_is_asked():
    with serving({FILE: bytes(1 << 20)}) as hub:
        assert measured(hub.endpoint, offline=True) is None
    assert hub.asked == []


def test_weights_that_no_hub_has_cant_be_timed():
    assert measured("http://127.0.0.1:9", find("smollm2:135m")) is None
