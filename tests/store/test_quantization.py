import pytest

from isthmus.store.quantization import FILE_TYPES, TENSOR_TYPES


@pytest.mark.parametrize(
    ("kind", "bits_per_weight"),
    [(0, 32), (1, 16), (30, 16), (2, 4.5), (3, 5), (8, 8.5), (12, 4.5), (13, 5.5), (14, 6.5625), (39, 4.25)],
)
def test_bits_per_weight_of_the_common_types(kind, bits_per_weight):
    assert TENSOR_TYPES[kind].size_bytes * 8 / TENSOR_TYPES[kind].elements == bits_per_weight


def test_withdrawn_types_have_no_size():
    assert not TENSOR_TYPES.keys() & {4, 5, 31, 32, 33, 36, 37, 38}


def test_file_types_are_named_as_the_field_names_them():
    assert (FILE_TYPES[3], FILE_TYPES[15], FILE_TYPES[38]) == ("Q4_1", "Q4_K_M", "MXFP4_MOE")
    assert len(set(FILE_TYPES.values())) == len(FILE_TYPES)
