"""What a worker is told, where a test has no wishes."""

from isthmus.engines.worker_config import WorkerConfig

PLAIN = WorkerConfig(
    model=["/weights.gguf"],
    projector="",
    alias="mine:7b",
    key="k" * 43,
    context_length=4096,
    parallel=8,
    threads=0,
    gpu_layers=-1,
    cpu_expert_layers=0,
    map_weights=True,
    flash_attention="auto",
    kv_type="f16",
    speculation="off",
    draft="",
    adapters=[],
    prompt_cache_mb=512,
    batch_tokens=0,
    chat_template="",
    pooling="",
    text_tokens=0,
)
