import pytest

from isthmus.errors import InvalidWeights
from isthmus.store.pieces import piece_labels, read_model, read_projector, whole_model
from isthmus.store.shape import ProjectorShape
from isthmus.store.store import Store
from tests.store.samples import gguf_bytes, projector_bytes, split_gguf


def test_a_file_by_itself_is_a_whole_model(tmp_path):
    assert whole_model(tmp_path / "x.gguf") == (tmp_path / "x.gguf",)
    assert whole_model(tmp_path / "absent-00001-of-00002.gguf") == (tmp_path / "absent-00001-of-00002.gguf",)


def test_the_first_piece_leads_to_all(tmp_path):
    pieces = split_gguf(tmp_path, 3)
    assert whole_model(pieces[0]) == tuple(pieces)


@pytest.mark.parametrize("piece", [1, 2])
def test_a_later_piece_names_the_first(tmp_path, piece):
    pieces = split_gguf(tmp_path, 3)
    with pytest.raises(InvalidWeights, match="goes by its first") as caught:
        whole_model(pieces[piece])
    assert caught.value.hint == f"isthmus pull {pieces[0]}"


def test_labels():
    assert piece_labels("mine", 1) == ["mine"]
    assert piece_labels("mine", 2) == ["mine (1 of 2)", "mine (2 of 2)"]


# ---------------------------------------------------------------- models that see


def test_a_model_is_read_with_its_projector(tmp_path):
    weights, eyes = tmp_path / "m.gguf", tmp_path / "mmproj.gguf"
    weights.write_bytes(gguf_bytes())
    eyes.write_bytes(projector_bytes())
    assert not read_model(weights).sees
    header = read_model(Store(tmp_path / "home").add_file(weights, "mine", projector=eyes))
    assert header.sees
    assert header.shape.projector == ProjectorShape(
        weights_bytes=32,
        image_length=448,
        patch_length=14,
        embedding_length=1024,
        feed_forward_length=4096,
    )
    assert header.shape.projector.patches == 1024


def test_a_projector_for_sounds_makes_no_model_see(tmp_path):
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(projector_bytes(keys={"general.architecture": "clip", "clip.has_audio_encoder": True}))
    assert read_projector(path).patches == 0


def test_what_is_no_projector_is_refused(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes())
    with pytest.raises(InvalidWeights, match="no projector"):
        read_projector(path)
