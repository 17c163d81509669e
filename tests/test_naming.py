import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isthmus.errors import UnknownModel
from isthmus.naming import ModelRef, closest, parse_model

PART = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}", fullmatch=True)
NAME = PART | st.builds("{}:{}".format, PART, PART)
RUNNERS = {"ollama", "lm-studio"}


@pytest.mark.parametrize(
    ("text", "kind", "value", "model"),
    [
        ("qwen2.5-coder:0.5b", "name", "qwen2.5-coder:0.5b", None),
        ("  Qwen2.5-Coder:0.5B\n", "name", "qwen2.5-coder:0.5b", None),
        ("tiny", "name", "tiny", None),
        ("./some.gguf", "path", "./some.gguf", None),
        ("some.GGUF", "path", "some.GGUF", None),
        ("models/Some.gguf", "path", "models/Some.gguf", None),
        ("/x/y.gguf", "path", "/x/y.gguf", None),
        ("/x/no-ending", "path", "/x/no-ending", None),
        ("~/some.gguf", "path", "~/some.gguf", None),
        ("..", "path", "..", None),
        ("../etc/passwd", "path", "../etc/passwd", None),
        (r"C:\some.bin", "path", r"C:\some.bin", None),
        ("ollama", "runner", "ollama", None),
        ("ollama/", "runner", "ollama", None),
        ("ollama/qwen3:8b", "runner", "ollama", "qwen3:8b"),
        ("lm-studio/qwen/qwen3-8b", "runner", "lm-studio", "qwen/qwen3-8b"),
        ("ollama/some.gguf", "runner", "ollama", "some.gguf"),
    ],
)
def test_a_name_a_path_or_a_runner(text, kind, value, model):
    assert parse_model(text, RUNNERS) == ModelRef(kind, value, model)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a:b:c", ":b", "a:", "-a", "_a", "a/b", "ollama2/x", "é", "a\0b", "a\nb", "a:.b", "%2e"],
)
def test_what_is_none_of_the_three_is_refused_with_a_hint(text):
    with pytest.raises(UnknownModel) as caught:
        parse_model(text, RUNNERS)
    assert repr(text.strip()) in caught.value.message
    assert caught.value.hint == "isthmus list"


@given(NAME)
def test_every_name_of_the_grammar_is_a_name_in_lower_case(text):
    assume(not text.lower().endswith(".gguf"))
    assert parse_model(text) == ModelRef("name", text.lower())


@given(st.text() | NAME | st.text(alphabet="./\\~:ab-_\0", max_size=8), st.sets(PART, max_size=2))
def test_no_name_climbs_out_of_a_folder(text, runners):
    try:
        ref = parse_model(text, runners)
    except UnknownModel:
        return
    if ref.kind == "name":
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*(:[a-z0-9][a-z0-9._-]*)?", ref.value)
        folder = Path("/models")
        for path in (folder / ref.value, folder.joinpath(*ref.value.split(":"))):
            assert folder in path.resolve().parents
    assert parse_model(str(ref), runners) == ref


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~/x.gguf", "/home/ann/x.gguf"),
        ("./x.gguf", "x.gguf"),
        ("~nobody-of-that-name/x.gguf", "~nobody-of-that-name/x.gguf"),
    ],
)
def test_the_file_of_a_path(text, path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert parse_model(text).path == Path(path)


def test_a_reference_that_is_understood_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_model("x.gguf").anywhere == str(tmp_path / "x.gguf")
    assert parse_model("Qwen:0.5b").anywhere == "qwen:0.5b"
    assert parse_model("ollama/Q", ["ollama"]).anywhere == "ollama/Q"


@pytest.mark.parametrize(
    ("word", "near"), [("temprature", "temperature"), ("seeed", "seed"), ("zzz", None), ("", None)]
)
def test_the_nearest_word_if_one_is_near(word, near):
    assert closest(word, ["temperature", "seed", "model"]) == near
