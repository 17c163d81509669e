"""An agent of many turns that crosses over and comes back, over real HTTP, both models scripted."""

import pytest

from tests.server.agent import EASY, HARD, SECRET, THEIRS, agency

TASKS = [EASY, HARD, EASY, HARD, EASY]
STEPS = [
    "local",
    "local",
    "local",
    "hosted",
    "local",
    "local",
    "local",
    "hosted",
    "local",
    "local",
    "local",
    "local",
]
"""Fetching and submitting for each task, then the last fetch and the last word: hard tasks alone are away."""


@pytest.mark.parametrize("stream", [False, True])
def test_a_hard_step_goes_away_and_the_next_one_comes_home(serving, settings, stream):
    with agency(serving, settings) as agent:
        assert agent.run(TASKS, stream=stream) == "All done."
        assert agent.routes == STEPS
        assert agent.submitted == ["home", "away", "home", "away", "home"]
        rows = agent.server.ledger.questions(50)
        assert [row.target for row in reversed(rows)] == STEPS
        assert sum(row.sent_bytes for row in rows) == sum(len(r.body) for r in agent.upstream.requests)


def test_each_side_can_read_what_the_other_did(serving, settings):
    with agency(serving, settings) as agent:
        agent.run(TASKS, stream=False)
        bodies = [received.json for received in agent.upstream.requests]
        for body in bodies:
            waiting = []
            for message in body["messages"]:
                if message["role"] == "tool":
                    waiting.remove(message["tool_call_id"])
                waiting += [call["id"] for call in message.get("tool_calls", ())]
            assert waiting == []
            assert body["messages"][-1]["content"].endswith(HARD)
        # The second time, the hosted model finds its own step among those of home.
        ids = [call["id"] for m in bodies[1]["messages"] for call in m.get("tool_calls", ())]
        assert [id_.split("_")[1] for id_ in ids] == ["home", "home", "home", "away", "home", "home", "home"]
        # And home finds its steps: calls, results and all, but for what the other side thought.
        last = agent.home.requests[-1].messages
        away = [m for m in last if any(call.id.startswith("call_away") for call in m.tool_calls)]
        assert len(away) == 2
        assert [m.reasoning for m in away] == [None, None]
        assert {m.reasoning for m in last if m.role == "assistant" and m not in away} == {SECRET}
        assert not any(SECRET in received.body.decode() for received in agent.upstream.requests)
        assert any(THEIRS in str(message) for message in agent.messages)


@pytest.mark.parametrize(("padding", "submitted"), [(0, ["away", "away"]), (4000, ["home", "away", "away"])])
def test_a_long_conversation_stays_with_who_answered(serving, settings, padding, submitted):
    # Just above the threshold and just below it: in a short conversation each step goes its own way, in a
    # long one the first stays home, and the last where the hard one before it went.
    doubtful, doubtless = "Is it so? [0.57]", "Are you sure? [0.43]"
    with agency(serving, settings) as agent:
        agent.messages[0]["content"] += " Be kind." * padding
        agent.run([doubtful, HARD], stream=False, results={2: doubtless})
        assert agent.submitted == submitted


def test_after_a_marked_output_nothing_leaves_however_hard_it_gets(serving, settings):
    with agency(serving, settings, handoff__home_only__words=["Project Falcon"]) as agent:
        agent.run(TASKS, stream=False, results={1: "Project Falcon is on."})
        assert set(agent.routes) == {"local"}
        assert agent.reasons[-1] == "home_only"
        assert agent.details[-1] == "word Project Falcon"
        assert agent.upstream.requests == []
        # What was made of it doesn't leave either, in a conversation of its own that has no such word.
        follows = agency_of_another_day(agent)
        follows.run([HARD], stream=False)
        assert follows.upstream.requests == []


def agency_of_another_day(agent):
    """The same agent, which goes on from what it had done before, the marked output cut out."""
    kept = [m for m in agent.messages if "Falcon" not in str(m)]
    agent.messages = [*kept[:-1], {"role": "user", "content": "Now the others."}]
    return agent


def test_an_agent_that_says_so_keeps_all_of_it_home(serving, settings):
    with agency(serving, settings) as agent:
        agent.run([HARD], stream=True, isthmus={"home_only": True})
        assert set(agent.reasons) == {"home_only"}
        assert agent.upstream.requests == []
        agent.messages.append({"role": "user", "content": HARD})
        agent.run([], stream=False)  # the next request doesn't say so, and goes on from it
        assert agent.details[-1] is not None
        assert agent.upstream.requests == []
