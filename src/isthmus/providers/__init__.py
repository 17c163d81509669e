"""Generators outside the trust line: hosted models. Only the hand-off may import this room."""
