"""What others build on. A change here is a change for them: say so in CHANGELOG.md."""

import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import isthmus
from isthmus import generator, messages
from isthmus.messages import (
    Effort,
    Event,
    FinishReason,
    HandoffMode,
    Part,
    Reason,
    Role,
    Stage,
    Target,
    ToolChoice,
)

ROOT = Path(__file__).parent.parent


def own_names(module: types.ModuleType) -> set[str]:
    """The public names that a module defines, and doesn't only import."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and (getattr(value, "__module__", None) == module.__name__ or name in ALIASES)
    }


def members(protocol: type) -> set[str]:
    """What it takes to be one."""
    return {name for name in vars(protocol) if not name.startswith("_")}


ALIASES = {
    "Effort",
    "Event",
    "EventStream",
    "FinishReason",
    "HandoffMode",
    "Part",
    "Reason",
    "Role",
    "Stage",
    "Target",
    "ToolChoice",
}


def test_the_package_itself_exports_its_version_alone():
    exported = [name for name, value in vars(isthmus).items() if not isinstance(value, types.ModuleType)]
    assert [name for name in exported if not name.startswith("_")] == []
    assert isthmus.__version__ == version("isthmus")


def test_it_says_that_it_is_typed():
    assert (Path(isthmus.__file__).parent / "py.typed").is_file()


def test_the_one_interface():
    own = own_names(generator) - own_names(messages)
    assert own == {"EventStream", "Generator", "Tokenizer", "Embedder"}
    assert members(generator.Generator) == {"model", "stream", "close"}
    assert members(generator.Tokenizer) == {"count", "tokenize", "pieces", "detokenize", "render"}
    assert members(generator.Embedder) == {"embed"}


def test_the_nouns():
    assert own_names(messages) == (ALIASES - {"EventStream"}) | {
        "Confidence",
        "Decision",
        "Embeddings",
        "Evidence",
        "Finish",
        "GenerationRequest",
        "ImagePart",
        "Message",
        "ModelInfo",
        "Notice",
        "Progress",
        "Reasoned",
        "ReasoningDelta",
        "Route",
        "SampleDelta",
        "TextDelta",
        "TextPart",
        "Timings",
        "TokenScore",
        "TokenScores",
        "Tool",
        "ToolCall",
        "ToolCallDelta",
        "ToolResult",
        "Usage",
        "nearest_effort",
        "with_system",
    }


def test_the_events_are_a_closed_set():
    assert {each.__name__: each.__struct_config__.tag for each in get_args(Event)} == {
        "ReasoningDelta": "reasoning",
        "TextDelta": "text",
        "ToolCallDelta": "tool_call",
        "ToolResult": "tool_result",
        "TokenScores": "token_scores",
        "SampleDelta": "sample",
        "Confidence": "confidence",
        "Progress": "progress",
        "Route": "route",
        "Notice": "notice",
        "Finish": "finish",
    }


def test_the_reasons_are_a_closed_set():
    assert get_args(Reason) == (
        "mode_off",
        "mode_shadow",
        "mode_always",
        "local_only",
        "offline",
        "home_only",
        "asked_local",
        "raw_prompt",
        "grammar",
        "no_provider",
        "context_too_long",
        "capability_missing",
        "looks_easy",
        "looks_hard",
        "answer_confident",
        "answer_doubtful",
        "delegated",
        "consent_required",
        "consent_given",
        "consent_declined",
        "redaction_failed",
        "budget_exceeded",
        "price_unknown",
        "provider_failed",
        "local_failed",
    )


def test_the_other_closed_sets():
    assert get_args(Target) == ("local", "hosted", "refuse")
    assert get_args(Stage) == ("rules", "estimate", "watch", "check", "delegate", "failure")
    assert get_args(HandoffMode) == ("off", "shadow", "ask", "auto", "always")
    assert get_args(Effort) == ("none", "minimal", "low", "medium", "high", "xhigh")
    assert get_args(Role) == ("system", "developer", "user", "assistant", "tool")
    assert get_args(FinishReason) == ("stop", "length", "tool_calls", "content_filter")
    assert {each.__name__ for each in get_args(Part)} == {"TextPart", "ImagePart"}
    assert get_args(get_args(ToolChoice)[0]) == ("auto", "none", "required")


def test_every_import_points_down():
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
