"""Which models think, how they are told how hard, and how the two are found out."""

from pathlib import Path

import pytest

from isthmus.messages import EFFORTS, ModelInfo
from isthmus.reasoning.families import BUDGETS, FAMILIES, family_of

ASSISTANT = "<\N{FULLWIDTH VERTICAL LINE}Assistant\N{FULLWIDTH VERTICAL LINE}>"
TEMPLATES = {
    "gpt-oss": "<|start|>system<|message|>Reasoning: {{ reasoning_effort }}<|channel|>analysis",
    "seed-oss": "{%- set think_begin_token = '<seed:think>' -%}",
    "gemma-4": "{% if enable_thinking %}<|think|>{% else %}<|channel>thought\n<channel|>{% endif %}",
    "magistral": "{{ '[THINK]' + block['thinking'] + '[/THINK]' }}",
    "kimi-k2-thinking": "<|im_assistant|>assistant<|im_middle|><think>{{ reasoning_content }}</think>",
    "minimax-m2": "{{- ']~b]ai' ~ '\\n' ~ '<think>' ~ '\\n' }}",
    "glm-4": "[gMASK]<sop>{{ '<think></think>' if not enable_thinking }}",
    "deepseek-v3.1": "{{'" + ASSISTANT + "'}}{%- if not thinking -%}</think>{% else %}<think>{% endif %}",
    "deepseek-r1": "{{'" + ASSISTANT + "' + content.split('</think>')[-1]}}<think>",
    "nemotron": "{% if '/no_think' in content %}<think></think>{% endif %}<AVAILABLE_TOOLS>",
    "smollm3": "{% if enable_thinking %}{% set reasoning_mode = '/think' %}{% else %}/no_think{% endif %}",
    "qwen3-thinking": "<|im_start|>assistant\n<think>\n{{ message.reasoning_content }}",
    "qwen3": "<|im_start|>assistant\n{% if enable_thinking is false %}<think>\n\n</think>{% endif %}",
    "switched": "<|turn|>{% if enable_thinking %}<think>{% endif %}",
    "marked": "<|turn|>assistant<think>",
}
NAMES = {
    "gpt-oss:20b": "gpt-oss",
    "qwen3:8b": "qwen3",
    "Qwen/Qwen3-4B-Thinking-2507": "qwen3-thinking",
    "Qwen3-4B-Instruct-2507": None,
    "qwen3-coder:30b": None,
    "qwq:32b": "qwen3-thinking",
    "deepseek-r1:7b": "deepseek-r1",
    "DeepSeek-R1-Distill-Llama-8B": "deepseek-r1",
    "deepseek-v3.1": "deepseek-v3.1",
    "kimi-k2-thinking": "kimi-k2-thinking",
    "kimi-k2-instruct": None,
    "glm-4.6": "glm-4",
    "glm-4-9b-chat": None,
    "magistral-small-2509": "magistral",
    "nvidia-nemotron-nano-9b-v2": "nemotron",
    "SmolLM3-3B": "smollm3",
    "llama3.2": None,
    "qwen2.5-coder:0.5b": None,
}


def name_of(family):
    return family and family.name


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_which_family_it_is(name):
    assert name_of(family_of(ModelInfo("mine", local=True, template=TEMPLATES[name]))) == name


def test_each_family_has_a_template_here():
    assert list(TEMPLATES) == [family.name for family in FAMILIES]


@pytest.mark.parametrize("template", ["", "{{ messages }}", "<|im_start|>{{ message.content }}<|im_end|>"])
def test_a_template_without_thoughts_is_believed_over_a_name(template):
    assert family_of(ModelInfo("qwen3", local=True, template=template)) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_runner_s_model_goes_by_its_name(name):
    assert name_of(family_of(ModelInfo(name, local=True))) == NAMES[name]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_a_family_says_holds_together(family):
    assert family.channels != bool(family.opening and family.closing)
    assert list(family.efforts) == [effort for effort in EFFORTS if effort in family.efforts]
    assert {"low", "medium", "high"} <= set(family.efforts)
    assert all(source.startswith("https://") for source in family.sources)
    assert family.sources or family.name in ("switched", "marked")
    assert not family.verified, "say in docs/concepts/thinking.md on which weights"
    if family.graded:
        told = [str(arguments) for arguments in family.efforts.values()]
        assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("family", "asked", "nearest"),
    [("gpt-oss", "none", "low"), ("gpt-oss", "xhigh", "high"), ("deepseek-r1", "none", "minimal")]
    + [("qwen3", effort, effort) for effort in EFFORTS],
)
def test_an_effort_that_a_family_lacks_becomes_its_nearest(family, asked, nearest):
    found = next(each for each in FAMILIES if each.name == family)
    assert found.nearest(asked) == nearest


def test_only_a_family_without_degrees_is_held_to_budgets():
    graded, other = (next(each for each in FAMILIES if each.name == name) for name in ("gpt-oss", "qwen3"))
    assert {graded.budget(effort) for effort in graded.efforts} == {None}
    assert {effort: other.budget(effort) for effort in EFFORTS} == BUDGETS
    assert other.budget(None) is None


def test_each_family_is_in_the_documentation():
    page = Path(__file__).parents[2] / "docs" / "concepts" / "thinking.md"
    rows = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    told = {row[0].removeprefix("| "): row for row in rows}
    for family in FAMILIES:
        _, efforts, _, mark, shown = told[family.title]
        assert (efforts == "all") == (list(family.efforts) == list(EFFORTS))
        assert family.channels or family.opening in mark.replace("\\", "")
        assert ("opened by the prompt" in mark) == family.opened
        known = {"never": "never", "calls": "since the last question", "always": "always"}
        assert shown.rstrip(" |") == known[family.replay]
