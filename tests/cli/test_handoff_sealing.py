import hashlib
import stat
import sys

import pytest

from isthmus.ledger import Ledger, open_database
from isthmus.ledger.sealing import Sealer
from tests.ledger.samples import question

BODY = b'{"messages": []}'


@pytest.fixture
def sealed(isthmus, home, tmp_path):
    """A question whose body was sealed for the key in FILE."""
    shown = isthmus("handoff", "keygen", str(tmp_path / "secret.pem"))
    engine = open_database(home / "ledger.sqlite3")
    ledger = Ledger(engine, sealer=Sealer(shown.out.strip()))
    ledger.add(question(id="abc", sent_digest=hashlib.sha256(BODY).hexdigest()), [BODY])
    ledger.add(question(id="strange", sent_digest="0" * 64), [BODY])
    ledger.close()
    engine.dispose()
    return tmp_path / "secret.pem"


def test_a_pair_of_keys_is_made(isthmus, tmp_path):
    file = tmp_path / "secret.pem"
    shown = isthmus("handoff", "keygen", str(file))
    assert shown.code == 0
    assert shown.out.startswith("x25519:")
    assert f'sealing_key = "{shown.out.strip()}"' in shown.err
    assert "PRIVATE KEY" in file.read_text()
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(isthmus, tmp_path):
    file = tmp_path / "secret.pem"
    file.write_text("precious")
    assert isthmus("handoff", "keygen", str(file)).code == 11
    assert file.read_text() == "precious"


def test_what_left_is_shown_to_the_holder_of_the_key(isthmus, sealed):
    shown = isthmus("handoff", "unseal", "abc", "--key", str(sealed))
    assert (shown.code, shown.out, shown.err) == (0, BODY.decode() + "\n", "")


def test_a_copy_that_the_row_does_not_name_is_told(isthmus, sealed):
    shown = isthmus("handoff", "unseal", "strange", "--key", str(sealed))
    assert "doesn't name these digests" in shown.err


def test_a_wrong_key_opens_nothing(isthmus, sealed, tmp_path):
    isthmus("handoff", "keygen", str(tmp_path / "other.pem"))
    shown = isthmus("handoff", "unseal", "abc", "--key", str(tmp_path / "other.pem"))
    assert (shown.code, shown.out) == (12, "")
    assert "another key" in shown.err
    assert isthmus("handoff", "unseal", "abc", "--key", str(tmp_path / "none.pem")).code == 12


def test_a_passphrase_is_asked_for(isthmus, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("typer.prompt", lambda text, **how: asked.append((text, how)) or "words")
    isthmus("handoff", "keygen", str(tmp_path / "locked.pem"), "--passphrase")
    assert "ENCRYPTED" in (tmp_path / "locked.pem").read_text()
    assert asked[0][1]["hide_input"]
