"""Words that an attack bans, on the real engine: it must cut them into tokens by itself."""

import anyio

from isthmus.engines.llama import LlamaEngine
from isthmus.messages import GenerationRequest, Message, TextDelta
from isthmus.settings import EngineSettings
from isthmus.trust import verify


def test_a_banned_word_is_not_said(tiny):
    question = (Message("user", "Repeat after me: tulip tulip tulip."),)

    async def ask(engine, **changes):
        request = GenerationRequest(question, max_tokens=12, temperature=0.0, seed=0, **changes)
        return "".join([event.text async for event in engine.stream(request) if isinstance(event, TextDelta)])

    async def work():
        engine = LlamaEngine(verify(tiny), EngineSettings(context_length=512, parallel=1))
        try:
            plain = await ask(engine)
            banned = await ask(
                engine, logit_bias=dict.fromkeys(("tulip", " tulip", "Tulip", " Tulip"), -100.0)
            )
        finally:
            await engine.close()
        return plain, banned

    plain, banned = anyio.run(work)
    assert "tulip" in plain.lower()
    assert "tulip" not in banned.lower()
