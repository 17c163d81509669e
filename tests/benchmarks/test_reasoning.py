import gzip
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request, urlopen

import anyio
import msgspec
import pytest
from benchmarks.reasoning_chart import chart, points
from benchmarks.reasoning_data import FILES, FORM, Question, gsm8k, mbpp
from benchmarks.reasoning_optillm import Asked, Counter, optillm_outcomes
from benchmarks.reasoning_pace import Pace
from benchmarks.reasoning_policies import DRAWN, POLICIES
from benchmarks.reasoning_pool import Draw, NotDrawn, Pool, Recorded, key_of
from benchmarks.reasoning_replay import Outcome, one_of, replay
from benchmarks.reasoning_statistics import calibration, mcnemar, paired, spread, summary
from benchmarks.rows import append_line

from benchmarks import reasoning
from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta, TokenScore, TokenScores, Usage


class ScriptedServer(BaseHTTPRequestHandler):
    """Answers one request as a model's server would."""

    ANSWER = b'{"usage": {"completion_tokens": 12}}'

    @classmethod
    def started(cls):
        server = HTTPServer(("127.0.0.1", 0), cls)
        server.base_url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=lambda: (server.handle_request(), server.server_close())).start()
        return server

    def do_POST(self):
        self.send_response(200)
        self.send_header("content-length", str(len(self.ANSWER)))
        self.end_headers()
        self.wfile.write(self.ANSWER)

    def log_message(self, *_):
        pass


QUESTION = Question("gsm8k", 1200, "What is 6 times 7?", "42")
PACE = Pace({1: 0.1, 2: 0.15, 4: 0.2, 8: 0.4}, 0.01)


def request(**how):
    return GenerationRequest(messages=QUESTION.messages, **how)


def says(*answers, finish="stop"):
    """A script in which each answer comes word by word, side by side."""
    words = [answer.split() for answer in answers]
    events = []
    for place in range(max(map(len, words))):
        for index, each in enumerate(words):
            if place < len(each):
                events.append(TokenScores((TokenScore(each[place], -0.5),), index))
                events.append(TextDelta(each[place] + " ", index))
            if place == len(each) - 1:
                last = place == max(map(len, words)) - 1
                events.append(Finish(finish, Usage(20, 30) if last else None, index=index))
    return events


async def heard(generator, asked):
    texts = {}
    async for event in generator.stream(asked):
        if isinstance(event, TextDelta):
            texts[event.index] = texts.get(event.index, "") + event.text
    return texts


class Answering(ScriptedEngine):
    """Answers whatever it is asked, each time with another number of words."""

    async def stream(self, request):
        self.requests.append(request)
        words = "so " * len(self.requests)
        answers = [f"{words} it is \\boxed{{{40 + place}}}." for place in range(request.n)]
        for event in says(*answers):
            yield event


def whole(pool, *answers, **how):
    """A pool in which a model has answered like this."""
    recorded = Recorded(pool, QUESTION, "scripted", ScriptedEngine(says(*answers)))
    return anyio.run(heard, recorded, request(n=len(answers), **how))


# ---------------------------------------------------------------- the pool


def test_what_was_drawn_once_is_played_again_without_a_model(tmp_path):
    drawn = whole(Pool(tmp_path / "pool.jsonl"), "it is 42", "it may be 41 or so", temperature=0.7)
    again = Recorded(Pool(tmp_path / "pool.jsonl"), QUESTION, "scripted")
    assert anyio.run(heard, again, request(n=2, temperature=0.7, top_logprobs=0)) == drawn
    assert again.tokens == 9
    assert {draw.mean_logprob for draw in again.draws} == {-0.5}


def test_only_what_is_missing_is_asked_for(tmp_path):
    pool = Pool(tmp_path / "pool.jsonl")
    whole(pool, "one", "two", temperature=0.7)
    home = ScriptedEngine(says("three", "four"))
    texts = anyio.run(heard, Recorded(pool, QUESTION, "scripted", home), request(n=4, temperature=0.7))
    assert [text.strip() for text in texts.values()] == ["one", "two", "three", "four"]
    assert [asked.n for asked in home.requests] == [2]
    assert [draw.draw for draw in pool.draws(key_of("scripted", request(temperature=0.7)))] == [0, 1, 2, 3]


def test_waves_of_one_question_go_on_where_the_last_ended_and_the_likeliest_answer_stays_the_same(tmp_path):
    pool = Pool(tmp_path / "pool.jsonl")
    whole(pool, "one", "two", temperature=0.7)
    whole(pool, "sure", temperature=0.0)
    recorded = Recorded(pool, QUESTION, "scripted")

    async def asked(**how):
        return [text.strip() for text in (await heard(recorded, request(**how))).values()]

    assert [anyio.run(lambda: asked(temperature=0.7)) for _ in range(2)] == [["one"], ["two"]]
    assert [anyio.run(lambda: asked(temperature=0.0)) for _ in range(2)] == [["sure"], ["sure"]]
    with pytest.raises(NotDrawn, match="gsm8k row 1200: 1 missing"):
        anyio.run(lambda: asked(temperature=0.7))


def test_a_line_that_a_kill_cut_short_is_drawn_again(tmp_path):
    path = tmp_path / "pool.jsonl"
    whole(Pool(path), "one", "two", temperature=0.7)
    path.write_bytes(path.read_bytes()[:-20])
    assert len(Pool(path)) == 1
    whole(Pool(path), "one", temperature=0.0)
    assert len(Pool(path)) == 2


def test_a_packed_pool_holds_the_same_and_grows_on(tmp_path):
    path = tmp_path / "pool.jsonl"
    drawn = whole(Pool(path), "it is 42", temperature=0.7)
    Pool(path).pack()
    assert not path.exists()
    assert anyio.run(heard, Recorded(Pool(path), QUESTION, "scripted"), request(temperature=0.7)) == drawn
    whole(Pool(path), "sure", temperature=0.0)
    assert len(Pool(path)) == 2


def test_what_decides_an_answer_tells_requests_apart_and_its_length_does_not():
    usual = key_of("m", request(temperature=0.7))
    assert key_of("m", request(temperature=0.7, max_tokens=9, n=8, seed=1, top_logprobs=2)) == usual
    others = [
        key_of("n", request(temperature=0.7)),
        key_of("m", request(temperature=0.0)),
        key_of("m", request(temperature=0.7, top_p=0.5)),
        key_of("m", GenerationRequest((Message("user", "another"),), temperature=0.7)),
    ]
    assert len({usual, *others}) == 5


def test_a_lower_limit_cuts_what_was_drawn_under_a_higher_one(tmp_path):
    pool = Pool(tmp_path / "pool.jsonl")
    whole(pool, "aa bb cc dd", temperature=0.0)
    recorded = Recorded(pool, QUESTION, "scripted", pace=PACE)
    texts = anyio.run(heard, recorded, request(temperature=0.0, max_tokens=2))
    assert (texts[0], recorded.tokens) == ("aa bb ", 2)
    assert recorded.seconds == pytest.approx(20 * 0.01 + 2 * 0.1)


def test_seconds_count_how_many_are_written_side_by_side(tmp_path):
    pool = Pool(tmp_path / "pool.jsonl")
    whole(pool, "a b", "a b c d", temperature=0.7)
    recorded = Recorded(pool, QUESTION, "scripted", pace=PACE)
    anyio.run(heard, recorded, request(n=2, temperature=0.7))
    assert recorded.seconds == pytest.approx(20 * 0.01 + 2 * 0.15 + 2 * 0.1)


def test_a_width_that_was_not_measured_takes_its_share():
    assert PACE.step_s(3) == pytest.approx(0.175)
    assert PACE.step_s(8) == 0.4
    assert PACE.step_s(16) == pytest.approx(0.8)


# ---------------------------------------------------------------- policies


def pool_of(path, texts, *, greedy="The answer is 41.", likeliest="It is \\boxed{42}."):
    """A pool of answers to the question as the product asks it, each of ten tokens."""
    pool = Pool(path)
    words = f"{QUESTION.prompt}\n\nThink step by step, then state the final answer."
    varied, sure = (GenerationRequest((Message("user", words),), temperature=each) for each in (0.7, 0.0))
    answers = [(key_of("m", varied), place, text) for place, text in enumerate(texts)]
    answers += [(key_of("m", sure), 0, likeliest), (key_of("m", request(temperature=0.0)), 0, greedy)]
    for key, place, text in answers:
        pool.add(Draw(key, place, "m", "gsm8k", 1200, text, 10, 20, -0.5, "stop", 1.0, 8))
    return pool


def outcome(name, pool):
    return anyio.run(replay, POLICIES[name], [QUESTION], pool, "m").get(1200)


def test_a_vote_finds_the_number_that_most_samples_come_to(tmp_path):
    texts = ["It is \\boxed{41}."] + ["It is \\boxed{42}."] * 5 + ["It is \\boxed{40}."] * 2
    pool = pool_of(tmp_path / "pool.jsonl", texts)
    assert outcome("greedy", pool) == Outcome(0.0, 10, 0.0)
    assert outcome("self-consistency", pool) == Outcome(1.0, 80, 0.0, 8, 0.625)
    assert outcome("fixed", pool) == Outcome(1.0, 80, 0.0, 8, 0.75)
    assert outcome("fixed k = 2", pool).tokens == 20


def test_an_adaptive_vote_stops_once_it_is_settled(tmp_path):
    pool = pool_of(tmp_path / "pool.jsonl", ["It is \\boxed{42}."] * 8)
    found = outcome("adaptive", pool)
    assert (found.right, found.agreement) == (1.0, 1.0)
    assert found.samples < 8
    assert found.tokens < 80


def test_what_is_drawn_for_a_few_policies_is_enough_for_all_of_them(tmp_path):
    home, pool = Answering(), Pool(tmp_path / "pool.jsonl")
    drawn = {}
    for name, policy in DRAWN.items():
        recorded = Recorded(pool, QUESTION, "m", home)
        drawn[name] = anyio.run(policy.answer, QUESTION, recorded)
    asked = len(home.requests)
    for name, policy in POLICIES.items():
        again = anyio.run(policy.answer, QUESTION, Recorded(Pool(pool.path), QUESTION, "m"))
        assert name not in drawn or again == drawn[name]
    assert len(home.requests) == asked
    assert {each.n for each in home.requests} == {1, 8}


def test_one_sample_is_the_mean_of_all(tmp_path):
    pool = pool_of(tmp_path / "pool.jsonl", ["It is \\boxed{42}."] * 2 + ["It is \\boxed{40}."] * 6)
    found = anyio.run(one_of, DRAWN["self-consistency"], [QUESTION], pool, "m")
    assert found == {1200: Outcome(0.25, 10, 0.0)}


def test_a_question_that_the_pool_has_too_little_of_is_left_out(tmp_path):
    pool = pool_of(tmp_path / "pool.jsonl", ["It is \\boxed{42}."] * 3)
    assert outcome("fixed", pool) is None
    assert outcome("fixed k = 4", pool).right == 1.0


# ---------------------------------------------------------------- the questions, and OptiLLM


def write(path, rows):
    path.write_bytes(gzip.compress(b"".join(msgspec.json.encode(row) + b"\n" for row in rows)))


def test_a_problem_is_asked_as_it_stands_and_its_number_is_the_truth(tmp_path):
    write(tmp_path / FILES["gsm8k"], [{"question": f"Q{n}?", "answer": f"so #### {n}"} for n in range(1203)])
    questions = gsm8k(tmp_path, 2)
    assert [(each.row, each.gold) for each in questions] == [(1200, "1200"), (1201, "1201")]
    assert questions[0].prompt == "Q1200?" + FORM
    assert questions[0].right("It is \\boxed{1,200}.")
    assert not questions[0].right("It is \\boxed{1,201}.")


def test_a_program_is_judged_by_tests_that_its_prompt_does_not_show(tmp_path):
    task = {"text": "Add.", "test_list": ["assert f(1)", "assert f(2)", "assert f(3)"], "test_setup_code": ""}
    write(tmp_path / FILES["mbpp"], [task | {"task_id": number} for number in range(1, 80)])
    question = mbpp(tmp_path, 1)[0]
    assert (question.row, question.gold) == (11, ("assert f(2)", "assert f(3)"))
    assert "assert f(1)" in question.prompt
    assert not any(hidden in question.prompt for hidden in question.gold)


def test_what_optillm_said_is_judged_like_everything_else(tmp_path):
    for row, text in ((1200, "It is 42."), (7, "It is 42.")):
        asked = Asked("self_consistency", "m", "gsm8k", row, text, 50, 2.0)
        append_line(tmp_path / "reasoning-optillm.jsonl", asked)
    found = optillm_outcomes(tmp_path, "gsm8k", "m", [QUESTION])
    assert found == {"OptiLLM self_consistency": {1200: Outcome(1.0, 50, 2.0)}}
    assert optillm_outcomes(tmp_path, "gsm8k", "another", [QUESTION]) == {}


def test_tokens_are_counted_on_their_way_through():
    with closing(Counter(ScriptedServer.started().base_url)) as counter:
        with urlopen(Request(f"{counter.base_url}/chat/completions", b"{}")) as response:
            assert response.read() == ScriptedServer.ANSWER
        assert counter.tokens == 12


# ---------------------------------------------------------------- statistics


def outcomes(rights, tokens=100):
    return {row: Outcome(float(right), tokens, 1.0) for row, right in enumerate(rights)}


def test_a_paired_difference_leaves_out_what_only_one_has_answered():
    one, other = outcomes([1, 1, 1, 0, 1]), outcomes([0, 1, 0, 1], tokens=50)
    found = paired(one, other)
    assert (found["questions"], found["gained"], found["lost"]) == (4, 2, 1)
    assert found["difference"] == 0.25
    assert found["tokens_ratio"] == 2.0
    assert found["difference_95"][0] <= 0.25 <= found["difference_95"][1]


def test_an_interval_shrinks_with_more_questions_and_is_narrower_paired():
    few, many = outcomes([0, 1] * 10), outcomes([0, 1] * 100)
    width = [high - low for low, high in (summary(each)["accuracy_95"] for each in (few, many))]
    assert width[1] < width[0] / 2
    assert paired(many, many)["difference_95"] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("gained", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (8, 0, 2 / 256), (1, 5, 14 / 64)]
)
def test_mcnemars_exact_test(gained, lost, p):
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_a_mean_of_draws_has_no_exact_test_and_one_question_no_interval():
    assert paired({1: Outcome(0.5, 1, 1)}, {1: Outcome(1.0, 1, 1)})["p"] is None
    assert spread([1.0]) is None


def test_agreement_is_held_against_the_truth():
    found = {
        row: Outcome(float(row > 2), 1, 1, 8, agreement)
        for row, agreement in enumerate([0.2, 0.3, 0.9, 1, 1])
    }
    assert [(each["questions"], each["accuracy"]) for each in calibration(found)] == [(2, 0.0), (3, 0.6667)]


def test_a_report_says_what_was_reached_and_is_drawn():
    found = {
        "greedy": outcomes([0, 0, 0, 1] * 10),
        "fixed": outcomes([1, 1, 0, 1] * 10, tokens=800),
        "adaptive": outcomes([1, 1, 0, 1] * 10, tokens=400),
        "fixed k = 4": outcomes([1, 0, 0, 1] * 10, tokens=300),
        "OptiLLM self_consistency": outcomes([1, 0, 0, 1] * 10, tokens=450),
    }
    result = reasoning.judged("gsm8k", "qwen2.5-coder:0.5b", found)
    assert all(result["met"].values())
    assert result["optillm"]["OptiLLM self_consistency"]["policy"] == "adaptive"
    assert result["over_fixed"]["adaptive"]["tokens_ratio"] == 0.5
    assert {"greedy", "adaptive"} <= {each["label"] for each in points(result)}
    assert "OptiLLM" in chart([result])
    worse = reasoning.judged("gsm8k", "qwen2.5-coder:0.5b", found | {"adaptive": found["greedy"]})
    assert not worse["met"]["high over greedy: the interval is above zero"]
    assert msgspec.json.decode(msgspec.json.encode(result))["planned"] == 200
