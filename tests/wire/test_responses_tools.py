import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.wire.responses_tools import GivenTool, InputFormat, Known, Toolbox

ADD = GivenTool("function", "add", "adds", {"type": "object"}, True)
PATCH = GivenTool("custom", "apply_patch", "patches", format=InputFormat("grammar", "lark", "start: LINE+"))
MAIL = GivenTool(
    "namespace", "mail", "what has to do with mail", tools=[GivenTool("function", "send"), PATCH]
)


def test_a_function_stays_what_it_is():
    toolbox = Toolbox([ADD])
    (tool,) = toolbox.tools
    assert (tool.name, tool.description, tool.parameters, tool.strict) == (
        "add",
        "adds",
        {"type": "object"},
        True,
    )
    assert toolbox.known("add") == Known("function", "add")
    assert toolbox.shown == [
        {
            "type": "function",
            "name": "add",
            "description": "adds",
            "parameters": {"type": "object"},
            "strict": True,
        }
    ]


def test_a_custom_tool_becomes_a_function_of_one_text():
    toolbox = Toolbox([PATCH])
    (tool,) = toolbox.tools
    assert (tool.parameters or {})["required"] == ["input"]
    assert "start: LINE+" in (tool.description or "")
    assert toolbox.known("apply_patch") == Known("custom", "apply_patch")
    assert toolbox.shown[0]["format"] == {"type": "grammar", "syntax": "lark", "definition": "start: LINE+"}


def test_a_namespace_is_flattened_and_given_back():
    toolbox = Toolbox([MAIL])
    send, patch = toolbox.tools
    assert (send.name, patch.name) == ("mail__send", "mail__apply_patch")
    assert "what has to do with mail" in (send.description or "")
    assert "what has to do with mail" not in (patch.description or "")
    assert toolbox.known("mail__send") == Known("function", "send", "mail")
    assert toolbox.known("mail__apply_patch") == Known("custom", "apply_patch", "mail")
    assert toolbox.name_of("send", "mail") == "mail__send"
    assert [tool["type"] for tool in toolbox.shown[0]["tools"]] == ["function", "custom"]


def test_what_the_model_calls_without_having_it_is_a_function():
    assert Toolbox([]).known("made_up") == Known("function", "made_up")
    assert Toolbox([]).name_of("gone", "space") == "space__gone"


NAMES = st.text(st.sampled_from("ab_ .é"), min_size=1, max_size=70)


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | NAMES, NAMES), max_size=6, unique=True))
def test_every_tool_has_a_name_of_its_own_by_which_it_is_found_again(named):
    plain = [GivenTool("function", re.sub(r"[^ab_]", "x", name)) for space, name in named if space is None]
    if len({tool.name for tool in plain}) < len(plain):
        return
    spaces = [(space, name) for space, name in named if space is not None]
    given = [GivenTool("namespace", space, tools=[GivenTool("function", name)]) for space, name in spaces]
    toolbox = Toolbox([*given, *plain])
    assert len({tool.name for tool in toolbox.tools}) == len(named)
    for space, name in spaces:
        flat = toolbox.name_of(name, space)
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", flat)
        assert toolbox.known(flat) == Known("function", name, space)


def test_hosted_tools_are_left_out_and_named():
    space = GivenTool("namespace", "space", tools=[GivenTool("mcp"), ADD])
    toolbox = Toolbox([GivenTool("web_search"), ADD, space])
    assert toolbox.dropped == ["web_search", "mcp"]
    assert [tool.name for tool in toolbox.tools] == ["add", "space__add"]


def test_tools_that_items_bring_may_be_there_already():
    toolbox = Toolbox([ADD], [ADD, MAIL, MAIL])
    assert [tool.name for tool in toolbox.tools] == ["add", "mail__send", "mail__apply_patch"]


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([GivenTool("function")], "tools[0].name"),
        ([GivenTool("custom", "")], "tools[0].name"),
        ([GivenTool("namespace", "a")], "tools[0].tools"),
        ([ADD, GivenTool("namespace", "a", tools=[GivenTool("function")])], "tools[1].tools[0].name"),
        ([ADD, ADD], "tools[1].name"),
        ([GivenTool("function", "a", parameters={"type": 5})], "tools[0].parameters.type"),
    ],
)
def test_a_malformed_tool_is_named(tools, param):
    with pytest.raises(RequestError) as raised:
        Toolbox(tools)
    assert raised.value.param == param


# ---------------------------------------------------------------- tool_choice

BOX = Toolbox([ADD, PATCH, MAIL, GivenTool("web_search")])
EVERY = tuple(tool.name for tool in BOX.tools)


@pytest.mark.parametrize(
    ("choice", "names", "chosen"),
    [
        (None, EVERY, None),
        ("auto", EVERY, "auto"),
        ("none", EVERY, "none"),
        ("required", EVERY, "required"),
        ({"type": "function", "name": "add"}, EVERY, "add"),
        ({"type": "custom", "name": "apply_patch"}, EVERY, "apply_patch"),
        ({"type": "function", "name": "send", "namespace": "mail"}, EVERY, "mail__send"),
        ({"type": "function", "name": "send"}, EVERY, "mail__send"),
        ({"type": "allowed_tools", "tools": [{"type": "function", "name": "add"}]}, ("add",), "auto"),
        (
            {"type": "allowed_tools", "mode": "none", "tools": [{"type": "function", "name": "add"}]},
            ("add",),
            "none",
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "apply_patch"}],
            },
            ("apply_patch",),
            "required",
        ),
    ],
)
def test_what_a_choice_leaves(choice, names, chosen):
    tools, given = BOX.choose(choice)
    assert tuple(tool.name for tool in tools) == names
    assert given == chosen or given == {"type": "function", "function": {"name": chosen}}


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search_preview"},
        {"type": "mcp", "server_label": "x"},
        {"type": "function"},
        {"type": "function", "name": "subtract"},
        {"type": "allowed_tools", "tools": [{"type": "web_search"}]},
        {"type": "allowed_tools", "tools": ["add"]},
        {},
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(choice):
    with pytest.raises(RequestError) as raised:
        BOX.choose(choice)
    assert raised.value.param == "tool_choice"


def test_a_mode_is_one_of_three():
    with pytest.raises(RequestError, match="always") as raised:
        BOX.choose({"type": "allowed_tools", "mode": "always", "tools": []})
    assert raised.value.param == "tool_choice.mode"


def test_a_call_can_not_be_required_where_there_is_no_tool():
    with pytest.raises(RequestError, match="web_search"):
        Toolbox([GivenTool("web_search")]).choose("required")
