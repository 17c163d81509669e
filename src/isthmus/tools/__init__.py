"""Tools that a model may be offered and that Isthmus runs itself."""

from isthmus.tools.python import PYTHON_LIMITS, PythonTool, run_python

__all__ = ["PYTHON_LIMITS", "PythonTool", "run_python"]
