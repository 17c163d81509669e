"""OpenSSF Model Signing's tool and ours check each other's signatures.

``model_signing/`` holds a folder that model-signing 1.1.1 signed, by ``model_signing sign key model
--private_key KEY --signature model/model.sig``. The other direction runs where that tool is on the PATH, or
is named by MODEL_SIGNING.
"""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isthmus.errors import ReleaseRefused, SignatureInvalid
from isthmus.signing import generate_key, read_public_key
from isthmus.trust.folder import check_folder
from tests.gate.releases import Bench

THEIRS = Path(__file__).parent / "model_signing"
TOOL = os.environ.get("MODEL_SIGNING") or shutil.which("model_signing")


@pytest.fixture
def signed(tmp_path) -> Path:
    return Path(shutil.copytree(THEIRS / "model", tmp_path / "model"))


def check(folder, key=None):
    return check_folder(folder, [key or read_public_key(THEIRS / "key.pub")], datetime.now(UTC))


def test_what_their_tool_signed_is_verified(signed):
    proof = check(signed)
    assert (proof.level, len(proof.files)) == ("signed", 3)
    with pytest.raises(SignatureInvalid, match="can't be trusted"):
        check(signed, generate_key("ecdsa-p384").public)


@pytest.mark.parametrize("name", ["more/config.json", "extra.txt", ".gitignore"])
def test_what_was_changed_since_is_refused(signed, name):
    (signed / name).write_text("changed")
    with pytest.raises(ReleaseRefused, match=name):
        check(signed)


@pytest.mark.skipif(not TOOL, reason="there is no model_signing here")
def test_their_tool_verifies_a_release(tmp_path):
    bench = Bench(tmp_path / "project").published(tmp_path / "release")

    def verify():
        key = str(bench.folder / "keys" / "dee.pub")
        words = ["verify", "key", "release", "--signature", "release/model.sig", "--public_key", key]
        return subprocess.run([str(TOOL), *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert verify().returncode == 0, verify().stderr
    with (tmp_path / "release" / "model.gguf").open("ab") as file:
        file.write(b"x")
    assert verify().returncode != 0
