"""What every API's request comes to: what to generate, and on which terms."""

from msgspec import Struct

from isthmus.messages import GenerationRequest, HandoffMode


class Extension(Struct, forbid_unknown_fields=True):
    """Our own ``isthmus`` parameter, which every API takes."""

    handoff: HandoffMode | None = None
    """The hand-off mode that the request asks for; it counts where it is stricter than the settings'."""


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
