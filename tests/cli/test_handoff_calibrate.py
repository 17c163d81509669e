import json

import pytest

from tests.upstream import Upstream, answer, chunk, stream

MODELS = """
max_tokens = 50
[handoff]
provider = "big"
retries = 0
[providers.big]
base_url = "{away}"
model = "large"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
[providers.mine]
base_url = "{home}"
local = true
"""


def rows(count=40, **more):
    for number in range(count):
        hard = number % 2 == 0
        topic = "determinants" if hard else "flowers"
        yield {
            "prompt": f"Tell me about {topic} ({number}).",
            "weak_correct": not hard,
            "strong_correct": True,
            **more,
        }


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return str(path)


def test_a_profile_is_learnt_and_scores(isthmus, home, labelled):
    made = isthmus("handoff", "calibrate", "--data", labelled, "--profile", "mine", "--quality", "0.95")
    assert made.code == 0, made.err
    assert str(home / "profiles" / "mine.json") in made.out
    assert "HANDED OVER" in made.out
    assert "40 rows leave much to chance" in made.err
    scored = isthmus("handoff", "score", "--profile", "mine", labelled)
    found = [json.loads(line) for line in scored.out.splitlines()]
    assert [each["row"] for each in found] == list(range(40))
    assert {each["stage"] for each in found} == {"estimate"}
    hard, easy = found[0], found[1]
    assert hard["score"] > easy["score"]
    assert hard["hand_over"] is (hard["score"] > hard["threshold"])


def test_rows_with_answers_are_judged_by_them(isthmus, tmp_path):
    path = tmp_path / "answered.csv"
    path.write_text(
        'prompt,weak_response\n"How many are 2 and 3?","2 + 3 = 5\n#### 5"\n"How many are left?",\n'
    )
    found = [json.loads(line) for line in isthmus("handoff", "score", str(path)).out.splitlines()]
    assert [each["stage"] for each in found] == ["check", "estimate"]
    plain = isthmus("handoff", "score", "--question-only", str(path))
    assert {json.loads(line)["stage"] for line in plain.out.splitlines()} == {"estimate"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--profile", "../x", "--data", "{rows}"], "can be called"),
        (["--profile", "mine"], "either --data or --prompts"),
        (["--profile", "mine", "--data", "{rows}", "--risk", "2"], "not between 0 and 1"),
        (["--profile", "mine", "--data", "{rows}", "--risk", "0.1", "--quality", "0.9"], "one target"),
        (["--profile", "mine", "--data", "{rows}", "--confidence", "0.9"], "goes with --risk"),
        (["--profile", "mine", "--data", "nowhere.jsonl"], "can't be read"),
        (["--profile", "mine", "--prompts", "{rows}"], "must be said"),
        (["--profile", "mine", "--prompts", "{rows}", "--budget-usd", "-1"], "no sum of money"),
    ],
)
def test_what_can_not_be_done_is_said_at_once(isthmus, labelled, words, why):
    ended = isthmus("handoff", "calibrate", *(word.format(rows=labelled) for word in words))
    assert ended.code != 0
    assert why in ended.err
    assert "hint" in ended.err


def test_an_unknown_profile_is_an_error_with_a_hint(isthmus, labelled):
    ended = isthmus("handoff", "score", "--profile", "nobodys", labelled)
    assert ended.code == 3
    assert "isthmus handoff calibrate" in ended.err


# ---------------------------------------------------------------- over one's own prompts


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    asked = [{"prompt": f"What is {n} plus 1?", "answer": n + 1, "grade": "numeric"} for n in range(24)]
    path.write_text("".join(json.dumps(each) + "\n" for each in asked))
    return path


def says(request):
    """Both models answer the sum; the one at home is wrong on odd numbers."""
    content = request.json["messages"][-1]["content"]
    number = int(content.split()[2])
    return answer(f"The answer is {number + 1}.")


def errs(request):
    number = int(request.json["messages"][-1]["content"].split()[2])
    texts = [f"The answer is {number + 1 + number % 2 * choice}." for choice in range(1, 4)]
    if "n" not in request.json:
        return answer(texts[0])
    choices = [chunk(text, index=index, finish="stop") for index, text in enumerate(texts)]
    return stream(*choices, {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 15}})


def test_both_models_are_run_within_the_budget_and_it_goes_on_where_it_stopped(isthmus, tmp_path, prompts):
    with Upstream(errs) as at_home, Upstream(says) as away:
        (tmp_path / "work" / "isthmus.toml").write_text(MODELS.format(home=at_home.url, away=away.url))
        words = ["handoff", "calibrate", "--prompts", str(prompts), "--profile", "mine", "-m", "mine/small"]
        stopped = isthmus(*words, "--budget-usd", "0.0005")
        assert stopped.code == 8
        assert "--budget-usd" in stopped.err
        into = prompts.with_suffix(".rows.jsonl")
        first = [json.loads(line) for line in into.read_text().splitlines()]
        assert 0 < len(first) < 24
        assert len(away.requests) == len(first)
        done = isthmus(*words, "--budget-usd", "1")
        assert done.code == 0, done.err
        kept = [json.loads(line) for line in into.read_text().splitlines()]
    assert kept[: len(first)] == first
    assert len(kept) == len(away.requests) == 24
    assert [row["weak_correct"] for row in kept] == [n % 2 == 0 for n in range(24)]
    assert all(row["strong_correct"] for row in kept)
    assert (kept[0]["weak_model"], kept[0]["strong_model"]) == ("small", "large")
    assert [len(set(row["samples"])) for row in kept] == [1, 3] * 12
    assert len(at_home.requests) == 2 * 24


def test_the_hard_switch_lets_no_prompt_leave(isthmus, tmp_path, prompts):
    with Upstream(errs) as at_home, Upstream(says) as away:
        settings = MODELS.format(home=at_home.url, away=away.url)
        (tmp_path / "work" / "isthmus.toml").write_text(
            settings.replace("[handoff]", "[handoff]\nlocal_only = true")
        )
        ended = isthmus(
            "handoff", "calibrate", "--prompts", str(prompts), "--profile", "mine", "-m", "mine/small",
            "--budget-usd", "1",
        )  # fmt: skip
        assert ended.code == 8
        assert away.requests == []
