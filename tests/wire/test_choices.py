import pytest

from isthmus.errors import RequestError
from isthmus.messages import Tool
from isthmus.wire.choices import MAX_TOOLS, check_tools, choose

ADD, SAY = Tool("add"), Tool("say")
TOOLS = (ADD, SAY)


def named(name):
    return {"type": "function", "function": {"name": name}}


def allowed(mode, *names):
    return {
        "type": "allowed_tools",
        "allowed_tools": {"mode": mode, "tools": [named(each) for each in names]},
    }


@pytest.mark.parametrize(
    ("asked", "tools", "choice"),
    [
        (None, TOOLS, None),
        ("auto", TOOLS, "auto"),
        ("none", TOOLS, "none"),
        ("required", TOOLS, "required"),
        (named("say"), TOOLS, named("say")),
        ({"type": "function", "name": "say"}, TOOLS, named("say")),
        (allowed("auto", "say"), (SAY,), "auto"),
        (allowed("required", "say", "add", "say"), TOOLS, "required"),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]},
            (ADD,),
            "required",
        ),
    ],
    ids=str,
)
def test_what_a_choice_makes_of_the_tools(asked, tools, choice):
    chosen = choose(TOOLS, asked)
    assert (chosen.tools, chosen.choice) == (tools, choice)


@pytest.mark.parametrize("asked", [None, "auto", "none"])
def test_without_tools_there_is_nothing_to_choose(asked):
    assert choose((), asked).choice is None


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ("any", "tool_choice"),
        ({}, "tool_choice.type"),
        ({"type": "custom"}, "tool_choice.type"),
        ({"type": "function"}, "tool_choice.function.name"),
        ({"type": "function", "function": 5}, "tool_choice.function.name"),
        (named("none"), "tool_choice"),
        ({"type": "allowed_tools", "allowed_tools": 5}, "tool_choice.allowed_tools"),
        (allowed("auto"), "tool_choice.allowed_tools.tools"),
        (allowed("all", "add"), "tool_choice.allowed_tools.mode"),
        (allowed("auto", "add", "none"), "tool_choice.allowed_tools.tools[1]"),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": [5]}},
            "tool_choice.allowed_tools.tools[0]",
        ),
    ],
    ids=str,
)
def test_a_choice_that_cannot_be_made_is_named(asked, param):
    with pytest.raises(RequestError) as caught:
        choose(TOOLS, asked)
    assert caught.value.param == param


@pytest.mark.parametrize("asked", ["required", named("add")])
def test_no_call_is_required_without_tools(asked):
    with pytest.raises(RequestError, match="tool_choice"):
        choose((), asked)


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([Tool("")], "tools[0].function.name"),
        ([ADD, Tool("a b")], "tools[1].function.name"),
        ([Tool("x" * 129)], "tools[0].function.name"),
        ([ADD, SAY, ADD], "tools[2].function.name"),
        ([Tool(f"t{number}") for number in range(MAX_TOOLS + 1)], "tools"),
        ([Tool("a", parameters={"type": "thing"})], "tools[0].function.parameters.type"),
        ([Tool("a", parameters={"$ref": "http://x"})], "tools[0].function.parameters.$ref"),
    ],
    ids=range(7),
)
def test_a_tool_that_cannot_be_used_is_named(tools, param):
    with pytest.raises(RequestError) as caught:
        check_tools(tools)
    assert caught.value.param == param


def test_names_of_tool_servers_are_taken():
    tools = (Tool("mcp__files.read-all"), Tool("github/search:issues"))
    assert check_tools(tools) == tools
