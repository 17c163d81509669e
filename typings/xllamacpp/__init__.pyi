"""What Isthmus uses of xllamacpp, which ships no types."""

from enum import IntEnum

__version__: str

class _Model:
    path: str

class CpuParams:
    n_threads: int

class llama_flash_attn_type(IntEnum):  # noqa: N801
    LLAMA_FLASH_ATTN_TYPE_AUTO = -1
    LLAMA_FLASH_ATTN_TYPE_DISABLED = 0
    LLAMA_FLASH_ATTN_TYPE_ENABLED = 1

class ggml_type(IntEnum):  # noqa: N801
    GGML_TYPE_F16 = 1
    GGML_TYPE_Q4_0 = 2
    GGML_TYPE_Q8_0 = 8

class llama_pooling_type(IntEnum):  # noqa: N801
    LLAMA_POOLING_TYPE_MEAN = 1

class common_speculative_type(IntEnum):  # noqa: N801
    COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE = 1
    COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE = 6

class ggml_backend_dev_type(IntEnum):  # noqa: N801
    GGML_BACKEND_DEVICE_TYPE_CPU = 0

class CommonAdapterLoraInfo:
    def __init__(self, path: str, scale: float) -> None: ...

class CommonParamsSpeculativeNgramMap:
    size_n: int
    size_m: int

class CommonParamsSpeculativeDraft:
    mparams: _Model

class CommonParamsSpeculative:
    types: list[common_speculative_type]
    ngram_simple: CommonParamsSpeculativeNgramMap
    draft: CommonParamsSpeculativeDraft

class CommonParams:
    model: _Model
    hostnames: list[str]
    port: int
    api_keys: list[str]
    model_alias: set[str]
    ui: bool
    endpoint_slots: bool
    endpoint_props: bool
    n_ctx: int
    n_batch: int
    n_ubatch: int
    embedding: bool
    pooling_type: llama_pooling_type
    n_parallel: int
    n_gpu_layers: int
    kv_unified: bool
    cache_ram_mib: int
    chat_template: str
    verbosity: int
    cpuparams: CpuParams
    cpuparams_batch: CpuParams
    ctx_shift: bool
    warmup: bool
    fit_params: bool
    load_mode: int
    mmproj: _Model
    mmproj_use_gpu: bool
    flash_attn_type: llama_flash_attn_type
    cache_type_k: ggml_type
    cache_type_v: ggml_type
    tensor_buft_overrides: str
    lora_adapters: list[CommonAdapterLoraInfo]
    speculative: CommonParamsSpeculative

class Server:
    def __init__(self, params: CommonParams) -> None: ...
    @property
    def listening_address(self) -> str: ...

def get_system_info() -> str: ...
def get_device_info() -> list[dict[str, object]]: ...
