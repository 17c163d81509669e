from pathlib import Path

import anyio
import pytest

from isthmus.errors import InvalidWeights, UnknownModel, UsageError
from isthmus.store.sources.base import LocalFile, Offer, SourceContext
from isthmus.store.sources.file import FileSource
from tests.store.samples import gguf_bytes, split_gguf


def resolve(reference: str, **context) -> Offer:
    async def run() -> Offer:
        return await FileSource().resolve(reference, SourceContext(workshop=Path("unused"), **context))

    return anyio.run(run)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "My Model.gguf"
    path.write_bytes(gguf_bytes())
    return path


@pytest.mark.parametrize("form", ["file:My Model.gguf", "file:~/My Model.gguf", "file:{0}", "file://{0}"])
def test_every_way_to_write_a_path(weights, monkeypatch, form):
    monkeypatch.setenv("HOME", str(weights.parent))
    offer = resolve(form.format(weights))
    assert (offer.source, offer.name) == (f"file:{weights}", "My Model")
    assert offer.files[0].way == LocalFile(weights)
    assert offer.size_bytes == weights.stat().st_size


def test_an_address_is_unquoted(weights):
    assert resolve(f"file://localhost{weights.parent}/My%20Model.gguf").source == f"file:{weights}"


def test_a_link_is_followed_to_the_file_itself(weights):
    (weights.parent / "link.gguf").symlink_to(weights)
    offer = resolve("file:link.gguf")
    assert (offer.name, offer.files[0].way) == ("link", LocalFile(weights))


def test_a_split_model_comes_with_all_its_pieces(tmp_path):
    pieces = split_gguf(tmp_path, 3)
    offer = resolve(f"file:{pieces[0]}")
    assert [file.way for file in offer.files] == [LocalFile(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("file:nowhere.gguf", UnknownModel),
        ("file:~nobody-of-that-name/x.gguf", UnknownModel),
        ("file:.", InvalidWeights),
        ("file://elsewhere/x.gguf", UsageError),
    ],
)
def test_what_is_no_file_here(weights, reference, kind):
    with pytest.raises(kind):
        resolve(reference)


def test_a_quantization_is_for_repositories(weights):
    with pytest.raises(UsageError, match="is one file"):
        resolve("file:My Model.gguf", quant="Q4_K_M")
