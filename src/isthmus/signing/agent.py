"""Keys that a running ssh-agent holds: it signs, and the secret half never leaves it.

The agent's protocol: draft-ietf-sshm-ssh-agent, section 3.6; the shape of its signatures: RFC 5656 (ECDSA)
and RFC 8709 (Ed25519). What is signed, and how, is the same as with a key from a file.
"""

import socket
import struct
from base64 import b64decode
from pathlib import Path

from isthmus.errors import SigningError
from isthmus.signing.keys import PublicKey

SIGN_REQUEST, SIGN_RESPONSE = 13, 14
TIMEOUT_S = 60.0
"""Long enough for a person to touch a token, or to allow it in a window."""
_MAX_ANSWER_BYTES = 64 << 10


class AgentKey:
    """A key that an agent holds.

    Args:
        public: Its public half.
        agent: The agent's socket, as ``SSH_AUTH_SOCK`` names it.
    """

    def __init__(self, public: PublicKey, agent: Path) -> None:
        self.public = public
        self._agent = agent

    def sign(self, content: bytes) -> bytes:
        """A signature over the content, as a key from a file makes it.

        Raises:
            SigningError: The agent can't be asked, doesn't hold the key, or its person says no.
        """
        blob = b64decode(self.public.openssh.split()[1])
        request = bytes([SIGN_REQUEST]) + _string(blob) + _string(content) + struct.pack(">I", 0)
        try:
            answer = self._ask(_string(request))
            if answer[:1] != bytes([SIGN_RESPONSE]):
                raise SigningError(
                    f"the ssh-agent doesn't sign with the key {self.public.id[:12]}",
                    hint="ssh-add FILE lends it the key",
                )
            outer = _Reader(_Reader(answer[1:]).string())
            outer.string()  # the algorithm's name, which the key settles
            signature = outer.string()
            signature = signature if self.public.algorithm == "ed25519" else _der(_Reader(signature))
        except (OSError, struct.error, ValueError) as error:
            raise SigningError(f"the ssh-agent can't be asked: {error}", hint="ssh-add -l") from error
        if not self.public.verifies(signature, content):
            raise SigningError("what the ssh-agent signed isn't this content by this key")
        return signature

    def _ask(self, message: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(TIMEOUT_S)
            agent.connect(str(self._agent))
            agent.sendall(message)
            (length,) = struct.unpack(">I", _receive(agent, 4))
            if length > _MAX_ANSWER_BYTES:
                raise ValueError(f"its answer has {length:,} bytes")
            return _receive(agent, length)

    def __repr__(self) -> str:
        return f"AgentKey({self.public.algorithm}, {self.public.id[:12]})"


class _Reader:
    """The strings and numbers of a message, in order."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def string(self) -> bytes:
        (length,) = struct.unpack(">I", self._rest[:4])
        found, self._rest = self._rest[4 : 4 + length], self._rest[4 + length :]
        if len(found) != length:
            raise ValueError("its answer is cut short")
        return found

    def number(self) -> int:
        return int.from_bytes(self.string(), "big", signed=True)


def _der(numbers: _Reader) -> bytes:
    """ECDSA's two numbers as ASN.1, which is how everybody else has them."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(numbers.number(), numbers.number())


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _receive(agent: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        chunk = agent.recv(count - len(received))
        if not chunk:
            raise ValueError("it closed the connection")
        received += chunk
    return bytes(received)
