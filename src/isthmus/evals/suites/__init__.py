"""Suites: what is asked, and how answers are judged; each is an entry point of ``isthmus.suites``."""

from isthmus.evals.suites.suite import GROUP, Published, Suite, function_of, suite_named, suites

__all__ = ["GROUP", "Published", "Suite", "function_of", "suite_named", "suites"]
