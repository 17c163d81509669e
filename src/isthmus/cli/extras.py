"""What commands need beyond the core: an extra that isn't installed is named before it is missed."""

from enum import Enum
from importlib.util import find_spec

from isthmus.errors import UsageError


class Extra(Enum):
    """A need: what is said where it isn't met, the extra that meets it, and the modules that show it."""

    BENCHMARKS = "benchmarks need Inspect", "evals", "inspect_ai", "numpy"
    CHARTS = "a page with charts needs Altair", "evals", "altair", "vl_convert"
    GATE = "gating a release needs SciPy", "gate", "numpy", "scipy"
    TRIALS = "running a release's suites needs Inspect", "gate", "inspect_ai", "numpy", "scipy"
    CALIBRATION = "learning a profile needs SciPy", "calibrate", "numpy", "scipy"

    def __init__(self, sentence: str, extra: str, *modules: str) -> None:
        self.sentence = sentence
        self.extra = extra
        self.modules = modules

    @property
    def installed(self) -> bool:
        """Whether all of its modules can be found; none is imported."""
        return all(find_spec(module) is not None for module in self.modules)

    def require(self) -> None:
        """Refuse where it isn't installed.

        Raises:
            UsageError: It isn't.
        """
        if not self.installed:
            raise UsageError(self.sentence, hint=f"pip install 'isthmus[{self.extra}]'")
