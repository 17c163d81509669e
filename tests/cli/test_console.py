import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli import console


class Noun(msgspec.Struct):
    cost_usd: Decimal
    at: datetime
    path: Path


def test_json_shows_nouns_as_objects_and_money_as_strings(capsys):
    console.write_json([Noun(Decimal("0.10"), datetime(2026, 3, 14, tzinfo=UTC), Path("x.gguf"))])
    shown = capsys.readouterr()
    assert json.loads(shown.out) == [{"cost_usd": "0.10", "at": "2026-03-14T00:00:00Z", "path": "x.gguf"}]
    assert shown.err == ""


def test_columns_of_a_table_are_aligned_by_what_they_show(capsys):
    console.write_table(("NAME", "SIZE"), [("模型", "1"), ("m", "")])
    assert capsys.readouterr().out == "NAME  SIZE\n模型  1\nm\n"


def test_a_table_is_never_cut(capsys):
    console.write_table(("A",), [("x" * 500,)])
    assert "x" * 500 in capsys.readouterr().out


def test_fields_without_a_value_are_left_out(capsys):
    console.write_fields({"Name": "m", "Licence": "", "Size": "1 B"})
    assert capsys.readouterr().out == "Name:    m\nSize:    1 B\n"


@given(st.text())
def test_printable_text_holds_no_control_characters_and_keeps_the_rest(text):
    shown = console.printable(text)
    assert not any(ord(c) < 32 and c not in "\t\n" for c in shown)
    assert not any(127 <= ord(c) < 160 for c in shown)
    assert [c for c in text if c.isalpha()] == [c for c in text if c.isalpha() and c in shown]
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("tell", "shown"),
    [
        (lambda: console.say("it is [bold]here[/]"), "it is [bold]here[/]\n"),
        (lambda: console.note("mind this", "isthmus list"), "note: mind this\nhint: isthmus list\n"),
        (lambda: console.note("mind\x1b[2J"), "note: mind\\x1b[2J\n"),
        (lambda: console.say("long " * 100), "long " * 99 + "long \n"),
    ],
)
def test_talk_goes_to_stderr_as_it_is(capsys, tell, shown):
    tell()
    assert capsys.readouterr() == ("", shown)
