"""What the pages at /docs and /handoff are made of."""
