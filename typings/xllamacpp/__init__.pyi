"""What Isthmus uses of xllamacpp, which ships no types."""

__version__: str

class _Model:
    path: str

class CpuParams:
    n_threads: int

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
    n_parallel: int
    n_gpu_layers: int
    kv_unified: bool
    cache_ram_mib: int
    chat_template: str
    verbosity: int
    cpuparams: CpuParams
    cpuparams_batch: CpuParams

class Server:
    def __init__(self, params: CommonParams) -> None: ...
    @property
    def listening_address(self) -> str: ...
