"""The summary that stands for a conversation, in an item that clients keep and give back unread.

OpenAI's is encrypted. At home there is nobody to hide it from: it is the summary itself, as text that no
client takes for words of the conversation.
"""

import base64

from isthmus.errors import RequestError

_MARK = "isthmus-1."
_HOME_ONLY = "isthmus-1h."
"""Of a summary that stays home: clients don't always keep what stands beside it."""
_RECALLED = "In summary, this is what was said and done so far:\n\n"


def packed(summary: str, *, home_only: bool = False) -> str:
    """A summary as an item's ``encrypted_content``."""
    mark = _HOME_ONLY if home_only else _MARK
    return mark + base64.urlsafe_b64encode(summary.encode()).decode()


def is_sealed(content: str) -> bool:
    """Whether a summary stays home, and with it the conversation that goes on from it."""
    return content.startswith(_HOME_ONLY)


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
    mark = next((each for each in (_MARK, _HOME_ONLY) if content.startswith(each)), None)
    if mark is None:
        return None
    try:
        return base64.b64decode(content.removeprefix(mark), b"-_", validate=True).decode()
    except ValueError:
        return None
