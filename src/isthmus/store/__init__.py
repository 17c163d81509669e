"""Weights on this machine: where they come from, where they lie, what they are."""

from isthmus.store.catalogue import CATALOGUE, CatalogueEntry, find
from isthmus.store.fetch import pull, pull_reference
from isthmus.store.gguf import (
    GgufHeader,
    open_weights,
    parse_header,
    parse_headers,
    parse_projector,
    read_header,
    read_headers,
    read_metadata,
)
from isthmus.store.hashing import HashedFile, hash_open_file, reporter
from isthmus.store.manifest import Blob, FileProof, StoredModel, blob_path
from isthmus.store.pieces import piece_labels, read_model, whole_model, with_projector
from isthmus.store.presence import pulled
from isthmus.store.releases import read_statements
from isthmus.store.store import Store

__all__ = [
    "CATALOGUE",
    "Blob",
    "CatalogueEntry",
    "FileProof",
    "GgufHeader",
    "HashedFile",
    "Store",
    "StoredModel",
    "blob_path",
    "find",
    "hash_open_file",
    "open_weights",
    "parse_header",
    "parse_headers",
    "parse_projector",
    "piece_labels",
    "pull",
    "pull_reference",
    "pulled",
    "read_header",
    "read_headers",
    "read_metadata",
    "read_model",
    "read_statements",
    "reporter",
    "whole_model",
    "with_projector",
]
