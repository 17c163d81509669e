import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import DoesNotFit, UnknownModel
from isthmus.store.sources.variants import (
    RepositoryFile,
    Variant,
    choose,
    projector_of,
    quant_of,
    variants,
)

REPOSITORY = "hf:maker/tiny-GGUF"


def models(*paths: str, size_bytes: int = 1) -> list[Variant]:
    """The models of a repository whose files grow by a byte from one to the next."""
    return variants(RepositoryFile(path, size_bytes + number) for number, path in enumerate(paths))


@pytest.mark.parametrize(
    ("path", "quant"),
    [
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("Qwen3-8B-Q8_0.gguf", "Q8_0"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("gpt-oss-20b-F16.gguf", "F16"),
        ("Model.BF16.gguf", "BF16"),
        ("model-fp16.gguf", "FP16"),
        ("model_IQ4_XS.gguf", "IQ4_XS"),
        ("Kimi-K2-Instruct-UD-TQ1_0.gguf", "UD-TQ1_0"),
        ("UD-Q2_K_XL/Kimi-K2-UD-Q2_K_XL-00001-of-00008", "UD-Q2_K_XL"),
        ("Q4_K_M/model.gguf", "Q4_K_M"),
        ("Q4_K_M/model-Q6_K.gguf", "Q6_K"),
        ("qwen2.5-q.gguf", None),
        ("SQ4_K.gguf", None),
        ("model.gguf", None),
    ],
)
def test_the_quantization_that_a_name_says(path, quant):
    assert quant_of(path) == quant


def test_pieces_are_one_model_in_their_order():
    pieces = [f"Q4_K_M/big-Q4_K_M-0000{number}-of-00003.gguf" for number in (3, 1, 2)]
    (model,) = models(*pieces)
    assert [file.path for file in model.files] == sorted(pieces)
    assert model.size_bytes == 6


@pytest.mark.parametrize(
    "paths",
    [
        ["a-00001-of-00002.gguf"],
        ["a-00001-of-00002.gguf", "b-00002-of-00002.gguf"],
        ["a-00001-of-00002.gguf", "a-00002-of-00003.gguf"],
        ["mmproj-model-f16.gguf"],
        ["sub/mmproj-x.gguf"],
        ["model.imatrix.gguf"],
        ["README.md", "model.safetensors", "gguf"],
    ],
)
def test_what_is_no_whole_model_is_not_on_offer(paths):
    assert models(*paths) == []


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        ([], None),
        (["README.md", "imatrix.gguf", "mmproj.safetensors"], None),
        (["mmproj-model-f16.gguf"], "mmproj-model-f16.gguf"),
        (["mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F16.gguf"),
        (["mmproj-F32.gguf", "mmproj-Q8_0.gguf"], "mmproj-Q8_0.gguf"),
        (["mmproj-F32.gguf", "mmproj-Q4_0.gguf"], "mmproj-F32.gguf"),
        (["mmproj-F16.gguf", "large/m.mmproj-Q8_0.gguf"], "large/m.mmproj-Q8_0.gguf"),
    ],
)
def test_the_projector_is_that_of_the_models_folder_in_the_best_format(paths, chosen):
    (model,) = models("large/m-Q4_K_M.gguf")
    found = projector_of(model, [RepositoryFile(path, 1) for path in paths])
    assert (found and found.path) == chosen


OFFERED = models("m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q6_K.gguf", "m-Q8_0.gguf")


@pytest.mark.parametrize(
    ("limit", "quant", "words"),
    [(9, "Q4_K_M", "usual balance"), (2, "Q4_K_M", "usual balance"), (1, "Q2_K", "largest of 4 that fits")],
)
def test_without_a_wish_the_usual_one_else_the_largest_that_fits(limit, quant, words):
    for wanted in (None, "latest"):
        choice = choose(OFFERED, wanted, lambda size: size <= limit, REPOSITORY)
        assert choice.variant.quant == quant
        assert words in (choice.why or "")


def test_where_the_usual_one_is_not_on_offer_the_largest_that_fits():
    offered = models("m-Q2_K.gguf", "m-Q3_K_S.gguf", "m-Q8_0.gguf")
    assert choose(offered, None, lambda size: size <= 2, REPOSITORY).variant.quant == "Q3_K_S"


def test_a_single_model_is_taken_whatever_its_size():
    choice = choose(models("m.gguf"), None, lambda size: False, REPOSITORY)
    assert (choice.variant.quant, choice.why) == (None, None)


def test_nothing_that_fits_is_said_with_the_smallest():
    with pytest.raises(DoesNotFit, match=r"none of the 4 models .* the smallest takes 1 bytes") as caught:
        choose(OFFERED, None, lambda size: False, REPOSITORY)
    assert caught.value.hint == f"isthmus pull {REPOSITORY}:Q2_K fetches it all the same"


@pytest.mark.parametrize("wanted", ["q8_0", "Q8_0"])
def test_a_wish_is_granted_even_if_it_does_not_fit(wanted):
    choice = choose(OFFERED, wanted, lambda size: False, REPOSITORY)
    assert choice.variant.quant == "Q8_0"
    assert "larger than" in (choice.why or "")
    assert choose(OFFERED, wanted, lambda size: True, REPOSITORY).why is None


def test_an_unknown_quantization_is_told_those_on_offer():
    with pytest.raises(UnknownModel) as caught:
        choose(OFFERED, "Q5_K_M", lambda size: True, REPOSITORY)
    assert caught.value.message == f"{REPOSITORY} has no Q5_K_M; on offer are Q2_K, Q4_K_M, Q6_K, Q8_0"
    assert caught.value.hint == f"isthmus pull {REPOSITORY}:Q2_K"


@pytest.mark.parametrize("wanted", [None, "Q4_K_M"])
def test_two_models_of_one_quantization_are_not_guessed_between(wanted):
    offered = models("a-Q4_K_M.gguf", "b-Q4_K_M.gguf")
    with pytest.raises(UnknownModel, match=r"has 2 models of Q4_K_M: a-Q4_K_M.gguf, b-Q4_K_M.gguf") as caught:
        choose(offered, wanted, lambda size: True, REPOSITORY)
    assert caught.value.hint == f"isthmus pull {REPOSITORY}/a-Q4_K_M.gguf"


@given(
    st.lists(st.text(max_size=30).map(lambda name: name + ".gguf"), max_size=6, unique=True),
    st.integers(0, 9),
)
def test_a_choice_is_one_of_those_on_offer_and_fits(paths, limit):
    offered = models(*paths)
    if not offered:
        return
    try:
        choice = choose(offered, None, lambda size: size <= limit, REPOSITORY)
    except (DoesNotFit, UnknownModel):
        return
    assert choice.variant in offered
    assert len(offered) == 1 or choice.variant.size_bytes <= limit
