import inspect
import re
from pathlib import Path

import pytest

from isthmus import errors
from isthmus.engines.runner import RunnerEngine
from isthmus.errors import IsthmusError
from isthmus.messages import GenerationRequest, Message
from isthmus.providers.hosted import HostedProvider
from isthmus.settings import ProviderSettings
from tests.upstream import CLOSE, RESET, SILENCE, Upstream, chunk, redirect, status, stream

KINDS = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, IsthmusError)]
REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "exit-codes.md"


def drawn() -> dict[str, str | None]:
    """Each class of the tree that the module's docstring draws, with its parent."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if name := re.match(r"    ([│├└─ ]*)([A-Z]\w+)", line):
            depth = len(name[1]) // 4
            above = [*above[:depth], name[2]]
            parents[name[2]] = above[-2] if depth else None
    return parents


def test_the_tree_is_as_it_is_drawn():
    real = {each.__name__: each.__base__.__name__ for each in KINDS}
    assert drawn() == real | {"IsthmusError": None}
    assert list(drawn()) == [each.__name__ for each in KINDS], "drawn in another order than written"


def test_every_code_is_one_error():
    codes = [each.code for each in KINDS]
    assert len(set(codes)) == len(codes)
    assert [code for code in codes if not re.fullmatch("[a-z]+(_[a-z]+)*", code)] == []
    assert [each for each in KINDS if "code" not in vars(each)] == []


def test_codes_are_documented_as_they_are():
    documented = re.findall(r"\| (\d+) \| `(\w+)` \| (\d+) \| (.+) \|", REFERENCE.read_text())
    assert {(int(exit_code), code, int(status)) for exit_code, code, status, _ in documented} == {
        (each.exit_code, each.code, each.http_status) for each in KINDS
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_carries_what_a_person_and_a_program_need(kind):
    error = kind("it broke", hint="mend it", param="part")
    assert (str(error), error.message, error.hint, error.param) == ("it broke", "it broke", "mend it", "part")
    assert (kind("it broke").hint, kind("it broke").param) == (None, None)
    assert 400 <= kind.http_status < 600
    assert 0 < kind.exit_code < 126 or kind.exit_code == 130
    assert kind.__doc__


# ---------------------------------------------------------------- what lies below does not show through

FAULTS = {
    "reset": [RESET],
    "closed": [CLOSE],
    "garbage": [b"\x00\x01\r\n\r\n", CLOSE],
    "cut": [*stream(chunk("Par"), done=False), CLOSE],
    "ends early": stream(chunk("Par")),
    "not JSON": stream("nonsense"),
    "not text": stream(b'data: "\xff"\n\n'),
    "too deep": stream('{"x": ' + "[" * 100_000),
    "other shape": stream('{"choices": 5}'),
    "error": stream({"error": "no"}),
    "page": status(200, "<html>", media_type="text/html"),
    "redirect": redirect("http://127.0.0.1:1/"),
    **{str(code): status(code, {"error": {"message": "no"}}) for code in (400, 401, 404, 408, 429, 500, 503)},
}
ASKED = GenerationRequest((Message("user", "x"),))


def hosted(settings):
    return HostedProvider("big", settings)


def runner(settings):
    return RunnerEngine("big", settings, "m")


async def answer(generator):
    return [event async for event in generator.stream(ASKED)]


async def told(generator):
    try:
        with pytest.raises(IsthmusError) as caught:
            await answer(generator)
    finally:
        await generator.close()
    return caught.value


@pytest.mark.anyio
@pytest.mark.parametrize("make", [hosted, runner])
@pytest.mark.parametrize("fault", FAULTS)
async def test_what_goes_wrong_upstream_is_told_in_our_words(make, fault):
    with Upstream(FAULTS[fault]) as upstream:
        error = await told(make(ProviderSettings(upstream.url)))
    assert error.message
    assert type(error) is not IsthmusError


@pytest.mark.anyio
@pytest.mark.parametrize("make", [hosted, runner])
async def test_so_is_that_nobody_is_there(make):
    with Upstream([CLOSE]) as upstream:
        gone = upstream.url
    assert "can't be reached: connection refused" in (await told(make(ProviderSettings(gone)))).message


@pytest.mark.anyio
async def test_so_is_silence():
    with Upstream([SILENCE]) as upstream:
        error = await told(hosted(ProviderSettings(upstream.url, first_byte_timeout_s=0.1)))
    assert error.code == "provider_timeout"
