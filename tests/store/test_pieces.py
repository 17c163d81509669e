import pytest

from isthmus.errors import InvalidWeights
from isthmus.store.pieces import piece_labels, whole_model
from tests.store.samples import split_gguf


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
