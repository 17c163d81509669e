import json
import random

import pytest

pytest.importorskip("faker")

from benchmarks.redaction import _streamed, formats, found, restored
from benchmarks.redaction_tasks import task
from benchmarks.redaction_texts import FRAMES, KINDS, LOCALES, Maker

from isthmus.handoff.redaction import Placeholder, Restorer


def test_texts_say_where_their_values_are():
    maker = Maker(3, "tune")
    seen, forms = set(), set()
    for _ in range(200):
        (text, values), form, locale = maker.text()
        forms.add(form)
        assert locale in LOCALES
        assert all(0 <= start < end <= len(text) for start, end, _ in values)
        assert all(text[start:end].strip() == text[start:end] for start, end, _ in values)
        seen |= {kind for *_, kind in values}
        if form == "json":
            json.loads(text)
    assert seen == set(KINDS)
    assert len(seen) >= 20
    assert forms == {"prose", "code", "log", "json", "settings"}


def test_a_seed_makes_the_same_texts_and_the_halves_differ():
    one, same, other = (Maker(3, split).text() for split in ("tune", "tune", "report"))
    assert one == same != other


def test_every_list_has_something_for_both_halves():
    lists = [FRAMES["decoys"], *FRAMES["neutral"].values(), *FRAMES["persons"].values()]
    assert all(len(each) >= 2 for each in lists)


def test_what_is_measured():
    result, missed, wrong = found("builtin", 60, 3, "tune")
    assert result["values"] == sum(result["n"].values()) > 60
    assert result["recall_structured"] > 0.95
    assert result["precision"] > 0.9
    assert len(missed) <= result["values"]
    assert all(len(each) == 3 for each in wrong)


def test_restoration_is_counted_over_real_answers(tmp_path):
    text, names = task(0, 1)
    sent = "<PERSON_1> <PHONE_1> <EMAIL_1>"
    rows = [
        {"answer": "call <PHONE_1>, dear <PERSON_1>", "sent": sent},
        {"answer": "PERSON number 1", "sent": sent},
        {"answer": "PERSON -1", "sent": sent},
        {"answer": "", "sent": "<PERSON_2>"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "\n".join(json.dumps({**row, "prompt": text, "names": names, "format": "<>"}) for row in rows)
    )
    result = restored(path)
    assert (result["answers"], result["of_another_numbering"]) == (3, 1)
    assert (result["mentions"], result["restored"]) == (3, 0.6667)
    assert formats(path)["<>"]["exact"] == 2


def test_answers_are_fed_in_pieces():
    restorer = Restorer([Placeholder("<EMAIL_1>", "m@x.org", "EMAIL")])
    assert _streamed(restorer, "to <EMAIL_1>!", random.Random(0)) == "to m@x.org!"
