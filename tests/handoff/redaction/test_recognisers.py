import json
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest

from isthmus.errors import SettingsError
from isthmus.handoff.redaction import recognisers
from isthmus.handoff.redaction.recognisers import recogniser_of
from isthmus.handoff.redaction.spans import Span
from isthmus.settings import RedactionSettings

TEXT = "Ieri Anna Maria da Costa, via Roma 5, Milano"
LABELS = ["O", "B-GIVEN_NAME", "B-SURNAME", "B-STREET_NAME", "B-BUILDING_NUMBER", "B-CITY"]
MARKED = {"Anna": 1, "Maria": 1, "Cos": 2, "Roma": 3, "5": 4, "Milano": 5}


def found(recogniser, text):
    return [(span.kind, text[span.start : span.end]) for span in recogniser(text)]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A stand-in for the network and its tokenizer: words are tokens, and some are marked."""
    np = pytest.importorskip("numpy")

    class Tokenizer:
        @classmethod
        def from_file(cls, path):
            return cls()

        def enable_truncation(self, length):
            assert length == 512

        def encode(self, text):
            offsets = [(at, at + len(word)) for word in MARKED if (at := text.find(word)) >= 0]
            self.ids = [MARKED[text[start:end]] for start, end in offsets]
            return SimpleNamespace(ids=[0, *self.ids], offsets=[(0, 0), *offsets])

    class Session:
        def __init__(self, path, options, providers):
            assert path.endswith("model_q4.onnx")

        def run(self, names, feed):
            assert feed.keys() == {"input_ids", "attention_mask", "token_type_ids"}
            return [np.eye(len(LABELS))[feed["input_ids"]]]

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(LABELS))}))
    onnx = SimpleNamespace(SessionOptions=SimpleNamespace, InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", onnx)
    monkeypatch.setitem(sys.modules, "tokenizers", SimpleNamespace(Tokenizer=Tokenizer))
    monkeypatch.setattr(recognisers, "_installed", lambda *modules: True)
    from isthmus.handoff.redaction import rampart

    monkeypatch.setattr(
        rampart, "distribution", lambda name: SimpleNamespace(locate_file=lambda path: folder)
    )
    return rampart


def test_tokens_become_whole_words_and_names_are_joined_across_particles(model):
    assert found(model.rampart_recogniser(), TEXT) == [
        ("PERSON", "Anna Maria da Costa"),
        ("ADDRESS", "Roma 5, Milano"),
    ]


def test_a_long_text_is_read_in_windows(model):
    text = "x " * 400 + TEXT
    assert ("PERSON", "Anna Maria da Costa") in found(model.rampart_recogniser(), text)


def test_a_town_alone_is_no_address(model):
    assert found(model.rampart_recogniser(), "Milano") == []


def test_auto_takes_the_network_where_it_is_installed_and_keeps_what_context_tells(model):
    recogniser = recogniser_of(RedactionSettings())
    assert ("PERSON", "Bianchi") in found(recogniser, "il sig. Bianchi")
    assert ("PERSON", "Anna Maria da Costa") in found(recogniser, TEXT)


def test_without_its_files_auto_goes_by_context_and_a_wish_is_an_error(model, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(model, "distribution", missing)
    assert found(recogniser_of(RedactionSettings()), TEXT) == []
    with pytest.raises(SettingsError, match="isn't installed") as caught:
        recogniser_of(RedactionSettings(recogniser="rampart"))
    assert "isthmus[privacy]" in (caught.value.hint or "")


def test_presidio_is_asked_in_every_language_that_has_a_model(monkeypatch):
    asked = []

    class Analyzer:
        def __init__(self, nlp_engine, supported_languages):
            assert supported_languages == ["it", "en"]

        def analyze(self, text, language, entities, score_threshold):
            asked.append((language, entities))
            return [SimpleNamespace(start=0, end=4)]

    provider = SimpleNamespace(create_engine=lambda: "engine")
    monkeypatch.setitem(sys.modules, "presidio_analyzer", SimpleNamespace(AnalyzerEngine=Analyzer))
    engine = SimpleNamespace(NlpEngineProvider=lambda nlp_configuration: provider)
    monkeypatch.setitem(sys.modules, "presidio_analyzer.nlp_engine", engine)
    util = SimpleNamespace(get_installed_models=lambda: ["en_core_web_sm", "it_core_news_sm"])
    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(util=util))
    monkeypatch.setitem(sys.modules, "spacy.util", util)
    monkeypatch.setattr(recognisers, "_installed", lambda *modules: True)
    recogniser = recogniser_of(RedactionSettings(recogniser="presidio", languages=("it", "en")))
    assert Span(0, 4, "PERSON", 76) in list(recogniser("Anna"))
    assert asked == [("it", ["PERSON"]), ("en", ["PERSON"])]
    with pytest.raises(SettingsError, match="spaCy has no model for fr") as caught:
        recogniser_of(RedactionSettings(recogniser="presidio", languages=("fr",)))
    assert caught.value.hint == "python -m spacy download fr_core_web_sm"


def test_off_is_off():
    assert recogniser_of(RedactionSettings(recogniser="off")) is None
