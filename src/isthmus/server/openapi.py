"""The OpenAPI 3.1 document, made of what the routes say of themselves (see `operation`).

Schemas come from the wire's own Structs by msgspec, the table of error codes from the error tree: there is
nothing to keep in step by hand.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

import msgspec

from isthmus import __version__
from isthmus.errors import Interrupted, IsthmusError, ServerError, SettingsError, UsageError
from isthmus.server.error_shapes import AnthropicError, OllamaError, OpenAIError
from isthmus.server.failures import Shape as ErrorShape
from isthmus.server.failures import shape_of
from isthmus.server.operation import Endpoint, Handler, Operation, Shape

_ERRORS: Mapping[ErrorShape, type] = {
    "openai": OpenAIError,
    "anthropic": AnthropicError,
    "ollama": OllamaError,
}
_Schema: TypeAlias = dict[str, Any]
_REFERENCE = "#/components/schemas/"
_REFERRED = re.compile(rf'"{_REFERENCE}([^"]+)"')
_PLACE = re.compile(r"\{(\w+)(?::\w+)?\}")
"""A parameter in a path, as Starlette writes it: ``{model:path}``."""

_COMMANDS_ALONE = {UsageError, SettingsError, ServerError, Interrupted}
"""Errors that no request meets."""

_ABOUT = """\
One server for programs written for OpenAI's, Anthropic's or Ollama's API, and a few routes of its own.

Parameters that are not known have no effect and are listed in `x-isthmus-ignored-parameters`; one that would
change the meaning of the request, and is not supported, is refused with a 400 that names it.
"""

_TAGS = {
    "OpenAI": "OpenAI's API: the base URL is `/v1`.",
    "Anthropic": "Anthropic's API: the base URL is `/`.",
    "Ollama": "Ollama's API: the host is `/`.",
    "llama.cpp": "What llama.cpp's server has beside OpenAI's API.",
    "Models": "Which models there are, and which are loaded.",
    "Hand-off": "What waits for consent to be handed over to a hosted model.",
    "Service": "The server itself.",
}

_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key: `isthmus key create NAME`. Until there is one, loopback needs none.",
    },
    "x-api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same key, as Anthropic's clients send it.",
    },
}

_ROUTED = {
    "x-isthmus-route": "Who answers: `local` or `hosted`.",
    "x-isthmus-reason": "Why.",
    "x-isthmus-consent-id": "What waits for your consent, where something does.",
    "x-isthmus-ignored-parameters": "What of the request is not known and had no effect.",
}


def describe(paths: Mapping[str, Mapping[str, Handler]]) -> dict[str, Any]:
    """The document.

    Args:
        paths: For each path, as Starlette writes it, its handler for each method. Handlers that are not an
            `Endpoint` are left out.
    """
    found = [
        (path, method, handler)
        for path, handlers in paths.items()
        for method, handler in handlers.items()
        if isinstance(handler, Endpoint)
    ]
    schemas = _Schemas(_shapes(each.operation for _, _, each in found))
    described: dict[str, dict[str, Any]] = {}
    seen: Counter[str] = Counter()  # one handler may stand at several paths
    for path, method, endpoint in found:
        names = _PLACE.findall(path)
        item = described.setdefault(_PLACE.sub(r"{\1}", path), {})
        if names:
            item["parameters"] = [_path_parameter(name) for name in names]
        seen[endpoint.name] += 1
        id_ = endpoint.name if seen[endpoint.name] == 1 else f"{endpoint.name}_{seen[endpoint.name]}"
        item[method.lower()] = {"operationId": id_} | _operation(endpoint, shape_of(path), schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Isthmus",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{name: []} for name in _SCHEMES],
        "paths": described,
        "components": {
            "securitySchemes": _SCHEMES,
            "responses": dict(_failures(schemas)),
            "schemas": schemas.components,
        },
    }


def _operation(endpoint: Endpoint, errors: ErrorShape, schemas: "_Schemas") -> dict[str, Any]:
    said = endpoint.operation
    text: dict[str, Any] = {
        "summary": said.summary,
        "description": _unwrapped(endpoint.description),
        "tags": [said.tag],
    }
    if said.open:
        text["security"] = []
    if said.query:
        text["parameters"] = [
            {
                "name": each.name,
                "in": "query",
                "description": each.description,
                "schema": schemas.of(each.type),
            }
            for each in said.query
        ]
    if said.body is not None:
        media: dict[str, Any] = {"schema": schemas.of(said.body)}
        if said.example is not None:
            media["example"] = said.example
        text["requestBody"] = {"required": True, "content": {"application/json": media}}
    text["responses"] = {
        "200": _answer(said, schemas),
        "4XX": {"$ref": f"#/components/responses/{errors}_refused"},
        "5XX": {"$ref": f"#/components/responses/{errors}_failed"},
    }
    return text


def _answer(said: Operation, schemas: "_Schemas") -> dict[str, Any]:
    content: dict[str, Any] = {}
    if said.answer is not None:
        content["application/json"] = {"schema": schemas.of(said.answer)}
    if said.text is not None:
        content[said.text] = {"schema": {"type": "string"}}
    if said.pieces is not None:
        content[said.stream] = {"schema": _piece(said, schemas)}
    answer: dict[str, Any] = {"description": "The answer."}
    if said.pieces is not None:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in _ROUTED.items()
        }
    if content:
        answer["content"] = content
    return answer


def _piece(said: Operation, schemas: "_Schemas") -> dict[str, Any]:
    """One piece of a stream; OpenAPI 3.1 knows no better place for it than the schema of the whole."""
    piece = schemas.of(said.pieces)
    if said.stream == "application/x-ndjson":
        return piece
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": piece}
    return {
        "type": "object",
        "description": "One of the events.",
        "properties": {"event": {"type": "string"}, "data": data},
        "required": ["data"],
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _failures(schemas: "_Schemas") -> Iterable[tuple[str, dict[str, Any]]]:
    for shape, type_ in _ERRORS.items():
        content = {"application/json": {"schema": schemas.of(type_)}}
        retry = {
            "Retry-After": {
                "description": "Seconds, where trying again may help.",
                "schema": {"type": "string"},
            }
        }
        for name, title, low in (("refused", "Not as it stands.", 400), ("failed", "It went wrong.", 500)):
            text = f"{title}\n\n{_codes(low)}"
            yield f"{shape}_{name}", {"description": text, "headers": retry, "content": content}


def _codes(low: int) -> str:
    """The error tree's codes by HTTP status, from ``low`` up to the next hundred."""
    found: dict[int, set[str]] = {}
    for each in _tree(IsthmusError):
        if low <= each.http_status < low + 100 and each not in _COMMANDS_ALONE:
            found.setdefault(each.http_status, set()).add(f"`{each.code}`")
    return "\n".join(f"- {status}: {', '.join(sorted(found[status]))}" for status in sorted(found))


def _tree(root: type[IsthmusError]) -> Iterable[type[IsthmusError]]:
    yield root
    for each in root.__subclasses__():
        yield from _tree(each)


def _unwrapped(docstring: str) -> str:
    """A docstring's text for people who use the API: without what it says of exceptions, lines joined."""
    text, _, _ = docstring.partition("Raises:")
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n")).strip()


# ---------------------------------------------------------------- schemas


def _shapes(operations: Iterable[Operation]) -> list[Shape]:
    shapes: list[Shape] = list(_ERRORS.values())
    for each in operations:
        shapes += [each.body, each.answer, each.pieces, *(parameter.type for parameter in each.query)]
    return [each for each in shapes if each is not None]


class _Schemas:
    """The schemas of a set of types, and the components that they refer to, by names that read well."""

    def __init__(self, shapes: list[Shape]) -> None:
        members = [member for shape in shapes for member in _members(shape)]
        found = msgspec.json.schema_components(members, ref_template=_REFERENCE + "{name}")
        names = _names(found[1])
        text = _REFERRED.sub(
            lambda match: f'"{_REFERENCE}{names[match[1]]}"', msgspec.json.encode(found).decode()
        )
        schemas, components = msgspec.json.decode(text, type=tuple[list[_Schema], dict[str, _Schema]])
        self._schemas = list(zip(members, schemas, strict=True))
        titled = {names[old]: schema | {"title": names[old]} for old, schema in components.items()}
        self.components = dict(sorted(titled.items()))

    def of(self, shape: Shape) -> _Schema:
        """One type's schema."""
        found = [self._of(member) for member in _members(shape)]
        return {"anyOf": found} if len(found) > 1 else found[0]

    def _of(self, member: Shape) -> _Schema:
        return next(schema for each, schema in self._schemas if each == member)


def _members(shape: Shape) -> tuple[Shape, ...]:
    """What a union is made of; msgspec describes only such unions as it could also read."""
    return get_args(shape) if get_origin(shape) in (Union, UnionType) else (shape,)


def _names(components: Iterable[str]) -> dict[str, str]:
    """Short names; msgspec gives those that two modules share with their whole path: a._B is A's B.

    What is private is the shape of something that is asked for.
    """
    names: dict[str, str] = {}
    for old in components:
        *path, last = old.split(".")
        module = path[-1].partition("_")[0].capitalize() if path else ""
        new = module + last.lstrip("_")
        names[old] = next(each for each in (new, f"{new}Input", old) if each not in names.values())
    return names
