import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.slash import COMMANDS, Call, help_text, parse, unfinished
from isthmus.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("  two\nlines \n", "two\nlines"),
        ("", ""),
        (" \n ", ""),
        ("/retry", Call("retry", "")),
        ("/home-only", Call("home-only", "")),
        ("/RETRY ", Call("retry", "")),
        ("/model qwen2.5-coder:0.5b", Call("model", "qwen2.5-coder:0.5b")),
        ("/model ./My Model.gguf", Call("model", "./My Model.gguf")),
        ("/system Be brief.\nBe kind.", Call("system", "Be brief.\nBe kind.")),
        ('/system """\nBe brief.\n\n  Be kind.\n"""', Call("system", "Be brief.\n\n  Be kind.")),
        ('/system ""', Call("system", '""')),
        ("/?", Call("help", "")),
        ("/bye", Call("quit", "")),
        ("/exit", Call("quit", "")),
        ("/etc/hosts holds what?", "/etc/hosts holds what?"),
        ("/usr2 is odd", "/usr2 is odd"),
        (" /help", "/help"),
        ('"""\n/help\n"""', "/help"),
        ('"""\n  indented\n"""', "  indented"),
        ('"""', '"""'),
        ('Say """ twice', 'Say """ twice'),
    ],
)
def test_a_line_is_a_command_or_a_message(typed, meant):
    assert parse(typed) == meant


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        (
            "/modle x",
            "there is no command /modle",
            "did you mean /model? A message may begin with a space",
        ),
        ("/xyzzy", "there is no command /xyzzy", "/help"),
        ("/", "there is no command /", "/help"),
        ("/clear all", "/clear takes no argument", "/clear"),
    ],
)
def test_what_only_looks_like_a_command_is_refused_with_a_hint(typed, message, hint):
    with pytest.raises(UsageError) as refused:
        parse(typed)
    assert (refused.value.message, refused.value.hint) == (message, hint)


@given(st.text())
def test_any_text_is_understood_or_refused(typed):
    try:
        meant = parse(typed)
    except UsageError:
        assert typed.startswith("/")
    else:
        assert isinstance(meant, str) or (typed.startswith("/") and meant.name in {c.name for c in COMMANDS})


@given(st.text())
def test_a_space_makes_a_message_of_anything(text):
    assert isinstance(parse(f" {text}"), str)


@given(st.text(alphabet=st.characters(blacklist_characters='"')))
def test_fences_hold_any_text(text):
    fenced = f'"""\n{text}\n"""'
    assert not unfinished(fenced)
    assert parse(fenced) == text.strip("\n")
    assert parse(f"/system {fenced}").argument == text.strip("\n")


@pytest.mark.parametrize(
    ("typed", "goes_on"),
    [
        ('"""', True),
        ('"""one\ntwo', True),
        ('"""one\ntwo"""', False),
        ('"""one\ntwo""" ', False),
        ('/system """be', True),
        ('/system """be"""', False),
        ('say """', False),
        ("", False),
    ],
)
def test_an_open_fence_asks_for_more_lines(typed, goes_on):
    assert unfinished(typed) is goes_on


def test_the_help_names_every_command():
    lines = help_text().splitlines()
    for command in COMMANDS:
        assert [line for line in lines if line.split()[:1] == [f"/{command.name}"]]
