"""What an engine may load: weights that are open, and were checked as they are."""

from isthmus.trust.verify import VerifiedModel, verify

__all__ = ["VerifiedModel", "verify"]
