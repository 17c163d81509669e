import hashlib
import stat
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

from isthmus.errors import SigningError, StorageError
from isthmus.settings import Secret
from isthmus.signing import PrivateKey, PublicKey, generate_key, read_private_key, read_public_key
from isthmus.signing.keys import ALGORITHMS, write_private_key


@pytest.fixture(params=ALGORITHMS)
def key(request) -> PrivateKey:
    return generate_key(request.param)


def test_a_signature_is_over_its_content_by_its_key(key):
    signature = key.sign(b"content")
    assert key.public.verifies(signature, b"content")
    assert not key.public.verifies(signature, b"other")
    assert not key.public.verifies(signature[:-1], b"content")
    assert not generate_key(key.public.algorithm).public.verifies(signature, b"content")


def test_a_key_comes_back_from_its_file(key, tmp_path):
    write_private_key(tmp_path / "key.pem", key)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert read_private_key(tmp_path / "key.pem").public == key.public
    (tmp_path / "key.pub").write_text(key.public.pem)
    assert read_public_key(tmp_path / "key.pub") == read_public_key(key.public.pem) == key.public
    with pytest.raises(StorageError, match="exists"):
        write_private_key(tmp_path / "key.pem", key)


def test_a_key_may_have_a_passphrase(key, tmp_path):
    path = tmp_path / "key.pem"
    write_private_key(path, key, Secret("words"))
    assert "ENCRYPTED" in path.read_text()
    assert read_private_key(path, Secret("words")).public == key.public
    with pytest.raises(SigningError, match="needs its passphrase"):
        read_private_key(path)
    with pytest.raises(SigningError, match="isn't its passphrase"):
        read_private_key(path, Secret("other"))


def test_a_passphrase_where_there_is_none(tmp_path):
    write_private_key(tmp_path / "key.pem", generate_key())
    with pytest.raises(SigningError, match="has no passphrase"):
        read_private_key(tmp_path / "key.pem", Secret("words"))


def test_openssh_keys_are_read(key, tmp_path):
    path = tmp_path / "id"
    inner = key._key
    encoding, none = serialization.Encoding, serialization.NoEncryption()
    path.write_bytes(inner.private_bytes(encoding.PEM, serialization.PrivateFormat.OpenSSH, none))
    path.chmod(0o600)
    assert read_private_key(path).public == key.public
    line = inner.public_key().public_bytes(encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert read_public_key(line.decode()) == key.public


def test_the_id_is_what_openssl_prints(tmp_path):
    key = generate_key()
    write_private_key(tmp_path / "key.pem", key)
    command = ["openssl", "pkey", "-in", str(tmp_path / "key.pem"), "-pubout"]
    try:
        printed = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("there is no openssl here")
    assert key.public.id == hashlib.sha256(printed).hexdigest()


def test_keys_show_their_public_half_only(key):
    shown = f"{key!r} {key.public!r} {[key]}"
    assert key.public.id[:12] in shown
    assert "BEGIN" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="modes mean nothing there")
def test_a_secret_key_that_others_can_read_is_refused(tmp_path):
    write_private_key(tmp_path / "key.pem", generate_key())
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(SigningError, match="others can read") as caught:
        read_private_key(tmp_path / "key.pem")
    assert "chmod 600" in caught.value.hint


def test_other_kinds_of_keys_are_refused():
    with pytest.raises(SigningError, match="secp521r1"):
        PrivateKey(ec.generate_private_key(ec.SECP521R1()))
    with pytest.raises(SigningError, match="RSAPublicKey"):
        PublicKey(rsa.generate_private_key(65537, 2048).public_key())
    with pytest.raises(SigningError, match="can't sign"):
        PrivateKey(x25519.X25519PrivateKey.generate())


def test_files_that_hold_no_key(tmp_path):
    (tmp_path / "key.pem").write_text("hello")
    (tmp_path / "key.pem").chmod(0o600)
    for read in (read_private_key, read_public_key):
        with pytest.raises(SigningError, match="can't be read as a"):
            read(tmp_path / "key.pem")
        with pytest.raises(SigningError, match="no such file"):
            read(tmp_path / "none.pem")
    write_private_key(tmp_path / "secret.pem", generate_key())
    with pytest.raises(SigningError, match="holds a secret key"):
        read_public_key(tmp_path / "secret.pem")
