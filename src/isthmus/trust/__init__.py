"""What an engine may load: weights that are open, and were checked as they are."""

from isthmus.trust.origin import Trusted, admission_in, release_folder, trust_in
from isthmus.trust.verify import VerifiedModel, verify

__all__ = ["Trusted", "VerifiedModel", "admission_in", "release_folder", "trust_in", "verify"]
