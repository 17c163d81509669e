"""[attacks.NAME]: attacks of the publisher's own, and other configurations of the gate's."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from isthmus.gate.pinned import Digest, Name, Pinned

Rank = Annotated[int, Meta(ge=1, le=256)]
Steps = Annotated[int, Meta(ge=1, le=100_000)]
Rate = Annotated[float, Meta(gt=0, le=1)]
Packing = Literal["q8_0", "q6_k", "q5_k", "q5_0", "q4_k", "q4_0", "iq4_nl", "q3_k", "q2_k"]


class TemplateOptions(Struct, frozen=True, tag="template", tag_field="kind", forbid_unknown_fields=True):
    """Templates of the publisher's, beside or in place of the gate's own."""

    file: Annotated[Pinned, Meta(description='JSON lines: {"name": "...", "text": "... {prompt} ..."}.')]


class PrefillOptions(Struct, frozen=True, tag="prefill", tag_field="kind", forbid_unknown_fields=True):
    """Beginnings of answers, of the publisher's."""

    file: Annotated[Pinned, Meta(description='JSON lines: {"name": "...", "text": "..."}.')]


class TranslationOptions(Struct, frozen=True, tag="language", tag_field="kind", forbid_unknown_fields=True):
    """The suite's prompts in other languages."""

    file: Annotated[
        Pinned,
        Meta(description='JSON lines: {"language": "...", "prompt": the suite\'s text, "text": "..."}.'),
    ]


class QuantisedOptions(Struct, frozen=True, tag="quantised", tag_field="kind", forbid_unknown_fields=True):
    """Formats that the weights are packed into."""

    formats: Annotated[tuple[Packing, ...], Meta(min_length=1)]


class FineTuneOptions(Struct, frozen=True, tag="finetune", tag_field="kind", forbid_unknown_fields=True):
    """Low-rank fine-tuning: every rank with every number of steps and every rate is a configuration."""

    lessons: Annotated[
        Pinned | None,
        Meta(description='JSON lines: {"prompt": "...", "answer": "..."}; without: the gate\'s, all benign.'),
    ] = None
    ranks: Annotated[tuple[Rank, ...], Meta(min_length=1)] = (8,)
    steps: Annotated[tuple[Steps, ...], Meta(min_length=1)] = (60,)
    learning_rates: Annotated[tuple[Rate, ...], Meta(min_length=1)] = (2e-4, 1e-3)
    batch: Annotated[int, Meta(ge=1, le=256, description="Lessons a step.")] = 8
    seed: Annotated[int, Meta(ge=0)] = 0


class GivenWeights(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights that were tampered with elsewhere, or adapters for the released ones."""

    name: Name
    of: Annotated[Digest, Meta(description="The SHA-256 of the released GGUF that they were made of.")]
    model: Annotated[Pinned | None, Meta(description="A GGUF; without: the released one.")] = None
    adapters: Annotated[tuple[Pinned, ...], Meta(description="GGUF LoRA adapters.")] = ()


class GivenOptions(Struct, frozen=True, tag="given", tag_field="kind", forbid_unknown_fields=True):
    """Weights that were tampered with elsewhere: on a larger machine, by another tool."""

    weights: Annotated[tuple[GivenWeights, ...], Meta(min_length=1)]


AttackOptions: TypeAlias = (
    TemplateOptions | PrefillOptions | TranslationOptions | QuantisedOptions | FineTuneOptions | GivenOptions
)
