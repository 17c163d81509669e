"""How a local model comes to call tools, whatever its chat template knows of them.

    free       it may call or answer, and its template tells it the tools
    told       it may call or answer, and a system message of ours tells it the tools
    enveloped  a grammar holds it to calls, or to calls or an answer of a given form

llama.cpp enforces ``tool_choice`` loosely: a template without tools forgets them, one with tools still lets
a model write anything before its first call, and a named function is not looked at. So whatever must hold is
held by an envelope, a JSON Schema of the answer that the engine turns into a grammar.
"""

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.engines.call_reader import CallReader, EnvelopeReader, LooseReader
from isthmus.engines.grammar_schema import Kept, keep
from isthmus.engines.tool_turns import (
    CLOSE,
    OPEN,
    with_object_arguments,
    without_tool_roles,
)
from isthmus.errors import RequestError
from isthmus.generator import EventStream
from isthmus.messages import (
    Event,
    Finish,
    GenerationRequest,
    Notice,
    TextDelta,
    Tool,
    ToolCallDelta,
    with_system,
)
from isthmus.wire.schemas import Allowance

MAX_CALLS = 16
"""Calls of one answer that must call: a small model would go on for ever."""
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_EXAMPLE = '{"tool_calls": [{"name": "...", "arguments": {...}}]}'
_ANYTHING: dict[str, Any] = {"type": "object"}


class Told(Struct, frozen=True):
    """A request as the engine is to have it, and how its answer is to be read."""

    request: GenerationRequest
    tools: dict[str, Tool] = {}
    """Those whose calls may be in the answer's text."""
    enveloped: bool = False
    marks: bool = False
    """Whether the model was told to call between marks."""
    notice: Notice | None = None
    """What of a schema is not enforced."""

    def read(self, answer: EventStream) -> EventStream:
        """The answer's events, with its calls as such."""
        return self._with_calls(answer) if self.tools else answer

    async def _with_calls(self, answer: EventStream) -> EventStream:
        readers: dict[int, CallReader] = {}
        async with aclosing(answer) as events:
            async for event in events:
                for said in self._read(event, readers):
                    yield said

    def _read(self, event: Event, readers: dict[int, CallReader]) -> Iterator[Event]:
        match event:
            case TextDelta(text, index):
                yield from self._reader(readers, index).feed(text)
            case ToolCallDelta(position=position, index=index) if index in readers:
                yield msgspec.structs.replace(event, position=position + readers[index].calls)
            case Finish(reason=reason, index=index) if index in readers:
                yield from readers[index].end()
                called = reason == "stop" and readers[index].calls
                yield msgspec.structs.replace(event, reason="tool_calls") if called else event
            case _:
                yield event

    def _reader(self, readers: dict[int, CallReader], index: int) -> CallReader:
        if index not in readers:
            readers[index] = (
                EnvelopeReader(index) if self.enveloped else LooseReader(self.tools, index, marks=self.marks)
            )
        return readers[index]


def knows_tools(properties: Any) -> bool:
    """Whether a model's template has a place for tools and calls, by what its worker says of itself."""
    abilities = properties.get("chat_template_caps", {})
    return bool(abilities.get("supports_tools") and abilities.get("supports_tool_calls"))


def tell(request: GenerationRequest, *, knows_tools: bool) -> Told:
    """Make of a request what the engine enforces.

    Args:
        request: As it was asked.
        knows_tools: Whether the model's template has a place for tools and calls.

    Raises:
        RequestError: Something that must hold of the answer can't be enforced; ``param`` names it.
    """
    if request.raw is not None:
        form, lost = _form(request.response_format)
        return Told(msgspec.structs.replace(request, response_format=form), notice=_notice(lost))
    # Beside tools the engine gives no log-probabilities, so that they are told in our words then.
    native = knows_tools and (request.top_logprobs is None or not request.tools)
    tools = () if request.tool_choice == "none" else request.tools
    messages = with_object_arguments(request.messages) if native else without_tool_roles(request.messages)
    plain = msgspec.structs.replace(
        request, messages=messages, tools=(), tool_choice=None, parallel_tool_calls=None, response_format=None
    )
    if not tools:
        form, lost = _form(request.response_format)
        return Told(msgspec.structs.replace(plain, response_format=form), notice=_notice(lost))
    offer = _Offer(request, tools)
    if offer.must or request.response_format is not None:
        return _enveloped(request, plain, offer, native=native)
    if native:
        return _free(request, plain, offer)
    return Told(
        msgspec.structs.replace(plain, messages=with_system(plain.messages, offer.words())),
        offer.by_name,
        marks=True,
        notice=_notice(offer.lost),
    )


class _Offer:
    """The tools of a request with what of their schemas is enforced.

    Raises:
        RequestError: A schema can't be worked with, or a strict tool's asks for more.
    """

    def __init__(self, request: GenerationRequest, tools: tuple[Tool, ...]) -> None:
        self.by_name = {tool.name: tool for tool in tools}
        self.choice = request.tool_choice
        self.must = self.choice not in (None, "auto")
        self.several = request.parallel_tool_calls is not False
        self.schemas: dict[str, dict[str, Any]] = {}
        self.lost: list[str] = []
        allowance = Allowance()
        for number, tool in enumerate(tools):
            at = f"tools[{number}].function.parameters"
            # Not every API looks at its schemas, and what is no schema can't be rewritten.
            allowance.check(tool.parameters or {}, at)
            kept = keep(tool.parameters) if tool.parameters else Kept(_NOTHING)
            self.schemas[tool.name] = kept.schema
            _refuse_if(bool(tool.strict), kept.lost, at)
            self.lost += [f"{at}.{each}" for each in kept.lost]

    def words(self) -> str:
        """What the model is told that may call between marks."""
        calls = "calls, each" if self.several else "one call,"
        return (
            f"{self.listing()}\n\nWhere a function helps, answer with {calls} a JSON object with its name "
            f"and arguments within {OPEN}{CLOSE} marks, like this:\n{OPEN}\n"
            f'{{"name": <function-name>, "arguments": <args-json-object>}}\n{CLOSE}'
        )

    def listing(self) -> str:
        """The tools, one a line, between the marks that models with tools were mostly trained with."""
        lines = [
            msgspec.json.encode(
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description or "",
                        "parameters": tool.parameters or _NOTHING,
                    },
                }
            ).decode()
            for tool in self.by_name.values()
        ]
        return "\n".join(["# Tools", "", "You may call these functions:", "<tools>", *lines, "</tools>"])

    def calls(self) -> dict[str, Any]:
        """The schema of the calls that may, or must, be made."""
        named = isinstance(self.choice, dict)
        names = [self.choice["function"]["name"]] if isinstance(self.choice, dict) else list(self.by_name)
        ways = [_object(name={"const": name}, arguments={"$ref": f"#/$defs/{_root(name)}"}) for name in names]
        most = MAX_CALLS if self.several and not named else 1
        items = ways[0] if len(ways) == 1 else {"anyOf": ways}
        return _object(tool_calls={"type": "array", "items": items, "minItems": 1, "maxItems": most})

    def roots(self) -> dict[str, dict[str, Any]]:
        """What the schema of the calls refers to."""
        return {
            _root(name): keep(tool.parameters, f"#/$defs/{_root(name)}").schema
            if tool.parameters
            else _NOTHING
            for name, tool in self.by_name.items()
        }


# ---------------------------------------------------------------- the ways to offer them


def _free(request: GenerationRequest, plain: GenerationRequest, offer: _Offer) -> Told:
    """The model's own template tells it the tools, and the engine reads its own way to call."""
    tools = tuple(
        msgspec.structs.replace(tool, parameters=offer.schemas[name], strict=None)
        for name, tool in offer.by_name.items()
    )
    told = msgspec.structs.replace(
        plain, tools=tools, tool_choice="auto", parallel_tool_calls=request.parallel_tool_calls
    )
    return Told(told, offer.by_name, notice=_notice(offer.lost))


def _enveloped(request: GenerationRequest, plain: GenerationRequest, offer: _Offer, *, native: bool) -> Told:
    """A grammar holds the answer to calls, or to calls or the form that was asked for."""
    envelope, roots, lost = offer.calls(), offer.roots(), list(offer.lost)
    words = [] if native else [offer.listing()]
    if offer.must:
        words += [] if native else [f"Answer with a call, as JSON: {_EXAMPLE}"]
    else:
        form, told = _form(request.response_format, "#/$defs/answer")
        shape = _ANYTHING if form is None else form["json_schema"]["schema"]
        lost += told
        roots["answer"] = shape
        envelope = {"anyOf": [envelope, _object(answer={"$ref": "#/$defs/answer"})]}
        words.append(
            f"Answer with JSON. To call a function: {_EXAMPLE}. "
            f'To answer: {{"answer": ...}}, by this schema: '
            f"{msgspec.json.encode(shape).decode()}"
        )
    schema = envelope | {"$defs": roots}
    told_request = msgspec.structs.replace(
        plain,
        messages=with_system(plain.messages, "\n".join(words)) if words else plain.messages,
        tools=tuple(offer.by_name.values()) if native else (),
        tool_choice="none" if native else None,
        response_format={"type": "json_schema", "json_schema": {"name": "calls", "schema": schema}},
    )
    return Told(told_request, offer.by_name, enveloped=True, notice=_notice(lost))


def _form(wanted: dict[str, Any] | None, root: str = "#") -> tuple[dict[str, Any] | None, list[str]]:
    """The form of an answer as the engine enforces it, and what of it is not enforced.

    Raises:
        RequestError: Its schema can't be worked with, or is strict, and something isn't enforced.
    """
    if wanted is None:
        return None, []
    asked = wanted.get("json_schema", {})
    at = "response_format.json_schema.schema"
    Allowance().check(asked.get("schema") or {}, at)
    kept = keep(asked.get("schema") or _ANYTHING, root)
    _refuse_if(bool(asked.get("strict")), kept.lost, at)
    # An empty schema means no grammar to the engine.
    fields = {"name": asked.get("name", "answer"), "schema": kept.schema or _ANYTHING}
    return {"type": "json_schema", "json_schema": fields}, [f"{at}.{each}" for each in kept.lost]


def _refuse_if(strict: bool, lost: Sequence[str], at: str) -> None:
    if strict and lost:
        param = f"{at}.{lost[0]}"[:300]
        raise RequestError(
            f"{param} can't be enforced here, and strict asks for that",
            hint="leave it out, or strict",
            param=param,
        )


def _notice(lost: Sequence[str]) -> Notice | None:
    if not lost:
        return None
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
    return Notice("schema_not_enforced", f"not enforced: {', '.join(lost[:5])}{more}"[:1000])


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _root(name: str) -> str:
    """What a tool's schema is called among the definitions: its name may have slashes."""
    return f"tool-{name.encode().hex()}"
