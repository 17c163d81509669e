"""What Isthmus uses of google-re2."""

from collections.abc import Iterator
from typing import TypeAlias

class error(Exception): ...  # noqa: N801

class Options:
    max_mem: int
    log_errors: bool
    case_sensitive: bool

class _Match:
    def span(self, group: int = ...) -> tuple[int, int]: ...

class _Regexp:
    groups: int
    def finditer(
        self, text: str | bytes, pos: int | None = ..., endpos: int | None = ...
    ) -> Iterator[_Match]: ...
    def fullmatch(self, text: str) -> _Match | None: ...

Regexp: TypeAlias = _Regexp

class Set:
    @classmethod
    def SearchSet(cls, options: Options | None = ...) -> Set: ...  # noqa: N802
    def Add(self, pattern: str) -> int: ...  # noqa: N802
    def Compile(self) -> None: ...  # noqa: N802
    def Match(self, text: str | bytes) -> list[int] | None: ...  # noqa: N802

def compile(pattern: str, options: Options | None = ...) -> _Regexp: ...  # noqa: A001
def escape(pattern: str) -> str: ...
