import random

import msgspec
import numpy as np
import pytest

from isthmus.errors import UsageError
from isthmus.handoff.estimator import Profile
from isthmus.handoff.estimator.calibration import calibrate
from isthmus.handoff.estimator.fitting import Design, Penalties, fit, folds_of
from isthmus.handoff.estimator.head import unpacked
from isthmus.handoff.estimator.rows import Row, Table
from isthmus.handoff.estimator.targets import Target
from isthmus.handoff.estimator.training import learn, word_matrix
from isthmus.handoff.estimator.words import hashed
from isthmus.handoff.judging import LocalAnswer


def some_rows(count, *, answers=False, seed=0):
    """Questions whose difficulty shows: hard ones speak of matrices, and their answers are unsure."""
    chooser = random.Random(seed)
    rows = []
    for number in range(count):
        hard = chooser.random() < 0.5
        topic = "the determinant of a matrix" if hard else "the colour of a flower"
        weak = chooser.random() < (0.2 if hard else 0.9)
        unsure = -0.4 if not weak else -0.05
        answer = LocalAnswer(f"It is {number}.", (unsure,) * 30, True, "stop") if answers else None
        rows.append(Row(f"Question {number}: tell me about {topic}.", weak, chooser.random() < 0.9, answer))
    return tuple(rows)


def test_what_is_learnt_ranks_what_was_not_seen():
    profile = Profile(learn(some_rows(120), "mine", buckets=1024).data)
    hard = profile.before("Question 900: tell me about the determinant of a matrix.")
    easy = profile.before("Question 901: tell me about the colour of a flower.")
    assert hard.p_local_wrong > 0.6 > 0.4 > easy.p_local_wrong
    assert hard.score > easy.score


def test_answers_are_read_where_rows_hold_them():
    rows = some_rows(120, answers=True)
    profile = Profile(learn(rows, "mine", buckets=256).data)
    before = profile.before(rows[0].prompt)
    sure = profile.after(before, LocalAnswer("It is 7.", (-0.05,) * 30, True, "stop"))
    unsure = profile.after(before, LocalAnswer("It is 7.", (-0.4,) * 30, True, "stop"))
    assert unsure.p_local_wrong > sure.p_local_wrong
    assert profile.data.watch is not None


def test_agreement_is_learnt_and_an_answer_alone_is_judged_as_if_no_row_had_samples():
    chooser = random.Random(1)
    alone = some_rows(120, answers=True)
    agreeing = tuple(
        msgspec.structs.replace(
            row,
            answer=msgspec.structs.replace(
                row.answer, samples=(row.answer.text,) * share + ("",) * (3 - share)
            ),
        )
        for row in alone
        for share in [chooser.choices(range(4), (1, 1, 3, 5) if row.weak_correct else (5, 3, 1, 1))[0]]
    )
    learnt, without = (Profile(learn(rows, "mine", buckets=256).data) for rows in (agreeing, alone))
    before = learnt.before(alone[0].prompt)
    answer = LocalAnswer("It is 7.", (-0.2,) * 30, True, "stop")
    same, other = (msgspec.structs.replace(answer, samples=(text,) * 3) for text in ("It is 7.", "It is 8."))
    scores = [learnt.after(before, each).p_local_wrong for each in (same, answer, other)]
    assert scores == sorted(scores)
    assert scores[0] + 0.2 < scores[2]
    assert learnt.after(before, msgspec.structs.replace(answer, voted=1.0)) == learnt.after(before, same)
    assert learnt.after(before, answer).score == pytest.approx(without.after(before, answer).score, abs=1e-4)
    assert learnt.compares(answer)
    assert not learnt.compares(LocalAnswer("It is so.", (), True))
    assert not without.compares(answer)


def test_words_are_weighed_as_they_will_be_at_run_time():
    texts = [row.prompt for row in some_rows(30)]
    packed, matrix = word_matrix(texts, 512)
    assert matrix is not None
    for text, line in zip(texts, matrix.toarray(), strict=True):
        expected = hashed(text, unpacked(packed))
        assert {place: pytest.approx(line[place], rel=1e-5) for place in np.flatnonzero(line)} == expected


def test_the_same_rows_give_the_same_profile():
    rows = some_rows(60, answers=True)
    one, other = (Profile(learn(rows, "mine", buckets=256).data) for _ in range(2))
    for row in rows:
        assert one.before(row.prompt).score == pytest.approx(other.before(row.prompt).score, abs=1e-6)


def test_the_fit_is_the_least_of_its_loss():
    chooser = np.random.default_rng(0)
    features = chooser.normal(size=(200, 3))
    truth = chooser.random(200) < 1 / (1 + np.exp(-(features @ [1.0, -1.0, 0.0])))
    found = fit(Design(features), truth, Penalties(1.0))

    def loss(bias, weights):
        margin = np.where(truth, 1, -1) * (bias + features @ weights)
        return np.logaddexp(0, -margin).sum() + (weights**2).sum() / 2

    least = loss(found.bias, found.features)
    for step in (-0.05, 0.05):
        assert loss(found.bias + step, found.features) > least
        for place in range(3):
            moved = found.features.copy()
            moved[place] += step
            assert loss(found.bias, moved) > least


def test_a_heavy_penalty_holds_weights_at_the_prior():
    features = np.random.default_rng(0).normal(size=(100, 2))
    truth = features[:, 0] > 0
    found = fit(Design(features), truth, Penalties(1e6), np.array([0.5, -0.5]))
    assert found.features == pytest.approx([0.5, -0.5], abs=1e-3)


def test_one_class_gives_a_bias_and_folds_are_even():
    found = fit(Design(np.ones((10, 1))), np.ones(10, dtype=bool), Penalties())
    assert 2 < found.bias < 4
    folds = folds_of(np.arange(53) % 3 == 0, seed=1)
    assert np.ptp(np.bincount(folds)) <= 1


# ---------------------------------------------------------------- all together


def test_a_calibration_says_what_it_will_come_to():
    found = calibrate(
        Table(some_rows(120, answers=True), "rows.jsonl", "00"), "mine", Target("cost_share", 0.3)
    )
    assert set(found.outlooks) == {"estimate", "watch", "check"}
    for depth, each in found.outlooks.items():
        assert each.handed_over == pytest.approx(0.3, abs=0.02)
        assert found.profile.threshold(depth) == each.threshold
    assert found.alone is None
    assert found.profile.threshold("check", opinions=False) == found.profile.threshold("check")
    assert found.profile.calibrated
    assert found.profile.data.provenance.rows == 120


def test_what_rows_cannot_teach_is_said():
    same = tuple(Row(f"question {number}", True, True) for number in range(40))
    with pytest.raises(UsageError, match="same labels"):
        calibrate(Table(same, "rows", "00"), "mine", Target())
    with pytest.raises(UsageError, match="too few"):
        calibrate(Table(some_rows(10), "rows", "00"), "mine", Target())
    small = tuple(Row(f"question {number}", number % 2 == 0, True) for number in range(40))
    remarks = calibrate(Table(small, "rows", "00"), "mine", Target()).remarks
    assert any("always right" in remark for remark in remarks)
    assert any("chance" in remark for remark in remarks)


def test_a_risk_is_of_wrong_answers_so_the_score_is_their_probability():
    table = Table(some_rows(150, answers=True), "rows.jsonl", "00")
    profile = calibrate(table, "mine", Target("risk", 0.3, 0.8)).profile
    before = profile.before(table.rows[0].prompt)
    answer = table.rows[0].answer
    assert before.score == before.p_local_wrong
    assert answer is not None
    after = profile.after(before, answer)
    assert after.score == after.p_local_wrong
    kept = [row for row in table.rows if profile.before(row.prompt).score <= profile.threshold("estimate")]
    assert kept
