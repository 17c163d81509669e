"""What form an answer must have, however it was asked: OpenAI's parameter, and two of llama.cpp's."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from isthmus.errors import RequestError
from isthmus.wire.grammars import read_grammar
from isthmus.wire.response_format import json_schema, read_format


class Form(Struct, frozen=True):
    """The form of an answer: by a format, by a grammar, or free."""

    response_format: dict[str, Any] | None = None
    grammar: str | None = None


def read_form(
    response_format: Mapping[str, Any] | None,
    schema: object,
    grammar: str | None,
    *,
    beside: str | None = None,
) -> Form:
    """The form that an answer must have.

    Args:
        response_format: OpenAI's parameter.
        schema: llama.cpp's ``json_schema``.
        grammar: llama.cpp's ``grammar``.
        beside: A parameter of the request that a grammar can't be kept to beside.

    Raises:
        RequestError: It is malformed, can't be worked with, or was asked for in two ways.
    """
    given = {"response_format": response_format, "json_schema": schema, "grammar": grammar or None}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise RequestError(
            f"{names[0]} and {names[1]} both say what form the answer has", hint="send one", param=names[1]
        )
    if grammar and beside is not None:
        raise RequestError(
            f"grammar: an answer can't keep to it beside {beside}",
            hint=f"leave out grammar or {beside}",
            param="grammar",
        )
    if schema is not None:
        return Form(json_schema("answer", schema, None, "json_schema"))
    return Form(read_format(response_format), read_grammar(grammar))
