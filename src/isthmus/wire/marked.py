"""What all who read a model's own text need, where marks in it begin thoughts or calls."""

import secrets


def overlap(text: str, mark: str) -> int:
    """How many of a text's last characters may be the first of a mark."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if text.endswith(mark[:size]):
            return size
    return 0


def new_call_id() -> str:
    """An identifier for a call."""
    return f"call_{secrets.token_hex(12)}"
