"""Make the golden files of gpt-oss's format with OpenAI's own implementation of it.

    pip install openai-harmony==0.0.8
    TIKTOKEN_ENCODINGS_BASE=FOLDER python make_harmony.py

FOLDER holds ``o200k_base.tiktoken`` (SHA-256 446a9538...8cfb1a2d), the vocabulary, which openai-harmony would
otherwise fetch. npm's ``js-tiktoken`` 1.0.21 has it in ``dist/ranks/o200k_base.js``: lines of a first rank
and of tokens in base64, one rank after the other.
"""

import json
from pathlib import Path

from openai_harmony import (
    Author,
    Conversation,
    DeveloperContent,
    HarmonyEncodingName,
    Message,
    ReasoningEffort,
    Role,
    StreamableParser,
    SystemContent,
    ToolDescription,
    load_harmony_encoding,
)

HERE = Path(__file__).parent
ENCODING = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
TOOLS = {each["name"]: each for each in json.loads((HERE / "harmony_tools.json").read_text())}
EFFORTS = {"low": ReasoningEffort.LOW, "medium": ReasoningEffort.MEDIUM, "high": ReasoningEffort.HIGH}


def user(text):
    return Message.from_role_and_content(Role.USER, text)


def said(text, channel):
    return Message.from_role_and_content(Role.ASSISTANT, text).with_channel(channel)


THOUGHT = said("I must look.", "analysis")
CALL = (
    said('{"location": "Tokyo"}', "commentary")
    .with_recipient("functions.get_weather")
    .with_content_type("<|constrain|>json")
)
RESULT = (
    Message.from_author_and_content(Author.new(Role.TOOL, "functions.get_weather"), '{"temp": 20}')
    .with_recipient("assistant")
    .with_channel("commentary")
)
ASK, WEATHER = user("weather?"), ("get_location", "get_weather")


def prompt(*turns, effort="medium", instructions=None, tools=()):
    system = SystemContent.new().with_reasoning_effort(EFFORTS[effort])
    messages = [Message.from_role_and_content(Role.SYSTEM, system.with_conversation_start_date("2025-06-28"))]
    developer = DeveloperContent.new()
    if instructions:
        developer = developer.with_instructions(instructions)
    if tools:
        described = [
            ToolDescription.new(name, TOOLS[name]["description"], parameters=TOOLS[name]["parameters"])
            for name in tools
        ]
        developer = developer.with_function_tools(described)
    if instructions or tools:
        messages.append(Message.from_role_and_content(Role.DEVELOPER, developer))
    conversation = Conversation.from_messages([*messages, *turns])
    return ENCODING.decode(ENCODING.render_conversation_for_completion(conversation, Role.ASSISTANT))


PROMPTS = {
    "plain": prompt(user("What is 2 + 2?")),
    "instructions": prompt(user("hi"), effort="high", instructions="Always be brief."),
    "tools": prompt(ASK, effort="low", instructions="Be brief.", tools=(*WEATHER, "many", "empty")),
    "a tool alone": prompt(ASK, effort="low", tools=("get_location",)),
    "a call": prompt(ASK, THOUGHT, CALL, RESULT, effort="low", instructions="Be brief.", tools=WEATHER),
    "an earlier turn": prompt(user("2+2?"), said("easy", "analysis"), said("4", "final"), user("and 3+3?")),
    "an earlier call": prompt(
        *(ASK, THOUGHT, CALL, RESULT, said("now", "analysis"), said("20", "final"), user("and?")),
        tools=WEATHER,
    ),
    "words before a call": prompt(
        *(ASK, THOUGHT, said("One moment.", "commentary"), CALL, RESULT), tools=WEATHER
    ),
    "schemas": prompt(user("hi"), tools=("f", "g")),
    "nested": prompt(user("hi"), tools=("nested",)),
}

_LOOK = "<|channel|>analysis<|message|>I must look.<|end|><|start|>assistant"
_TOKYO = '<|constrain|>json<|message|>{"location": "Tokyo"}<|call|>'
STREAMS = {
    "thought and answer": "<|channel|>analysis<|message|>Let me see here.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Hello<|return|>",
    "call": f"{_LOOK}<|channel|>commentary to=functions.get_weather {_TOKYO}",
    "recipient in the role": f"{_LOOK} to=functions.get_weather<|channel|>commentary {_TOKYO}",
    "preamble": "<|channel|>analysis<|message|>A plan.<|end|>"
    "<|start|>assistant<|channel|>commentary<|message|>One moment.<|end|>"
    f"<|start|>assistant<|channel|>commentary to=functions.get_weather {_TOKYO}",
    "two thoughts": "<|channel|>analysis<|message|>First.<|end|>"
    "<|start|>assistant<|channel|>analysis<|message|>Second.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Done — ✓.<|return|>",
    "answer alone": "<|channel|>final<|message|>Hi\n\nthere<|return|>",
    "never ended": "<|channel|>analysis<|message|>Let me",
    "built-in tool": "<|channel|>analysis to=python code<|message|>print(1)<|call|>",
}


def read(stream):
    tokens = ENCODING.encode(stream, allowed_special="all")
    parser = StreamableParser(ENCODING, Role.ASSISTANT)
    for token in tokens:
        parser.process(token)
    messages = [
        {"channel": each.channel, "recipient": each.recipient, "text": each.content[0].text}
        for each in parser.messages
    ]
    if parser.current_content:  # of one that was never ended
        messages.append(
            {
                "channel": parser.current_channel,
                "recipient": parser.current_recipient,
                "text": parser.current_content,
            }
        )
    # A token may hold a part of a character: such are cut where their text can be.
    pieces, known = [], ""
    for end in range(1, len(tokens) + 1):
        text = ENCODING.decode(tokens[:end])
        if "\N{REPLACEMENT CHARACTER}" not in text:
            pieces.append(text[len(known) :])
            known = text
    return {"stream": stream, "tokens": pieces, "messages": messages}


def write(name, content):
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (HERE / name).write_text(f"{text}\n")


if __name__ == "__main__":
    write("harmony_prompts.json", PROMPTS)
    write("harmony_streams.json", {name: read(stream) for name, stream in STREAMS.items()})
