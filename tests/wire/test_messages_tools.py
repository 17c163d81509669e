"""Tools as Messages requests name them."""

import jsonschema_rs
import pytest

from isthmus.messages import Tool
from isthmus.wire.messages_tools import ToolDefinition, read_tools


def test_a_programs_own_tools():
    schema = {"type": "object", "properties": {"a": {"type": "number"}}}
    tools, dropped = read_tools(
        [
            ToolDefinition("add", None, "Adds.", schema, True),
            ToolDefinition("later", "custom", None, {}, defer_loading=True),
        ]
    )
    assert tools == (Tool("add", "Adds.", schema, True), Tool("later", None, {}))
    assert dropped == []


@pytest.mark.parametrize(
    ("kind", "name", "call"),
    [
        ("bash_20250124", "bash", {"command": "ls"}),
        ("bash_20241022", "bash", {"restart": True}),
        (
            "text_editor_20250124",
            "str_replace_editor",
            {"command": "view", "path": "/", "view_range": [1, -1]},
        ),
        (
            "text_editor_20250728",
            "str_replace_based_edit_tool",
            {"command": "str_replace", "path": "a.py", "old_str": "a", "new_str": "b"},
        ),
        ("memory_20250818", "memory", {"command": "rename", "old_path": "/a", "new_path": "/b"}),
    ],
)
def test_those_that_a_program_runs_and_anthropic_describes_get_their_schema(kind, name, call):
    (tool,), dropped = read_tools([ToolDefinition(name, kind)])
    assert (tool.name, dropped) == (name, [])
    assert jsonschema_rs.validator_for(tool.parameters).is_valid(call)
    assert not jsonschema_rs.validator_for(tool.parameters).is_valid({"command": 1})


@pytest.mark.parametrize(
    "kind",
    [
        "web_search_20250305",
        "web_fetch_20250910",
        "code_execution_20250825",
        "tool_search_tool_regex_20251119",
        "computer_20250124",
        "mcp_toolset",
        "something_of_tomorrow",
    ],
)
def test_those_that_nobody_here_runs_are_dropped_and_named(kind):
    assert read_tools([ToolDefinition("it", kind)]) == ((), [f"tools[0] ({kind})"])
