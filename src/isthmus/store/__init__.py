"""Weights on this machine: where they come from, where they lie, what they are."""

from isthmus.store.catalogue import CATALOGUE, CatalogueEntry, find
from isthmus.store.fetch import pull
from isthmus.store.gguf import GgufHeader, open_weights, parse_header, read_header
from isthmus.store.hashing import hash_open_file
from isthmus.store.manifest import FileProof, StoredModel
from isthmus.store.store import Store

__all__ = [
    "CATALOGUE",
    "CatalogueEntry",
    "FileProof",
    "GgufHeader",
    "Store",
    "StoredModel",
    "find",
    "hash_open_file",
    "open_weights",
    "parse_header",
    "pull",
    "read_header",
]
