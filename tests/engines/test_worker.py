"""llama.cpp's parameters, as a worker sets them."""

import json
import re
import subprocess
import sys

import pytest

from isthmus.engines.worker_config import NGRAM_DRAFT, NGRAM_LOOKUP
from tests.engines.configs import PLAIN

READ = """
import json, sys
from isthmus.engines.worker import parameters
params = parameters(json.loads(sys.argv[1]))
speculative = params.speculative
print(json.dumps({
    "types": [each.name.rpartition("TYPE_")[2] for each in speculative.types],
    "ngram": [speculative.ngram_simple.size_n, speculative.ngram_simple.size_m],
    "draft": speculative.draft.mparams.path,
    "overrides": params.tensor_buft_overrides,
    "adapters": [each.path for each in params.lora_adapters],
    "flash": params.flash_attn_type.value,
    "kv": [params.cache_type_k, params.cache_type_v],
    "shift": params.ctx_shift,
    "cache": params.cache_ram_mib,
    "gpu_layers": params.n_gpu_layers,
    "fit": params.fit_params,
    "load": params.load_mode,
    "embedding": [params.embedding, params.pooling_type.value, params.n_batch, params.n_ubatch],
}))
"""


def parameters(**changed):
    """In a process of its own, as llama.cpp's library is never loaded into the parent's."""
    words = (sys.executable, "-c", READ, json.dumps({**PLAIN, **changed}))
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def test_what_is_plain():
    told = parameters()
    assert told["types"] == ["NONE"]
    assert told["load"] == -1
    assert (told["overrides"], told["adapters"], told["draft"]) == ("", [], "")
    assert (told["shift"], told["cache"], told["gpu_layers"]) == (False, 512, -1)
    assert told["embedding"] == [False, -1, 2048, 512]


def test_a_batch_may_be_smaller_than_the_engines_own():
    assert parameters(batch_tokens=512)["embedding"] == [False, -1, 512, 512]


def test_what_is_asked_for():
    told = parameters(
        speculation="draft",
        draft="/small",
        adapters=["/a", "/b"],
        flash_attention="on",
        kv_type="q8_0",
        gpu_layers=3,
        cpu_expert_layers=12,
        map_weights=False,
    )
    assert told["load"] == 0
    assert (told["types"], told["draft"]) == (["DRAFT_SIMPLE"], "/small")
    assert (told["adapters"], told["flash"], told["gpu_layers"]) == (["/a", "/b"], 1, 3)
    assert told["kv"] == [8, 8]
    assert told["fit"] is False
    pattern, _, place = told["overrides"].rpartition("=")
    assert place == "CPU"
    for tensor, moved in {
        "blk.0.ffn_up_exps.weight": True,
        "blk.11.ffn_gate_up_exps.weight": True,
        "blk.12.ffn_up_exps.weight": False,
        "blk.1.ffn_up.weight": False,
        "blk.1.attn_q.weight": False,
    }.items():
        assert bool(re.search(pattern, tensor)) is moved


@pytest.mark.parametrize("asked", ["ngram"])
def test_guesses_come_from_the_text_so_far(asked):
    told = parameters(speculation=asked)
    assert (told["types"], told["ngram"]) == (["NGRAM_SIMPLE"], [NGRAM_LOOKUP, NGRAM_DRAFT])


@pytest.mark.parametrize(("pooling", "number"), [("own", -1), ("mean", 1)])
def test_texts_are_turned_into_vectors_in_one_micro_batch(pooling, number):
    assert parameters(pooling=pooling, text_tokens=768)["embedding"] == [True, number, 768, 768]
