"""An error's words for whoever asked over HTTP: they say what went wrong, but not where on this machine."""

import re

from isthmus.errors import AccessDenied, IsthmusError, RequestError, UnknownModel

_OF_THE_REQUEST = (RequestError, AccessDenied, UnknownModel)
"""Errors about what was asked: a path in them is the request's own, or one that can be asked."""
_PATH = re.compile(r"(?<![\w:/.~@-])/(?:[^\s/:;,'\"()]+/)*(?P<name>[^\s/:;,'\"()]+)")


def outward(error: IsthmusError) -> tuple[str, str | None]:
    """An error's message and hint, as others than this machine's person may read them.

    Of a file there is its name alone, and no hint that names one: it could not be followed from elsewhere.
    """
    if isinstance(error, _OF_THE_REQUEST):
        return error.message, error.hint
    hint = None if error.hint and _PATH.search(error.hint) else error.hint
    return _PATH.sub(r"\g<name>", error.message), hint
