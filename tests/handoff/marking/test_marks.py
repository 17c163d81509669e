"""Home-only marks: what bears one, how it spreads, and what happens when they can't be read."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest
from sqlalchemy import text as sql

from isthmus.errors import StorageError
from isthmus.handoff.marking.marks import KEY_FILE, UNMARKED, Marks, open_marks
from isthmus.handoff.marking.rules import MarkRules
from isthmus.ledger import MarkTable, open_database
from isthmus.ledger.database import writing
from isthmus.messages import (
    Finish,
    GenerationRequest,
    Message,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from isthmus.settings import HomeOnlySettings

SECRET = (
    "Acme owes us 1,240,000 euros since March, its bank has cancelled the credit line, and the two founders "
    "have agreed to sell their shares to us at half of what they asked for in the spring of last year."
)
SUMMARY = (
    "In short, the company can no longer pay what it owes, so the founders will give up their part of it to "
    "the creditor at a price that is far below the one they had in mind twelve months before this letter."
)
QUESTION = "What does this say?"


@pytest.fixture
def ledger(tmp_path):
    database = open_database(tmp_path / "home" / "ledger.sqlite3")
    yield SimpleNamespace(engine=database, folder=tmp_path / "home")
    database.dispose()


@pytest.fixture
def fresh(ledger):
    """``fresh(**rules)``: the marks as a new process reads them."""
    opened = []

    def make(**rules):
        opened.append(open_marks(HomeOnlySettings(**rules), ledger.engine, ledger.folder))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def request(*messages, **more):
    return GenerationRequest(tuple(messages), **more)


def answered(marks, asked, *events):
    """Look at a request, answer it, and say what was marked."""

    async def main():
        marking = await marks.look(asked)
        for event in events:
            marking.note(event)
        await marking.close()
        return marking.why

    return anyio.run(main)


def why(marks, *messages, **more):
    return answered(marks, request(*messages, **more))


def said(text, finish="stop"):
    return TextDelta(text), Finish(finish, Usage(10, 2))


# ---------------------------------------------------------------- what bears a mark


def test_nothing_is_marked_and_nothing_is_kept(fresh, ledger):
    marks = fresh()
    assert answered(marks, request(Message("user", QUESTION)), *said(SUMMARY)) is None
    assert not (ledger.folder / KEY_FILE).exists()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(Message("user", "Hi"), home_only=True), "the whole conversation, as its request says"),
        (request(Message("user", "Hi", home_only=True)), "a message, as its request says"),
        (request(Message("user", "Read ~/clients/a")), "path ~/clients/**"),
        (request(Message("tool", "Dear Ann", name="read_mail")), "tool read_mail"),
    ],
)
def test_a_request_a_message_and_a_rule_bear_one(fresh, asked, expected):
    marks = fresh(paths=("~/clients/**",), tools=("read_mail",))
    assert answered(marks, asked) == expected


# ---------------------------------------------------------------- how it spreads


def test_a_summary_in_a_conversation_of_its_own_stays_home_and_so_does_what_is_made_of_that(fresh):
    marks = fresh()
    assert answered(marks, request(Message("user", SECRET, home_only=True)), *said(SUMMARY))
    later = [Message("system", "Be brief."), Message("user", f"As we found:\n> {SUMMARY}\nIs that legal?")]
    third = (
        "It is legal as long as all creditors were heard before, which the letter leaves quite open, and the "
        "court agrees with that."
    )
    assert answered(marks, request(*later), *said(third)) == "words out of a marked conversation"
    assert why(marks, Message("user", f"Translate: {third}")) == "words out of a marked conversation"
    assert why(marks, Message("user", "Is a sale at half the price legal?")) is None


def test_a_quoted_piece_of_a_marked_message_is_recognised(fresh):
    marks = fresh()
    why(marks, Message("user", SECRET, home_only=True))
    assert (
        why(marks, Message("user", f"Is '{SECRET[10:180]}' a sound sentence?"))
        == "words out of a marked conversation"
    )
    assert why(marks, Message("user", "Acme owes us 1,240,000 euros.")) is None


def test_after_a_restart_it_is_recognised_still(fresh):
    answered(fresh(), request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    assert why(fresh(), Message("user", SUMMARY)) == "words out of a marked conversation"
    assert why(fresh(), Message("user", SECRET)) == "a message out of a marked conversation"


def test_another_process_learns_of_it_at_once(fresh):
    one, other = fresh(), fresh()
    assert why(other, Message("user", SUMMARY)) is None
    answered(one, request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    assert why(other, Message("user", SUMMARY)) is not None


def test_a_conversation_goes_on_marked_though_its_next_request_says_nothing_and_all_is_short(fresh):
    asked = Message("user", "The code is 7. Right?")
    marks = fresh()
    answered(marks, request(Message("system", "It is Monday."), asked, home_only=True), *said("Yes."))
    goes_on = [asked, Message("assistant", "Yes."), Message("user", "Why?")]
    assert (
        why(fresh(), Message("system", "It is Tuesday."), *goes_on) == "it goes on from a marked conversation"
    )
    assert (
        why(fresh(), Message("user", "Is it?"), Message("assistant", "Yes."), Message("user", "Why?")) is None
    )


def test_its_thinking_its_calls_and_their_identifiers_are_recognised(fresh):
    arguments = json.dumps({"path": "a.txt", "text": SUMMARY})
    id_ = "call_0123456789abcdef01234567"
    events = [
        ReasoningDelta(SECRET),
        ToolCallDelta(0, id_, "write", arguments[:30]),
        ToolCallDelta(0, arguments=arguments[30:]),
        Finish("tool_calls", Usage(1, 1)),
    ]
    marks = fresh()
    answered(marks, request(Message("user", "Note it down."), home_only=True), *events)
    calling = Message("assistant", tool_calls=(ToolCall(id_, "write", "{}"),))
    assert why(marks, Message("user", "x"), calling) == "a call out of a marked conversation"
    assert why(marks, Message("tool", SUMMARY, tool_call_id="c9")) is not None
    assert why(marks, Message("user", f"You thought: {SECRET}")) is not None


def test_identifiers_that_are_counted_say_nothing(fresh):
    marks = fresh()
    events = [ToolCallDelta(0, "call_1_0", "clock", "{}"), Finish("tool_calls", Usage(1, 1))]
    answered(marks, request(Message("user", "What time is it?"), home_only=True), *events)
    calling = Message("assistant", tool_calls=(ToolCall("call_1_0", "clock", "{}"),))
    assert why(marks, Message("user", "Good morning!"), calling) is None


def test_a_cut_answer_is_remembered_as_far_as_it_came(fresh):
    marks = fresh()
    answered(marks, request(Message("user", "Hi"), home_only=True), TextDelta(SUMMARY))
    assert why(fresh(), Message("user", SUMMARY)) is not None


def test_every_choice_is_remembered(fresh):
    marks = fresh()
    events = [
        TextDelta("No.", 0),
        TextDelta(SUMMARY, 1),
        Finish("stop", index=0),
        Finish("stop", Usage(1, 9), index=1),
    ]
    answered(marks, request(Message("user", "Hi"), n=2, home_only=True), *events)
    assert why(marks, Message("user", SUMMARY)) is not None


def test_the_result_of_a_call_that_names_a_marked_path_is_remembered(fresh):
    marks = fresh(paths=("~/clients/**",))
    messages = [
        Message("assistant", tool_calls=(ToolCall("c1", "read", '{"path": "~/clients/acme.txt"}'),)),
        Message("tool", SECRET, tool_call_id="c1"),
    ]
    assert why(marks, *messages) == "path ~/clients/**"
    assert why(fresh(), Message("user", SECRET)) is not None


def test_instructions_that_all_conversations_share_taint_none(fresh):
    shared = Message("system", f"You are an agent. {SECRET}")
    marks = fresh()
    answered(marks, request(shared, Message("user", "Look at ~/x/a"), home_only=True), *said("Done."))
    assert why(marks, shared, Message("user", "Something else.")) is None


def test_an_answer_is_known_before_its_client_has_it(fresh):
    marks = fresh()

    async def main():
        marking = await marks.look(request(Message("user", SECRET), home_only=True))
        for event in said(SUMMARY):
            marking.note(event)
        return (await marks.look(request(Message("user", SUMMARY)))).why  # nothing is closed yet

    assert anyio.run(main) is not None


# ---------------------------------------------------------------- what can't be read


def test_without_the_key_nothing_leaves(fresh, ledger):
    answered(fresh(), request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    (ledger.folder / KEY_FILE).unlink()
    assert why(fresh(), Message("user", "What is the capital of France?")).startswith(
        "the marks can't be read"
    )
    assert not (ledger.folder / KEY_FILE).exists()


@pytest.mark.parametrize("key", [bytes(32), b"short"])
def test_with_another_key_nothing_leaves(fresh, ledger, key):
    answered(fresh(), request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    (ledger.folder / KEY_FILE).write_bytes(key)
    marks = fresh()
    for _ in range(2):
        assert why(marks, Message("user", "Hi")).startswith("the marks can't be read")


def test_where_the_database_fails_nothing_leaves(fresh, ledger):
    marks = fresh()
    with writing(ledger.engine) as connection:
        connection.execute(sql("DROP TABLE marks"))
    assert why(marks, Message("user", "Hi")).startswith("the marks can't be read")


def test_what_nobody_thought_of_keeps_it_home_too(fresh):
    marks = fresh(words=("x",))
    assert why(marks, Message("user", None)) == "the marks can't be read"


def test_where_marks_can_not_be_kept_this_process_knows_them(fresh, monkeypatch, caplog):
    marks = fresh()

    def full(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr(MarkTable, "add", full)
    answered(marks, request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    assert "known to this process only" in caplog.text
    assert why(marks, Message("user", SUMMARY)) is not None


# ---------------------------------------------------------------- what is kept


def test_numbers_are_kept_and_never_texts(fresh, ledger):
    answered(fresh(), request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    ledger.engine.dispose()
    for file in ledger.folder.iterdir():
        held = file.read_bytes()
        assert b"Acme" not in held
        assert b"founders" not in held
    assert (ledger.folder / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_what_nobody_has_seen_for_long_is_forgotten(ledger, fresh):
    answered(fresh(), request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    with writing(ledger.engine) as connection:
        connection.execute(sql("UPDATE marks SET seen = '2020-01-01 00:00:00.000000'"))
    assert why(fresh(), Message("user", SUMMARY)) is None


def test_what_is_forgotten_elsewhere_is_forgotten_here(fresh, ledger):
    marks, table = fresh(), MarkTable(ledger.engine)
    answered(marks, request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    assert why(marks, Message("user", SUMMARY)) is not None
    table.forget(older_than=timedelta(seconds=-1))
    table.close()
    assert why(marks, Message("user", SUMMARY)) is None
    answered(marks, request(Message("user", SECRET), home_only=True), *said(SUMMARY))
    assert why(fresh(), Message("user", SUMMARY)) is not None


def test_of_two_processes_that_draw_a_key_one_does(ledger):
    rules, path = MarkRules(HomeOnlySettings()), Path(ledger.folder / KEY_FILE)
    one = Marks(rules, MarkTable(ledger.engine), path)
    other = Marks(rules, MarkTable(ledger.engine), path)

    async def main():
        async with anyio.create_task_group() as group:
            for marks in (one, other):
                group.start_soon(marks.look, request(Message("user", SECRET), home_only=True))

    anyio.run(main)
    assert one._fingers.of(SECRET) == other._fingers.of(SECRET)
    assert list(ledger.folder.glob(".marks*")) == []
    one.close()
    other.close()


def test_unmarked_is_nothing():
    UNMARKED.note(TextDelta("x"))
    anyio.run(UNMARKED.close)
    assert UNMARKED.why is None
