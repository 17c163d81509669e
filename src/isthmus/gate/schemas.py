"""The JSON schemas of the files that people and tools write."""

from typing import Any, Literal, get_args

import msgspec

from isthmus.gate.policy import Policy
from isthmus.gate.runs import SCHEMAS

Kind = Literal["policy", "run", "calibration"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON schema of a policy, or of a line of a run or of a calibration set."""
    if kind == "policy":
        return {"$schema": _DIALECT, "title": "A gate's policy", **msgspec.json.schema(Policy)}
    shapes, parts = msgspec.json.schema_components(SCHEMAS[kind])
    return {"$schema": _DIALECT, "title": f"A line of a {kind}", "anyOf": list(shapes), "$defs": parts}


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
