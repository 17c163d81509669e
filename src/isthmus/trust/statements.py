"""What a gated release states, and where each statement lies in its folder.

MODEL_CARD.md          what was shown, in words, made from the evidence
gate/policy.toml       what had to be shown
gate/evidence.jsonl    what happened, record by record
gate/people.json       whose keys signed, and in which roles
gate/approvals.json    the reviewers' signatures: one envelope, a signature each
gate/tests/AREA.json   a test result for each area
gate/decision.json     the decision, over the digest of every file
model.sig              Model Signing's signature over all of the above, and so over the whole release
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from isthmus.errors import SignatureInvalid
from isthmus.signing import PublicKey, ResourceDescriptor, Statement, read_public_key
from isthmus.signing.dsse import Envelope
from isthmus.store.releases import GATE as GATE
from isthmus.trust.origin import PolicyHead, Time

CARD = "MODEL_CARD.md"
POLICY, EVIDENCE, PEOPLE = "gate/policy.toml", "gate/evidence.jsonl", "gate/people.json"
APPROVALS, DECISION, TESTS = "gate/approvals.json", "gate/decision.json", "gate/tests/"

APPROVAL_TYPE = "urn:isthmus:gate:approval:1"
DECISION_TYPE = "https://slsa.dev/verification_summary/v1"
TEST_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
NOTICE_TYPE = "urn:isthmus:gate:hold-notice:1"
VERIFIER = "urn:isthmus:gate"
LEVEL = "ISTHMUS_GATE_PASSED"


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """Someone who may sign: the public key as PEM text, and roles."""

    key: str
    roles: tuple[str, ...] = ()

    @property
    def public(self) -> PublicKey:
        """The key.

        Raises:
            SigningError: The text holds none.
        """
        return read_public_key(self.key)


class EvidenceHead(Struct, frozen=True):
    """Which evidence: the Merkle root of so many records, the last of which is the verdict."""

    root: str
    records: int


class Approval(Struct, frozen=True):
    """What a reviewer signs, about the digest of the sealed files. Equal for all of them, to the byte."""

    release: str
    policy: PolicyHead
    evidence: EvidenceHead
    decision: Literal["pass"] = "pass"

    def about(self, weights: str) -> Statement:
        """The statement over the sealed files' digest."""
        return Statement.of([ResourceDescriptor(self.release, {"sha256": weights})], APPROVAL_TYPE, self)


class Particulars(Struct, frozen=True, rename="camel"):
    """What the gate adds to a verification summary."""

    policy_version: int
    evidence: EvidenceHead
    weights: str
    look: int
    alpha: float
    not_before: Time
    parent: str = ""


class Decision(Struct, frozen=True, rename="camel"):
    """The decision as a verification summary (SLSA VSA 1.0); those who don't know ``isthmus`` may skip it."""

    verifier: dict[str, str]
    time_verified: Time
    resource_uri: str
    policy: ResourceDescriptor
    input_attestations: tuple[ResourceDescriptor, ...]
    verification_result: Literal["PASSED", "FAILED"]
    verified_levels: tuple[str, ...]
    isthmus: Particulars


class TestResult(Struct, frozen=True, rename="camel"):
    """How an area did (in-toto's test result 0.1), with its figures beside it."""

    __test__ = False  # not pytest's

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: tuple[ResourceDescriptor, ...]
    passed_tests: tuple[str, ...] = ()
    failed_tests: tuple[str, ...] = ()
    isthmus: tuple[dict[str, Any], ...] = ()


class Postponement(Struct, frozen=True):
    """A hold that there was before: when it was put, until when it was meant to be, and why."""

    at: Time
    areas: tuple[str, ...]
    reason: str
    revisit: Time | None = None


class HoldNotice(Struct, frozen=True):
    """A release is held back: meant for the public. Without ``revisit``, indefinitely."""

    release: str
    at: Time
    areas: tuple[str, ...]
    reason: str
    revisit: Time | None = None
    before: tuple[Postponement, ...] = ()

    def about(self, weights: str) -> Statement:
        """The statement over the sealed files' digest."""
        return Statement.of([ResourceDescriptor(self.release, {"sha256": weights})], NOTICE_TYPE, self)


def read_envelope(content: bytes, name: str) -> Envelope:
    """An envelope's file.

    Raises:
        SignatureInvalid: It is something else.
    """
    try:
        return msgspec.json.decode(content, type=Envelope)
    except msgspec.DecodeError as error:
        raise SignatureInvalid(f"{name} is no signed envelope: {error}") from error
