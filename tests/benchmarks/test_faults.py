"""The scripted provider of the fault benchmark: each of its faults is one, and none of its oddities is."""

import pytest
from benchmarks.faults import Outcome, counted

from benchmarks import faulty
from isthmus.errors import ProviderError
from isthmus.messages import Finish, GenerationRequest, Message, TextDelta
from isthmus.providers.hosted import HostedProvider
from isthmus.settings import ProviderSettings

pytestmark = pytest.mark.anyio

QUESTION = "Repeat after me:"


async def asked(kind, monkeypatch):
    """What is heard of a provider that has one way only."""
    fails = kind in faulty.FAULTS
    monkeypatch.setattr(faulty, "FAULTS", (kind,))
    monkeypatch.setattr(faulty, "ODD", (kind,))
    async with faulty.Provider(1, 1.0 if fails else 0.0) as provider:
        provider._chance.choice = lambda choices: choices[0]
        settings = ProviderSettings(provider.url, "m", first_byte_timeout_s=0.5, stall_timeout_s=0.5)
        hosted = HostedProvider("p", settings)
        try:
            request = GenerationRequest((Message("user", QUESTION),))
            return [event async for event in hosted.stream(request)], provider
        finally:
            await hosted.close()


@pytest.mark.parametrize("kind", faulty.FAULTS)
async def test_a_fault_never_looks_like_an_answer(kind, monkeypatch):
    with pytest.raises(ProviderError):
        await asked(kind, monkeypatch)


@pytest.mark.parametrize("kind", faulty.ODD)
async def test_what_is_odd_is_still_an_answer(kind, monkeypatch):
    events, provider = await asked(kind, monkeypatch)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert text == faulty.right_answer(QUESTION)
    assert isinstance(events[-1], Finish)
    assert (events[-1].usage is None) == (kind == "no usage")
    assert provider.billed_usd > 0


def outcome(kind, *, streamed=True, route="hosted", why=None):
    return Outcome(kind=kind, route=route, streamed=streamed, total_s=1.0, why=why)


ROUND = {
    "provider_faults": 3,
    "worker_kills": 1,
    "cap_usd": "1.00",
    "booked_usd": "0.90",
    "billed_usd": "0.50",
}


def test_what_must_hold_is_judged_by_what_happened():
    fine = [outcome("whole"), outcome("told", why="provider_cut"), outcome("whole", streamed=False)]
    assert all(counted(fine, [ROUND])["met"].values())
    for broken, what in (
        (outcome("lost"), "no answer is lost"),
        (outcome("cut"), "no cut answer is shown as whole"),
        (outcome("told", streamed=False), "what isn't streamed is answered"),
    ):
        met = counted([*fine, broken], [ROUND])["met"]
        assert [name for name, holds in met.items() if not holds] == [what]
    for money, what in (("booked_usd", "no cent over a cap"), ("billed_usd", "no cent unbooked")):
        met = counted(fine, [ROUND | {money: "1.01"}])["met"]
        assert not met[what]
