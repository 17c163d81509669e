"""What Isthmus's models are to Inspect, without any being asked."""

import sys

import anyio
import pytest
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser

from isthmus.errors import SettingsError, UsageError
from isthmus.evals.provider import IsthmusAPI


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """A folder without settings, and a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISTHMUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_tokens_are_counted_without_fetching_a_vocabulary(monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)  # importing it fails
    conversation = [ChatMessageUser(content="eight or" * 10), ChatMessageAssistant(content="Grüße")]
    assert anyio.run(IsthmusAPI("default").count_text_tokens, "Grüße") == 2
    assert 22 <= anyio.run(IsthmusAPI("default").count_tokens, conversation) < 60


def test_an_address_or_a_key_is_refused():
    with pytest.raises(UsageError, match="no address and no key"):
        IsthmusAPI("default", base_url="http://127.0.0.1:1/v1")


def test_a_hosted_run_without_a_provider_is_refused():
    with pytest.raises(SettingsError, match="needs a provider"):
        IsthmusAPI("default", handoff="always")


def test_as_many_questions_at_once_as_there_are_slots(monkeypatch):
    monkeypatch.setenv("ISTHMUS_ENGINE_PARALLEL", "3")
    assert IsthmusAPI("default").max_connections() == 3
