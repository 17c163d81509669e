from numpy import float64
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

def svds(
    A: csr_matrix,  # noqa: N803
    k: int,
    *,
    v0: NDArray[float64],
) -> tuple[NDArray[float64], NDArray[float64], NDArray[float64]]: ...
