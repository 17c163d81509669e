"""Consent from the command line: here, where no server runs, and at the server, where one does."""

import json

import pytest

from isthmus.cli import handoff_approve
from isthmus.cli.handoff_approve import HEADER
from isthmus.ledger import Ledger, open_database
from tests.cli.homes import PlayedModel, play, says
from tests.server.conftest import serving  # noqa: F401 - a fixture
from tests.server.test_handoff import asked, bearer, waits  # noqa: F401 - a fixture
from tests.upstream import Upstream, answer

HARD = "Ann has 12 apples, Bob 7, Cy 9; how many in total, if each eats 2, and then half are sold?"
SETTINGS = """
[handoff]
mode = "ask"
provider = "big"
[providers.big]
base_url = "{url}"
model = "big-1"
input_usd_per_mtok = 1
output_usd_per_mtok = 10
"""


@pytest.fixture
def upstream(tmp_path):
    """The hosted side; the settings in the working folder name it."""
    with Upstream(answer("From away.")) as upstream:
        (tmp_path / "work" / "isthmus.toml").write_text(SETTINGS.format(url=upstream.url))
        yield upstream


@pytest.fixture
def waiting(isthmus, upstream, monkeypatch):
    """Asks where nobody can be asked back; gives the id under which the question waits."""

    def ask(question=HARD):
        play(monkeypatch, PlayedModel("m", says("From home.")))
        shown = isthmus("ask", question, "--model", "m", "--json", "--yes")
        said = json.loads(shown.out)
        assert said["text"] == "From home."
        (notice,) = said["notices"]
        assert notice["hint"] == f"isthmus handoff approve {said['decision']['consent_id']}"
        return said["decision"]["consent_id"]

    return ask


@pytest.fixture(params=["here", "server"])
def place(request, waiting):
    """Where consent is given: ``place.wait()`` has a question wait, ``place.sent()`` is what has left."""

    class Here:
        def __init__(self):
            self._upstream = request.getfixturevalue("upstream")

        def wait(self):
            return waiting()

        def sent(self):
            return self._upstream.requests

        def rows(self):
            database = open_database(request.getfixturevalue("home") / "ledger.sqlite3")
            found = Ledger(database).questions(9)
            database.dispose()
            return found

    class Server:
        def __init__(self):
            self._server = request.getfixturevalue("asked")()

        def wait(self):
            return waits(self._server)

        def sent(self):
            return self._server.upstream.requests

        def rows(self):
            return self._server.ledger.questions(9)

    return Here() if request.param == "here" else Server()


def test_what_waits_is_listed_with_what_it_would_cost(isthmus, place):
    assert isthmus("handoff", "pending").err == "Nothing waits for your consent.\n"
    id_ = place.wait()
    shown = isthmus("handoff", "pending")
    header, row = shown.out.splitlines()
    assert header.split() == " ".join(HEADER).split()
    for cell in (id_[:12], "Ann has 12 apples", "big: big-1", "$0.0"):
        assert cell in row
    assert f"isthmus handoff approve {id_[:12]}" in shown.err
    (item,) = json.loads(isthmus("handoff", "pending", "--json").out)
    assert (item["id"], item["status"], item["question"]) == (id_, "pending", HARD)
    assert place.sent() == []


def test_approving_shows_what_leaves_and_streams_the_answer_once(isthmus, place):
    id_ = place.wait()
    shown = isthmus("handoff", "approve", id_[:8], "--yes")
    assert (shown.code, shown.out) == (0, "From away.\n")
    assert f"[user] {HARD}" in shown.err
    assert "big (big-1 at 127.0.0.1) could answer for at most $0.0" in shown.err
    assert "you agreed" in shown.err
    (sent,) = place.sent()
    assert sent.json["messages"][-1]["content"] == HARD
    again = isthmus("handoff", "approve", id_, "--yes")
    assert (again.code, again.out) == (8, "")
    assert "approved" in again.err
    assert len(place.sent()) == 1
    newest = place.rows()[0]
    assert (newest.reason, newest.outcome) == ("consent_given", "complete")
    assert f"${newest.cost_usd.normalize():f}" in shown.err


def test_nobody_answering_means_no(isthmus, place):
    id_ = place.wait()
    shown = isthmus("handoff", "approve", id_)
    assert (shown.code, shown.out) == (8, "")
    assert f"hint: isthmus handoff approve {id_[:12]} --yes" in shown.err
    assert place.sent() == []


@pytest.mark.parametrize(("choice", "left"), [("yes", 1), ("no", 0)])
def test_a_person_is_asked(isthmus, place, monkeypatch, choice, left):
    async def ask(what):
        assert what.content["messages"][-1]["content"] == HARD
        return choice

    monkeypatch.setattr(handoff_approve, "can_ask", lambda: True)
    monkeypatch.setattr(handoff_approve, "ask", ask)
    id_ = place.wait()
    shown = isthmus("handoff", "approve", id_)
    assert shown.out == ("From away.\n" if left else "")
    assert len(place.sent()) == left
    assert len(json.loads(isthmus("handoff", "pending", "--json").out)) == 1 - left


def test_what_is_declined_is_never_sent(isthmus, place):
    id_ = place.wait()
    assert isthmus("handoff", "decline", id_[:6]).code == 0
    assert isthmus("handoff", "decline", id_).code == 8
    assert isthmus("handoff", "approve", id_, "--yes").code == 8
    assert place.sent() == []


def test_an_id_that_is_unknown_or_not_one_is_said_to_be(isthmus, place):
    ids = [place.wait() for _ in range(17)]
    first = next(each for each in "0123456789abcdef" if sum(id_.startswith(each) for id_ in ids) > 1)
    for typed in ("zzz", first):
        shown = isthmus("handoff", "approve", typed, "--yes")
        assert (shown.code, "hint: isthmus handoff pending" in shown.err) == (2, True)
    assert place.sent() == []


def test_the_page_is_opened_by_way_of_a_file_that_others_can_not_read(isthmus, asked, monkeypatch, home):  # noqa: F811
    opened = []
    monkeypatch.setattr(handoff_approve.typer, "launch", lambda url: opened.append(url) or 0)
    assert isthmus("handoff", "pending", "--page").code == 10  # no server runs
    server = asked()
    assert isthmus("handoff", "pending", "--page").code == 0
    (file,) = home.glob("handoff-page.html")
    assert opened == [file.as_uri()]
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"url=http://127.0.0.1:{server.port}/handoff#key={server.run.key}" in file.read_text()
