"""How likely the local answer is wrong, and the hosted one right: before, during and after it."""

from isthmus.handoff.estimator.profile import Profile
from isthmus.handoff.estimator.storage import BUILTIN, builtin, load_profile, save_profile

__all__ = ["BUILTIN", "Profile", "builtin", "load_profile", "save_profile"]
