from collections.abc import Callable

from torch.optim import AdamW

class LambdaLR:
    def __init__(self, optimizer: AdamW, rate: Callable[[int], float]) -> None: ...
    def step(self) -> None: ...
