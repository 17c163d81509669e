"""Where code runs that nobody has read: no network, no files but its own, bounded in all that it takes."""

from isthmus.sandbox.box import Sandbox, run
from isthmus.sandbox.nouns import Completed, Limits, Stopped
from isthmus.sandbox.probe import unavailable

__all__ = ["Completed", "Limits", "Sandbox", "Stopped", "run", "unavailable"]
