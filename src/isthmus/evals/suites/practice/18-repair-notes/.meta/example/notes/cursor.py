"""Cursors: where a page ended, as a text that can be handed out."""

import base64
import json


def pack(changed, id):
    """The cursor that stands behind the note of that id, changed then."""
    return base64.urlsafe_b64encode(json.dumps([changed, id]).encode()).decode()


def unpack(text):
    """Where the cursor stands: when the note was changed, and its id; a ValueError if it is none."""
    try:
        changed, id = json.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{text!r} is no cursor") from error
    if not _is_number(changed, (int, float)) or not _is_number(id, int):
        raise ValueError(f"{text!r} is no cursor")
    return changed, id


def _is_number(value, kinds):
    return isinstance(value, kinds) and not isinstance(value, bool)
