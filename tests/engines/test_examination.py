import pytest

from isthmus.engines import builds, examination
from isthmus.engines.builds import engines_folder, write_measurements
from isthmus.engines.examination import examine, trial_model
from isthmus.engines.probe_speed import Speed
from isthmus.machine import Cpu
from isthmus.store import Store
from tests.engines.fake_builds import fake_package
from tests.store.samples import KEYS, gguf_bytes

CPU = Cpu("some processor", 2, 2)
MUTE = {name: value for name, value in KEYS.items() if name != "tokenizer.chat_template"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose builds are measured in no time; ``home.asked`` counts how often."""
    monkeypatch.setattr(builds.shutil, "which", lambda name: None)

    def measure(build, model, threads):
        asked.append((build.name, threads))
        return Speed(threads, 100.0 * threads, 10.0)

    asked = []
    monkeypatch.setattr("isthmus.engines.probe.measure", measure)
    folder = tmp_path / "home"
    fake_package(engines_folder(folder) / "avx512")
    return folder, asked


def look(home, **rest):
    found = examine(home, CPU, lambda progress: None, **rest)
    write_measurements(home, found)
    return found


def add(home, name, size, tmp_path, chats=True):
    path = tmp_path / f"{name.replace(':', '-')}.gguf"
    path.write_bytes(gguf_bytes(keys=KEYS if chats else MUTE) + bytes(size))
    Store(home).add_file(path, name)


def test_each_build_is_tried_once(home, tmp_path):
    home, asked = home
    add(home, "mine", 0, tmp_path)
    found = look(home)
    assert [trial.build.name for trial in found.trials] == ["installed", "avx512"]
    assert found.model == "mine"
    assert asked == [("installed", 2), ("installed", 1), ("avx512", 2)]
    assert look(home) == found
    assert len(asked) == 3


def test_it_is_done_again_when_asked_for(home, tmp_path):
    home, asked = home
    add(home, "mine", 0, tmp_path)
    look(home)
    look(home, refresh=True)
    assert len(asked) == 6


def test_it_is_done_again_when_a_build_comes_or_goes(home, tmp_path):
    home, _ = home
    look(home)
    fake_package(engines_folder(home) / "vulkan")
    assert len(look(home).trials) == 3
    (engines_folder(home) / "vulkan").rename(tmp_path / "away")
    assert len(look(home).trials) == 2


def test_it_is_done_again_when_there_is_a_model_at_last(home, tmp_path):
    home, asked = home
    assert look(home).model is None
    assert asked == []
    add(home, "mine", 0, tmp_path)
    assert look(home).model == "mine"


def test_it_is_done_again_on_another_processor(home, monkeypatch):
    home, _ = home
    first = look(home)
    monkeypatch.setattr("isthmus.machine.processor.fingerprint", lambda: "another")
    assert look(home) is not first


def test_the_smallest_model_that_can_chat_will_do(home, tmp_path):
    home, _ = home

    def name():
        with trial_model(home, lambda progress: None) as model:
            return model.name if model else None

    assert name() is None
    add(home, "embeds", 0, tmp_path, chats=False)
    assert name() is None
    add(home, "large", 4096, tmp_path)
    assert name() == "large"
    add(home, "small", 64, tmp_path)
    assert name() == "small"


def test_the_tiny_model_comes_first(home, tmp_path, monkeypatch):
    home, _ = home
    monkeypatch.setattr(examination, "TINY", "large")
    add(home, "small", 64, tmp_path)
    add(home, "large", 4096, tmp_path)
    with trial_model(home, lambda progress: None) as model:
        assert model.name == "large"


def test_a_damaged_model_is_passed_over(home, tmp_path):
    home, _ = home
    add(home, "small", 64, tmp_path)
    add(home, "large", 4096, tmp_path)
    weights = next(model for model in Store(home).models() if model.name == "small").path
    weights.chmod(0o600)
    weights.write_bytes(b"GGUF" + bytes(100))
    with trial_model(home, lambda progress: None) as model:
        assert model.name == "large"
