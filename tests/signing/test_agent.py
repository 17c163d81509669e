import os
import shutil
import socket
import subprocess
import threading

import pytest

from isthmus.errors import SigningError, UsageError
from isthmus.signing import generate_key, read_public_key
from isthmus.signing.agent import AgentKey
from isthmus.signing.keys import write_private_key

pytestmark = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="there is no ssh-agent here")


@pytest.fixture
def agent(tmp_path):
    """A real agent of the test's own."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None
    yield path
    process.terminate()
    process.wait()


def lend(agent, file):
    environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", "-q", str(file)], env=environment, check=True)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
def test_an_agent_signs_as_a_file_does(agent, tmp_path, algorithm):
    file = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", str(file), *KINDS[algorithm]], check=True)
    lend(agent, file)
    public = read_public_key(tmp_path / "id.pub")
    key = AgentKey(public, agent)
    assert public.algorithm == algorithm
    assert public.verifies(key.sign(b"content"), b"content")
    assert public.id[:12] in repr(key)


KINDS = {
    "ecdsa-p256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa-p384": ("-t", "ecdsa", "-b", "384"),
    "ed25519": ("-t", "ed25519"),
}


def test_a_key_that_the_agent_does_not_have(agent):
    with pytest.raises(SigningError, match="doesn't sign with the key") as caught:
        AgentKey(generate_key().public, agent).sign(b"content")
    assert caught.value.hint == "ssh-add FILE lends it the key"


def test_there_is_no_agent(tmp_path):
    with pytest.raises(SigningError, match="can't be asked"):
        AgentKey(generate_key().public, tmp_path / "none").sign(b"content")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x00",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\x0e",
        b"\x00\x00\x00\x05\x0e\x00\x00\x00\x63",
        # well formed, and signed by nobody
        b"\x00\x00\x00\x13\x0e\x00\x00\x00\x0e\x00\x00\x00\x01x\x00\x00\x00\x05wrong",
    ],
)
def test_an_agent_that_answers_nonsense(tmp_path, answer):
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SigningError):
            AgentKey(generate_key("ed25519").public, path).sign(b"content")
        thread.join()


def test_a_public_key_stands_for_the_agents(agent, tmp_path, monkeypatch):
    from isthmus.cli.gate_options import open_key

    key = generate_key("ed25519")
    write_private_key(tmp_path / "key.pem", key)
    (tmp_path / "key.pub").write_text(key.public.openssh)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    assert isinstance(open_key(tmp_path / "key.pub", locked=False), AgentKey)
    assert open_key(tmp_path / "key.pem", locked=False).public == key.public
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(UsageError, match="no ssh-agent runs here"):
        open_key(tmp_path / "key.pub", locked=False)
