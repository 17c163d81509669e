"""Cursors: where a page ended, as a text that can be handed out."""

import base64
import json


def pack(changed):
    """The cursor that stands behind what was changed then."""
    return base64.b64encode(json.dumps(changed).encode()).decode()


def unpack(text):
    """Where the cursor stands."""
    return json.loads(base64.b64decode(text))
