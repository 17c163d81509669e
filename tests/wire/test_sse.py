from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.wire.sse import DONE, PING, EventReader, data

LINE = st.binary(max_size=30).map(lambda text: text.replace(b"\r", b"").replace(b"\n", b""))
PAYLOADS = st.lists(st.lists(LINE, min_size=1, max_size=3), max_size=6)
NOISE = st.sampled_from(
    [b": keep-alive", b":", b"event: message", b"id: 7", b"retry: 100", b"database: 1", b"x"]
)
ENDINGS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw):
    """A stream in any spelling, and the payloads that are in it."""
    pieces = []

    def line(text):
        ending = draw(ENDINGS)
        # An empty line that ends in \n, after one that ends in \r, would be the other half of a \r\n.
        after_return = not text and pieces[-1].endswith(b"\r")
        pieces.append(text + (b"\r" if after_return and ending == b"\n" else ending))

    payloads = draw(PAYLOADS)
    for payload in payloads:
        for noise in draw(st.lists(NOISE, max_size=1)):
            line(noise)
        for each in payload:
            # One space after the colon is not part of the value, so a value that begins with one needs it.
            spaced = each.startswith(b" ") or draw(st.booleans())
            line(b"data:" + b" " * spaced + each)
        line(b"")
    return b"".join(pieces), [b"\n".join(payload) for payload in payloads]


def cut(content, places):
    ends = sorted({place % (len(content) + 1) for place in places} | {0, len(content)})
    return [content[a:b] for a, b in pairwise(ends)]


def read(pieces, **arguments):
    reader = EventReader(**arguments)
    return [payload for piece in pieces for payload in reader.feed(piece)]


@given(streams(), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_spelling_cut_anywhere_gives_the_same_payloads(stream, places):
    content, payloads = stream
    assert read(cut(content, places)) == payloads
    assert read(cut(content, range(len(content)))) == payloads


@given(st.lists(LINE.filter(bool)))
def test_what_is_written_is_read(payloads):
    written = b"".join(PING + data(payload) for payload in payloads)
    assert read([written + data(DONE)]) == [*payloads, DONE]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_an_event_is_there_as_soon_as_its_empty_line_is(ending):
    reader = EventReader()
    assert reader.feed(b"data: a" + ending) == []
    assert reader.feed(ending) == [b"a"]
    assert reader.feed(b"data: b" + ending + ending) == [b"b"]


def test_an_event_without_its_empty_line_is_not_whole():
    assert read([b"data: a\n\ndata: b\n"]) == [b"a"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_may_reach_the_limit_but_not_pass_it_however_it_is_cut(size):
    def pieces(content):
        return [content[i : i + size] for i in range(0, len(content), size)]

    fitting = b"data: " + b"x" * 94
    assert read(pieces((fitting + b"\n\n") * 3), limit=100) == [b"x" * 94] * 3
    for too_long in (fitting + b"x\n\n", fitting + b"x", fitting + b"\ndata:\n", b":" + b"x" * 100 + b"\n\n"):
        with pytest.raises(ValueError, match="longer than 100 bytes"):
            read(pieces(too_long), limit=100)


def test_empty_lines_of_data_count_too():
    with pytest.raises(ValueError, match="longer"):
        read([b"data:\n"] * 100, limit=100)


def test_a_long_line_in_small_pieces_takes_time_in_proportion():
    def seconds(size):
        content = b"data: " + b"x" * size + b"\n\n"
        pieces = [content[i : i + 64] for i in range(0, len(content), 64)]
        begun = process_time()
        assert len(read(pieces)[0]) == size
        return process_time() - begun

    # Sixteen times as much; an effort that grew with the square would take 256 times as long.
    assert min(seconds(3_200_000) for _ in range(5)) < 80 * min(seconds(200_000) for _ in range(5))
