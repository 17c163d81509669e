"""Reading a published file's rows, with errors that say where."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from isthmus.errors import UsageError
from isthmus.handoff.estimator.rows import read_objects

Shape = TypeVar("Shape")


class Line(NamedTuple):
    """A row, and where it stands."""

    where: str
    row: dict[str, Any]

    def as_(self, shape: type[Shape]) -> Shape:
        """The row in its shape; what the shape doesn't name is passed over.

        Raises:
            UsageError: It hasn't that shape.
        """
        try:
            return msgspec.convert(self.row, shape)
        except msgspec.ValidationError as error:
            raise UsageError(f"{self.where}: {str(error)[0].lower()}{str(error)[1:]}") from error


def lines_of(path: Path) -> Iterator[Line]:
    """The rows of a JSON-lines file, which may be compressed (.gz).

    Raises:
        UsageError: It can't be read, or a row can't.
    """
    for where, row in read_objects(path)[1]:
        yield Line(where, row)
