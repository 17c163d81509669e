"""The worker process: one loaded model behind llama.cpp's own server, on a loopback port.

Started by `isthmus.engines.process` as ``python -m isthmus.engines.worker``. It reads a `WorkerConfig` as
one line of JSON from stdin, loads, writes ``{"address": "http://127.0.0.1:PORT"}`` to stdout, and serves
until stdin ends: its parent holds the other end, so that the worker ends with its parent, however the
parent ends. Its stderr is llama.cpp's log.
"""

import json
import os
import sys
import threading

from isthmus.engines.mapped import release_mapped_files
from isthmus.engines.worker_config import NGRAM_DRAFT, NGRAM_LOOKUP, OPENMP_SPINS, WorkerConfig

os.environ.update({**OPENMP_SPINS, **os.environ})

import xllamacpp

_FLASH_ATTENTION = {
    "auto": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_KV_TYPES = {
    "f16": xllamacpp.ggml_type.GGML_TYPE_F16,
    "q8_0": xllamacpp.ggml_type.GGML_TYPE_Q8_0,
    "q4_0": xllamacpp.ggml_type.GGML_TYPE_Q4_0,
}

_READ = 0
"""LLAMA_LOAD_MODE_NONE, for which the binding has no name: the file is read, not mapped."""


def main() -> None:
    """Load, say where, and serve until the parent is gone."""
    # llama.cpp may write to stdout, which carries our one line: keep a private copy, lend it stderr.
    say = os.dup(1)
    os.dup2(2, 1)
    config: WorkerConfig = json.loads(sys.stdin.readline())
    # From now on, so that a parent that dies while a large model loads isn't outlived by it.
    watch = threading.Thread(target=_end_with_parent, daemon=True)
    watch.start()
    try:
        server = xllamacpp.Server(parameters(config))
        release_mapped_files()
        os.write(say, json.dumps({"address": server.listening_address}).encode() + b"\n")
    except (RuntimeError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
        os._exit(3)
    watch.join()


def _end_with_parent() -> None:
    """Wait for the end of stdin, then end at once: a clean exit would wait for batches nobody wants."""
    sys.stdin.read()
    os._exit(0)


def parameters(config: WorkerConfig) -> xllamacpp.CommonParams:
    """llama.cpp's parameters for a worker."""
    params = xllamacpp.CommonParams()
    params.model.path = config["model"][0]
    params.model_alias = {config["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config["key"]]
    params.ui = False
    params.endpoint_slots = False
    params.n_ctx = config["context_length"]
    if config["batch_tokens"]:
        params.n_batch = config["batch_tokens"]
    params.n_parallel = config["parallel"]
    # One pool of context for all slots: more slots take no more memory, and one long prompt may use it all.
    params.kv_unified = True
    # An answer that fills the context ends there; its beginning is never dropped without a word.
    params.ctx_shift = False
    params.cache_ram_mib = config["prompt_cache_mb"]
    # A first answer to nobody would only delay the first one to somebody.
    params.warmup = False
    # Errors and warnings only; prompts are logged at higher levels.
    params.verbosity = 2
    if config["threads"]:
        params.cpuparams.n_threads = config["threads"]
        params.cpuparams_batch.n_threads = config["threads"]
    if config["chat_template"]:
        params.chat_template = config["chat_template"]
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in config["adapters"]]
    params.flash_attn_type = _FLASH_ATTENTION[config["flash_attention"]]
    params.cache_type_k = params.cache_type_v = _KV_TYPES[config["kv_type"]]
    if config["projector"]:
        params.mmproj.path = config["projector"]
        params.mmproj_use_gpu = config["gpu_layers"] != 0
    _place(params, config)
    _speculate(params.speculative, config)
    _embed(params, config)
    return params


def _place(params: xllamacpp.CommonParams, config: WorkerConfig) -> None:
    """What lies where."""
    params.n_gpu_layers = config["gpu_layers"]
    # Finding out by itself what fits a GPU means reading the model twice.
    params.fit_params = config["gpu_layers"] < 0 and _has_gpu()
    if not config["map_weights"]:
        params.load_mode = _READ
    if count := config["cpu_expert_layers"]:
        layers = "|".join(map(str, range(count)))
        params.tensor_buft_overrides = rf"blk\.({layers})\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU"


def _has_gpu() -> bool:
    main_memory = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    return any(device["type"] != main_memory for device in xllamacpp.get_device_info())


def _speculate(speculative: xllamacpp.CommonParamsSpeculative, config: WorkerConfig) -> None:
    """What guesses tokens ahead; the model checks each guess, so that no answer changes."""
    kinds = xllamacpp.common_speculative_type
    if config["speculation"] == "ngram":
        speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        speculative.ngram_simple.size_n = NGRAM_LOOKUP
        speculative.ngram_simple.size_m = NGRAM_DRAFT
    elif config["speculation"] == "draft":
        speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
        speculative.draft.mparams.path = config["draft"]


def _embed(params: xllamacpp.CommonParams, config: WorkerConfig) -> None:
    """Texts to vectors, each read in one micro-batch."""
    if not config["pooling"]:
        return
    params.embedding = True
    params.n_batch = params.n_ubatch = config["text_tokens"]
    if config["pooling"] == "mean":
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN


if __name__ == "__main__":
    main()
