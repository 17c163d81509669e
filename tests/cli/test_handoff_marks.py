import json

from isthmus.ledger import MarkTable, open_database


def test_rules_and_what_is_remembered_are_shown_and_forgotten(isthmus, home, monkeypatch):
    monkeypatch.setenv("ISTHMUS_HANDOFF_HOME_ONLY_PATHS", "~/clients/**,*.pem")
    engine = open_database(home / "ledger.sqlite3")
    table = MarkTable(engine)
    table.add(range(1200))
    table.close()
    engine.dispose()
    shown = isthmus("handoff", "marks").out.splitlines()
    assert shown[:2] == ["path  ~/clients/**", "path  *.pem"]
    assert shown[2] == "1,200 numbers remembered, each for 365 days after it was last seen."
    assert "1,200 numbers forgotten." in isthmus("handoff", "marks", "--forget").out
    told = json.loads(isthmus("handoff", "marks", "--json").out)
    assert (told["remembered"], told["rules"]["paths"]) == (0, ["~/clients/**", "*.pem"])
