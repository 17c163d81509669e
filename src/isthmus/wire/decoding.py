"""Reading an API's JSON into its shapes, with errors that name the parameter at fault."""

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Struct

from isthmus.errors import RequestError

T = TypeVar("T", bound=Struct)

_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WORD = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_FIELD = re.compile(r"Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_FIELD_FAULTS = {"missing required": "required", "contains unknown": "not a parameter"}


class BodyDecoder(Generic[T]):
    """Decodes bodies of one shape.

    Args:
        shape: The Struct that a body has to fit.
        words: The closed sets (`Literal` types) in it, by the name of the parameter, for what errors say.
    """

    def __init__(self, shape: type[T], words: Mapping[str, Any]) -> None:
        self._decoder = msgspec.json.Decoder(shape)
        self._known = frozenset(shape.__struct_encode_fields__)
        self._words = words

    def decode(self, body: bytes | msgspec.Raw) -> T:
        """The body as its shape.

        Raises:
            RequestError: Not JSON, or a parameter of the wrong type or out of range; ``param`` names it.
        """
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _misfit(str(error), self._words) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RequestError(f"the body is not valid JSON: {error}") from error

    def unknown(self, body: bytes | msgspec.Raw) -> tuple[str, ...]:
        """The names of a body's parameters that the shape has none for.

        Raises:
            RequestError: It is nested too deeply, or a name in it is no text.
        """
        try:
            return tuple(sorted(_KEYS.decode(body).keys() - self._known))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RequestError(f"the body is not valid JSON: {error}") from error


def _misfit(error: str, words: Mapping[str, Any]) -> RequestError:
    """What msgspec says doesn't fit, by the name of its parameter."""
    text, mark, where = error.rpartition(" - at `$")
    if not mark:
        text, where = error, ""
    param = where.rstrip("`").lstrip(".").replace("[...]", "")
    if field := _FIELD.fullmatch(text):
        param = f"{param}.{field['name']}".lstrip(".")
        return RequestError(f"{param} is {_FIELD_FAULTS[field['fault']]}", param=param)
    if value := _WORD.fullmatch(text):
        known = ", ".join(get_args(words[param.rpartition(".")[2]]))
        return RequestError(f"{param}: {value[1]} is not one of {known}", param=param)
    told = text[:1].lower() + text[1:]
    return RequestError(f"{param}: {told}" if param else f"the body: {told}", param=param or None)
