"""Trials: a release's sealed suites run on its sealed weights, through Inspect. Needs the extra ``gate``."""
