"""What others read of an error."""

import pytest

from isthmus.errors import EngineError, ModelError, NotFound, StorageError, UnknownModel
from isthmus.wire.faults import outward


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ModelError("the store's entry for a is damaged (/home/ada/.isthmus/a.json: it is of b)"),
            "the store's entry for a is damaged (a.json: it is of b)",
        ),
        (StorageError("/srv/models/x.gguf can't be read: no space"), "x.gguf can't be read: no space"),
        (StorageError("the ledger '/srv/ledger.sqlite3' is full"), "the ledger 'ledger.sqlite3' is full"),
    ],
)
def test_a_file_is_told_by_its_name_alone(error, told):
    assert outward(error)[0] == told


@pytest.mark.parametrize(
    "error",
    [
        EngineError("ollama at http://127.0.0.1:11434/v1 can't be reached", hint="start ollama"),
        UnknownModel("the model '/etc/passwd' is not served here", hint="isthmus pull /etc/passwd"),
        NotFound("there is nothing at GET /v1/nothing"),
        ModelError("hf.co/org/repo:Q4_K_M is half there", hint="isthmus pull hf.co/org/repo:Q4_K_M"),
        ModelError("3 of 4 tokens/s, and/or less"),
    ],
)
def test_addresses_names_and_what_the_request_said_stay(error):
    assert outward(error) == (error.message, error.hint)


def test_a_hint_about_a_file_is_for_this_machines_person():
    assert outward(StorageError("the disk is full", hint="df -h /srv/models")) == ("the disk is full", None)
    assert outward(StorageError("the disk is full", hint="isthmus rm a"))[1] == "isthmus rm a"
