"""A page that needs nothing else: no script, no network, light and dark."""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files


def document(title: str, body: Iterable[str], style: str = "") -> str:
    """A report's page, whole.

    Args:
        title: What the browser calls it.
        body: Its elements, as HTML.
        style: Rules of its own, beside those that all reports have.
    """
    return (
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style_sheet('base')}{style_sheet('report')}{style}</style>\n"
        f"<body>\n{chr(10).join(body)}\n</body>\n</html>\n"
    )


@cache
def style_sheet(name: str) -> str:
    """The rules of one of the sheets here: ``base`` is every page's, ``report`` every report's."""
    return files("isthmus.pages").joinpath(f"{name}.css").read_text("utf-8")


def table(header: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table: each row is its class, or nothing, and its cells. All of it is HTML already."""
    head = "".join(f"<th>{each}</th>" for each in header)
    lines = "".join(
        f"<tr{f' class={kind}' if kind else ''}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for kind, cells in rows
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def fields(rows: Iterable[tuple[str, str]]) -> str:
    """Labelled values; each value is HTML already, and one that is empty is left out."""
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in rows if value)
    return f"<dl>{listed}</dl>"
