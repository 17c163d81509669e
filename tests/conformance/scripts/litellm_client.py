"""LiteLLM as a client, by three APIs; one JSON object a check on standard output."""

import json
import os

import litellm

MODEL, KEY = os.environ["ISTHMUS_MODEL"], os.environ["ISTHMUS_KEY"]
URL, ORIGIN = os.environ["ISTHMUS_URL"], os.environ["ISTHMUS_ORIGIN"]
HI = [{"role": "user", "content": "Say hello."}]
BASES = {"openai": URL, "hosted_vllm": URL, "anthropic": ORIGIN, "ollama_chat": ORIGIN}


def ask(prefix: str, model: str = MODEL, **more: object) -> litellm.ModelResponse:
    return litellm.completion(
        model=f"{prefix}/{model}", api_base=BASES[prefix], api_key=KEY, messages=HI, max_tokens=8,
        num_retries=0, timeout=float(os.environ["ISTHMUS_TIMEOUT_S"]), **more,
    )  # fmt: skip


def answers(prefix: str) -> str:
    answer = ask(prefix)
    assert answer.usage.completion_tokens <= 8, answer.usage
    return answer.choices[0].message.content


def streams(prefix: str) -> str:
    text = "".join(chunk.choices[0].delta.content or "" for chunk in ask(prefix, stream=True))
    assert text, "nothing came"
    return text


def tells_a_missing_model(prefix: str) -> str:
    try:
        ask(prefix, "nobody:1b")
    except litellm.exceptions.NotFoundError as error:
        return error.message
    raise AssertionError("no error")


for prefix in BASES:
    for check in (answers, streams, tells_a_missing_model):
        row = {"check": f"{prefix}: {check.__name__.replace('_', ' ')}"}
        try:
            row["did"] = check(prefix)
        except Exception as error:  # noqa: BLE001 - told
            row["failed"] = f"{type(error).__name__}: {error}"
        print(json.dumps(row))
