"""Whether a release is what its publisher gated: signatures, files, policy, evidence, approvals, time.

Nothing here reads a disk or a clock. `check` takes the digests of the files that are there and the bytes of
the few that state something, and gives a `Proof`, or says what is wrong.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.errors import EvidenceBroken, ReleaseRefused, SignatureInvalid, SigningError
from isthmus.signing import Bundle, PublicKey
from isthmus.signing.statement import open_statement
from isthmus.trust.contents import contents_digest, require_same, stated_contents
from isthmus.trust.evidence import Evidence, Record
from isthmus.trust.origin import SIGNATURE, ContentFile, PolicyHead, Proof, Signer
from isthmus.trust.statements import (
    APPROVAL_TYPE,
    APPROVALS,
    CARD,
    DECISION,
    DECISION_TYPE,
    EVIDENCE,
    GATE,
    PEOPLE,
    POLICY,
    Approval,
    Decision,
    EvidenceHead,
    Person,
    read_envelope,
)

Documents = Mapping[str, bytes]
"""The bytes of a release's own statements, by name: the signature, and what lies under ``gate/``."""

MIN_APPROVALS = 2


class _Area(Struct, frozen=True):
    roles: tuple[str, ...] = ()


class _SignOff(Struct, frozen=True):
    approvals: int = MIN_APPROVALS
    roles: tuple[str, ...] = ()


class _Policy(Struct, frozen=True):
    """What a user's machine reads of a policy: the rest was the gate's to apply."""

    id: str
    version: int
    areas: dict[str, _Area]
    sign_off: _SignOff = _SignOff()

    @property
    def roles(self) -> set[str]:
        return {*self.sign_off.roles, *(role for area in self.areas.values() for role in area.roles)}


def check(
    documents: Documents,
    keys: Collection[PublicKey],
    now: datetime,
    *,
    present: Iterable[ContentFile] | None = None,
) -> Proof:
    """Check a release by its own statements.

    Args:
        documents: The bytes of ``model.sig``, and of what lies under ``gate/`` where it was gated.
        keys: The publisher's, as pinned.
        now: Against which a release's time is held.
        present: Every file that is there, but the signature; None where only the statements were kept, and
            what is loaded is held against ``Proof.files``.

    Raises:
        ReleaseRefused: Something was changed, is missing or doesn't belong; it isn't approved as its policy
            asks; or it isn't out yet.
        SignatureInvalid: A signature isn't by whom it should be.
    """
    key, files = _signed_files(documents, keys)
    if present is not None:
        require_same(files, present, "the release")
    digests = {file.name: file.sha256 for file in files}
    for name, content in documents.items():
        if name != SIGNATURE and hashlib.sha256(content).hexdigest() != digests.get(name):
            raise ReleaseRefused(f"{name} isn't the file that was signed")
    sealed = tuple(file for file in files if not file.name.startswith(GATE) and file.name != CARD)
    proof = Proof(level="signed", key=key.id, files=files, weights=contents_digest(sealed))
    return _Gated(documents, keys, proof).check(now) if DECISION in digests else proof


def _signed_files(
    documents: Documents, keys: Collection[PublicKey]
) -> tuple[PublicKey, tuple[ContentFile, ...]]:
    if SIGNATURE not in documents:
        raise ReleaseRefused(f"there is no {SIGNATURE}: nobody vouches for these files")
    bundle = Bundle.from_bytes(documents[SIGNATURE])
    try:
        statement, signers = open_statement(bundle.dsse_envelope, keys)
    except SignatureInvalid as error:
        raise SignatureInvalid(f"{SIGNATURE} can't be trusted: {error}") from error
    return next(iter(signers)), stated_contents(statement)


class _Gated:
    """The check of what a gated release states beyond its files."""

    def __init__(self, documents: Documents, keys: Collection[PublicKey], proof: Proof) -> None:
        self._documents = documents
        self._keys = keys
        self._proof = proof

    def check(self, now: datetime) -> Proof:
        decision = self._decision(now)
        policy = self._policy(decision)
        head = PolicyHead(policy.id, policy.version, decision.policy.digest["sha256"])
        people = self._people()
        seal = _seal(self._evidence(decision, people))
        if _people_of(seal) != dict(people.values()):
            raise ReleaseRefused(f"{PEOPLE} names others than those who were sealed with the release")
        expected = Approval(decision.resource_uri, head, decision.isthmus.evidence)
        signers = self._approvals(expected, people, seal.who)
        _require_signed_off(policy, signers)
        return msgspec.structs.replace(
            self._proof,
            level="gated",
            release=decision.resource_uri,
            policy=head,
            areas=tuple(policy.areas),
            approvals=signers,
            alpha=decision.isthmus.alpha,
            look=decision.isthmus.look,
            not_before=decision.isthmus.not_before,
            parent=decision.isthmus.parent,
        )

    def _decision(self, now: datetime) -> Decision:
        envelope = read_envelope(self._document(DECISION), DECISION)
        try:
            statement, _ = open_statement(envelope, self._keys)
        except SignatureInvalid as error:
            raise SignatureInvalid(f"{DECISION} can't be trusted: {error}") from error
        decision = statement.read_as(DECISION_TYPE, Decision)
        subjects = [ContentFile(each.name, each.digest.get("sha256", "")) for each in statement.subject]
        decided = [file for file in self._proof.files if not file.name.startswith(GATE)]
        require_same(subjects, decided, "what the gate decided on")
        if decision.verification_result != "PASSED":
            raise ReleaseRefused("the gate's decision on this release is that it failed")
        if decision.isthmus.weights != self._proof.weights:
            raise ReleaseRefused("the decision is about other files than these")
        if now < decision.isthmus.not_before:
            raise ReleaseRefused(
                f"the release isn't out before {decision.isthmus.not_before:%Y-%m-%d %H:%M %Z}",
                hint="wait, or set the clock right",
            )
        return decision

    def _policy(self, decision: Decision) -> _Policy:
        content = self._document(POLICY)
        if hashlib.sha256(content).hexdigest() != decision.policy.digest.get("sha256"):
            raise ReleaseRefused(f"{POLICY} isn't the policy that was decided by")
        try:
            policy = msgspec.toml.decode(content, type=_Policy)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ReleaseRefused(f"{POLICY} can't be read: {error}") from error
        if (policy.id, policy.version) != (decision.policy.uri, decision.isthmus.policy_version):
            raise ReleaseRefused(f"{POLICY} has another name or version than the decision says")
        return policy

    def _people(self) -> dict[PublicKey, tuple[str, Person]]:
        try:
            people = msgspec.json.decode(self._document(PEOPLE), type=dict[str, Person])
            found = {person.public: (name, person) for name, person in people.items()}
        except (msgspec.DecodeError, SigningError) as error:
            raise ReleaseRefused(f"{PEOPLE} can't be read: {error}") from error
        if len(found) != len(people):
            raise ReleaseRefused(f"{PEOPLE} has one key under two names")
        return found

    def _evidence(self, decision: Decision, people: Collection[PublicKey]) -> tuple[Record, ...]:
        """The records up to the verdict."""
        head: EvidenceHead = decision.isthmus.evidence
        try:
            evidence = Evidence.read(self._document(EVIDENCE), people)
        except EvidenceBroken as error:
            raise ReleaseRefused(str(error)) from error
        records = evidence.records[: head.records]
        if evidence.root(head.records) != head.root or not records:
            raise ReleaseRefused(f"{EVIDENCE} isn't the evidence that was decided on")
        verdict = records[-1]
        if (verdict.kind, verdict.data.get("outcome")) != ("verdict", "pass"):
            raise ReleaseRefused("the evidence doesn't end in a verdict of pass")
        if verdict.digests.get("weights") != self._proof.weights:
            raise ReleaseRefused("the evidence is about other files than these")
        if verdict.digests.get("policy") != decision.policy.digest["sha256"]:
            raise ReleaseRefused("the evidence was judged by another policy")
        return records

    def _approvals(
        self, expected: Approval, people: Mapping[PublicKey, tuple[str, Person]], submitter: str
    ) -> tuple[Signer, ...]:
        """Those who signed exactly this release, policy, evidence and decision; never the submitter."""
        reviewers = [key for key in people if key.id != submitter and "submitter" not in people[key][1].roles]
        try:
            statement, signers = open_statement(
                read_envelope(self._document(APPROVALS), APPROVALS), reviewers
            )
        except SignatureInvalid as error:
            raise SignatureInvalid(f"{APPROVALS} can't be trusted: {error}") from error
        about = statement.subject[0].digest.get("sha256") if len(statement.subject) == 1 else None
        if about != self._proof.weights or statement.read_as(APPROVAL_TYPE, Approval) != expected:
            raise ReleaseRefused("the approvals are of other files, another policy or other evidence")
        named = sorted((people[key][0], key) for key in signers)
        return tuple(Signer(name, people[key][1].roles, key.id) for name, key in named)

    def _document(self, name: str) -> bytes:
        if name not in self._documents:
            raise ReleaseRefused(f"{name} is missing: the release doesn't say how it was gated")
        return self._documents[name]


def _seal(records: Iterable[Record]) -> Record:
    """The last seal before the verdict; whoever made it submitted the release."""
    seals = [record for record in records if record.kind == "sealed"]
    if not seals:
        raise ReleaseRefused("the evidence doesn't say who submitted the release")
    return seals[-1]


def _people_of(seal: Record) -> dict[str, Person]:
    try:
        return msgspec.convert(seal.data["seal"]["people"], dict[str, Person])
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise ReleaseRefused(f"the evidence doesn't say who may do what: {error}") from error


def _require_signed_off(policy: _Policy, signers: Collection[Signer]) -> None:
    needed = max(policy.sign_off.approvals, MIN_APPROVALS)
    if len(signers) < needed:
        raise ReleaseRefused(f"{len(signers)} approved, and {needed} must, each with a key of their own")
    if missing := policy.roles - {role for signer in signers for role in signer.roles}:
        raise ReleaseRefused(f"nobody approved as {', '.join(sorted(missing))}, as the policy asks")
