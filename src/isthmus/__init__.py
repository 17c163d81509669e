"""Isthmus: open models on your own machine, and a hosted one for what is beyond them, on your terms."""

__version__ = "0.1.0"
