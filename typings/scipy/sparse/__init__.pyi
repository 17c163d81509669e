from collections.abc import Sequence

from numpy import float64, int64
from numpy.typing import NDArray

class csr_matrix:  # noqa: N801
    shape: tuple[int, int]
    def __init__(
        self,
        arg: tuple[NDArray[float64], NDArray[int64], Sequence[int]],
        shape: tuple[int, int],
    ) -> None: ...
    def __matmul__(self, other: NDArray[float64]) -> NDArray[float64]: ...
    def toarray(self) -> NDArray[float64]: ...
