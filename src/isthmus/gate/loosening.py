"""What makes one policy looser than another: loosening after a seal needs a signed reason."""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from isthmus.gate.policy import Area, Policy, Sampling, Suite


def loosened(old: Policy, new: Policy) -> list[str]:
    """In what ways a policy asks less than the one before it; empty where it asks as much or more."""
    found = _fewer("role", old.roles, new.roles)
    found += [f"area {name} is gone" for name in old.areas if name not in new.areas]
    if new.alpha > old.alpha:
        found.append(f"alpha rises from {old.alpha:g} to {new.alpha:g}")
    if new.capability_loss > old.capability_loss:
        found.append(f"attacks may cost {new.capability_loss:g} of ability, not {old.capability_loss:g}")
    if new.sign_off.approvals < old.sign_off.approvals:
        found.append(f"approvals fall from {old.sign_off.approvals} to {new.sign_off.approvals}")
    if old.ability is not None and new.ability != old.ability:
        found.append("what an attack costs is measured on another floor")
    if new.search < old.search:
        found.append(f"attacks are searched on {new.search} prompts, not {old.search}")
    withstood = dict.fromkeys(name for area in old.areas.values() for name in area.tampering)
    others = [name for name in withstood if old.attacks.get(name) != new.attacks.get(name)]
    found += [f"the attack {name} is another" for name in others]
    for name, area in old.areas.items():
        if name in new.areas:
            found += [f"{name}: {each}" for each in _looser_area(area, new.areas[name])]
            found += [
                f"{name}: {each}" for each in _looser_sampling(old.sampling_of(name), new.sampling_of(name))
            ]
    return found


def _looser_area(old: Area, new: Area) -> list[str]:
    found = _fewer("attack", old.tampering, new.tampering) + _fewer("baseline", old.baselines, new.baselines)
    if new.measure != old.measure:
        found.append(f"it is a {new.measure}, no longer a {old.measure}")
    elif new.limit > old.limit:
        found.append(f"the threshold moves from {old.threshold:g} to {new.threshold:g}")
    if new.minimum < old.minimum:
        found.append(f"the least number of prompts falls from {old.minimum} to {new.minimum}")
    if new.errors > old.errors:
        found.append(f"the budget of errors rises from {old.errors:g} to {new.errors:g}")
    if _asked(new.suite) != _asked(old.suite):
        found.append("the suite is another")
    if new.judge != old.judge:
        found.append("the judge, or its calibration set, is another")
    kept = [name for name in old.baselines if name in new.baselines]
    wider = [name for name in kept if new.baselines[name].margin > old.baselines[name].margin]
    return found + [f"the margin over {name} rises" for name in wider]


def _looser_sampling(old: Sampling, new: Sampling) -> list[str]:
    if new.samples < old.samples:
        return [f"each prompt is asked {new.samples} times, not {old.samples}"]
    return [] if replace(new, samples=old.samples) == old else ["its prompts are asked in another way"]


def _asked(suite: Suite) -> Suite:
    """What counts of a suite: where its file lies doesn't."""
    return replace(suite, path="-")


def _fewer(what: str, old: Iterable[str], new: Collection[str]) -> list[str]:
    return [f"{what} {each} is gone" for each in old if each not in new]
