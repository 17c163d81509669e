"""The models that requests may name, in the shape of whoever asks."""

import anthropic
import pytest

from isthmus.messages import Finish, TextDelta, Usage
from tests.engines.played import PlayedLoader
from tests.server.test_messages import client
from tests.server.test_models import ask, get

HELLO = (TextDelta("Hello"), Finish("stop", Usage(1, 1)))
NAMES = ("first", "second:7b", "third")
AS_ANTHROPIC = {"anthropic-version": "2023-06-01"}

CODEX_NEEDS = {
    "slug",
    "display_name",
    "supported_reasoning_levels",
    "shell_type",
    "visibility",
    "supported_in_api",
    "priority",
    "base_instructions",
    "supports_reasoning_summaries",
    "support_verbosity",
    "truncation_policy",
    "supports_parallel_tool_calls",
    "experimental_supported_tools",
}
"""What some version of Codex has no default for."""


def test_openais_clients_of_any_engine_find_the_allocated_context(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        ask(server, "second:7b")
        _, listed = get(server, "/v1/models")
        assert listed["object"] == "list"
        for each, context in zip(listed["data"], (2048, 2048, None), strict=True):
            assert (each["context_length"], each["max_model_len"], each["meta"]["n_ctx"]) == (context,) * 3


def test_anthropics_client_lists_models_page_by_page(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        ask(server, "first")
        models = client(server).models
        assert [each.id for each in models.list(limit=2)] == list(NAMES)
        page = models.list(limit=2)
        assert (page.has_more, page.first_id, page.last_id) == (True, "first", "second:7b")
        back = models.list(limit=1, before_id="third")
        assert ([each.id for each in back.data], back.has_more) == (["second:7b"], True)
        assert models.list(after_id="third").data == []
        (loaded, *_) = page.data
        assert (loaded.type, loaded.display_name, loaded.max_input_tokens) == ("model", "first", 2048)
        assert loaded.created_at.tzinfo is not None


def test_anthropics_client_finds_one_model_and_errors_in_its_shape(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        assert client(server).models.retrieve("second:7b").id == "second:7b"
        with pytest.raises(anthropic.NotFoundError) as missing:
            client(server).models.retrieve("other:7b")
        assert missing.value.body["error"]["type"] == "not_found_error"
        for limit in ("0", "1001", "many", "%D9%A3"):
            status, told = get(server, f"/v1/models?limit={limit}", **AS_ANTHROPIC)
            assert (status, told["type"]) == (400, "error")


def test_codex_finds_its_catalogue_the_default_model_first(serving):
    with serving(PlayedLoader(script=HELLO), names=NAMES) as server:
        ask(server, "first")
        _, listed = get(server, "/v1/models?client_version=0.150.0")
    first, second, _ = listed["models"]
    assert (first["slug"], first["context_window"], first["priority"]) == ("first", 2048, 0)
    assert (second["slug"], second["context_window"], second["priority"]) == ("second:7b", None, 1)
    assert first.keys() >= CODEX_NEEDS
    assert first["base_instructions"]
