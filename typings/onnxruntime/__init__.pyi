"""What Isthmus uses of onnxruntime."""

from typing import Any

class SessionOptions:
    intra_op_num_threads: int

class InferenceSession:
    def __init__(self, path: str, options: SessionOptions, providers: list[str]) -> None: ...
    def run(self, names: None, feed: dict[str, Any]) -> list[Any]: ...
