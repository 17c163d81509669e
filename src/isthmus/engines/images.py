"""Images on their way to a model on this machine: they come along, and nothing is fetched for them."""

from collections.abc import Iterable

from isthmus.errors import RequestError
from isthmus.messages import ImagePart, Message


def refuse_remote(messages: Iterable[Message]) -> None:
    """Let no model here be sent to an address: whoever may ask could have any address called from inside.

    Raises:
        RequestError: An image is an address; ``param`` says which.
    """
    for number, message in enumerate(messages):
        if isinstance(message.content, str):
            continue
        for place, part in enumerate(message.content):
            if isinstance(part, ImagePart) and not part.url.startswith("data:"):
                raise RequestError(
                    "a model on this machine gets no image by its address: nothing is fetched for it",
                    hint="send the image itself, as a data: URL",
                    param=f"messages[{number}].content[{place}].image_url.url",
                )
