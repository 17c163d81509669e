"""Measuring models on real tasks: suites, runs and reports on Inspect AI."""
