"""After publication: what users should know, and taking a release back as far as that goes."""

from datetime import timedelta
from pathlib import Path

import msgspec

from isthmus.errors import GateRefused
from isthmus.gate.lifecycle import PUBLISHER
from isthmus.gate.project import Project
from isthmus.signing import SigningKey
from isthmus.store.disk import storage_errors, write_atomically
from isthmus.trust.advisories import Feed
from isthmus.trust.evidence import Kind, Record
from isthmus.trust.origin import Advisory

DAYS = 30
"""For how long an issue is good: whoever holds a newer one back can do so until then."""


def advise(
    project: Project, key: SigningKey, text: str, feed: Path, *, withdraw: bool = False, days: int = DAYS
) -> tuple[Record, Feed]:
    """Say something of a release that is out, or withdraw it, in the next issue of a publisher's feed.

    Withdrawing recalls no copy: it makes the machines of those who fetch the feed refuse the release.

    Args:
        project: The release.
        key: The publisher's.
        text: What users are told.
        feed: The publisher's feed, which all of its releases share; made where there is none.
        withdraw: Whether the release is to be refused.
        days: For how long the issue is good.

    Raises:
        GateRefused: It isn't out, or this key isn't its publisher's, or there is nothing to say.
        SignatureInvalid: The feed that is there isn't this publisher's.
        StorageError: It can't be written.
    """
    situation = project.situation
    if not text:
        raise GateRefused("users are told why", hint='--text "..."')
    seal, sealed = situation.present, situation.sealed
    kind: Kind = "withdrawn" if withdraw else "advised"
    advisory = Advisory(
        weights=sealed.digests["weights"] if sealed else "",
        release=seal.release,
        kind=kind,
        text=text,
        at=project.now(),
    )
    issue = _next(project, key, feed, (advisory,), days)
    digests = {"weights": advisory.weights}
    step = project.draft(kind, key, why=text, digests=digests, data={"issue": issue.number})
    write_atomically(feed, issue.sealed(key))
    return project.add(step), issue


def renew(project: Project, key: SigningKey, feed: Path, days: int = DAYS) -> Feed:
    """Issue the feed anew as it is, before it expires.

    Raises:
        GateRefused: This key isn't the publisher's.
        SignatureInvalid: The feed that is there isn't this publisher's.
        StorageError: It can't be written.
    """
    holder = project.people.get(project.name_of(key.public.id))
    if holder is None or PUBLISHER not in holder.roles:
        raise GateRefused("a feed is issued by its publisher", hint=f"whose --key has the role {PUBLISHER}?")
    issue = _next(project, key, feed, (), days)
    write_atomically(feed, issue.sealed(key))
    return issue


def _next(project: Project, key: SigningKey, feed: Path, more: tuple[Advisory, ...], days: int) -> Feed:
    now, publisher = project.now(), project.release.publisher
    expires = now + timedelta(days=days)
    with storage_errors(feed):
        content = feed.read_bytes() if feed.exists() else None
    if content is None:
        return Feed(publisher, 1, now, expires, more)
    last = Feed.from_bytes(content, [key.public])
    if last.publisher != publisher:
        raise GateRefused(f"{feed} is {last.publisher}'s, not {publisher}'s")
    return msgspec.structs.replace(
        last, number=last.number + 1, issued=now, expires=expires, advisories=(*last.advisories, *more)
    )
