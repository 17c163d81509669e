import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import anyio
import msgspec
import pytest

from isthmus.cli import consent
from isthmus.cli.chatting import Chat, lasting_model
from isthmus.cli.conversation import Conversation, Turn
from isthmus.cli.running import run
from isthmus.cli.saved import SavedConversations, is_automatic
from isthmus.cli.session import open_switchboard
from isthmus.cli.slash import COMMANDS
from isthmus.errors import WorkerDied
from isthmus.ledger import Ledger, open_database
from isthmus.messages import Finish, ReasoningDelta, TextDelta
from tests.cli.homes import PlayedModel, play, says

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DIED = WorkerDied("the worker ended", hint="ask again")
HARD = "Ann has 12 apples, Bob 7, Cy 9; how many in total, if each eats 2, and then half are sold?"
AWAY = {
    "providers__big__base_url": "http://127.0.0.1:9/v1",
    "providers__big__model": "large",
    "providers__big__input_usd_per_mtok": 1,
    "providers__big__output_usd_per_mtok": 1,
    "handoff__provider": "big",
}


@pytest.fixture
def saved(home):
    return SavedConversations(home / "conversations")


@pytest.fixture
def hold(monkeypatch, settings, saved):
    """Holds a chat with a played model: what is typed, one by one. Gives the chat as it then is."""

    def hold(model, *typed, others=(), attended=False, name=None, conversation=None, **flags):
        play(monkeypatch, model, *others)
        config = settings(**({"model": model.model.name} | flags))
        start = Conversation(lasting_model(config.settings), config.settings.system, config.settings.effort)

        async def whole():
            async with open_switchboard(config) as switchboard:
                chat = Chat(switchboard, saved, conversation or start, name, attended=attended)
                for each in typed:
                    if not await chat.take(each):
                        break
                return chat

        return run(whole())

    return hold


def asked(model):
    """What the model was sent, as (role, text) for each request."""
    return [[(each.role, each.text) for each in request.messages] for request in model.requests]


def answers(chat):
    return [(turn.question, turn.answer, turn.cut) for turn in chat.conversation.turns]


def latest(home):
    """The ledger's row of the last question."""
    database = open_database(home / "ledger.sqlite3")
    (row,) = Ledger(database).questions(1)
    database.dispose()
    return row


# ---------------------------------------------------------------- questions


def test_each_question_goes_with_the_whole_conversation(hold, capsys):
    model = PlayedModel("m", says("one"), says("two"))
    chat = hold(
        model, "first", "second", "", system="Be brief.", temperature=0.5, max_tokens=9, effort="minimal"
    )
    said = [("system", "Be brief."), ("user", "first"), ("assistant", "one"), ("user", "second")]
    assert asked(model) == [said[:2], said]
    last = model.requests[-1]
    assert (last.temperature, last.max_tokens, last.effort) == (0.5, 9, "minimal")
    assert answers(chat) == [("first", "one", False), ("second", "two", False)]
    assert capsys.readouterr() == ("one\ntwo\n", "")


def test_the_ledger_knows_the_questions_of_a_chat(hold, home):
    hold(PlayedModel("m", says("one")), "first")
    row = latest(home)
    assert (row.source, row.outcome, row.model) == ("chat", "complete", "m")


def test_a_conversation_is_marked_from_then_on_and_its_questions_say_why(hold, saved, home, capsys):
    model = PlayedModel("m", says("one"))
    chat = hold(model, "first", "/home-only", "second", **AWAY, handoff__mode="always", handoff__retries=0)
    assert [request.home_only for request in model.requests] == [False, True]
    assert "home-only" in chat.status()
    assert saved.load(chat.name).home_only
    assert (latest(home).reason, latest(home).target) == ("home_only", "local")
    goes_on = hold(model, "third", conversation=saved.load(chat.name))
    assert model.requests[-1].home_only
    assert "nothing of this conversation leaves" in capsys.readouterr().err
    assert goes_on.conversation.home_only
    assert not hold(model, "/home-only", "/clear").conversation.home_only
    assert hold(model, "/clear", conversation=goes_on.conversation).conversation.home_only


def test_an_error_is_shown_and_the_chat_goes_on(hold, capsys):
    chat = hold(PlayedModel("m", [DIED], [DIED], says("two")), "first", "second")
    assert answers(chat) == [("second", "two", False)]
    assert capsys.readouterr() == ("two\n", "error: the worker ended\nhint: ask again\n")
    assert chat.exit_code == DIED.exit_code


def test_an_answer_that_breaks_off_is_kept_as_cut(hold):
    model = PlayedModel("m", [TextDelta("He"), DIED], says("two"))
    chat = hold(model, "first", "go on")
    assert answers(chat) == [("first", "He", True), ("go on", "two", False)]
    assert asked(model)[-1] == [("user", "first"), ("assistant", "He […]"), ("user", "go on")]


def press():
    os.kill(os.getpid(), signal.SIGINT)


class PressingModel(PlayedModel):
    """In its first answer, Ctrl-C is pressed after the first event."""

    async def stream(self, request):
        async for event in super().stream(request):
            yield event
            if len(self.requests) == 1:
                press()


def test_ctrl_c_stops_the_answer_and_keeps_what_was_shown_as_cut(hold, capsys):
    model = PressingModel("m", [TextDelta("He"), 10, TextDelta("llo"), Finish("stop")], says("two"))
    chat = hold(model, "first", "second", attended=True)
    assert model.closed == 2
    assert answers(chat) == [("first", "He", True), ("second", "two", False)]
    out, err = capsys.readouterr()
    assert out == "He\ntwo\n"
    assert err.startswith("stopped\n")


def test_a_question_stopped_before_its_answer_leaves_no_trace_but_for_retry(hold):
    model = PressingModel("m", [ReasoningDelta("hm"), 10, TextDelta("He")], says("two"))
    chat = hold(model, "first", "/retry", attended=True)
    assert answers(chat) == [("first", "two", False)]
    assert asked(model) == [[("user", "first")]] * 2


def test_where_nobody_attends_ctrl_c_ends_everything_and_loses_nothing(hold, saved):
    model = PressingModel("m", [TextDelta("He"), 10, TextDelta("llo")])
    with pytest.raises(KeyboardInterrupt):
        hold(model, "first")
    (name,) = saved.names()
    assert [(turn.answer, turn.cut) for turn in saved.load(name).turns] == [("He", True)]


# ---------------------------------------------------------------- retry and clear


def test_retry_answers_the_last_question_again(hold):
    model = PlayedModel("m", says("one"), says("two"), says("better"))
    chat = hold(model, "first", "second", "/retry")
    assert answers(chat) == [("first", "one", False), ("second", "better", False)]
    assert asked(model)[2] == asked(model)[1]


def test_a_retry_that_fails_leaves_the_answer_that_was_there_until_one_succeeds(hold):
    chat = hold(PlayedModel("m", says("one"), [DIED], [DIED], says("better")), "first", "/retry")
    assert answers(chat) == [("first", "one", False)]
    chat = hold(PlayedModel("m", says("one"), [DIED], [DIED], says("better")), "first", "/retry", "/retry")
    assert answers(chat) == [("first", "better", False)]


def test_retry_asks_again_what_nobody_answered(hold):
    model = PlayedModel("m", says("one"), [DIED], [DIED], says("two"))
    chat = hold(model, "first", "second", "/retry")
    assert answers(chat) == [("first", "one", False), ("second", "two", False)]


def test_there_may_be_nothing_to_retry(hold, capsys):
    chat = hold(PlayedModel("m", says("one")), "/retry")
    assert chat.exit_code == 2
    assert "nothing was asked yet" in capsys.readouterr().err


def test_clear_begins_anew_and_the_one_before_stays_saved(hold, saved, capsys):
    model = PlayedModel("m", says("one"))
    chat = hold(model, "first", "/clear", "second", system="Be brief.")
    assert asked(model)[-1] == [("system", "Be brief."), ("user", "second")]
    assert answers(chat) == [("second", "one", False)]
    assert len(saved.names()) == 2
    assert "the one before is saved as" in capsys.readouterr().err


# ---------------------------------------------------------------- who answers, and how


def test_another_model_goes_on_with_the_conversation(hold, capsys):
    first, second = PlayedModel("m", says("one")), PlayedModel("n", says("two"))
    chat = hold(first, "first", "/model", "/model n", "second", others=[second])
    assert asked(second) == [[("user", "first"), ("assistant", "one"), ("user", "second")]]
    assert [turn.model for turn in chat.conversation.turns] == ["m", "n"]
    assert chat.conversation.model == "n"
    assert capsys.readouterr().err == "model: m\nmodel: n\n"


def test_a_model_that_cannot_be_had_changes_nothing(hold, capsys):
    chat = hold(PlayedModel("m", says("one")), "/model nonsense", "first")
    assert answers(chat) == [("first", "one", False)]
    assert chat.status().startswith("m ")
    assert "error: there is no model named nonsense" in capsys.readouterr().err


def test_loading_a_model_can_be_stopped(hold, monkeypatch, capsys):
    second = PlayedModel("n", says("two"))

    async def load(home):
        if home is second:
            press()
            await anyio.sleep(10)

    monkeypatch.setattr("isthmus.cli.session._load", load)
    chat = hold(PlayedModel("m", says("one")), "/model n", "first", others=[second], attended=True)
    assert answers(chat) == [("first", "one", False)]
    assert chat.conversation.model == "m"


def test_effort_is_shown_set_and_given_back(hold, capsys):
    model = PlayedModel("m", says("one"))
    hold(model, "/effort", "/effort MINIMAL", "first", "/effort default", "second", "/effort hgih")
    assert [request.effort for request in model.requests] == ["minimal", None]
    shown = capsys.readouterr().err
    assert shown.startswith("effort: default\neffort: minimal\neffort: default\nerror: 'hgih' is not one of")
    assert shown.endswith("hint: /effort high\n")


def test_how_thinking_is_shown_is_the_settings_until_it_is_set(hold, capsys):
    thought = [ReasoningDelta("6 * 7"), *says("42")]
    hold(PlayedModel("m", thought), "/reasoning", "first", "/reasoning Live", "second", "/reasoning bright")
    shown = capsys.readouterr().err
    assert shown.startswith("reasoning: dim\nreasoning: live\n6 * 7\n\nerror: 'bright' is not one of")


def test_a_system_message_is_shown_set_and_taken_away(hold, capsys):
    model = PlayedModel("m", says("one"))
    hold(model, "/system", "/system Be brief.", "first", '/system ""', "second")
    assert asked(model)[0][0] == ("system", "Be brief.")
    assert [role for role, _ in asked(model)[1]] == ["user", "assistant", "user"]
    assert capsys.readouterr().err == (
        "system message: none\nsystem message: Be brief.\nsystem message: none\n"
    )


NOT_CONFIGURED = """hand-off: auto (no provider)
note: no provider is configured, so nothing leaves
hint: isthmus handoff setup
"""
SWITCHED_OFF = """hand-off: off ({0})
note: {1} is set, so nothing leaves, whatever the mode
hint: isthmus config show
"""


@pytest.mark.parametrize(
    ("flags", "mode", "shown"),
    [
        ({}, "", "hand-off: off\n"),
        (AWAY, "auto", "hand-off: auto\n"),
        ({}, "auto", NOT_CONFIGURED),
        (
            AWAY | {"handoff__local_only": True},
            "always",
            SWITCHED_OFF.format("local_only", "handoff.local_only"),
        ),
        (AWAY | {"offline": True}, "always", SWITCHED_OFF.format("offline", "offline")),
        (AWAY, "of", "error: 'of' is not one of off, shadow, ask, auto, always\nhint: /handoff off\n"),
    ],
)
def test_the_hand_off_mode_is_chosen_under_the_hard_switches(hold, capsys, flags, mode, shown):
    hold(PlayedModel("m", says("one")), f"/handoff {mode}", **flags)
    assert capsys.readouterr().err == shown


def test_local_only_keeps_a_question_home_whatever_was_typed(hold, capsys):
    model = PlayedModel("m", says("one"))
    hold(model, "/handoff always", HARD, **AWAY, handoff__local_only=True)
    assert len(model.requests) == 1
    assert capsys.readouterr().out == "one\n"


@pytest.mark.parametrize(("agrees", "reason"), [("no", "consent_declined"), ("yes", "provider_failed")])
def test_consent_is_asked_for_where_a_person_attends(hold, monkeypatch, home, agrees, reason):
    shown = []

    async def ask(what, more):
        shown.append(what.content["messages"])
        assert more == ("always",)
        return agrees

    monkeypatch.setattr(consent, "ask", ask)
    chat = hold(PlayedModel("m", says("one")), "hi", "/handoff ask", HARD, attended=True, **AWAY)
    assert [each["content"] for each in shown[-1]] == ["hi", "one", HARD]
    assert answers(chat)[-1] == (HARD, "one", False)  # nobody answers at port 9
    assert latest(home).reason == reason


def test_who_agrees_to_all_of_a_conversation_is_asked_once_until_it_is_another(hold, monkeypatch, capsys):
    asked_for = []

    async def ask(what, more):
        asked_for.append(what.content["messages"][-1]["content"])
        return "always"

    monkeypatch.setattr(consent, "ask", ask)
    typed = (HARD, f"{HARD} Again.", "/handoff", "/handoff ask", f"{HARD} Once more.", "/clear", HARD)
    hold(PlayedModel("m", says("one")), *typed, attended=True, **AWAY, handoff__mode="ask")
    assert asked_for == [HARD, f"{HARD} Once more.", HARD]
    err = capsys.readouterr().err
    assert "sent as agreed for this conversation, at most $0." in err
    assert "hand-off: ask, and you agreed to all of this conversation\n" in err


# ---------------------------------------------------------------- saved conversations


def test_every_turn_is_saved_at_once_under_a_name_by_date(hold, saved):
    chat = hold(PlayedModel("m", says("one")), "first", "second")
    assert saved.names() == [chat.name]
    assert is_automatic(chat.name)
    assert saved.load(chat.name) == chat.conversation


def test_nothing_said_is_nothing_saved(hold, saved):
    hold(PlayedModel("m", [DIED]), "/system Be brief.", "first", "/save")
    assert saved.names() == []


@pytest.mark.parametrize(("typed", "name"), [("/save Trip", "trip"), ("/save", "where-to-2026-03-14")])
def test_save_gives_a_name_that_the_conversation_then_goes_by(hold, saved, typed, name):
    before = Conversation("m", turns=(Turn(NOON, "Where to?", "To Lagos.", "m"),))
    saved.save("2026-03-14-120000", before)
    chat = hold(PlayedModel("m", says("one")), typed, "next", conversation=before, name="2026-03-14-120000")
    assert saved.names() == [name] == [chat.name]
    assert len(saved.load(name).turns) == 2


def test_save_again_keeps_the_name(hold, saved):
    hold(PlayedModel("m", says("one")), "first", "/save trip", "/save", "/save other")
    assert sorted(saved.names()) == ["other", "trip"]


def test_save_never_overwrites_another_conversation(hold, saved, capsys):
    other = Conversation("m", turns=(Turn(NOON, "q", "a", "m"),))
    saved.save("trip", other)
    hold(PlayedModel("m", says("one")), "first", "/save trip", "/save ../trip")
    assert saved.load("trip") == other
    err = capsys.readouterr().err
    assert "error: another conversation is called 'trip'" in err
    assert "error: '../trip' can't be a conversation's name" in err


def test_load_goes_on_with_a_conversation_its_effort_system_message_and_model(hold, saved):
    before = Conversation("n", "Be brief.", "minimal", (Turn(NOON, "q", "a", "n"),))
    saved.save("trip", before)
    model, other = PlayedModel("m", says("one")), PlayedModel("n", says("two"))
    chat = hold(model, "first", "/load trip", "second", "/load", others=[other])
    assert asked(other) == [[("system", "Be brief."), ("user", "q"), ("assistant", "a"), ("user", "second")]]
    assert other.requests[0].effort == "minimal"
    assert len(saved.load("trip").turns) == 2
    assert len(saved.names()) == 2
    assert chat.name == "trip"


def test_a_conversation_whose_model_is_gone_goes_on_with_the_one_in_use(hold, saved, capsys):
    saved.save("trip", Conversation("gone", turns=(Turn(NOON, "q", "a", "gone"),)))
    chat = hold(PlayedModel("m", says("one")), "/load trip", "next")
    assert answers(chat) == [("q", "a", False), ("next", "one", False)]
    assert chat.conversation.model == "m"
    err = capsys.readouterr().err
    assert "note: it was held with gone; m goes on with it" in err
    assert "error: there is no model named gone" in err


def test_load_lists_what_is_saved_and_what_cannot_be_read(hold, saved, capsys):
    saved.save("trip", Conversation("m", turns=(Turn(NOON, "Where\nto?" + " or" * 30, "a", "m"),)))
    saved.save("broken", Conversation("m"))
    (saved.folder / "broken.json").write_text("{")
    hold(PlayedModel("m", says("one")), "/load", "/load nothing")
    err = capsys.readouterr().err
    assert "trip  Where to? or or" in err
    assert "…\n" in err
    assert "broken  (" in err
    assert "error: no saved conversation is called 'nothing'" in err


def test_a_disk_that_cannot_be_written_ends_no_conversation(hold, saved, capsys):
    saved.folder.parent.mkdir()
    saved.folder.write_text("a file is in the way")
    chat = hold(PlayedModel("m", says("one")), "first", "second")
    assert len(chat.conversation.turns) == 2
    assert "error: " in capsys.readouterr().err


def test_what_is_recalled_is_the_last_turn(hold, capsys):
    turns = (Turn(NOON, "q", "a", "m"), Turn(NOON, "Where to?", "To La", "m", cut=True))
    for attended in (False, True):
        chat = hold(
            PlayedModel("m", says("one")),
            conversation=Conversation("m", turns=turns),
            name="trip",
            attended=attended,
        )
        chat.recall()
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("trip: 2 questions, the last at ")
        assert lines[1:] == (["> Where to?", "To La (cut)"] if attended else [])


# ---------------------------------------------------------------- the rest


@pytest.mark.parametrize("command", [each.name for each in COMMANDS])
def test_every_command_of_the_table_is_obeyed(hold, command):
    hold(PlayedModel("m", says("one")), f"/{command}")


def test_quit_ends_it(hold):
    model = PlayedModel("m", says("one"))
    hold(model, "first", "/quit", "second")
    assert len(model.requests) == 1


def test_help_lists_the_commands(hold, capsys):
    hold(PlayedModel("m", says("one")), "/help")
    out, err = capsys.readouterr()
    assert out == ""
    assert "/retry" in err


def test_the_status_says_who_answers(hold):
    chat = hold(PlayedModel("m", says("one")), "/handoff auto", "/effort low", **AWAY)
    assert chat.status() == "m · hand-off auto · effort low"


def test_choices_for_completion(hold, saved, tiny_home):
    chat = hold(PlayedModel("m", says("one")), "first", providers__ollama__base_url="http://127.0.0.1:1/v1")
    assert "high" in chat.choices("effort")
    assert "auto" in chat.choices("handoff")
    assert "smollm2:135m" in chat.choices("model")
    assert chat.choices("load") == [chat.name]
    assert not chat.choices("retry")


def test_a_files_name_lasts_from_any_folder(settings):
    Path("some.gguf").touch()
    assert lasting_model(settings(model="some.gguf").settings) == str(Path.cwd() / "some.gguf")
    assert lasting_model(settings(model="served.gguf").settings) == "served.gguf"
    assert lasting_model(settings(model="tiny:1m").settings) == "tiny:1m"


def test_a_saved_conversation_holds_no_hand_off_mode(hold, saved):
    chat = hold(PlayedModel("m", says("one")), "/handoff auto", "first", **AWAY)
    assert "auto" not in msgspec.json.encode(saved.load(chat.name)).decode()
