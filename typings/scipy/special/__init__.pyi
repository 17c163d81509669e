"""What the gate calls of scipy.special, which carries no types."""

from numpy import float64
from numpy.typing import ArrayLike, NDArray

def betaincinv(a: ArrayLike, b: ArrayLike, y: ArrayLike) -> NDArray[float64]: ...
def bdtr(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> NDArray[float64]: ...
