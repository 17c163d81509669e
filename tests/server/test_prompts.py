"""Prompts of tokens and texts."""

import anyio

from isthmus.engines.scripted import ScriptedTokenizer
from isthmus.server.prompts import settled


def test_tokens_with_texts_between_them_become_tokens():
    prompts = ["Hi", (7, 8), (7, "Hi", 8), ("Hi", 7)]
    assert anyio.run(settled, ScriptedTokenizer(), prompts) == [
        "Hi",
        (7, 8),
        (7, 72, 105, 8),
        (256, 72, 105, 7),
    ]
