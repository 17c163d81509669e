"""Effort: how models think, how long, how their thoughts are read, and what samples and votes add to them."""
