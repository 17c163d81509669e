"""The model at home as a recogniser of names and addresses, where the settings name it.

    known = await reader.known(home, texts)     # before anything of these texts may leave

It reads each text once, piece by piece, and remembers what it found. It never sees what home doesn't see
anyway, and whatever goes wrong keeps the question home.
"""

from collections.abc import Sequence
from contextlib import aclosing

import anyio
import msgspec

from isthmus.errors import IsthmusError, RedactionFailed
from isthmus.generator import Generator
from isthmus.handoff.redaction.asking import asked_of, listed_in, pieces_of, worth_asking
from isthmus.handoff.redaction.findings import Findings
from isthmus.handoff.redaction.repeats import Known
from isthmus.messages import Finish, TextDelta

_OTHERWISE = 'set handoff.redaction.recogniser = "auto"'


class ModelReader:
    """Has the model at home list the names and addresses in texts.

    Args:
        deadline_s: How long it may take for one request.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._findings: Findings[tuple[Known, ...]] = Findings()

    async def known(self, home: Generator | None, texts: Sequence[str]) -> tuple[Known, ...]:
        """What is private in some texts, as the model sees it.

        Args:
            home: The model; None where there is none, so that only what was read before is known.
            texts: All that would leave.

        Raises:
            RedactionFailed: It couldn't read all of them.
        """
        found = {text: self._findings.get(text) for text in dict.fromkeys(texts) if worth_asking(text)}
        unread = [text for text, known in found.items() if known is None]
        if unread:
            if home is None:
                raise RedactionFailed("no model at home can look for names now", hint=_OTHERWISE)
            found |= await self._read(home, unread)
        return tuple(dict.fromkeys(each for known in found.values() for each in known or ()))

    async def _read(self, home: Generator, texts: Sequence[str]) -> dict[str, tuple[Known, ...]]:
        found: dict[str, tuple[Known, ...]] = {}
        so_far: tuple[Known, ...] = ()  # in the pieces of a text that hasn't ended yet
        try:
            with anyio.fail_after(self._deadline_s):
                for piece, ending in pieces_of(texts):
                    listed = await _listed(home, piece)
                    so_far += listed
                    for text in ending:
                        found[text] = so_far
                        self._findings.put(text, so_far)
                    so_far = listed if ending else so_far
        except TimeoutError:
            raise RedactionFailed(
                f"{home.model.name} took more than {self._deadline_s:g} s to look for names",
                hint=f"{_OTHERWISE}, or raise handoff.deadline_s",
            ) from None
        return found


async def _listed(home: Generator, piece: str) -> tuple[Known, ...]:
    """What the model lists of a piece of text.

    Raises:
        RedactionFailed: It failed, or its list can't be read. Neither error quotes the text.
    """
    said: list[str] = []
    whole = False
    try:
        async with aclosing(home.stream(asked_of(piece))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    said.append(event.text)
                elif isinstance(event, Finish):
                    whole = event.reason == "stop"
        if whole:
            return listed_in("".join(said), piece)
    except IsthmusError as error:
        raise RedactionFailed(
            f"{home.model.name} couldn't look for names: {error.code}", hint=_OTHERWISE
        ) from error
    except msgspec.DecodeError:
        pass
    raise RedactionFailed(f"{home.model.name} listed no names that can be read", hint=_OTHERWISE)
