import os
import stat
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.conversation import Conversation, Turn
from isthmus.cli.saved import (
    LONGEST_NAME,
    SavedConversations,
    checked_name,
    is_automatic,
    name_for_question,
    name_for_time,
)
from isthmus.errors import NotFound, StorageError, UsageError

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
TRIP = Conversation("tiny", "Be brief.", "high", (Turn(NOON, "Where to?", "To Lagos.", "tiny"),))


@pytest.fixture
def saved(tmp_path):
    return SavedConversations(tmp_path / "home" / "conversations")


def test_what_was_saved_is_loaded(saved):
    saved.save("trip", TRIP)
    assert saved.load("trip") == TRIP
    assert saved.load(" Trip ") == TRIP


def test_only_the_owner_can_read_it(saved):
    saved.save("trip", TRIP)
    (file,) = saved.folder.iterdir()
    assert file.name == "trip.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(saved.folder.stat().st_mode) == 0o700


def test_names_come_last_saved_first(saved):
    assert saved.names() == []
    for minute, name in enumerate(("b", "c", "a")):
        saved.save(name, TRIP)
        os.utime(saved.folder / f"{name}.json", (minute, minute))
    (saved.folder / ".a.json.x1y2").write_text("what a kill left behind")
    assert saved.names() == ["a", "c", "b"]


def test_a_name_that_is_taken_gets_a_number(saved):
    assert saved.free("trip") == "trip"
    saved.save("trip", TRIP)
    assert saved.free("trip") == "trip-2"
    saved.save("trip-2", TRIP)
    assert saved.free("trip") == "trip-3"


def test_removing_is_done_once(saved):
    saved.save("trip", TRIP)
    saved.remove("trip")
    saved.remove("trip")
    assert not saved.has("trip")


def test_an_unknown_name_suggests_the_nearest_or_the_latest(saved):
    with pytest.raises(NotFound) as none:
        saved.load("trip")
    assert none.value.hint == "none is saved yet"
    saved.save("trip", TRIP)
    with pytest.raises(NotFound) as near:
        saved.load("tripp")
    assert near.value.hint == "did you mean trip?"
    with pytest.raises(NotFound) as far:
        saved.load("xyz")
    assert far.value.hint == "the latest: trip"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": 1}', b"\xff", b'{"model": "m", "turns": [{}]}'])
def test_a_file_that_holds_something_else_is_an_error_that_names_it(saved, content):
    saved.save("trip", TRIP)
    path = saved.folder / "trip.json"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is not a saved conversation") as wrong:
        saved.load("trip")
    assert str(path) in wrong.value.message


def test_a_folder_that_cannot_be_made_is_a_storage_error(saved):
    saved.folder.parent.parent.mkdir(exist_ok=True)
    saved.folder.parent.write_text("a file is in the way")
    with pytest.raises(StorageError):
        saved.save("trip", TRIP)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "-x", "_x", ".hidden", "a b", "a\0", "x" * 51],
)
def test_what_could_lead_elsewhere_or_nowhere_is_no_name(saved, text):
    for use in (checked_name, saved.load, saved.has, saved.remove, lambda name: saved.save(name, TRIP)):
        with pytest.raises(UsageError):
            use(text)
    assert not saved.folder.exists()


@given(st.text(alphabet=string.printable + "/\\.-_\0éßİ日本हिन्दी", max_size=60))
def test_a_name_is_a_file_in_the_folder_or_refused(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "conversations"
    try:
        name = checked_name(text)
    except UsageError:
        return
    path = (folder / f"{name}.json").resolve()
    assert path.parent == folder.resolve()
    assert path.name == f"{name}.json"
    assert len(path.name.encode()) <= 255 - len(".") - len(".12345678")
    assert checked_name(name) == name


@given(st.text())
def test_any_question_gives_a_name(question):
    name = name_for_question(question, NOON)
    assert checked_name(name) == name
    assert len(name) <= LONGEST_NAME - len("-99")
    assert not is_automatic(name)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Why is the sky blue?", "why-is-the-sky-blue-2026-03-14"),
        ("What's in /etc/passwd?", "what-s-in-etc-passwd-2026-03-14"),
        ("Tell me a very long story about a whale", "tell-me-a-very-long-story-2026-03-14"),
        ("x" * 99, "x" * 30 + "-2026-03-14"),
        ("空はなぜ青いの", "空はなぜ青いの-2026-03-14"),
        ("?!", "conversation-2026-03-14"),
    ],
)
def test_a_questions_name_says_what_about(question, name):
    assert name_for_question(question, NOON) == name


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)), st.integers(2, 99))
def test_a_time_gives_a_name_that_is_known_as_automatic(at, number):
    name = name_for_time(at)
    assert checked_name(name) == name
    assert is_automatic(name)
    assert is_automatic(f"{name}-{number}")
    assert not is_automatic(f"trip-{name}")
