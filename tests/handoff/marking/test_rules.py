"""What the person's rules find in a conversation."""

from pathlib import Path

import pytest

from isthmus.handoff.marking.rules import MarkRules
from isthmus.messages import ImagePart, Message, TextPart, ToolCall
from isthmus.settings import HomeOnlySettings

ANN = Path("/home/ann")


def found(messages, **rules):
    return [(each.place, each.why) for each in MarkRules(HomeOnlySettings(**rules), ANN).find(messages)]


def names(path: str, text: str) -> bool:
    return bool(found([Message("user", text)], paths=(path,)))


@pytest.mark.parametrize(
    "text",
    [
        "/home/ann/clients/acme.txt",
        "$HOME/clients",
        "${HOME}/clients/x",
        "cat clients/acme.txt",
        "type ..\\clients\\acme.txt",
        "file:///home/ann/work/../clients/acme.txt",
        "file:///home/ann/cl%69ents/acme.txt",
        "see ~/CLIENTS/x",
        "cd /home/ann/./clients && ls",
        "The folder is `~/clients`.",
        '{"cwd": "/home/ann//clients"}',
        "~/cli\u200bents/acme.txt",
    ],
)
def test_a_folder_is_found_however_its_path_is_written(text):
    assert names("~/clients/**", text)
    assert names("~/clients", text)
    assert names(
        "/home/ann/clients/*",
        text.replace("$HOME", "/home/ann").replace("${HOME}", "/home/ann").replace("~", "/home/ann"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "My clients are in Rome.",
        "src/clients/http.py",
        "/home/bob/clients/x",
        "/home/ann/clients-old/x",
        "~/clientship",
        "https://example.org/clients/x",
    ],
)
def test_what_only_looks_like_it_is_let_be(text):
    assert not names("~/clients/**", text)


@pytest.mark.parametrize(
    ("path", "text", "is_named"),
    [
        ("*.pem", "a server.pem file", True),
        ("*.pem", "/etc/ssl/X.PEM", True),
        ("*.pem", "what is a .pem file?", False),
        ("*.pem", "x.pemx", False),
        ("secrets/*.txt", "a/secrets/my.txt", True),
        ("secrets/*.txt", "secrets/deeper/my.txt", False),
        ("**/vault/**", "app/vault/keys", True),
        ("**/vault/**", "a pole vault", False),
        ("id_rsa", "~/.ssh/id_rsa", True),
        ("id_rsa", "id_rsa.pub is public", True),
        ("~/a b/**", r"cat ~/a\ b/c", True),
        ("~/clients/acme.txt", "cat acme.txt", True),
        ("/srv/x/**/*.pdf", "/srv/x/2024/may/a.pdf", True),
        ("/srv/x/**/*.pdf", "/srv/x/2024/may/a.doc", False),
        ("C:/Clients/**", r"C:\Clients\a.txt", True),
        ("report-?.txt", "report-7.txt", True),
    ],
)
def test_wildcards(path, text, is_named):
    assert names(path, text) == is_named


def test_a_path_in_a_calls_arguments_marks_the_call_and_its_result():
    messages = [
        Message("user", "Read it."),
        Message(
            "assistant", tool_calls=(ToolCall("c1", "read", '{"path": "\\/home\\/ann\\/clients\\/a.txt"}'),)
        ),
        Message("tool", "Acme owes us money.", tool_call_id="c1"),
        Message("assistant", "They owe us."),
    ]
    path = "path ~/clients/**"
    assert found(messages, paths=("~/clients/**",)) == [(1, path), (2, path)]


def test_a_tools_output_is_marked_by_its_calls_name_or_its_own():
    messages = [
        Message("assistant", tool_calls=(ToolCall("c1", "Read_Mail", "{}"), ToolCall("c2", "clock", "{}"))),
        Message("tool", "Dear Ann", tool_call_id="c1"),
        Message("tool", "12:00", tool_call_id="c2"),
        Message("tool", "a contact", name="mcp__crm__find"),
    ]
    rules = {"tools": ("read_mail", "mcp__crm__*")}
    assert found(messages, **rules) == [(0, "tool read_mail"), (1, "tool read_mail"), (3, "tool mcp__crm__*")]


def test_an_output_of_unknown_origin_is_marked_where_tools_are():
    orphan = [Message("tool", "Dear Ann", tool_call_id="gone")]
    assert found(orphan, tools=("read_mail",)) == [(0, "a tool's output of unknown origin")]
    assert found(orphan, words=("falcon",)) == []


@pytest.mark.parametrize("text", ["the PROJECT falcon", "project\nFalcon's plan", "project-falcon"])
def test_words_are_found_whatever_stands_between_them(text):
    assert found([Message("user", text)], words=("Project Falcon",)) == [(0, "word Project Falcon")]


def test_words_are_not_parts_of_words():
    assert found([Message("user", "projects falconry")], words=("project", "falcon")) == []


def test_everything_that_is_said_is_looked_at():
    said = [
        Message("system", "CASE-123456"),
        Message("user", (TextPart("CASE-123456"), ImagePart("data:image/png;base64,"))),
        Message("assistant", reasoning="CASE-123456"),
        Message("assistant", tool_calls=(ToolCall("c", "f", '{"a": [{"b": "CASE-123456"}]}'),)),
        Message("assistant", tool_calls=(ToolCall("c", "f", "CASE-123456, no JSON"),)),
        Message("tool", "CASE-123456", tool_call_id="c"),
        Message("user", "case-123456"),
    ]
    assert [place for place, _ in found(said, patterns=(r"CASE-\d{6}",))] == [0, 1, 2, 3, 4, 5]


def test_without_rules_nothing_is_looked_at():
    rules = MarkRules(HomeOnlySettings())
    assert rules.empty
    assert list(rules.find([Message("tool", "~/clients/x")])) == []


def test_a_long_text_is_looked_at_once():
    rules = MarkRules(HomeOnlySettings(words=("falcon",)), ANN)
    for _ in range(2):
        assert [
            each.place for each in rules.find([Message("user", "x " * 900), Message("user", "falcon " * 300)])
        ] == [1]
    assert len(rules._looked) == 2


def test_a_hostile_text_takes_no_longer_than_its_length():
    rules = {"paths": ("/x/**/*.pdf", "*.pem", "~/a/**/b*c?d.txt"), "words": ("a b c",)}
    hostile = "/x/" + "a/" * 20_000 + "x/x/" * 20_000 + "a b " * 20_000 + "b" * 100_000
    assert found([Message("user", hostile)], **rules) == []
