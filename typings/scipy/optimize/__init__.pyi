from collections.abc import Callable
from typing import Any

from numpy import float64
from numpy.typing import NDArray

class OptimizeResult:
    x: NDArray[float64]
    success: bool

def minimize(
    fun: Callable[[NDArray[float64]], tuple[float, NDArray[float64]]],
    x0: NDArray[float64],
    *,
    method: str,
    jac: bool,
    options: dict[str, Any] = ...,
) -> OptimizeResult: ...
