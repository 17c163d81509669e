"""What a run says of itself: who was asked what, how, and with which tools."""

from importlib.metadata import version

from isthmus.gate.policy import Policy, Sampling
from isthmus.gate.runs import RELEASE, RunHeader
from isthmus.gate.tampering.attack import Variant
from isthmus.trials.parts import Part
from isthmus.trials.subjects import Served

_PACKAGES = ("isthmus", "inspect-ai", "xllamacpp")


def header_of(
    policy: Policy, part: Part, run: str, subject: Served, served: Served, variant: Variant | None = None
) -> RunHeader:
    """A run's header.

    Args:
        policy: As it was sealed.
        part: What is run.
        run: The sitting.
        subject: Whose weights, before any attack.
        served: Those that are asked.
        variant: The attack's configuration, if there is one.
    """
    settings = _settings(policy.sampling_of(part.area))
    if variant is not None:
        settings |= {**variant.settings, "variant": variant.name}
    if part.subject != RELEASE:
        settings["model"] = subject.digest
    return RunHeader(
        area=part.area,
        subject=part.subject,
        series=part.series,
        run=run,
        judge=policy.areas[part.area].judge.name,
        weights=subject.digest if part.subject == RELEASE else None,
        tampered=served.digest if served is not subject else None,
        tool=", ".join(f"{each} {version(each)}" for each in _PACKAGES),
        settings=settings,
    )


def _settings(sampling: Sampling) -> dict[str, str]:
    """How prompts are asked; the system prompt stands in the sealed policy."""
    found = {
        "samples": str(sampling.samples),
        "temperature": f"{sampling.temperature:g}",
        "max_tokens": str(sampling.max_tokens),
        "seed": str(sampling.seed),
    }
    if sampling.top_p is not None:
        found["top_p"] = f"{sampling.top_p:g}"
    if sampling.effort is not None:
        found["effort"] = sampling.effort
    return found
