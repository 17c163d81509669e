"""The summary that stands for a conversation, in an item that clients keep and give back unread.

OpenAI's is encrypted. At home there is nobody to hide it from: it is the summary itself, as text that no
client takes for words of the conversation.
"""

import base64

from isthmus.errors import RequestError

_MARK = "isthmus-1."
_RECALLED = "In summary, this is what was said and done so far:\n\n"


def packed(summary: str) -> str:
    """A summary as an item's ``encrypted_content``."""
    return _MARK + base64.urlsafe_b64encode(summary.encode()).decode()


def unpacked(content: str, param: str) -> str:
    """The summary in an item's ``encrypted_content``.

    Raises:
        RequestError: It was made elsewhere, and to go on without it would be another conversation.
    """
    summary = _read(content)
    if summary is None:
        raise RequestError(
            f"{param}: it was not made by this server's /v1/responses/compact, so it can't be read here",
            hint="give the conversation itself",
            param=param,
        )
    return summary


def recalled(summary: str) -> str:
    """A summary as the model is told it."""
    return _RECALLED + summary


def _read(content: str) -> str | None:
    if not content.startswith(_MARK):
        return None
    try:
        return base64.b64decode(content.removeprefix(_MARK), b"-_", validate=True).decode()
    except ValueError:
        return None
