"""What every API's request comes to: what to generate, and on which terms."""

from msgspec import Struct

from isthmus.messages import GenerationRequest, HandoffMode


class Mark(Struct, forbid_unknown_fields=True):
    """Our own ``isthmus`` in a message, or in a part of one.

    What isn't known there is an error: a mark that is misspelt mustn't pass for none.
    """

    home_only: bool = False
    """Whether it, and with it its conversation and all that is made of it, stays on this machine."""


class Extension(Struct, forbid_unknown_fields=True):
    """Our own ``isthmus`` parameter, which every API takes."""

    handoff: HandoffMode | None = None
    """The hand-off mode that the request asks for; it counts where it is stricter than the settings'."""
    home_only: bool = False
    """Whether the conversation, and all that is made of it, stays on this machine."""


class StreamOptions(Struct):
    """OpenAI's ``stream_options``, of conversations and of prompts."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Call(Struct, frozen=True, kw_only=True):
    """A parsed request of any API that answers conversations."""

    request: GenerationRequest
    model: str | None
    """The model's name as the caller said it; None where it said none."""
    stream: bool
    handoff: HandoffMode | None = None
    """The hand-off mode that the request asks for; it counts where it is stricter than the settings'."""
    ignored: tuple[str, ...] = ()
    """Parameters that are not known here and had no effect."""

    @property
    def whole(self) -> bool:
        """Whether nobody sees anything of the answer before its end."""
        return not self.stream


def is_marked(*given: Mark | Extension | None) -> bool:
    """Whether one of the marks that came says that it stays home."""
    return any(each is not None and each.home_only for each in given)
